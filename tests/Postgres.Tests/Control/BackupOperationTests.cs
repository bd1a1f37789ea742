using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public sealed class BackupOperationTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_backup_is_taken_looked_at_and_listed_with_what_can_be_restored()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        var ended = await world.SucceedAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", 1 << 20, ControlWorld.Admin, Ct));
        Assert.Contains("base-", ended.Why, StringComparison.Ordinal);
        Assert.Collection(world.Node.Began, w => Assert.Equal(1 << 20, Assert.IsType<TakeBaseBackup>(w).MaxBytesPerSecond), w => Assert.IsType<VerifyBackup>(w));
        var seen = (await world.Get<DatabaseBackups>().SeenAsync("acme", "main", Ct))!;
        Assert.Null(seen.Problem);
        Assert.Equal("request", Assert.Single(seen.Seen.Backups).Reason);
        Assert.Equal(seen.Seen.Backups[0].Name, Assert.Single(seen.Seen.Windows).Base);
    }

    [Fact]
    public async Task A_damaged_backup_fails_its_operation()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        world.Node.OfJob = job => job.Work is VerifyBackup ? FakeNode.Status(JobState.Succeeded, "", new BackupVerified(false, ["base.tar: another checksum"])) : null;
        var ended = await world.EndAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("another checksum", ended.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_backups_at_once_are_refused_and_a_backup_can_be_broken_off()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        world.Node.OfJob = job => job.Work is TakeBaseBackup ? FakeNode.Status(JobState.Running, "copying", null, 25, 100) : null;
        var first = (DatabaseAnswer.Accepted)await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct);
        Assert.Equal(first.Operation.Id, Assert.IsType<DatabaseAnswer.Busy>(await world.Get<DatabaseBackups>().DumpAsync("acme", "main", null, null, "request", ControlWorld.Admin, Ct)).Holder.Id);
        await Eventually.TrueAsync(() => !world.Node.Began.IsEmpty, "the backup began");
        Assert.IsType<DatabaseAnswer.Done>(await world.Get<DatabaseBackups>().CancelAsync("acme", "main", first.Operation.Id, ControlWorld.Admin, Ct));
        var ended = (await world.Get<Operations>().WaitForEndAsync(first.Operation.Id, Ct))!;
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("ops broke it off", ended.Why, StringComparison.Ordinal);
        var lines = await world.Get<Operations>().LinesAsync(first.Operation.Id, Ct);
        Assert.Contains(lines, l => l.Text.Contains("copying: 25 B of 100 B (25%)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_that_is_not_heard_of_is_not_waited_for_without_end()
    {
        await using var world = await ControlWorld.BuildAsync(o => o with { JobLimit = TimeSpan.FromSeconds(1), CancelLimit = TimeSpan.FromSeconds(1) });
        await world.CreateAsync();
        world.Node.IsSilent = true;
        var ended = await world.EndAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct));
        Assert.Equal(OutcomeKind.RolledBack, ended.Outcome);
        Assert.Contains("did not end within 1s", ended.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dump_gets_its_name_by_the_template_of_its_system()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        await world.SucceedAsync(await world.Get<DatabaseBackups>().DumpAsync("acme", "main", null, "zmos_backup_YYYYMMDD_HHMMSS", "request", ControlWorld.Admin, Ct));
        Assert.Matches("^zmos_backup_[0-9]{8}_[0-9]{6}$", Assert.Single(world.Node.Began.OfType<TakeDump>()).Name);
        Assert.Equal(VerifyLevel.Tool, Assert.Single(world.Node.Began.OfType<VerifyBackup>()).Level);
        var refused = await world.Get<DatabaseBackups>().DumpAsync("acme", "main", "nothing", "always-the-same", "request", ControlWorld.Admin, Ct);
        Assert.Equal(["template", "database"], Assert.IsType<DatabaseAnswer.Refused>(refused).Problems.Select(p => p.Path));
    }

    [Fact]
    public async Task A_drill_is_measured_and_kept()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync(s => s with { Checks = [new SqlCheck("main", "SELECT true", "it is there")] });
        var ended = await world.SucceedAsync(await world.Get<DatabaseBackups>().DrillAsync("acme", "main", new RecoveryTarget(), ControlWorld.Admin, Ct));
        Assert.Contains("20s to recover", ended.Why, StringComparison.Ordinal);
        var drill = Assert.Single(await world.Get<DatabaseBackups>().DrillsAsync(info.Id, 10, Ct));
        Assert.Equal((true, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(3)), (drill.IsGood, drill.Took, drill.Lost));
        Assert.Equal("it is there", Assert.Single(Assert.Single(world.Node.Began.OfType<RunDrill>()).Checks).Words);
    }

    [Fact]
    public async Task Retention_looks_at_what_stays_before_it_deletes()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync(s => s with { Retention = new RetentionPolicy(BaseCount: 1) });
        await FakeNode.WriteBaseAsync(world.Storage, "acme-main", TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(2), "old", 0x1000000);
        var kept = await FakeNode.WriteBaseAsync(world.Storage, "acme-main", TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(1), "new", 0x3000000);
        var answer = await world.Get<DatabaseBackups>().PruneAsync("acme", "main", ControlWorld.Admin, Ct);
        if (answer is DatabaseAnswer.Done)
        {
            // Nothing but the newest one that is known to be good may be deleted for: the other was never looked at.
            Assert.NotEmpty((await world.Get<DatabaseBackups>().PlanRetentionAsync("acme", "main", Ct))!.Value!.Kept);
            return;
        }
        await world.SucceedAsync(answer);
        Assert.Collection(world.Node.Began, w => Assert.Equal(kept.Name, Assert.IsType<VerifyBackup>(w).Backup), w => Assert.IsType<DeleteBackups>(w));
    }
}

