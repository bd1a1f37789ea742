using System.Globalization;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What a data folder says of itself while no server runs on it (<c>pg_controldata</c>).</summary>
/// <param name="SystemId">PostgreSQL's number of the cluster.</param>
/// <param name="Checkpoint">Its latest checkpoint: after an orderly stop the last record of its log.</param>
/// <param name="Timeline">The timeline of that.</param>
internal sealed record ControlData(string SystemId, Lsn Checkpoint, uint Timeline)
{
    /// <summary>Reads it.</summary>
    /// <exception cref="JobFailedException">The tool cannot read it.</exception>
    public static async Task<ControlData> ReadAsync(PgServer server, CancellationToken cancellation)
    {
        var seen = await server.Binaries.MustRunAsync("pg_controldata", ["-D", server.Options.DataFolder], cancellation);
        var fields = seen.Output.Split('\n').Select(l => l.Split(':', 2)).Where(f => f.Length == 2).ToDictionary(f => f[0].Trim(), f => f[1].Trim(), StringComparer.Ordinal);
        return fields.TryGetValue("Database system identifier", out var system)
            && Lsn.TryParse(fields.GetValueOrDefault("Latest checkpoint location"), out var place)
            && uint.TryParse(fields.GetValueOrDefault("Latest checkpoint's TimeLineID"), NumberStyles.None, CultureInfo.InvariantCulture, out var timeline)
            ? new(system, place, timeline)
            : throw new JobFailedException($"pg_controldata says nothing of '{server.Options.DataFolder}' that can be read.");
    }
}
