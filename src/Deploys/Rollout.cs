using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>
/// How one deployment takes over an environment: every choice made before the start. A deploy, a rollback and a promote
/// are the same plan with other contents: a rollback inside the window starts nothing.
/// </summary>
public sealed record RolloutPlan
{
    /// <summary>The label that takes over.</summary>
    public required string Deployment { get; init; }

    /// <summary>The label that served before; null for the first.</summary>
    public string? Previous { get; init; }

    /// <summary>The label that the environment could go back to before: what a rollout that is taken back leaves there again.</summary>
    public string? Earlier { get; init; }

    /// <summary>Until when <see cref="Deployment"/> was kept running before; null when it was not.</summary>
    public DateTimeOffset? KeptUntil { get; init; }

    /// <summary>The project.</summary>
    public required Guid ProjectId { get; init; }

    /// <summary>The environment.</summary>
    public required string Environment { get; init; }

    /// <summary>Instances to start.</summary>
    public required IReadOnlyList<Placed> Start { get; init; }

    /// <summary>Instances that run already.</summary>
    public required IReadOnlyList<Guid> Running { get; init; }

    /// <summary>All instances must be ready within this time.</summary>
    public required TimeSpan ReadyDeadline { get; init; }

    /// <summary>How long requests in flight are waited for when it is taken back.</summary>
    public required TimeSpan Drain { get; init; }

    /// <summary>How long the previous deployment stays running afterwards.</summary>
    public required TimeSpan RollbackWindow { get; init; }

    /// <summary>Why it cannot run; null when it can. A deployment of an image is accepted as data and ends here.</summary>
    public string? Impossible { get; init; }

    /// <summary>Why it was begun, for the record.</summary>
    public string? Reason { get; init; }
}

/// <summary>
/// The steps of a rollout: start the new beside the old, wait for health, swap the pointer, wait for the edges' word.
/// Each is idempotent; each names its undo.
/// </summary>
internal sealed class Rollout(Store store, Instances instances, Routes routes, Retirement retirement, TimeProvider clock)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Longer than an edge is waited for after its last word, so that one that dies now fails no rollout.</summary>
    private static readonly TimeSpan EdgeDeadline = Nodes.ExpectedWithin + TimeSpan.FromSeconds(15);

    /// <summary>An instance that failed this often before it was ever ready is not waited for.</summary>
    private const int HopelessAfterRestarts = 2;

    /// <summary>The operation, under the name that people see.</summary>
    public OperationDefinition<RolloutPlan> Definition(string kind) => new()
    {
        Kind = kind,
        Steps =
        [
            new("start instances", StartAsync, Undo.By<RolloutPlan>(TakeBackAsync)),
            new("pass health checks", HealthAsync, Undo.None<RolloutPlan>("looking changes nothing")),
            new("switch traffic", SwitchAsync, Undo.By<RolloutPlan>(SwitchBackAsync)),
            new("edges confirm", ConfirmAsync, Undo.None<RolloutPlan>("the pointer is moved back by the step before")),
        ],
        Finished = FinishedAsync,
        Success = plan => $"{plan.Deployment} serves {plan.Environment}",
    };

    private async Task<StepEnd> StartAsync(StepContext<RolloutPlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        if (plan.Impossible is { } why)
            return StepEnd.Failed(why);
        if (plan.Start.Count == 0)
            return Said(context, $"{plan.Running.Count} instances run already: nothing to start");
        await store.WriteAsync(async (db, cancel) =>
        {
            var deployment = await db.Set<DeploymentRow>().SingleAsync(d => d.Label == plan.Deployment, cancel);
            var settings = Deployments.SettingsOf(deployment);
            foreach (var placed in plan.Start)
                await instances.PlaceAsync(db, placed.NodeId, settings.Spec(deployment, placed), cancel);
        }, cancellation);
        return Said(context, $"{plan.Start.Count} instances placed");
    }

    private async Task<StepEnd> HealthAsync(StepContext<RolloutPlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        var wanted = plan.Start.Select(p => p.InstanceId).Concat(plan.Running).ToHashSet();
        var readySaid = -1;
        string? hopeless = null;
        IReadOnlyList<InstanceInfo> now = [];
        var ready = await instances.Changed.WaitUntilAsync(async cancel =>
        {
            now = [.. (await instances.ListAsync(plan.Deployment, cancel)).Where(i => wanted.Contains(i.Id))];
            var count = now.Count(i => i.TakesTraffic);
            if (count != readySaid)
                context.Say($"{readySaid = count} of {wanted.Count} ready");
            hopeless = now.Where(IsHopeless).Select(Describe).FirstOrDefault();
            return hopeless is not null || count == wanted.Count;
        }, context.StepStartedAt + plan.ReadyDeadline, LookAgain, clock, cancellation);
        if (hopeless is not null)
            return StepEnd.Failed(hopeless);
        return ready
            ? StepEnd.Done
            : StepEnd.Failed($"not all instances were ready within {Quantity.Format(plan.ReadyDeadline)}: "
                + string.Join("; ", now.Where(i => !i.TakesTraffic).Select(Describe).Distinct()));
    }

    private async Task<StepEnd> SwitchAsync(StepContext<RolloutPlan> context, CancellationToken cancellation)
    {
        // An instance may have died since its check; traffic never leaves what serves for something that does not.
        var drained = await store.ReadAsync(Drains.AllAsync, cancellation);
        if (!(await instances.ListAsync(context.Plan.Deployment, cancellation)).Any(i => i.TakesTraffic && !drained.HoldsNode(i.NodeId)))
            return StepEnd.Failed("no instance is ready any more, or all of them are on nodes that were drained");
        var generation = await PointAsync(context, context.Plan.Deployment, context.Plan.Previous, cancellation);
        return generation is null
            ? StepEnd.Failed("a newer operation moved this environment")
            : Said(context, $"route table {generation} names {context.Plan.Deployment}");
    }

    private async Task<StepEnd> ConfirmAsync(StepContext<RolloutPlan> context, CancellationToken cancellation)
    {
        // Publishing again is nothing when nothing changed, and gives the number to wait for.
        var generation = await store.WriteAsync((db, cancel) => routes.PublishAsync(db, cancel), cancellation);
        var why = await routes.ConfirmAsync(generation, context.StepStartedAt + EdgeDeadline, cancellation);
        if (why is not null)
            return StepEnd.Failed(why);
        foreach (var edge in await routes.SilentAsync(generation, cancellation))
            context.Say($"edge {edge} is silent and was not waited for: it takes route table {generation} when it is back; is it cut off, it still routes by an older one");
        if (await store.ReadAsync((db, cancel) => Splits.WordsAsync(db, context.Plan.ProjectId, context.Plan.Environment, cancel), cancellation) is { } split)
            context.Say($"the split of {context.Plan.Environment} ends ({split}): all traffic goes to {context.Plan.Deployment}");
        return StepEnd.Done;
    }

    private async Task<StepEnd> SwitchBackAsync(StepContext<RolloutPlan> context, CancellationToken cancellation)
    {
        var generation = await PointAsync(context, context.Plan.Previous, context.Plan.Earlier, cancellation);
        if (generation is { } published)
            await routes.ConfirmAsync(published, clock.GetUtcNow() + EdgeDeadline, cancellation);
        return Said(context, context.Plan.Previous is { } previous ? $"traffic is back on {previous}" : "nothing served before: the route is gone");
    }

    private async Task<StepEnd> TakeBackAsync(StepContext<RolloutPlan> context, CancellationToken cancellation)
    {
        await retirement.EndInstancesAsync([.. context.Plan.Start.Select(p => p.InstanceId)], context.Plan.Drain, context.Say, cancellation);
        return StepEnd.Done;
    }

    /// <summary>Moves the pointer and publishes, in one transaction; null when a newer operation moved it since.</summary>
    private Task<long?> PointAsync(StepContext<RolloutPlan> context, string? to, string? before, CancellationToken cancellation) =>
        store.WriteAsync<long?>(async (db, cancel) =>
        {
            var plan = context.Plan;
            var row = await db.Set<EnvironmentRow>().SingleAsync(e => e.ProjectId == plan.ProjectId && e.Name == plan.Environment, cancel);
            if (row.Generation > context.Generation.Value)
                return null;
            (row.Current, row.Previous) = (to, before);
            row.Generation = context.Generation.Value;
            // Whoever moves traffic to a deployment wants its instances to take it.
            if (to == plan.Deployment)
                await Drains.EndAsync(db, to, cancel);
            return await routes.PublishAsync(db, cancel);
        }, cancellation);

    /// <summary>What the end of the operation means for the two deployments: in the transaction that ends it.</summary>
    private async Task FinishedAsync(StoreContext db, RolloutPlan plan, OperationOutcome outcome)
    {
        var rows = await db.Set<DeploymentRow>().Where(d => d.Label == plan.Deployment || d.Label == plan.Previous).ToListAsync();
        var target = rows.Single(d => d.Label == plan.Deployment);
        var now = clock.GetUtcNow();
        if (outcome is OperationOutcome.Succeeded)
        {
            (target.Status, target.ActivatedAt, target.KeptUntil, target.Why) = (DeploymentStatus.Active, now, null, null);
            if (rows.SingleOrDefault(d => d.Label == plan.Previous && d != target) is { } previous)
                (previous.Status, previous.KeptUntil, previous.Why) = (DeploymentStatus.Inactive, now + plan.RollbackWindow, plan.Reason);
            if (await Splits.EndAsync(db, plan.ProjectId, plan.Environment, [], now, CancellationToken.None) is not null)
                await routes.PublishAsync(db, CancellationToken.None);
            db.AfterCommit(retirement.Wake.Set);
            return;
        }
        target.Why = outcome switch
        {
            OperationOutcome.RolledBack back => back.Why,
            OperationOutcome.Stuck stuck => stuck.Why,
            _ => null,
        };
        if (target.Status != DeploymentStatus.Deploying)
            return;
        // What ran on before the attempt runs on after it, for as long as it would have.
        var runs = (await instances.ListAsync(db, plan.Deployment, CancellationToken.None)).Any(i => i.Phase == InstancePhase.Serving);
        (target.Status, target.KeptUntil) = (target.ActivatedAt, runs) switch
        {
            (null, _) => (DeploymentStatus.Failed, (DateTimeOffset?)null),
            (_, true) => (DeploymentStatus.Inactive, plan.KeptUntil ?? now),
            _ => (DeploymentStatus.Stopped, null),
        };
    }

    private static bool IsHopeless(InstanceInfo instance) => instance.Status switch
    {
        { State: InstanceState.Failed } => true,
        { State: InstanceState.BackingOff, Restarts: >= HopelessAfterRestarts } => true,
        _ => false,
    };

    private static string Describe(InstanceInfo instance) =>
        $"an instance is {instance.Status.State.ToString().ToLowerInvariant()}"
        + (instance.Status.Reason is { Length: > 0 } reason ? $": {reason}" : "");

    private static StepEnd Said(StepContext<RolloutPlan> context, string words)
    {
        context.Say(words);
        return StepEnd.Done;
    }
}
