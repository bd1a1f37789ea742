using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Fleet;

/// <summary>An instance as others see it: what was decided and what was observed.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Deployment">The deployment's label.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="NodeId">Where it runs.</param>
/// <param name="Region">The region's code.</param>
/// <param name="Phase">Where it stands in its life.</param>
/// <param name="CreatedAt">When it was placed.</param>
/// <param name="Status">What its node observed last.</param>
public sealed record InstanceInfo(
    Guid Id, string Deployment, string Org, string Project, Guid NodeId, string Region, InstancePhase Phase, DateTimeOffset CreatedAt,
    InstanceStatus Status)
{
    /// <summary>Whether a route may point at it: it serves, and passed its readiness check (invariant 1).</summary>
    public bool TakesTraffic => Phase == InstancePhase.Serving && Status is { State: InstanceState.Ready, Address: not null };
}

/// <summary>
/// Every instance that was placed, with its phase and what its node observed. The methods that take a context are
/// idempotent and act in the caller's transaction. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="nodes">The registry of nodes.</param>
/// <param name="clock">The time.</param>
public sealed class Instances(Store store, Nodes nodes, TimeProvider clock)
{
    private const int ForgetAtOnce = 1000;

    /// <summary>Wakes who waits for an instance or a node to change.</summary>
    public Nudge Changed => nodes.Changed;

    /// <summary>Places an instance on a node and tells it to run; nothing happens when it was placed already.</summary>
    public async Task PlaceAsync(StoreContext db, Guid nodeId, InstanceSpec spec, CancellationToken cancellation)
    {
        if (await db.Set<InstanceRow>().AnyAsync(i => i.Id == spec.InstanceId, cancellation))
            return;
        var now = clock.StoreNow();
        db.Add(new InstanceRow
        {
            Id = spec.InstanceId, Deployment = spec.Deployment, Org = spec.Org, Project = spec.Project, NodeId = nodeId, Region = spec.Region,
            Phase = InstancePhase.Serving, Spec = JsonSerializer.Serialize(spec, Json.Options), CreatedAt = now,
            Millicores = spec.Limits.Millicores ?? 0, MemoryBytes = spec.Limits.MemoryBytes ?? 0,
            State = InstanceState.Pending, Since = now,
        });
        await nodes.PutTaskAsync(db, nodeId, Key(spec.InstanceId), InstanceTask.Kind, new InstanceTask(spec, InstanceDesire.Run), cancellation);
        db.AfterCommit(Changed.Set);
    }

    /// <summary>Takes instances out of traffic: the next route table does not name them.</summary>
    public Task WithdrawAsync(StoreContext db, IReadOnlyCollection<Guid> ids, CancellationToken cancellation) =>
        MoveAsync(db, ids, InstancePhase.Withdrawn, _ => Task.CompletedTask, cancellation);

    /// <summary>Tells the nodes to stop instances.</summary>
    public Task StopAsync(StoreContext db, IReadOnlyCollection<Guid> ids, CancellationToken cancellation) =>
        MoveAsync(db, ids, InstancePhase.Stopping, row =>
        {
            var spec = JsonSerializer.Deserialize<InstanceSpec>(row.Spec, Json.Options)!;
            return nodes.PutTaskAsync(db, row.NodeId, Key(row.Id), InstanceTask.Kind, new InstanceTask(spec, InstanceDesire.Stop), cancellation);
        }, cancellation);

    /// <summary>
    /// Gives up on the word of a node that is down: its instances count as gone. What it was told stays told, so that it
    /// stops them when it comes back.
    /// </summary>
    public Task AbandonAsync(StoreContext db, IReadOnlyCollection<Guid> ids, CancellationToken cancellation) =>
        MoveAsync(db, ids, InstancePhase.Gone, _ => Task.CompletedTask, cancellation);

    /// <summary>Instances that are not gone, all or of one deployment, oldest first.</summary>
    public Task<IReadOnlyList<InstanceInfo>> ListAsync(string? deployment, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => ListAsync(db, deployment, cancel), cancellation);

    /// <summary>The same, inside a transaction.</summary>
    public async Task<IReadOnlyList<InstanceInfo>> ListAsync(StoreContext db, string? deployment, CancellationToken cancellation)
    {
        var rows = await db.Set<InstanceRow>()
            .Where(i => i.Phase != InstancePhase.Gone && (deployment == null || i.Deployment == deployment))
            .OrderBy(i => i.CreatedAt).ThenBy(i => i.Id).ToListAsync(cancellation);
        return [.. rows.Select(Info)];
    }

    /// <summary>The last instances of a deployment, those that are gone included: whose output may still be read.</summary>
    public Task<IReadOnlyList<InstanceInfo>> HistoryAsync(string deployment, int most, CancellationToken cancellation) =>
        store.ReadAsync<IReadOnlyList<InstanceInfo>>(async (db, cancel) =>
        {
            var rows = await db.Set<InstanceRow>().Where(i => i.Deployment == deployment)
                .OrderByDescending(i => i.CreatedAt).ThenBy(i => i.Id).Take(most).ToListAsync(cancel);
            return [.. rows.Select(Info)];
        }, cancellation);

    /// <summary>
    /// Forgets instances that are gone, were heard of last before <paramref name="before"/>, and are not among the newest
    /// <paramref name="keep"/> of their deployment. One whose node still has to be told to stop it is kept. A thousand at
    /// most; returns how many.
    /// </summary>
    public async Task<int> ForgetGoneAsync(StoreContext db, DateTimeOffset before, int keep, CancellationToken cancellation)
    {
        var all = db.Set<InstanceRow>();
        var old = await all.Where(i => i.Phase == InstancePhase.Gone && i.Since < before
                && all.Count(o => o.Deployment == i.Deployment && o.CreatedAt > i.CreatedAt) >= keep)
            .OrderBy(i => i.CreatedAt).Take(ForgetAtOnce).Select(i => i.Id).ToListAsync(cancellation);
        var keys = old.Select(Key).ToList();
        var told = await db.Set<NodeTaskRow>().Where(t => keys.Contains(t.Key)).Select(t => t.Key).ToListAsync(cancellation);
        old.RemoveAll(id => told.Contains(Key(id)));
        return await all.Where(i => old.Contains(i.Id)).ExecuteDeleteAsync(cancellation);
    }

    /// <summary>The spec of an instance on a node; null when that node was not given it.</summary>
    public Task<InstanceSpec?> SpecAsync(Guid nodeId, Guid instanceId, CancellationToken cancellation) =>
        store.ReadAsync(async (db, cancel) =>
        {
            var text = await db.Set<InstanceRow>().Where(i => i.Id == instanceId && i.NodeId == nodeId).Select(i => i.Spec).SingleOrDefaultAsync(cancel);
            return text is null ? null : JsonSerializer.Deserialize<InstanceSpec>(text, Json.Options);
        }, cancellation);

    /// <summary>Keeps what a node observed of its instances; reports of strangers and of earlier lives are left aside.</summary>
    internal async Task ObserveAsync(Guid nodeId, IReadOnlyList<TaskReport> reports, CancellationToken cancellation)
    {
        var observed = new Dictionary<Guid, InstanceStatus>();
        foreach (var report in reports)
            observed[Guid.Parse(report.Key)] = report.Status.Deserialize<InstanceStatus>(Json.Options)!;
        await store.WriteAsync(async (db, cancel) =>
        {
            var ids = observed.Keys.ToList();
            var rows = await db.Set<InstanceRow>().AsTracking().Where(i => i.NodeId == nodeId && ids.Contains(i.Id)).ToListAsync(cancel);
            var changed = false;
            foreach (var row in rows)
                changed |= await ObserveAsync(db, row, observed[row.Id], cancel);
            if (changed)
                db.AfterCommit(Changed.Set);
            return changed;
        }, cancellation);
    }

    private static async Task<bool> ObserveAsync(StoreContext db, InstanceRow row, InstanceStatus status, CancellationToken cancellation)
    {
        var seen = status with { Since = StoreTime.FromMicroseconds(StoreTime.ToMicroseconds(status.Since)) };
        // Looked at even when the status is no news: the instance may have ended before it was told to.
        var ended = row.Phase >= InstancePhase.Stopping && status.State == InstanceState.Stopped;
        if (ended)
            await Nodes.ForgetTaskAsync(db, row.NodeId, Key(row.Id), cancellation);
        if (row.Phase == InstancePhase.Gone || (Info(row).Status == seen && !ended))
            return false;
        (row.State, row.Since, row.Address, row.Pid, row.Restarts, row.Reason, row.Limits) =
            (status.State, status.Since, status.Address, status.Pid, status.Restarts, status.Reason, status.Limits);
        if (ended)
            row.Phase = InstancePhase.Gone;
        return true;
    }

    private async Task MoveAsync(
        StoreContext db, IReadOnlyCollection<Guid> ids, InstancePhase phase, Func<InstanceRow, Task> also, CancellationToken cancellation)
    {
        var rows = await db.Set<InstanceRow>().AsTracking().Where(i => ids.Contains(i.Id)).ToListAsync(cancellation);
        rows.RemoveAll(r => r.Phase >= phase);
        foreach (var row in rows)
        {
            row.Phase = phase;
            await also(row);
        }
        if (rows.Count > 0)
            db.AfterCommit(Changed.Set);
    }

    private static InstanceInfo Info(InstanceRow r) => new(
        r.Id, r.Deployment, r.Org, r.Project, r.NodeId, r.Region, r.Phase, r.CreatedAt,
        new InstanceStatus(r.State, r.Since, r.Address, r.Pid, r.Restarts, r.Reason, r.Limits));

    private static string Key(Guid id) => id.ToString("D");
}
