using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public sealed class RestoreOperationTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_restore_is_a_copy_beside_what_is_there_unless_it_is_said_otherwise()
    {
        await using var world = await BackedUpAsync();
        var ended = await world.SucceedAsync(await world.Get<DatabaseRestores>().RestoreAsync("acme", "main", new WantedRestore(), ControlWorld.Admin, Ct));
        Assert.Contains("acme/main-copy is as at 0/3001000", ended.Why, StringComparison.Ordinal);
        var copy = await world.InfoAsync("main-copy");
        Assert.Equal("ready", copy.Health);
        Assert.StartsWith("acme/main, base-", copy.RestoredFrom, StringComparison.Ordinal);
        Assert.Equal("main_owner", copy.Settings.Owner);
        Assert.Null(copy.Settings.Archive);
        var work = Assert.Single(world.Node.Began.OfType<RestoreCluster>());
        Assert.Equal(("acme-main", "acme-main-copy", copy.Primary!.Id), (work.Source, work.Server.Name, work.Server.ServerId));
        Assert.NotNull(await world.Get<Databases>().ConnectAsync("acme", "main-copy", null, ControlWorld.Admin, Ct));
        Assert.Empty(world.Clients.Asked);
    }

    [Fact]
    public async Task A_plan_says_what_will_be_lost_and_changes_nothing()
    {
        await using var world = await BackedUpAsync();
        var plan = (await world.Get<DatabaseRestores>().PlanAsync("acme", "main", new WantedRestore { InPlace = true }, Ct))!.Value!;
        Assert.Equal("acme/main itself", plan.Into);
        Assert.NotEmpty(plan.Lost);
        Assert.Equal(["acme/web in production"], plan.Stops);
        Assert.Equal("take a safety backup", plan.Steps[0]);
        Assert.Empty(world.Node.Began.OfType<RestoreCluster>());
    }

    [Fact]
    public async Task A_moment_that_is_not_covered_is_refused_with_the_nearest_that_is()
    {
        await using var world = await BackedUpAsync();
        var judged = (await world.Get<DatabaseRestores>().PlanAsync("acme", "main", new WantedRestore { Target = new RecoveryTarget(DateTimeOffset.UnixEpoch) }, Ct))!;
        Assert.Contains("nearest", Assert.Single(judged.Problems).Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_place_the_name_is_asked_for_and_everything_is_done_in_order()
    {
        await using var world = await BackedUpAsync();
        var wanted = new WantedRestore { InPlace = true };
        Assert.Equal("confirm", Assert.Single(Assert.IsType<DatabaseAnswer.Refused>(await world.Get<DatabaseRestores>().RestoreAsync("acme", "main", wanted, ControlWorld.Admin, Ct)).Problems).Code);
        var before = world.Node.Began.Count;
        var ended = await world.SucceedAsync(await world.Get<DatabaseRestores>().RestoreAsync("acme", "main", wanted with { Confirm = "main" }, ControlWorld.Admin, Ct));
        Assert.Equal(["stop", "start"], world.Clients.Asked);
        Assert.Collection(world.Node.Began.Skip(before), w => Assert.Equal("before-restore", Assert.IsType<TakeBaseBackup>(w).Reason), w => Assert.IsType<RestoreCluster>(w));
        Assert.Equal(["Done", "Done", "Done", "Done", "Done", "Done"], ended.Steps.Select(s => s.State.ToString()));
        Assert.Equal("ready", (await world.InfoAsync()).Health);
    }

    [Fact]
    public async Task Without_a_safety_backup_nothing_is_touched()
    {
        await using var world = await BackedUpAsync();
        world.Node.OfJob = job => job.Work is TakeBaseBackup ? FakeNode.Status(JobState.Failed, "the server does not answer", null) : null;
        var ended = await world.EndAsync(await world.Get<DatabaseRestores>().RestoreAsync("acme", "main", new WantedRestore { InPlace = true, Confirm = "main" }, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("nothing was touched", ended.Why, StringComparison.Ordinal);
        Assert.Empty(world.Clients.Asked);
        Assert.Empty(world.Node.Began.OfType<RestoreCluster>());
    }

    [Fact]
    public async Task A_restore_in_place_that_fails_starts_everything_again_as_it_was()
    {
        await using var world = await BackedUpAsync();
        world.Node.OfJob = job => job.Work is RestoreCluster ? FakeNode.Status(JobState.Failed, "a segment of the log is missing", null) : null;
        var ended = await world.EndAsync(await world.Get<DatabaseRestores>().RestoreAsync("acme", "main", new WantedRestore { InPlace = true, Confirm = "main" }, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Equal(["stop", "start"], world.Clients.Asked);
        Assert.Equal(ClusterDesire.Running, world.Node.SpecOf((await world.InfoAsync()).Primary!.Id).Desire);
    }

    [Fact]
    public async Task A_copy_that_fails_leaves_no_server()
    {
        await using var world = await BackedUpAsync();
        world.Node.OfJob = job => job.Work is RestoreCluster ? FakeNode.Status(JobState.Failed, "the disk is full", null) : null;
        var ended = await world.EndAsync(await world.Get<DatabaseRestores>().RestoreAsync("acme", "main", new WantedRestore { As = "tried" }, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Equal(("failed", 0), ((await world.InfoAsync("tried")).Health, (await world.InfoAsync("tried")).Servers.Count));
    }

    private static async Task<ControlWorld> BackedUpAsync()
    {
        var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        await world.SucceedAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct));
        return world;
    }
}
