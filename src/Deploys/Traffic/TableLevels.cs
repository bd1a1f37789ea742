using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>What the route table carries beside routes. Immutable.</summary>
/// <param name="Holds">In the order of organization, project and environment.</param>
/// <param name="Maintenance">What has not ended, in the order of its beginning.</param>
internal sealed record TableLevels(IReadOnlyList<ServiceHold> Holds, IReadOnlyList<Maintenance> Maintenance)
{
    private static readonly TableLevels None = new([], []);

    /// <summary>What proves hosts to a certificate authority, in the order of hosts.</summary>
    public IReadOnlyList<ChallengeAnswer> Challenges { get; init; } = [];

    /// <summary>What the transaction sees; a maintenance whose end has come is in it no more.</summary>
    public static async Task<TableLevels> ReadAsync(StoreContext db, DateTimeOffset now, CancellationToken cancellation)
    {
        var holds = await Deploys.Holds.ReadAsync(db, null, cancellation);
        var maintenance = await db.Set<MaintenanceRow>().Where(m => m.Until == null || m.Until > now).ToListAsync(cancellation);
        var challenges = await db.Set<ChallengeRow>().ToListAsync(cancellation);
        return new TableLevels(
            [.. holds.Select(h => new ServiceHold(h.Org, h.Project, h.Environment, h.Hold))],
            [.. maintenance.OrderBy(m => m.Id).Select(m => MaintenanceTimes.Info(m).Maintenance)])
        {
            Challenges = [.. challenges.OrderBy(c => c.Host, StringComparer.Ordinal).ThenBy(c => c.Token, StringComparer.Ordinal).Select(c => new ChallengeAnswer(c.Host, c.Token, c.Answer))],
        };
    }

    /// <summary>As the store keeps it: null for nothing.</summary>
    public static string? Encode(TableLevels levels) =>
        levels.Holds.Count + levels.Maintenance.Count + levels.Challenges.Count == 0 ? null : JsonSerializer.Serialize(levels, Json.Options);

    public static TableLevels Decode(string? text) => text is null ? None : JsonSerializer.Deserialize<TableLevels>(text, Json.Options)!;

    /// <summary>Forgets what has ended: maintenance, and drains of nodes that were removed, and of instances and deployments that do not run any more.</summary>
    public static async Task SweepAsync(StoreContext db, Instances instances, Nodes nodes, DateTimeOffset now, CancellationToken cancellation)
    {
        await db.Set<MaintenanceRow>().Where(m => m.Until != null && m.Until <= now).ExecuteDeleteAsync(cancellation);
        var drained = await Drains.AllAsync(db, cancellation);
        if (drained.Nodes.Count > 0)
        {
            var known = (await nodes.ListAsync(db, cancellation)).Select(n => n.Id).ToList();
            await db.Set<NodeDrainRow>().Where(d => !known.Contains(d.NodeId)).ExecuteDeleteAsync(cancellation);
        }
        if (drained.Rows.Count == 0)
            return;
        var there = (await instances.ListAsync(db, null, cancellation)).ToLookup(i => i.Deployment, i => i.Id, StringComparer.Ordinal);
        var over = drained.Rows.Where(d => d.InstanceId is { } id ? !there[d.Deployment].Contains(id) : !there.Contains(d.Deployment)).Select(d => d.Id).ToList();
        await db.Set<DrainRow>().Where(d => over.Contains(d.Id)).ExecuteDeleteAsync(cancellation);
    }
}
