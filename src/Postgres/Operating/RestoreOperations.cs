using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>Stops and starts what uses a database while it is replaced; the daemon answers with the rooms that know. Thread-safe.</summary>
public interface IDatabaseClients
{
    /// <summary>The services that have one of these secrets, as <c>acme/web in production</c>.</summary>
    Task<IReadOnlyList<string>> ListAsync(string org, IReadOnlyCollection<string> secrets, CancellationToken cancellation);

    /// <summary>
    /// Takes them out of service; returns once nothing of them runs. The same <paramref name="operation"/> again does nothing more.
    /// </summary>
    /// <returns>Why one of them could not be stopped; null when none runs.</returns>
    Task<string?> StopAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation);

    /// <summary>Brings back what <see cref="StopAsync"/> stopped for that operation.</summary>
    /// <returns>Why one of them could not be started; null when all were begun.</returns>
    Task<string?> StartAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation);

    /// <summary>Starts new instances beside the old, which get the secrets as they are now; returns once no old one runs.</summary>
    /// <returns>Why one of them could not be moved; null when all are.</returns>
    Task<string?> RenewAsync(string org, IReadOnlyCollection<string> secrets, Guid operation, Action<string> say, CancellationToken cancellation);
}

/// <summary>A restore of a whole cluster: every choice made before the start.</summary>
internal sealed record RestorePlan
{
    /// <summary>The cluster that is made or replaced.</summary>
    public required Guid ClusterId { get; init; }

    public required string Org { get; init; }

    public required string Name { get; init; }

    /// <summary>The server that it is restored to.</summary>
    public required PlacedServer Server { get; init; }

    /// <summary>The job that makes the data folder.</summary>
    public required Guid JobId { get; init; }

    public required RestoreCluster Work { get; init; }

    /// <summary>In place: the job of the safety backup; null when it was said to go without.</summary>
    public Guid? SafetyJobId { get; init; }

    /// <summary>In place: the safety backup.</summary>
    public TakeBaseBackup? Safety { get; init; }

    /// <summary>In place: the follower, which is made anew; null when there is none.</summary>
    public PlacedServer? Standby { get; init; }

    /// <summary>The names of the secrets by which services use it.</summary>
    public IReadOnlyList<string> Secrets { get; init; } = [];

    public string Subject => $"{Org}/{Name}";
}

/// <summary>
/// Restores a cluster from its archive: beside the old one (<c>db-restore</c>), or in its place (<c>db-restore-in-place</c>, T-52).
/// </summary>
internal sealed class RestoreOperations(
    Store store, Jobs jobs, Servers servers, DatabaseSecrets secrets, DatabaseReading reading, IDatabaseClients clients, DatabasesOptions options)
{
    public OperationDefinition<RestorePlan> Copy => field ??= new()
    {
        Kind = "db-restore",
        Steps =
        [
            new("bring back the files", RestoreAsync, Undo.By<RestorePlan>(BreakOffAsync)),
            new("start the server", StartAsync, Undo.By<RestorePlan>(RemoveAsync)),
            new("write its address", AddressAsync, Undo.None<RestorePlan>("an address of nothing is of no use to anybody; the next one replaces it")),
        ],
        Finished = CopiedAsync,
        Success = plan => $"{plan.Subject} answers. How to connect: crew db connect {plan.Subject}",
    };

    public OperationDefinition<RestorePlan> InPlace => field ??= new()
    {
        Kind = "db-restore-in-place",
        Steps =
        [
            new("take a safety backup", SafetyAsync, Undo.None<RestorePlan>("a backup more does no harm")),
            new("stop what uses it", FenceAsync, Undo.By<RestorePlan>(UnfenceAsync)),
            new("stop the server", StopAsync, Undo.By<RestorePlan>(StartAgainAsync)),
            new("bring back the files", RestoreAsync, Undo.By<RestorePlan>(BreakOffAsync)),
            new("start the server", StartAsync, Undo.None<RestorePlan>("the server is started as it is by the step that stopped it")),
            new("start what uses it", UnfenceAsync, Undo.None<RestorePlan>("what was stopped is started by the step that stopped it")),
        ],
        Finished = (db, plan, outcome) => ReplacedAsync(db, plan, outcome),
        Success = plan => $"{plan.Subject} was replaced and answers. What was there before is in its newest backup: crew db backups {plan.Subject}",
    };

    private async Task<StepEnd> SafetyAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        if (plan is not { Safety: { } safety, SafetyJobId: { } job })
        {
            context.Say("it was asked to go without: what is in the database now and not in the archive is lost");
            return StepEnd.Done;
        }
        var end = await jobs.WaitAsync(context, plan.ClusterId, plan.Server.NodeId, plan.Server.Hostname, job, safety, cancellation);
        if (end.Why is { } why)
            return StepEnd.Failed($"there is no safety backup, and nothing was touched: {why}. When the database cannot be backed up any more, restore it beside itself (without --in-place), or add --without-safety-backup.");
        context.Say($"{(end.Result as BaseBackupTaken)?.Manifest.Name ?? "a backup"} holds what is there now");
        return StepEnd.Done;
    }

    private async Task<StepEnd> FenceAsync(StepContext<RestorePlan> context, CancellationToken cancellation) =>
        await clients.StopAsync(context.Plan.Org, context.Plan.Secrets, context.Operation, context.Say, cancellation) is { } why ? StepEnd.Failed(why) : StepEnd.Done;

    private async Task<StepEnd> UnfenceAsync(StepContext<RestorePlan> context, CancellationToken cancellation) =>
        await clients.StartAsync(context.Plan.Org, context.Plan.Secrets, context.Operation, context.Say, cancellation) is { } why ? StepEnd.Failed(why) : StepEnd.Done;

    private async Task<StepEnd> StopAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        var told = await servers.TellAsync(context.Plan.ClusterId, rows => Wish(rows, ClusterDesire.Stopped), cancellation);
        foreach (var placed in Placed(context.Plan))
            if (told.TryGetValue(placed.ServerId, out var generation)
                && await servers.WaitAsync(context, placed.NodeId, placed.ServerId, generation, s => s.State == ServerState.Stopped, options.ServerLimit, cancellation) is { } why)
                return StepEnd.Failed($"it could not be stopped: {why}");
        return StepEnd.Done;
    }

    private async Task<StepEnd> StartAgainAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        await servers.TellAsync(context.Plan.ClusterId, rows => Wish(rows, ClusterDesire.Running), cancellation);
        return StepEnd.Done;
    }

    private async Task<StepEnd> RestoreAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        var end = await jobs.WaitAsync(context, plan.ClusterId, plan.Server.NodeId, plan.Server.Hostname, plan.JobId, plan.Work, cancellation);
        if (end.Why is { } why)
            return StepEnd.Failed(why);
        if (end.Result is not ClusterRestored restored)
            return StepEnd.Failed("its node calls it done and gives no result: its agent may be of another version");
        var commit = restored.LastCommitAt is { } at ? $", the last transaction of {at.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC" : "";
        context.Say($"{restored.Backup} and the log up to {restored.Reached}{commit}; {Quantity.Format(TimeSpan.FromMilliseconds(Math.Round(restored.Took.TotalMilliseconds)))} until it answered");
        context.Conclude($"{plan.Subject} is as at {restored.Reached}{commit}. How to connect: crew db connect {plan.Subject}");
        return StepEnd.Done;
    }

    private Task<StepEnd> BreakOffAsync(StepContext<RestorePlan> context, CancellationToken cancellation) =>
        jobs.BreakOffAsync(context, context.Plan.ClusterId, context.Plan.Server.NodeId, context.Plan.JobId, context.Plan.Work, cancellation);

    private async Task<StepEnd> StartAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        var told = await store.WriteAsync(async (db, cancel) =>
        {
            await CreateOperation.AddServerAsync(db, context.Plan.ClusterId, context.Plan.Server, ServerRole.Primary, context.Clock.StoreNow(), cancel);
            return await servers.TellAsync(db, context.Plan.ClusterId, rows => Wish(rows, ClusterDesire.Running), cancel);
        }, cancellation);
        var placed = context.Plan.Server;
        if (await servers.WaitAsync(context, placed.NodeId, placed.ServerId, told[placed.ServerId], s => s is { State: ServerState.Ready, Role: ServerRole.Primary }, options.ServerLimit, cancellation) is { } why)
            return StepEnd.Failed(why);
        if (context.Plan.Standby is { } standby && told.TryGetValue(standby.ServerId, out var generation)
            && await servers.WaitAsync(context, standby.NodeId, standby.ServerId, generation, s => s.State == ServerState.Ready, options.ServerLimit, cancellation) is { } pending)
            context.Conclude($"{context.Plan.Subject} answers; its standby does not follow yet ({pending}), and goes on trying: crew db info {context.Plan.Subject}");
        return StepEnd.Done;
    }

    private async Task<StepEnd> RemoveAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        await servers.RemoveAllAsync(context, context.Plan.ClusterId, cancellation);
        return StepEnd.Done;
    }

    private async Task<StepEnd> AddressAsync(StepContext<RestorePlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel), cancellation);
        return StepEnd.Done;
    }

    private static async Task CopiedAsync(StoreContext db, RestorePlan plan, OperationOutcome outcome)
    {
        var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == plan.ClusterId);
        (row.State, row.Why) = outcome switch
        {
            OperationOutcome.Succeeded => (DatabaseState.Ready, null),
            OperationOutcome.RolledBack back => (DatabaseState.Failed, back.Why),
            OperationOutcome.Stuck stuck => (DatabaseState.Failed, stuck.Why),
            _ => (row.State, row.Why),
        };
        if (outcome is not OperationOutcome.Succeeded)
            await db.Set<ScheduleRow>().Where(s => s.ClusterId == plan.ClusterId).ExecuteDeleteAsync();
    }

    /// <summary>Its log went another way from here on: a new base backup is due, so that the windows go on.</summary>
    private static async Task ReplacedAsync(StoreContext db, RestorePlan plan, OperationOutcome outcome)
    {
        if (outcome is OperationOutcome.Succeeded)
            (await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == plan.ClusterId)).FirstBackupBegunAt = null;
    }

    private static void Wish(IReadOnlyList<ServerRow> rows, ClusterDesire desire)
    {
        foreach (var row in rows)
            row.Desire = desire;
    }

    private static IEnumerable<PlacedServer> Placed(RestorePlan plan) => plan.Standby is { } standby ? [standby, plan.Server] : [plan.Server];
}

/// <summary>A restore of a dump into a running server.</summary>
/// <param name="ClusterId">The cluster.</param>
/// <param name="Subject">Its name, for words.</param>
/// <param name="NodeId">The node of its primary.</param>
/// <param name="Hostname">The node's machine.</param>
/// <param name="JobId">The job.</param>
/// <param name="Work">What it does.</param>
internal sealed record RestoreDumpPlan(Guid ClusterId, string Subject, Guid NodeId, string Hostname, Guid JobId, RestoreDump Work);

/// <summary>Restores a dump as another database of its cluster: <c>db-restore-dump</c>.</summary>
internal sealed class RestoreDumpOperation(Store store, Jobs jobs, Servers servers)
{
    public OperationDefinition<RestoreDumpPlan> Definition => field ??= new()
    {
        Kind = "db-restore-dump",
        Steps =
        [
            new("restore the dump", RestoreAsync, Undo.By<RestoreDumpPlan>((context, cancellation) =>
                jobs.BreakOffAsync(context, context.Plan.ClusterId, context.Plan.NodeId, context.Plan.JobId, context.Plan.Work, cancellation))),
            new("note the database", NoteAsync, Undo.None<RestoreDumpPlan>("it is there, and may be looked at")),
        ],
        Success = plan => $"{plan.Work.Dump} is the database '{plan.Work.Database}' of {plan.Subject}. Connect with a login of {plan.Subject}, and name that database in the address.",
    };

    private async Task<StepEnd> RestoreAsync(StepContext<RestoreDumpPlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        var end = await jobs.WaitAsync(context, plan.ClusterId, plan.NodeId, plan.Hostname, plan.JobId, plan.Work, cancellation);
        return end.Why is { } why ? StepEnd.Failed(why) : StepEnd.Done;
    }

    private async Task<StepEnd> NoteAsync(StepContext<RestoreDumpPlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
        {
            var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == context.Plan.ClusterId, cancel);
            var settings = DatabaseReading.SettingsOf(row);
            if (settings.Databases.All(d => d.Name != context.Plan.Work.Database))
                row.Settings = DatabaseReading.Written(settings with { Databases = [.. settings.Databases, new WantedDatabase(context.Plan.Work.Database, [])] });
            await servers.TellAsync(db, row.Id, _ => { }, cancel);
        }, cancellation);
        return StepEnd.Done;
    }
}
