using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Instances that a person took out of traffic; they run on.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Deployment">The label.</param>
/// <param name="InstanceId">The one instance; null for all of the deployment, also those that start later.</param>
/// <param name="InFlight">Requests that the edges still have in flight to them.</param>
/// <param name="Upgraded">How many of these are upgraded connections, such as WebSockets.</param>
/// <param name="Since">Since when.</param>
/// <param name="Actor">Who did it.</param>
public sealed record DrainInfo(string Org, string Deployment, Guid? InstanceId, int InFlight, int Upgraded, DateTimeOffset Since, string Actor);

/// <summary>How waiting for a drain ended.</summary>
/// <param name="IsDrained">Every edge confirmed zero requests in flight, silent ones included.</param>
/// <param name="InFlight">What the edges that spoke still have in flight.</param>
/// <param name="Upgraded">How many of these are upgraded connections.</param>
/// <param name="Silent">Edges, by hostname, that say nothing.</param>
public sealed record DrainEnd(bool IsDrained, int InFlight, int Upgraded, IReadOnlyList<string> Silent);

/// <summary>
/// Taking instances out of traffic for a while without stopping them, and back. A rollout that moves an environment to
/// the deployment ends its drains. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="instances">The instances.</param>
/// <param name="routes">Publishes it to the edges.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class Drains(Store store, Instances instances, Routes routes, Audit audit, TimeProvider clock)
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

    /// <summary>Waits until every edge confirmed zero requests in flight, or the deadline passed.</summary>
    public async Task<DrainEnd> WaitAsync(long generation, string label, Guid? instance, DateTimeOffset deadline, CancellationToken cancellation)
    {
        var ids = instance is { } id ? [id] : (await instances.ListAsync(label, cancellation)).Select(i => i.Id).ToHashSet();
        var drained = await routes.DrainedAsync(generation, ids, deadline, cancellation);
        var left = (await routes.EdgesAsync(cancellation)).SelectMany(e => e.Draining).Where(t => ids.Contains(t.InstanceId)).ToList();
        return new DrainEnd(drained, left.Sum(t => t.InFlight), left.Sum(t => t.Upgraded), await routes.SilentAsync(generation, cancellation));
    }

    /// <summary>Every drain, oldest first.</summary>
    public async Task<IReadOnlyList<DrainInfo>> ListAsync(CancellationToken cancellation)
    {
        var inFlight = (await routes.EdgesAsync(cancellation)).SelectMany(e => e.Draining).ToLookup(t => t.InstanceId);
        return await store.ReadAsync<IReadOnlyList<DrainInfo>>(async (db, cancel) =>
        {
            var all = new List<DrainInfo>();
            foreach (var row in (await db.Set<DrainRow>().ToListAsync(cancel)).OrderBy(d => d.Id))
            {
                var org = await db.Set<DeploymentRow>().Where(d => d.Label == row.Deployment).Select(d => d.Org).SingleAsync(cancel);
                var ids = row.InstanceId is { } id ? [id] : (await instances.ListAsync(db, row.Deployment, cancel)).Select(i => i.Id).ToList();
                var left = ids.SelectMany(i => inFlight[i]).ToList();
                all.Add(new DrainInfo(org, row.Deployment, row.InstanceId, left.Sum(t => t.InFlight), left.Sum(t => t.Upgraded), row.Since, row.Actor));
            }
            return all;
        }, cancellation);
    }

    /// <summary>What is drained, as the transaction sees it.</summary>
    internal static async Task<Drained> AllAsync(StoreContext db, CancellationToken cancellation) =>
        new(await db.Set<DrainRow>().AsNoTracking().ToListAsync(cancellation));

    /// <summary>Ends every drain of a deployment, in the caller's transaction; false when there was none.</summary>
    internal static async Task<bool> EndAsync(StoreContext db, string label, CancellationToken cancellation) =>
        await db.Set<DrainRow>().Where(d => d.Deployment == label).ExecuteDeleteAsync(cancellation) > 0;

    /// <summary>Which environment would have no target any more; null when none would.</summary>
    private static async Task<string?> LeftWithoutAsync(StoreContext db, string label, IEnumerable<InstanceInfo> left, CancellationToken cancellation) =>
        !left.Any() && await db.Set<EnvironmentRow>().AsNoTracking().FirstOrDefaultAsync(e => e.Current == label, cancellation) is { } environment
            ? $"{environment.Name} points at {label}, and no instance would be left to serve it. Deploy or roll back first; by force, it is answered 503."
            : null;

    /// <summary>A set of drains.</summary>
    internal sealed class Drained(IReadOnlyList<DrainRow> rows)
    {
        public bool Has(string label, Guid? instance) => rows.Any(r => r.Deployment == label && r.InstanceId == instance);

        public bool Holds(InstanceInfo instance) => Has(instance.Deployment, null) || Has(instance.Deployment, instance.Id);
    }
}
