using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>What the file of the last table holds (docs/formats/route-table.md).</summary>
internal static class RouteTableFile
{
    /// <summary>The file's name in the state folder.</summary>
    public const string Name = "routes.json";

    private const int Version = 2;

    /// <summary>The file's bytes, and the digest by which two tables are told apart.</summary>
    public static (byte[] Content, string Digest) Encode(RouteTable table)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(table, Json.Options);
        var digest = StateFile.DigestOf(body);
        return (StateFile.Encode(Version, "table", body, digest), digest);
    }

    /// <summary>Reads such bytes back; anything that is not exactly what was written is refused.</summary>
    /// <exception cref="InvalidDataException">Says what is wrong with them.</exception>
    public static (RouteTable Table, string Digest) Decode(ReadOnlyMemory<byte> content) => StateFile.Decode(content, Version, "table", "a whole route table", (body, version, digest) =>
    {
        var table = body.Deserialize<RouteTable>(Json.Options) ?? throw new InvalidDataException("it holds no table");
        if (version == 1)
            table = table with { Routes = [.. table.Routes.Zip(body.GetProperty("routes").EnumerateArray(), WithIdleTime)] };
        return RouteTableJudge.Judge(table) is { Count: > 0 } problems
            ? throw new InvalidDataException($"its table has {problems.Count} problems: {problems[0]}")
            : (table, digest);
    });

    /// <summary>Version 1 had one setting, which stood beside the targets.</summary>
    private static Route WithIdleTime(Route route, JsonElement written) => written.TryGetProperty("activityTimeout", out var idle)
        ? route with { Policy = RoutePolicy.Default with { Time = new TimeLimits { Idle = idle.Deserialize<TimeSpan>(Json.Options) } } }
        : route;
}
