using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>The standby takes over: every choice made before the start.</summary>
internal sealed record MovePlan
{
    public required Guid ClusterId { get; init; }

    public required string Subject { get; init; }

    public required string Org { get; init; }

    /// <summary>The primary of before.</summary>
    public required PlacedServer Old { get; init; }

    /// <summary>The standby that takes over.</summary>
    public required PlacedServer New { get; init; }

    /// <summary>Failover: a person vouches that the old primary is off and stays off, so that its node's word is not waited for.</summary>
    public bool IsOffForSure { get; init; }

    /// <summary>The names of the secrets by which services use it.</summary>
    public required IReadOnlyList<string> Secrets { get; init; }
}

/// <summary>
/// The standby becomes the primary: in peace without loss (<c>db-switchover</c>), or after a loss, with the old primary fenced first
/// (<c>db-failover</c>). There are never two that take writes: nothing is promoted before the old one is known to be stopped.
/// </summary>
internal sealed class MoveOperations(
    Store store, Servers servers, DatabaseSecrets secrets, DatabaseReading reading, IDatabaseClients clients, DatabasesOptions options)
{
    private static readonly TimeSpan NearLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan FenceLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PromoteLimit = TimeSpan.FromMinutes(5);

    /// <summary>A standby that is this far behind catches up while the old primary shuts down.</summary>
    private const long Near = 16 * 1024 * 1024;

    public OperationDefinition<MovePlan> Switchover => field ??= new()
    {
        Kind = "db-switchover",
        Steps =
        [
            new("the standby is near", NearAsync, Undo.None<MovePlan>("looking changes nothing")),
            new("stop the primary", StopAsync, Undo.By<MovePlan>(StartAgainAsync)),
            new("the standby has everything", CaughtUpAsync, Undo.None<MovePlan>("looking changes nothing")),
            new("promote the standby", PromoteAsync, Undo.None<MovePlan>("a server that took writes is not made a standby again by undoing: switch over once more")),
            new("move the address", AddressAsync, Undo.None<MovePlan>("the address follows the primary")),
            new("the old primary follows", FollowAsync, Undo.None<MovePlan>("it follows when it can")),
        ],
        Finished = MovedAsync,
        Success = plan => $"{plan.New.Hostname}, port {plan.New.Port}, is the primary of {plan.Subject}; {plan.Old.Hostname}, port {plan.Old.Port}, follows",
    };

    public OperationDefinition<MovePlan> Failover => field ??= new()
    {
        Kind = "db-failover",
        Steps =
        [
            new("fence the old primary", FenceAsync, Undo.By<MovePlan>(StartAgainAsync)),
            new("promote the standby", PromoteAsync, Undo.None<MovePlan>("a server that took writes is not made a standby again by undoing: switch over once more")),
            new("move the address", AddressAsync, Undo.None<MovePlan>("the address follows the primary")),
            new("the old primary follows", FollowAsync, Undo.None<MovePlan>("it follows when it can")),
        ],
        Finished = MovedAsync,
        Success = plan => $"{plan.New.Hostname}, port {plan.New.Port}, is the primary of {plan.Subject}; {plan.Old.Hostname}, port {plan.Old.Port}, follows",
    };

    private async Task<StepEnd> NearAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        long? behind = null;
        var why = await servers.WaitAsync(context, plan.New.NodeId, plan.New.ServerId, 0, status =>
        {
            behind = reading.StatusOf(plan.Old.NodeId, plan.Old.ServerId) is { } old ? old.Position - status.Position : null;
            return status is { State: ServerState.Ready, Role: ServerRole.Standby } && behind is <= Near;
        }, NearLimit, cancellation);
        return why is null ? StepEnd.Done : StepEnd.Failed(behind is null or <= Near
            ? $"nothing was touched: the standby does not follow: {why}"
            : $"nothing was touched: the standby is {Quantity.FormatBytes(behind.Value)} behind. Try again when it is nearer: crew db info {plan.Subject}");
    }

    private async Task<StepEnd> StopAsync(StepContext<MovePlan> context, CancellationToken cancellation) =>
        await StoppedAsync(context, options.ServerLimit, cancellation) is { } why ? StepEnd.Failed($"not promoted, the primary could not be stopped: {why}") : StepEnd.Done;

    private async Task<StepEnd> FenceAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        if (await StoppedAsync(context, FenceLimit, cancellation) is not { } why)
            return StepEnd.Done;
        if (!context.Plan.IsOffForSure)
            return StepEnd.Failed($"not promoted, the old primary could not be fenced: {why}. It may still take writes. Switch its machine off, and then say so: crew db failover {context.Plan.Subject} --old-is-off");
        context.Say($"{context.Actor} says that the old primary is off; its node stops it in any case once it is back");
        return StepEnd.Done;
    }

    /// <summary>Has the old primary stopped, and waits for its node's word. Null when it is.</summary>
    private async Task<string?> StoppedAsync(StepContext<MovePlan> context, TimeSpan limit, CancellationToken cancellation)
    {
        var old = context.Plan.Old;
        var told = await servers.TellAsync(context.Plan.ClusterId, rows => rows.First(r => r.Id == old.ServerId).Desire = ClusterDesire.Stopped, cancellation);
        return await servers.WaitAsync(context, old.NodeId, old.ServerId, told[old.ServerId], s => s.State == ServerState.Stopped, limit, cancellation);
    }

    private async Task<StepEnd> StartAgainAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        await servers.TellAsync(context.Plan.ClusterId, rows => rows.First(r => r.Id == context.Plan.Old.ServerId).Desire = ClusterDesire.Running, cancellation);
        return StepEnd.Done;
    }

    /// <summary>A primary that is shut down sends everything first; its last word says up to where.</summary>
    private async Task<StepEnd> CaughtUpAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        var end = reading.StatusOf(plan.Old.NodeId, plan.Old.ServerId)?.Position ?? default;
        var why = await servers.WaitAsync(context, plan.New.NodeId, plan.New.ServerId, 0, s => s.Position >= end, NearLimit, cancellation);
        return why is null ? StepEnd.Done : StepEnd.Failed($"not promoted, the standby has not got everything up to {end}: {why}");
    }

    private async Task<StepEnd> PromoteAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        var told = await servers.TellAsync(plan.ClusterId, rows =>
        {
            rows.First(r => r.Id == plan.New.ServerId).Role = ServerRole.Primary;
            rows.First(r => r.Id == plan.Old.ServerId).Role = ServerRole.Standby;
        }, cancellation);
        var why = await servers.WaitAsync(context, plan.New.NodeId, plan.New.ServerId, told[plan.New.ServerId], s => s is { State: ServerState.Ready, Role: ServerRole.Primary }, PromoteLimit, cancellation);
        if (why is null)
            return StepEnd.Done;
        // It may have been promoted without our seeing it: then the old one must not be started as a primary.
        if (reading.StatusOf(plan.New.NodeId, plan.New.ServerId)?.Role == ServerRole.Primary)
            return StepEnd.Done;
        await servers.TellAsync(plan.ClusterId, rows =>
        {
            rows.First(r => r.Id == plan.New.ServerId).Role = ServerRole.Standby;
            rows.First(r => r.Id == plan.Old.ServerId).Role = ServerRole.Primary;
        }, cancellation);
        return StepEnd.Failed($"not promoted: {why}. The old primary is started again");
    }

    private async Task<StepEnd> AddressAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel), cancellation);
        // The addresses name both servers and ask for the one that takes writes. Whoever reads the first only gets a new start.
        if (await clients.RenewAsync(context.Plan.Org, context.Plan.Secrets, context.Operation, context.Say, cancellation) is { } why)
            context.Say($"instances with the old address run on: {why}");
        return StepEnd.Done;
    }

    private async Task<StepEnd> FollowAsync(StepContext<MovePlan> context, CancellationToken cancellation)
    {
        var (plan, old) = (context.Plan, context.Plan.Old);
        var told = await servers.TellAsync(plan.ClusterId, rows => rows.First(r => r.Id == old.ServerId).Desire = ClusterDesire.Running, cancellation);
        if (await servers.WaitAsync(context, old.NodeId, old.ServerId, told[old.ServerId], s => s is { State: ServerState.Ready, Role: ServerRole.Standby }, FenceLimit, cancellation) is { } why)
            context.Conclude($"promoted, follower pending: {plan.New.Hostname}, port {plan.New.Port}, is the primary of {plan.Subject}; {old.Hostname} does not follow yet ({why}), and goes on trying. See: crew db info {plan.Subject}");
        return StepEnd.Done;
    }

    /// <summary>A new timeline: a new base backup begins its windows.</summary>
    private static async Task MovedAsync(StoreContext db, MovePlan plan, OperationOutcome outcome)
    {
        if (outcome is OperationOutcome.Succeeded)
            (await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == plan.ClusterId)).FirstBackupBegunAt = null;
    }
}

/// <summary>A standby that is added, or taken away.</summary>
/// <param name="ClusterId">The cluster.</param>
/// <param name="Subject">Its name, for words.</param>
/// <param name="Standby">The standby.</param>
internal sealed record StandbyPlan(Guid ClusterId, string Subject, PlacedServer Standby);

/// <summary>Adds a standby (<c>db-standby-add</c>) and takes one away (<c>db-standby-remove</c>).</summary>
internal sealed class StandbyOperations(Store store, Servers servers, DatabaseSecrets secrets, DatabaseReading reading, DatabasesOptions options)
{
    public OperationDefinition<StandbyPlan> Adding => field ??= new()
    {
        Kind = "db-standby-add",
        Steps =
        [
            new("copy the primary and follow", AddAsync, Undo.By<StandbyPlan>(RemoveAsync)),
            new("write the addresses", AddressAsync, Undo.None<StandbyPlan>("the addresses follow the servers")),
        ],
        Finished = (db, plan, outcome) => NoteAsync(db, plan, outcome, 1),
        Success = plan => $"{plan.Standby.Hostname}, port {plan.Standby.Port}, follows {plan.Subject}",
    };

    public OperationDefinition<StandbyPlan> Removing => field ??= new()
    {
        Kind = "db-standby-remove",
        Steps =
        [
            new("stop the standby and remove its files", RemoveAsync, Undo.None<StandbyPlan>("a standby is made anew from its primary")),
            new("write the addresses", AddressAsync, Undo.None<StandbyPlan>("the addresses follow the servers")),
        ],
        Finished = (db, plan, outcome) => NoteAsync(db, plan, outcome, 0),
        Success = plan => $"{plan.Subject} has no standby any more",
    };

    private async Task<StepEnd> AddAsync(StepContext<StandbyPlan> context, CancellationToken cancellation)
    {
        var (id, standby) = (context.Plan.ClusterId, context.Plan.Standby);
        var told = await store.WriteAsync(async (db, cancel) =>
        {
            await CreateOperation.AddServerAsync(db, id, standby, ServerRole.Standby, context.Clock.StoreNow(), cancel);
            return await servers.TellAsync(db, id, _ => { }, cancel);
        }, cancellation);
        var why = await servers.WaitAsync(context, standby.NodeId, standby.ServerId, told[standby.ServerId], s => s is { State: ServerState.Ready, Role: ServerRole.Standby }, options.JobLimit, cancellation);
        return why is null ? StepEnd.Done : StepEnd.Failed(why);
    }

    private async Task<StepEnd> RemoveAsync(StepContext<StandbyPlan> context, CancellationToken cancellation)
    {
        if (await servers.RemoveOneAsync(context, context.Plan.ClusterId, context.Plan.Standby.ServerId, cancellation) is { } pending)
            context.Conclude($"{context.Plan.Subject} has no standby any more; {pending}");
        return StepEnd.Done;
    }

    private async Task<StepEnd> AddressAsync(StepContext<StandbyPlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel), cancellation);
        return StepEnd.Done;
    }

    private static async Task NoteAsync(StoreContext db, StandbyPlan plan, OperationOutcome outcome, int standbys)
    {
        if (outcome is not OperationOutcome.Succeeded)
            return;
        var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == plan.ClusterId);
        row.Settings = DatabaseReading.Written(DatabaseReading.SettingsOf(row) with { Standbys = standbys });
    }
}

/// <summary>A login gets another role with another password.</summary>
/// <param name="ClusterId">The cluster.</param>
/// <param name="Org">The organization.</param>
/// <param name="Subject">Its name, for words.</param>
/// <param name="Login">The login.</param>
/// <param name="OldRole">The role of before.</param>
/// <param name="NewRole">The role from now on.</param>
/// <param name="Turn">Its turn.</param>
/// <param name="Secrets">The names of the secrets by which services use it.</param>
internal sealed record RotatePlan(Guid ClusterId, string Org, string Subject, string Login, string OldRole, string NewRole, int Turn, IReadOnlyList<string> Secrets);

/// <summary>
/// Changes a password without a failed query: a second role beside the first, instances that get it one after the other, and the
/// first revoked only when nobody uses it (<c>db-rotate</c>, U-73).
/// </summary>
internal sealed class RotateOperation(
    Store store, Servers servers, DatabaseSecrets secrets, DatabaseReading reading, IDatabaseClients clients, DatabasesOptions options)
{
    public OperationDefinition<RotatePlan> Definition => field ??= new()
    {
        Kind = "db-rotate",
        Steps =
        [
            new("add the second role", (context, cancellation) => SetAsync(context, Both, cancellation), Undo.By<RotatePlan>((context, cancellation) => SetAsync(context, Before, cancellation))),
            new("hand it over", (context, cancellation) => AddressAsync(context, cancellation), Undo.By<RotatePlan>(AddressBackAsync)),
            new("renew what uses it", RenewAsync, Undo.None<RotatePlan>("instances with the new password work as long as its role is there, and are renewed by the step before")),
            new("revoke the old role", (context, cancellation) => SetAsync(context, After, cancellation), Undo.None<RotatePlan>("nothing uses it any more")),
        ],
        Success = plan => $"{plan.Login} of {plan.Subject} is {plan.NewRole} now; {plan.OldRole} goes once its last connection is closed",
    };

    /// <summary>The new one is the login; the old one works on, for it is not named among those that go.</summary>
    private static DatabaseSettings Both(DatabaseSettings settings, RotatePlan plan) => settings with
    {
        Logins = [.. settings.Logins.Select(l => l.Name == plan.Login ? l with { Turn = plan.Turn } : l)],
        GoneRoles = [.. settings.GoneRoles.Where(r => r != plan.OldRole && r != plan.NewRole)],
    };

    private static DatabaseSettings Before(DatabaseSettings settings, RotatePlan plan) => settings with
    {
        Logins = [.. settings.Logins.Select(l => l.Name == plan.Login ? l with { Turn = plan.Turn - 1 } : l)],
        GoneRoles = [.. settings.GoneRoles.Where(r => r != plan.OldRole && r != plan.NewRole), plan.NewRole],
    };

    private static DatabaseSettings After(DatabaseSettings settings, RotatePlan plan) => settings with
    {
        GoneRoles = [.. settings.GoneRoles.Where(r => r != plan.OldRole), plan.OldRole],
    };

    private async Task<StepEnd> SetAsync(StepContext<RotatePlan> context, Func<DatabaseSettings, RotatePlan, DatabaseSettings> change, CancellationToken cancellation)
    {
        var (info, told) = await store.WriteAsync(async (db, cancel) =>
        {
            var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == context.Plan.ClusterId, cancel);
            row.Settings = DatabaseReading.Written(change(DatabaseReading.SettingsOf(row), context.Plan));
            var now = await servers.TellAsync(db, row.Id, _ => { }, cancel);
            return (await reading.GetAsync(db, row.Id, cancel), now);
        }, cancellation);
        if (info.Primary is not { } primary)
            return StepEnd.Failed("there is no primary");
        var why = await servers.WaitAsync(context, primary.NodeId, primary.Id, told[primary.Id], s => s.State == ServerState.Ready, options.ServerLimit, cancellation);
        return why is null ? StepEnd.Done : StepEnd.Failed(why);
    }

    private async Task<StepEnd> AddressAsync(StepContext<RotatePlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel), cancellation);
        return StepEnd.Done;
    }

    /// <summary>The old role's address again, and instances that have it.</summary>
    private async Task<StepEnd> AddressBackAsync(StepContext<RotatePlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
        {
            var info = await reading.GetAsync(db, context.Plan.ClusterId, cancel);
            await secrets.SetUrlsAsync(db, info with { Settings = Before(info.Settings, context.Plan) }, Actor.Platform("databases"), cancel);
        }, cancellation);
        return await clients.RenewAsync(context.Plan.Org, context.Plan.Secrets, context.Operation, context.Say, cancellation) is { } why ? StepEnd.Failed(why) : StepEnd.Done;
    }

    private async Task<StepEnd> RenewAsync(StepContext<RotatePlan> context, CancellationToken cancellation) =>
        await clients.RenewAsync(context.Plan.Org, context.Plan.Secrets, context.Operation, context.Say, cancellation) is { } why
            ? StepEnd.Failed($"not every instance has the new password: {why}") : StepEnd.Done;
}
