using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>How a deployment is stopped: which instances, chosen before the start.</summary>
/// <param name="Deployment">The label.</param>
/// <param name="Instances">Its instances, already out of traffic.</param>
/// <param name="Drain">How long requests in flight are waited for.</param>
/// <param name="WebSocketGrace">How long upgraded connections are waited for.</param>
public sealed record StopPlan(string Deployment, IReadOnlyList<Guid> Instances, TimeSpan Drain, TimeSpan WebSocketGrace = default)
{
    /// <summary>The lease that stopping a deployment holds.</summary>
    internal static string LeaseOf(string label) => $"deployment/{label}";
}

/// <summary>
/// Ends instances the one safe way: out of the route table, drained with the edges' word, then stopped. Used when a
/// rollback window closes, when a rollout is taken back, and when a node is drained.
/// </summary>
internal sealed class Retirement(Store store, Nodes nodes, Instances instances, Routes routes, TimeProvider clock)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Beyond drain and SIGTERM time, a node that is up answers within this.</summary>
    private static readonly TimeSpan NodeGrace = TimeSpan.FromSeconds(30);

    /// <summary>Wakes the loop that ends rollback windows.</summary>
    public Nudge Wake { get; } = new();

    /// <summary>The operation that stops a deployment: its window ended, or somebody asked for it.</summary>
    public OperationDefinition<StopPlan> Stop => field ??= MakeStop();

    private OperationDefinition<StopPlan> MakeStop()
    {
        var none = Undo.None<StopPlan>("a process that ended cannot be brought back; its artifact can be started again");
        return new()
        {
            Kind = "stop",
            Steps = [new("drain", DrainAsync, none), new("stop instances", StopAsync, none)],
            Finished = FinishedAsync,
            Success = plan => $"{plan.Deployment} is stopped",
        };
    }

    /// <summary>
    /// All of it at once, for instances of an operation that is being taken back. They had traffic for moments at most:
    /// upgraded connections are waited for no longer than requests, for the environment is not free before the end.
    /// </summary>
    public async Task EndInstancesAsync(IReadOnlyCollection<Guid> ids, TimeSpan drain, Action<string> say, CancellationToken cancellation)
    {
        if (ids.Count == 0)
            return;
        await WithdrawAndDrainAsync(ids, drain, clock.GetUtcNow() + drain, say, cancellation);
        await StopAndWaitAsync(ids, drain, say, cancellation);
    }

    /// <summary>
    /// Tells the nodes to stop those of the instances that left the table and that nothing needs any more: every edge
    /// confirmed zero requests in flight and no upgraded connection, or the time for it passed. Waits for nothing. Those
    /// to abandon count as gone at once; should their node come back, it is told to stop them.
    /// </summary>
    /// <param name="leaving">Since when each is leaving.</param>
    /// <param name="abandon">Which of them are on nodes whose answer is not waited for.</param>
    /// <param name="settings">Their deployment's.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>Those that were told.</returns>
    public async Task<IReadOnlyCollection<Guid>> StopDrainedAsync(
        IReadOnlyDictionary<Guid, DateTimeOffset> leaving, IReadOnlyCollection<Guid> abandon, ServiceSettings settings, CancellationToken cancellation)
    {
        var generation = (await routes.CurrentAsync(cancellation)).Generation;
        var (busy, upgraded) = await routes.InUseAsync(generation, [.. leaving.Keys], cancellation);
        var now = clock.GetUtcNow();
        var ends = leaving.Where(l => (!busy.Contains(l.Key) || now - l.Value >= settings.Drain) && (!upgraded.Contains(l.Key) || now - l.Value >= settings.WebSocketGrace))
            .Select(l => l.Key).ToList();
        if (ends.Count > 0)
            await store.WriteAsync(async (db, cancel) =>
            {
                await instances.StopAsync(db, ends, cancel);
                await db.SaveChangesAsync(cancel);
                await instances.AbandonAsync(db, [.. ends.Intersect(abandon)], cancel);
            }, cancellation);
        return ends;
    }

    private async Task<StepEnd> DrainAsync(StepContext<StopPlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        await WithdrawAndDrainAsync(plan.Instances, plan.Drain, context.StepStartedAt + plan.WebSocketGrace, context.Say, cancellation);
        return StepEnd.Done;
    }

    private async Task<StepEnd> StopAsync(StepContext<StopPlan> context, CancellationToken cancellation)
    {
        await StopAndWaitAsync(context.Plan.Instances, context.Plan.Drain, context.Say, cancellation);
        return StepEnd.Done;
    }

    private async Task WithdrawAndDrainAsync(
        IReadOnlyCollection<Guid> ids, TimeSpan drain, DateTimeOffset closedBy, Action<string> say, CancellationToken cancellation)
    {
        var generation = await store.WriteAsync(async (db, cancel) =>
        {
            await instances.WithdrawAsync(db, ids, cancel);
            return await routes.PublishAsync(db, cancel);
        }, cancellation);
        var drained = await routes.DrainedAsync(generation, ids, clock.GetUtcNow() + drain, cancellation);
        say(drained ? "the edges confirmed zero requests in flight" : $"the drain time of {Quantity.Format(drain)} passed before every edge confirmed zero requests in flight");
        if (await routes.ClosedAsync(ids, clock.GetUtcNow(), cancellation))
            return;
        say($"upgraded connections, such as WebSockets, have until {closedBy.UtcDateTime:HH:mm:ss} UTC");
        say(await routes.ClosedAsync(ids, closedBy, cancellation) ? "the upgraded connections ended" : "their time passed: the upgraded connections that are left end with the instances");
    }

    private async Task StopAndWaitAsync(IReadOnlyCollection<Guid> ids, TimeSpan drain, Action<string> say, CancellationToken cancellation)
    {
        await store.WriteAsync((db, cancel) => instances.StopAsync(db, ids, cancel), cancellation);
        IReadOnlyList<InstanceInfo> left = [];
        var stopped = await instances.Changed.WaitUntilAsync(async cancel =>
        {
            left = [.. (await instances.ListAsync(null, cancel)).Where(i => ids.Contains(i.Id))];
            return left.Count == 0;
        }, clock.GetUtcNow() + drain + NodeGrace, LookAgain, clock, cancellation);
        if (stopped)
            say($"{ids.Count} instances stopped");
        else
            await SayWhoIsLeftAsync(left, say, cancellation);
    }

    /// <summary>The task stays with the node: it stops them when it is back. The operation need not wait for that.</summary>
    private async Task SayWhoIsLeftAsync(IReadOnlyList<InstanceInfo> left, Action<string> say, CancellationToken cancellation)
    {
        var names = (await nodes.ListAsync(cancellation)).ToDictionary(n => n.Id, n => n.Hostname);
        var where = string.Join(", ", left.Select(i => names.GetValueOrDefault(i.NodeId, "a removed node")).Distinct());
        say($"{left.Count} instances are told to stop; {where} has not confirmed and will do it when it is back");
    }

    private static async Task FinishedAsync(StoreContext db, StopPlan plan, OperationOutcome outcome)
    {
        var row = await db.Set<DeploymentRow>().SingleAsync(d => d.Label == plan.Deployment);
        // Somebody may have started it again with new instances meanwhile; then it is theirs to say.
        if (row.Status == DeploymentStatus.Inactive)
            (row.Status, row.KeptUntil) = (DeploymentStatus.Stopped, null);
    }
}
