using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Instances that a person took out of traffic; they run on.</summary>
/// <param name="Deployment">The label; null for those of a node.</param>
/// <param name="InstanceId">The one instance; null for all of the deployment or the node, also those that start later.</param>
/// <param name="Node">The node's hostname; null for those of a deployment.</param>
/// <param name="InFlight">Requests that the edges still have in flight to them, upgraded ones included.</param>
/// <param name="Upgraded">How many of these are upgraded connections, such as WebSockets.</param>
/// <param name="Since">Since when.</param>
/// <param name="Actor">Who did it.</param>
public sealed record DrainInfo(string? Deployment, Guid? InstanceId, string? Node, int InFlight, int Upgraded, DateTimeOffset Since, string Actor);

/// <summary>How waiting for a drain ended.</summary>
/// <param name="IsDrained">Every edge confirmed zero requests in flight, silent ones included; upgraded connections are counted apart.</param>
/// <param name="InFlight">What the edges that spoke still have in flight, upgraded connections included.</param>
/// <param name="Upgraded">How many of these are upgraded connections.</param>
/// <param name="Silent">Edges, by hostname, that say nothing.</param>
public sealed record DrainEnd(bool IsDrained, int InFlight, int Upgraded, IReadOnlyList<string> Silent);

/// <summary>
/// Taking instances out of traffic for a while without stopping them, and back: of a deployment, or of a node. A rollout
/// that moves an environment to the deployment ends the deployment's drains; one of a node stays, and nothing is placed
/// there. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="instances">The instances.</param>
/// <param name="nodes">The nodes.</param>
/// <param name="routes">Publishes it to the edges.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class Drains(Store store, Instances instances, Nodes nodes, Routes routes, Audit audit, TimeProvider clock)
{
    /// <summary>Takes the instances of a deployment, or one of them, out of the route table.</summary>
    public Task<TrafficChange> DrainAsync(string label, Guid? instance, bool force, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            var there = await instances.ListAsync(db, label, cancel);
            if (instance is { } id && !there.Any(i => i.Id == id))
                return new TrafficChange.NotFound($"instance {id} of deployment {label}");
            var drained = await AllAsync(db, cancel);
            var left = there.Where(i => i.TakesTraffic && !drained.Holds(i) && instance is not null && i.Id != instance);
            if (!force && await LeftWithoutAsync(db, label, left, cancel) is { } why)
                return new TrafficChange.LastTargets(why);
            if (!drained.Has(label, instance))
                db.Add(new DrainRow { Id = Ids.New(clock), Deployment = label, InstanceId = instance, Since = clock.StoreNow(), Actor = actor.Name });
            audit.Write(db, actor, "traffic.drain", label, "done", new { instance, force });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>Gives the instances back to the route table; nothing changes when they are in it.</summary>
    public Task<TrafficChange> UndrainAsync(string label, Guid? instance, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            if (instance is not null && (await AllAsync(db, cancel)).Has(label, null))
                return new TrafficChange.InTheWay($"All of {label} is drained, not one instance of it: leave the instance out.");
            await db.Set<DrainRow>().Where(d => d.Deployment == label && (instance == null || d.InstanceId == instance)).ExecuteDeleteAsync(cancel);
            audit.Write(db, actor, "traffic.undrain", label, "done", new { instance });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>Takes everything that runs on a node, now or later, out of the route table.</summary>
    public Task<TrafficChange> DrainNodeAsync(Guid node, bool force, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            if ((await nodes.ListAsync(db, cancel)).FirstOrDefault(n => n.Id == node) is not { } found)
                return new TrafficChange.NotFound($"node {node}");
            if (found.Role != NodeRole.Worker)
                return new TrafficChange.InTheWay($"{found.Hostname} is an edge: no instance runs there. Name the worker.");
            var (all, drained) = (await instances.ListAsync(db, null, cancel), await AllAsync(db, cancel));
            var serving = all.Where(i => i.TakesTraffic && !drained.Holds(i)).ToLookup(i => i.Deployment, StringComparer.Ordinal);
            foreach (var label in serving.Where(s => s.Any(i => i.NodeId == node)))
                if (!force && await LeftWithoutAsync(db, label.Key, label.Where(i => i.NodeId != node), cancel) is { } why)
                    return new TrafficChange.LastTargets(why);
            if (!drained.HoldsNode(node))
                db.Add(new NodeDrainRow { NodeId = node, Since = clock.StoreNow(), Actor = actor.Name });
            audit.Write(db, actor, "traffic.drain", found.Hostname, "done", new { node, force });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>Gives what runs on a node back to the route table; what is drained by its deployment stays out.</summary>
    public Task<TrafficChange> UndrainNodeAsync(Guid node, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            if ((await nodes.ListAsync(db, cancel)).FirstOrDefault(n => n.Id == node) is not { } found)
                return new TrafficChange.NotFound($"node {node}");
            await db.Set<NodeDrainRow>().Where(d => d.NodeId == node).ExecuteDeleteAsync(cancel);
            audit.Write(db, actor, "traffic.undrain", found.Hostname, "done", new { node });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>
    /// Waits until every edge confirmed zero requests in flight, or the deadline passed; and for upgraded connections, such
    /// as WebSockets, until <paramref name="closedBy"/>, where that is given.
    /// </summary>
    public async Task<DrainEnd> WaitAsync(
        long generation, string label, Guid? instance, DateTimeOffset deadline, CancellationToken cancellation, DateTimeOffset? closedBy = null) =>
        await WaitAsync(
            generation, instance is { } id ? [id] : (await instances.ListAsync(label, cancellation)).Select(i => i.Id).ToHashSet(), deadline, closedBy, cancellation);

    /// <summary>The same, for what runs on a node.</summary>
    public async Task<DrainEnd> WaitNodeAsync(
        long generation, Guid node, DateTimeOffset deadline, CancellationToken cancellation, DateTimeOffset? closedBy = null) =>
        await WaitAsync(
            generation, (await instances.ListAsync(null, cancellation)).Where(i => i.NodeId == node).Select(i => i.Id).ToHashSet(), deadline, closedBy, cancellation);

    /// <summary>Every drain, those of deployments first, each oldest first.</summary>
    public async Task<IReadOnlyList<DrainInfo>> ListAsync(CancellationToken cancellation)
    {
        var inFlight = (await routes.EdgesAsync(cancellation)).SelectMany(e => e.Draining).ToLookup(t => t.InstanceId);
        return await store.ReadAsync<IReadOnlyList<DrainInfo>>(async (db, cancel) =>
        {
            var (drained, there) = (await AllAsync(db, cancel), await instances.ListAsync(db, null, cancel));
            var names = (await nodes.ListAsync(db, cancel)).ToDictionary(n => n.Id, n => n.Hostname);
            DrainInfo Info(string? label, Guid? instance, Guid? node, DateTimeOffset since, string actor)
            {
                var left = there.Where(i => i.Deployment == label || i.NodeId == node).Where(i => instance is null || i.Id == instance).SelectMany(i => inFlight[i.Id]).ToList();
                return new DrainInfo(label, instance, node is { } id ? names.GetValueOrDefault(id, "(removed)") : null, left.Sum(t => t.InFlight), left.Sum(t => t.Upgraded), since, actor);
            }
            return
            [
                .. drained.Rows.OrderBy(d => d.Id).Select(d => Info(d.Deployment, d.InstanceId, null, d.Since, d.Actor)),
                .. drained.Nodes.OrderBy(d => d.Since).Select(d => Info(null, null, d.NodeId, d.Since, d.Actor)),
            ];
        }, cancellation);
    }

    /// <summary>What is drained, as the transaction sees it.</summary>
    internal static async Task<Drained> AllAsync(StoreContext db, CancellationToken cancellation) =>
        new(await db.Set<DrainRow>().AsNoTracking().ToListAsync(cancellation), await db.Set<NodeDrainRow>().AsNoTracking().ToListAsync(cancellation));

    /// <summary>Ends every drain of a deployment, in the caller's transaction; false when there was none.</summary>
    internal static async Task<bool> EndAsync(StoreContext db, string label, CancellationToken cancellation) =>
        await db.Set<DrainRow>().Where(d => d.Deployment == label).ExecuteDeleteAsync(cancellation) > 0;

    /// <summary>Which environment would have no target any more; null when none would.</summary>
    private static async Task<string?> LeftWithoutAsync(StoreContext db, string label, IEnumerable<InstanceInfo> left, CancellationToken cancellation) =>
        !left.Any() && await db.Set<EnvironmentRow>().AsNoTracking().FirstOrDefaultAsync(e => e.Current == label, cancellation) is { } environment
            ? $"{environment.Name} points at {label}, and no instance would be left to serve it. Deploy or roll back first; by force, it is answered 503."
            : null;

    private async Task<DrainEnd> WaitAsync(
        long generation, HashSet<Guid> ids, DateTimeOffset deadline, DateTimeOffset? closedBy, CancellationToken cancellation)
    {
        var drained = await routes.DrainedAsync(generation, ids, deadline, cancellation);
        if (closedBy is { } until)
            await routes.ClosedAsync(ids, until, cancellation);
        var left = (await routes.EdgesAsync(cancellation)).SelectMany(e => e.Draining).Where(t => ids.Contains(t.InstanceId)).ToList();
        return new DrainEnd(drained, left.Sum(t => t.InFlight), left.Sum(t => t.Upgraded), await routes.SilentAsync(generation, cancellation));
    }

    /// <summary>A set of drains.</summary>
    internal sealed class Drained(IReadOnlyList<DrainRow> rows, IReadOnlyList<NodeDrainRow> nodes)
    {
        public IReadOnlyList<DrainRow> Rows => rows;

        public IReadOnlyList<NodeDrainRow> Nodes => nodes;

        public bool Has(string label, Guid? instance) => rows.Any(r => r.Deployment == label && r.InstanceId == instance);

        public bool HoldsNode(Guid node) => nodes.Any(n => n.NodeId == node);

        public bool Holds(InstanceInfo instance) => Has(instance.Deployment, null) || Has(instance.Deployment, instance.Id) || HoldsNode(instance.NodeId);
    }
}
