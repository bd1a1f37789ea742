using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>Tells nodes what servers should be, and waits until they are. Thread-safe.</summary>
internal sealed class Servers(Store store, Nodes nodes, Link link, DatabaseReading reading, DatabasesOptions options, TimeProvider clock)
{
    /// <summary>A server that answers and is not as wanted for so long does not become so by waiting.</summary>
    private static readonly TimeSpan DegradedLimit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Changes what servers of a cluster should be, and tells the nodes of all its servers what holds now; again changes nothing.
    /// </summary>
    /// <returns>The generation of each server's task.</returns>
    public Task<IReadOnlyDictionary<Guid, long>> TellAsync(Guid clusterId, Action<IReadOnlyList<ServerRow>> change, CancellationToken cancellation) =>
        store.WriteAsync((db, cancel) => TellAsync(db, clusterId, change, cancel), cancellation);

    /// <summary>The same in a transaction.</summary>
    public async Task<IReadOnlyDictionary<Guid, long>> TellAsync(StoreContext db, Guid clusterId, Action<IReadOnlyList<ServerRow>> change, CancellationToken cancellation)
    {
        var rows = await db.Set<ServerRow>().AsTracking().Where(s => s.ClusterId == clusterId && s.Desire != ClusterDesire.Removed).ToListAsync(cancellation);
        change(rows);
        await db.SaveChangesAsync(cancellation);
        var info = await reading.GetAsync(db, clusterId, cancellation);
        var told = new Dictionary<Guid, long>();
        foreach (var row in rows)
        {
            var server = info.Servers.FirstOrDefault(s => s.Id == row.Id)
                ?? new DatabaseServerInfo(row.Id, row.NodeId, "", row.Role, row.Port, row.Desire, null);
            told[row.Id] = await nodes.EnsureTaskAsync(
                db, row.NodeId, DatabaseReading.KeyOfServer(row.Id), ClusterSpec.TaskKind, ClusterPlanning.SpecOf(info, server), cancellation);
        }
        return told;
    }

    /// <summary>Waits until a server is as it should be. Null when it is; otherwise why it is not.</summary>
    /// <param name="context">The step, which says what the node says.</param>
    /// <param name="nodeId">Its node.</param>
    /// <param name="serverId">The server.</param>
    /// <param name="generation">A report about an older task does not count.</param>
    /// <param name="isThere">What is waited for.</param>
    /// <param name="limit">For how long, from the beginning of the step.</param>
    /// <param name="cancellation">The end of the program.</param>
    public async Task<string?> WaitAsync<TPlan>(
        StepContext<TPlan> context, Guid nodeId, Guid serverId, long generation, Func<ServerStatus, bool> isThere, TimeSpan limit, CancellationToken cancellation)
    {
        var said = "";
        string? failed = null;
        DateTimeOffset? degradedSince = null;
        var seen = await link.Reported.WaitUntilAsync(_ =>
        {
            var report = reading.ReportOf(nodeId, serverId);
            if (report is not { } now || now.Generation < generation)
                return Task.FromResult(false);
            var words = $"{now.Status.State.ToString().ToLowerInvariant()}{(now.Status.Words.Length > 0 ? $": {now.Status.Words}" : "")}";
            if (words != said)
                context.Say(said = words);
            degradedSince = now.Status is { State: ServerState.Degraded, Role: not null } ? degradedSince ?? clock.GetUtcNow() : null;
            var isHopeless = now.Status.State == ServerState.Failed || clock.GetUtcNow() - degradedSince > DegradedLimit;
            failed = isHopeless && !isThere(now.Status) ? now.Status.Words : null;
            return Task.FromResult(failed is not null || isThere(now.Status));
        }, context.StepStartedAt + limit, options.LookEvery, clock, cancellation);
        if (failed is not null)
            return failed.Length == 0 ? "the server failed, and its node gave no reason" : failed;
        if (seen)
            return null;
        var node = (await nodes.ListAsync(cancellation)).FirstOrDefault(n => n.Id == nodeId);
        return node is null ? "its node was removed"
            : nodes.IsDown(node) ? $"node {node.Hostname} has not been heard of since {node.LastSeen:HH:mm:ss} UTC: see whether its agent runs and reaches the control plane"
            : $"it was not so within {Quantity.Format(limit)}{(said.Length > 0 ? $"; the last that node {node.Hostname} said: {said}" : $"; node {node.Hostname} said nothing about it: its agent may be of an older version")}";
    }

    /// <summary>How long a node that answers is waited for when files are removed.</summary>
    private static readonly TimeSpan RemoveLimit = TimeSpan.FromMinutes(3);

    /// <summary>
    /// Has every server of a cluster stopped and its files removed. A node that does not answer does so once it is back, which is
    /// not waited for: the words then say so.
    /// </summary>
    public Task<string?> RemoveAllAsync<TPlan>(StepContext<TPlan> context, Guid clusterId, CancellationToken cancellation) =>
        RemoveAsync(context, clusterId, null, cancellation);

    /// <summary>The same with one server.</summary>
    public Task<string?> RemoveOneAsync<TPlan>(StepContext<TPlan> context, Guid clusterId, Guid serverId, CancellationToken cancellation) =>
        RemoveAsync(context, clusterId, serverId, cancellation);

    private async Task<string?> RemoveAsync<TPlan>(StepContext<TPlan> context, Guid clusterId, Guid? only, CancellationToken cancellation)
    {
        await TellAsync(clusterId, rows =>
        {
            foreach (var row in rows.Where(r => only is null || r.Id == only))
                row.Desire = ClusterDesire.Removed;
        }, cancellation);
        var gone = await store.ReadAsync((db, cancel) => db.Set<ServerRow>()
            .Where(s => s.ClusterId == clusterId && (only == null || s.Id == only) && s.Desire == ClusterDesire.Removed).ToListAsync(cancel), cancellation);
        var pending = new List<string>();
        foreach (var server in gone)
        {
            if (await WaitAsync(context, server.NodeId, server.Id, 0, s => s.State == ServerState.Removed, RemoveLimit, cancellation) is { } why)
            {
                pending.Add(why);
                continue;
            }
            await store.WriteAsync(async (db, cancel) =>
            {
                await Nodes.ForgetTaskAsync(db, server.NodeId, DatabaseReading.KeyOfServer(server.Id), cancel);
                await db.Set<ServerRow>().Where(s => s.Id == server.Id).ExecuteDeleteAsync(cancel);
            }, cancellation);
            link.ForgetReport(server.NodeId, DatabaseReading.KeyOfServer(server.Id));
        }
        return pending.Count == 0 ? null : $"its files go once its node answers again ({string.Join("; ", pending.Distinct())})";
    }
}
