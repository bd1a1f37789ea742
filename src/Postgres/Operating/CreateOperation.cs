using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>A new cluster: where its servers run was chosen before the start.</summary>
internal sealed record CreatePlan
{
    public required Guid ClusterId { get; init; }

    public required string Name { get; init; }

    public required PlacedServer Primary { get; init; }

    /// <summary>The follower; null when there is to be none.</summary>
    public PlacedServer? Standby { get; init; }
}

/// <summary>Makes a cluster: <c>db-create</c>.</summary>
internal sealed class CreateOperation(Store store, Servers servers, DatabaseSecrets secrets, DatabaseReading reading, DatabasesOptions options, TimeProvider clock)
{
    public OperationDefinition<CreatePlan> Definition => field ??= new()
    {
        Kind = "db-create",
        Steps =
        [
            new("make and start the server", StartAsync, Undo.By<CreatePlan>(TakeBackAsync)),
            new("write its address", AddressAsync, Undo.None<CreatePlan>("an address of nothing is of no use to anybody; the next one replaces it")),
            new("add the standby", FollowAsync, Undo.None<CreatePlan>("the first step removes every server")),
        ],
        Finished = FinishedAsync,
        Success = plan => $"{plan.Name} answers on {plan.Primary.Hostname}, port {plan.Primary.Port}. How to connect: crew db connect {plan.Name}",
    };

    private async Task<StepEnd> StartAsync(StepContext<CreatePlan> context, CancellationToken cancellation)
    {
        var plan = context.Plan;
        var told = await servers.TellAsync(plan.ClusterId, _ => { }, cancellation);
        var why = await servers.WaitAsync(
            context, plan.Primary.NodeId, plan.Primary.ServerId, told[plan.Primary.ServerId], s => s is { State: ServerState.Ready, Role: ServerRole.Primary },
            options.ServerLimit, cancellation);
        return why is null ? StepEnd.Done : StepEnd.Failed(why);
    }

    private async Task<StepEnd> AddressAsync(StepContext<CreatePlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel), cancellation);
        return StepEnd.Done;
    }

    private async Task<StepEnd> FollowAsync(StepContext<CreatePlan> context, CancellationToken cancellation)
    {
        if (context.Plan.Standby is not { } standby)
        {
            context.Say("none was asked for");
            return StepEnd.Done;
        }
        var told = await store.WriteAsync(async (db, cancel) =>
        {
            await AddServerAsync(db, context.Plan.ClusterId, standby, ServerRole.Standby, clock.StoreNow(), cancel);
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel);
            return await servers.TellAsync(db, context.Plan.ClusterId, _ => { }, cancel);
        }, cancellation);
        var why = await servers.WaitAsync(
            context, standby.NodeId, standby.ServerId, told[standby.ServerId], s => s is { State: ServerState.Ready, Role: ServerRole.Standby }, options.ServerLimit, cancellation);
        return why is null ? StepEnd.Done : StepEnd.Failed($"the standby does not follow: {why}");
    }

    private async Task<StepEnd> TakeBackAsync(StepContext<CreatePlan> context, CancellationToken cancellation)
    {
        await servers.RemoveAllAsync(context, context.Plan.ClusterId, cancellation);
        return StepEnd.Done;
    }

    private static async Task FinishedAsync(StoreContext db, CreatePlan plan, OperationOutcome outcome)
    {
        var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == plan.ClusterId);
        (row.State, row.Why) = outcome switch
        {
            OperationOutcome.Succeeded => (DatabaseState.Ready, null),
            OperationOutcome.RolledBack back => (DatabaseState.Failed, back.Why),
            OperationOutcome.Stuck stuck => (DatabaseState.Failed, stuck.Why),
            _ => (row.State, row.Why),
        };
    }

    /// <summary>Writes a server down; again changes nothing.</summary>
    public static async Task AddServerAsync(StoreContext db, Guid clusterId, PlacedServer placed, ServerRole role, DateTimeOffset now, CancellationToken cancellation)
    {
        if (await db.Set<ServerRow>().AnyAsync(s => s.Id == placed.ServerId, cancellation))
            return;
        db.Add(new ServerRow
        {
            Id = placed.ServerId, ClusterId = clusterId, NodeId = placed.NodeId, Role = role, Port = placed.Port, Desire = ClusterDesire.Running, CreatedAt = now,
        });
        await db.SaveChangesAsync(cancellation);
    }
}

/// <summary>What is removed.</summary>
/// <param name="ClusterId">The cluster.</param>
/// <param name="Name">Its name.</param>
internal sealed record RemovePlan(Guid ClusterId, string Name);

/// <summary>Removes a cluster's servers and files; its backups stay: <c>db-remove</c>.</summary>
internal sealed class RemoveOperation(Servers servers)
{
    public OperationDefinition<RemovePlan> Definition => field ??= new()
    {
        Kind = "db-remove",
        Steps = [new("stop the servers and remove their files", RemoveAsync, Undo.None<RemovePlan>("files that are gone are gone; the backups are there"))],
        Finished = FinishedAsync,
        Success = plan => $"{plan.Name} is removed. Its backups are kept: crew db backups {plan.Name}, crew db restore {plan.Name} --as NAME",
    };

    private async Task<StepEnd> RemoveAsync(StepContext<RemovePlan> context, CancellationToken cancellation)
    {
        if (await servers.RemoveAllAsync(context, context.Plan.ClusterId, cancellation) is { } pending)
            context.Conclude($"{context.Plan.Name} is removed; {pending}");
        return StepEnd.Done;
    }

    private static async Task FinishedAsync(StoreContext db, RemovePlan plan, OperationOutcome outcome)
    {
        var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == plan.ClusterId);
        (row.State, row.Why) = outcome is OperationOutcome.Succeeded ? (DatabaseState.Removed, null) : (DatabaseState.Failed, "Removing it failed. Ask for it again.");
        await db.Set<ScheduleRow>().Where(s => s.ClusterId == plan.ClusterId).ExecuteDeleteAsync();
    }
}

/// <summary>Other settings of a cluster, with those of before to go back to.</summary>
/// <param name="ClusterId">The cluster.</param>
/// <param name="Name">Its name.</param>
/// <param name="Before">What held.</param>
/// <param name="After">What is to hold.</param>
internal sealed record ChangePlan(Guid ClusterId, string Name, DatabaseSettings Before, DatabaseSettings After);

/// <summary>Changes what a cluster should be: <c>db-change</c>.</summary>
internal sealed class ChangeOperation(Store store, Servers servers, DatabaseSecrets secrets, DatabaseReading reading, DatabasesOptions options)
{
    public OperationDefinition<ChangePlan> Definition => field ??= new()
    {
        Kind = "db-change",
        Steps =
        [
            new("apply the settings", (context, cancellation) => ApplyAsync(context, context.Plan.After, cancellation),
                Undo.By<ChangePlan>((context, cancellation) => ApplyAsync(context, context.Plan.Before, cancellation))),
            new("write the addresses", AddressAsync, Undo.None<ChangePlan>("addresses of logins that are not there are of no use to anybody")),
        ],
        Success = plan => $"{plan.Name} is as asked",
    };

    private async Task<StepEnd> ApplyAsync(StepContext<ChangePlan> context, DatabaseSettings settings, CancellationToken cancellation)
    {
        var (info, told) = await store.WriteAsync(async (db, cancel) =>
        {
            var row = await db.Set<ClusterRow>().AsTracking().SingleAsync(c => c.Id == context.Plan.ClusterId, cancel);
            row.Settings = DatabaseReading.Written(settings);
            var now = await servers.TellAsync(db, row.Id, _ => { }, cancel);
            return (await reading.GetAsync(db, row.Id, cancel), now);
        }, cancellation);
        foreach (var server in info.Servers.Where(s => s.Desire == ClusterDesire.Running))
            if (await servers.WaitAsync(context, server.NodeId, server.Id, told[server.Id], s => s.State == ServerState.Ready, options.ServerLimit, cancellation) is { } why)
                return StepEnd.Failed(why);
        return StepEnd.Done;
    }

    private async Task<StepEnd> AddressAsync(StepContext<ChangePlan> context, CancellationToken cancellation)
    {
        await store.WriteAsync(async (db, cancel) =>
            await secrets.SetUrlsAsync(db, await reading.GetAsync(db, context.Plan.ClusterId, cancel), Actor.Platform("databases"), cancel), cancellation);
        return StepEnd.Done;
    }
}
