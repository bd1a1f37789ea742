using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>What retention deletes and what it keeps, with its reasons; one drawing for each test.</summary>
public sealed class RetentionPlanningTests
{
    private const double Now = 100;

    private static readonly RetentionPolicy Hour = new(BaseFor: TimeSpan.FromMinutes(60));

    /// <summary>Base backups at 10, 30, 50, 70, 90 with a segment of log every 10 minutes; those that are named are verified.</summary>
    private static ArchiveWorld World(params string[] verified)
    {
        var world = new ArchiveWorld();
        for (var i = 0; i < 10; i++)
            world.Wal(1, i * 4, i * 4 + 4, i * 10 + 10);
        foreach (var (name, minute) in (ReadOnlySpan<(string, double)>)[("a", 10), ("b", 30), ("c", 50), ("d", 70), ("e", 90)])
        {
            world.Base(name, 1, minute / 2.5 - 0.5, minute / 2.5, minute);
            if (verified.Contains(name))
                world.Mark(name, MarkKind.ChecksumsVerified, minute + 1);
        }
        return world;
    }

    [Fact]
    public void Nothing_asked_is_nothing_deleted()
    {
        var plan = Plan(World("a", "b", "c", "d", "e"), new());
        Assert.Empty(plan.Keys);
        Assert.Empty(plan.Kept);
    }

    [Fact]
    public void What_no_promised_moment_needs_goes_with_its_log()
    {
        var plan = Plan(World("a", "b", "c", "d", "e"), Hour);
        Assert.Equal(["a"], plan.Delete);
        Assert.Equal("restoring a moment of the last 1h needs it", plan.Kept["b"]);
        Assert.Equal(
            [
                "acme-main/7294/base/a/manifest.json", "acme-main/7294/base/a/base.tar.zst", "acme-main/7294/base/a/backup_manifest.zst",
                "acme-main/7294/wal/00000001/0000000000000000-0000000001000000-1793491800000.zst", "acme-main/7294/wal/00000001/0000000001000000-0000000002000000-1793492400000.zst",
                "acme-main/marks/a/20261101T001100000Z-checksums-verified.json",
            ], plan.Keys);
        Assert.Equal(20, plan.Bytes);
    }

    [Fact]
    public void An_unverified_backup_does_not_stand_in_for_a_verified_one()
    {
        var plan = Plan(World("a"), Hour);
        Assert.Empty(plan.Delete);
        Assert.Equal("it is the newest that was verified", plan.Kept["a"]);
        Assert.Equal(["a", "b"], Plan(World("c"), new(BaseFor: TimeSpan.FromMinutes(50))).Delete);
    }

    [Fact]
    public void Without_any_verified_backup_nothing_goes()
    {
        var plan = Plan(World(), new(BaseFor: TimeSpan.FromMinutes(1), BaseCount: 1));
        Assert.Empty(plan.Delete);
        Assert.DoesNotContain(plan.Keys, k => k.Contains("/wal/", StringComparison.Ordinal));
        Assert.Equal(5, plan.Kept.Count);
        Assert.Contains("too few of the newer ones were verified", plan.Kept["a"], StringComparison.Ordinal);
    }

    [Fact]
    public void Of_more_than_asked_the_oldest_go_once_enough_newer_ones_are_verified()
    {
        Assert.Equal(["a", "b", "c"], Plan(World("d", "e"), new(BaseCount: 2)).Delete);
        Assert.Equal(["a", "b"], Plan(World("c", "d"), new(BaseCount: 2)).Delete);
        Assert.Empty(Plan(World("e"), new(BaseCount: 2)).Delete);
    }

    [Fact]
    public void What_somebody_keeps_stays_with_the_log_that_makes_it_consistent()
    {
        var world = World("a", "b", "c", "d", "e").Mark("a", MarkKind.Kept, 12);
        var plan = Plan(world, Hour);
        Assert.Empty(plan.Delete);
        Assert.Equal("somebody asked that it never be deleted", plan.Kept["a"]);
        Assert.Equal([Place(4)], world.ToCatalogue().Histories[0].Wal.Where(w => plan.Keys.Contains(w.Key)).Select(w => w.Start));
        Assert.Contains(RecoveryWindows.Of(After(world, plan)), w => w.Base == "a");
    }

    [Fact]
    public void A_backup_that_did_not_pass_the_last_time_stands_in_for_none()
    {
        var world = World("a", "b", "c", "d", "e").Mark("b", MarkKind.Damaged, 95);
        Assert.Equal("restoring a moment of the last 1h needs it", Plan(world, Hour).Kept["a"]);
        Assert.Equal(["b"], Plan(world, Hour).Delete);
    }

    [Fact]
    public void What_cannot_be_read_stops_the_deletion_of_base_backups_and_log()
    {
        var world = World("a", "b", "c", "d", "e");
        world.Unread.Add(ArchiveLayout.BaseManifest(Cluster, SystemId, "x"));
        var plan = Plan(world, Hour);
        Assert.Empty(plan.Keys);
        Assert.Contains("/x/manifest.json", plan.Kept["a"], StringComparison.Ordinal);
    }

    [Fact]
    public void The_log_of_a_timeline_that_was_left_goes_when_no_backup_leads_along_it()
    {
        var world = new ArchiveWorld()
            .Base("a", 1, 0, 1, 10).Wal(1, 0, 4, 15).Wal(1, 4, 6, 18).Wal(1, 6, 8, 20).Fork(2, 1, 6).Wal(2, 4, 8, 40).Wal(2, 8, 12, 60).Wal(2, 12, 16, 100)
            .Base("b", 2, 9, 10, 50).Mark("b", MarkKind.Restored, 55);
        var plan = Plan(world, new(BaseFor: TimeSpan.FromMinutes(30)));
        Assert.Equal(["a"], plan.Delete);
        Assert.Equal([(1U, 0.0), (1U, 4.0), (1U, 6.0), (2U, 4.0)], world.ToCatalogue().Histories[0].Wal.Where(w => plan.Keys.Contains(w.Key)).Select(w => (w.Timeline, w.Start.Value / (Lsn.SegmentBytes / 4.0))));
        Assert.DoesNotContain(plan.Keys, k => k.EndsWith(".history", StringComparison.Ordinal));
    }

    [Fact]
    public void The_log_of_a_new_timeline_waits_for_its_first_base_backup()
    {
        var world = World("a", "b", "c", "d", "e").Fork(2, 1, 10).Wal(2, 8, 12, 99);
        var plan = Plan(world, new(BaseCount: 2));
        Assert.DoesNotContain(plan.Keys, k => k.Contains("/wal/00000002/", StringComparison.Ordinal));
        Assert.Equal("the newest moment that can be restored needs it", plan.Kept["a"]);
    }

    [Fact]
    public void A_history_that_nothing_is_left_of_goes_whole()
    {
        const double Days = 24 * 60;
        var world = new ArchiveWorld().Base("a", 1, 0, 1, 10).Wal(1, 0, 4, 15).Fork(2, 1, 4).Wal(2, 4, 8, 20)
            .Base("z", 1, 0, 1, 3 * Days, "8000").Wal(1, 0, 4, 4 * Days, "8000").Mark("z", MarkKind.Restored, 3 * Days + 1);
        var plan = RetentionPlanning.Plan(world.ToCatalogue(), new(BaseFor: TimeSpan.FromDays(1)), Minute(4 * Days));
        Assert.Equal(["a"], plan.Delete);
        Assert.Equal(6, plan.Keys.Count);
        Assert.Contains(ArchiveLayout.HistoryFile(Cluster, SystemId, 2), plan.Keys);
    }

    [Fact]
    public void Dumps_go_for_each_database_by_itself_and_the_newest_verified_one_stays()
    {
        var world = new ArchiveWorld().Dump("z1", "zmos", 1).Dump("z2", "zmos", 2).Dump("z3", "zmos", 3).Dump("l1", "loyalty", 1).Dump("l2", "loyalty", 2)
            .Mark("z2", MarkKind.ToolVerified, 4).Mark("l2", MarkKind.Restored, 5).Mark("l1", MarkKind.Kept, 5);
        var plan = Plan(world, new(DumpsFor: TimeSpan.FromMinutes(10)));
        Assert.Equal(["z1"], plan.Delete);
        Assert.Equal([("l1", "somebody asked that it never be deleted"), ("l2", "it is the newest that was verified"), ("z2", "it is the newest that was verified")],
            plan.Kept.Where(k => k.Key != "z3").Select(k => (k.Key, k.Value)));
        Assert.Equal(["z1"], Plan(world, new(DumpCount: 1)).Delete);
        Assert.Empty(Plan(world, new(DumpCount: 2)).Delete);
    }

    [Fact]
    public void What_was_broken_off_goes_after_a_day()
    {
        var world = new ArchiveWorld();
        foreach (var (name, file, hours) in (ReadOnlySpan<(string, string, double)>)[("old", "base.tar", -30), ("old", "16385.tar", -25), ("new", "base.tar", -30), ("new", "16385.tar", -1)])
            world.Unfinished.Add(new(ArchiveLayout.BaseFile(Cluster, SystemId, name, file), 9, Minute(Now).AddHours(hours)));
        var plan = Plan(world, new());
        Assert.Equal(2, plan.Keys.Count);
        Assert.All(plan.Keys, k => Assert.Contains("/old/", k, StringComparison.Ordinal));
        Assert.Equal(18, plan.Bytes);
    }

    [Fact]
    public void Manifests_go_first_and_marks_last()
    {
        var plan = Plan(World("a", "b", "c", "d", "e").Dump("z", "zmos", 1).Dump("y", "zmos", 2).Mark("y", MarkKind.Restored, 3), new(BaseCount: 1, DumpCount: 1));
        var groups = RetentionPlanning.Groups(Cluster, [.. plan.Keys.Reverse()]);
        Assert.Equal(plan.Keys.Order(StringComparer.Ordinal), groups.SelectMany(g => g).Order(StringComparer.Ordinal));
        Assert.All(groups[0], k => Assert.EndsWith(".json", k, StringComparison.Ordinal));
        Assert.Equal([5, 4], [groups[0].Count, groups[2].Count]);
        Assert.All(groups[2], k => Assert.Contains("/marks/", k, StringComparison.Ordinal));
    }

    private static RetentionPlan Plan(ArchiveWorld world, RetentionPolicy policy) => RetentionPlanning.Plan(world.ToCatalogue(), policy, Minute(Now));

    private static Catalogue After(ArchiveWorld world, RetentionPlan plan) => ArchiveModel.Without(world.ToCatalogue(), plan.Keys);
}
