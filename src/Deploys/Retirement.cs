using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>How a deployment is stopped: which instances, chosen before the start.</summary>
/// <param name="Deployment">The label.</param>
/// <param name="Instances">Its instances, already out of traffic.</param>
/// <param name="Drain">How long requests in flight are waited for.</param>
public sealed record StopPlan(string Deployment, IReadOnlyList<Guid> Instances, TimeSpan Drain)
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

    /// <summary>All of it at once, for instances of an operation that is being taken back.</summary>
    public async Task EndInstancesAsync(IReadOnlyCollection<Guid> ids, TimeSpan drain, Action<string> say, CancellationToken cancellation)
    {
        if (ids.Count == 0)
            return;
        await WithdrawAndDrainAsync(ids, drain, say, cancellation);
        await StopAndWaitAsync(ids, drain, say, cancellation);
    }

    /// <summary>
    /// The same for instances of a node that is down. Its answer is not waited for, so that they count as gone; should it
    /// come back, it is told to stop them.
    /// </summary>
    public async Task AbandonInstancesAsync(IReadOnlyCollection<Guid> ids, TimeSpan drain, CancellationToken cancellation)
    {
        await WithdrawAndDrainAsync(ids, drain, _ => { }, cancellation);
        await store.WriteAsync(async (db, cancel) =>
        {
            await instances.StopAsync(db, ids, cancel);
            await db.SaveChangesAsync(cancel);
            await instances.AbandonAsync(db, ids, cancel);
        }, cancellation);
    }

    private async Task<StepEnd> DrainAsync(StepContext<StopPlan> context, CancellationToken cancellation)
    {
        await WithdrawAndDrainAsync(context.Plan.Instances, context.Plan.Drain, context.Say, cancellation);
        return StepEnd.Done;
    }

    private async Task<StepEnd> StopAsync(StepContext<StopPlan> context, CancellationToken cancellation)
    {
        await StopAndWaitAsync(context.Plan.Instances, context.Plan.Drain, context.Say, cancellation);
        return StepEnd.Done;
    }

    private async Task WithdrawAndDrainAsync(IReadOnlyCollection<Guid> ids, TimeSpan drain, Action<string> say, CancellationToken cancellation)
    {
        var generation = await store.WriteAsync(async (db, cancel) =>
        {
            await instances.WithdrawAsync(db, ids, cancel);
            return await routes.PublishAsync(db, cancel);
        }, cancellation);
        var drained = await routes.DrainedAsync(generation, ids, clock.GetUtcNow() + drain, cancellation);
        say(drained ? "the edges confirmed zero requests in flight" : $"the drain time of {Quantity.Format(drain)} passed before every edge confirmed zero requests in flight");
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
