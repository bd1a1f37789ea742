using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Postgres.Tests.Control;

public sealed class LoopTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Slots_that_were_missed_are_made_up_for_once()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        Assert.IsType<DatabaseAnswer.Done>(await world.Get<DatabaseSchedules>().SetAsync("acme", "main", [new WantedSchedule(ScheduleKind.Base, "*/5 * * * *", null, TimeSpan.Zero)], ControlWorld.Admin, Ct));
        await SinceAsync(world, TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(3));
        await world.LoopAsync("database-schedules");
        await world.LoopAsync("database-schedules");
        var schedule = Assert.Single(await world.Get<DatabaseSchedules>().ListAsync(info.Id, Ct));
        await world.Get<Operations>().WaitForEndAsync(schedule.LastOperation!.Value, Ct);
        Assert.Equal("schedule", Assert.Single(world.Node.Began.OfType<TakeBaseBackup>()).Reason);
        schedule = Assert.Single(await world.Get<DatabaseSchedules>().ListAsync(info.Id, Ct));
        Assert.True(schedule.IsLastGood);
        Assert.InRange(schedule.NextAt!.Value, TimeProvider.System.GetUtcNow(), TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(6));
    }

    [Fact]
    public async Task A_schedule_that_fails_is_told()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        await world.Get<DatabaseSchedules>().SetAsync("acme", "main", [new WantedSchedule(ScheduleKind.Base, "*/5 * * * *", null, TimeSpan.Zero)], ControlWorld.Admin, Ct);
        await SinceAsync(world, TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(3));
        world.Node.OfJob = _ => FakeNode.Status(JobState.Failed, "the storage is full", null);
        await world.LoopAsync("database-schedules");
        var schedule = Assert.Single(await world.Get<DatabaseSchedules>().ListAsync(info.Id, Ct));
        await world.Get<Operations>().WaitForEndAsync(schedule.LastOperation!.Value, Ct);
        var signal = Assert.Single(world.Signals.All, s => s.Kind == "database-schedule-failed");
        Assert.Contains("the storage is full", signal.Message, StringComparison.Ordinal);
        Assert.Contains("crew db backup acme/main", signal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_database_gets_its_first_backup_by_itself_and_the_usual_schedules()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        Assert.Equal(DefaultSchedules.All.Count, (await world.Get<DatabaseSchedules>().ListAsync(info.Id, Ct)).Count);
        await world.LoopAsync("database-watch");
        var moving = (await world.InfoAsync()).Moving;
        if (moving is { } operation)
            await world.Get<Operations>().WaitForEndAsync(operation, Ct);
        await world.LoopAsync("database-watch");
        Assert.Equal("first", Assert.Single(world.Node.Began.OfType<TakeBaseBackup>()).Reason);
        var metrics = world.Get<MetricRegistry>().WriteText();
        Assert.Contains("groundcrew_backup_last_success_timestamp_seconds{org=\"acme\",database=\"main\",kind=\"base\"}", metrics, StringComparison.Ordinal);
        Assert.Contains("groundcrew_database_rpo_seconds{org=\"acme\",database=\"main\"}", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gap_is_told_once_and_a_new_backup_is_begun()
    {
        await using var world = await ControlWorld.BuildAsync();
        var info = await world.CreateAsync();
        await world.SucceedAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct));
        await world.Get<Store>().WriteAsync((db, cancel) => db.Set<ClusterRow>().ExecuteUpdateAsync(
            s => s.SetProperty(c => c.FirstBackupBegunAt, TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(1)), cancel), Ct);
        world.Node.OfArchive = () => new ArchiveStatus(new Lsn(5), new Lsn(5), TimeProvider.System.GetUtcNow(), null, [new WalGap(1, new Lsn(1), new Lsn(2))]);
        await world.Node.SayAgainAsync();
        await world.LoopAsync("database-watch");
        Assert.Single(world.Signals.All, s => s.Kind == "database-archive-gap");
        await Groundcrew.Tests.Support.Eventually.TrueAsync(() => world.Node.Began.OfType<TakeBaseBackup>().Any(w => w.Reason == "gap"), "a backup behind the gap");
        Assert.NotNull(info);
    }

    [Fact]
    public async Task Jobs_that_are_over_are_forgotten_by_their_node()
    {
        await using var world = await ControlWorld.BuildAsync();
        await world.CreateAsync();
        await world.SucceedAsync(await world.Get<DatabaseBackups>().BackupAsync("acme", "main", "request", null, ControlWorld.Admin, Ct));
        await world.LoopAsync("database-jobs");
        await Groundcrew.Tests.Support.Eventually.TrueAsync(() => world.Node.Told.Values.Count(t => t.Payload.ToString().Contains("dropped", StringComparison.Ordinal)) == 2, "both jobs are dropped");
    }

    private static Task SinceAsync(ControlWorld world, DateTimeOffset at) =>
        world.Get<Store>().WriteAsync((db, cancel) => db.Set<ScheduleRow>().ExecuteUpdateAsync(s => s.SetProperty(r => r.HandledUntil, at), cancel), Ct);
}
