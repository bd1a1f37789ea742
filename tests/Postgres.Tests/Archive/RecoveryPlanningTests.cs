using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>From a wanted moment to a plan, or to the moments that can be had instead.</summary>
public sealed class RecoveryPlanningTests
{
    /// <summary>Two base backups, a gap behind 16, a third one, then a fork at 26 and what the old primary still wrote.</summary>
    private static ArchiveWorld World() => new ArchiveWorld()
        .Base("a", 1, 4, 5, 10).Base("b", 1, 9, 10, 20).Base("c", 1, 20, 21, 50)
        .Wal(1, 4, 8, 15).Wal(1, 8, 12, 25).Wal(1, 12, 16, 35)
        .Wal(1, 20, 24, 55).Wal(1, 24, 26, 58).Wal(1, 26, 27, 60)
        .Fork(2, 1, 26).Wal(2, 24, 28, 80).Wal(2, 28, 32, 90);

    [Fact]
    public void The_latest_moment_is_on_the_newest_timeline()
    {
        var plan = Good(new());
        Assert.Equal(("c", 2U), (plan.Base.Name, plan.Timeline));
        Assert.Equal([(1U, 20.0), (2U, 24.0), (2U, 28.0)], plan.Wal.Select(Shape));
        Assert.Equal(plan.Base.Files.Sum(f => f.Bytes) + plan.Wal.Sum(w => w.Bytes), plan.Bytes);
        Assert.Equal([new TimelineFork(2, 1, Place(26))], plan.Forks);
    }

    [Theory]
    [InlineData(10, "a", 1U, 12)]
    [InlineData(19, "a", 1U, 16)]
    [InlineData(20, "b", 1U, 16)]
    [InlineData(35, "b", 1U, 16)]
    [InlineData(50, "c", 1U, 27)]
    [InlineData(58, "c", 1U, 27)]
    [InlineData(60, "c", 1U, 27)]
    [InlineData(61, "c", 2U, 32)]
    [InlineData(90, "c", 2U, 32)]
    public void A_time_is_sought_on_the_timeline_that_was_alive_from_the_nearest_base_backup_before_it(double minute, string name, uint timeline, double end)
    {
        var plan = Good(new(Time: Minute(minute)));
        Assert.Equal((name, timeline, Place(end)), (plan.Base.Name, plan.Timeline, plan.Wal[^1].End));
    }

    [Theory]
    [InlineData(9.99, "2026-11-01 00:10:00.000Z behind it")]
    [InlineData(36, "2026-11-01 00:35:00.000Z before it and 2026-11-01 00:50:00.000Z behind it")]
    [InlineData(49.9, "2026-11-01 00:35:00.000Z before it and 2026-11-01 00:50:00.000Z behind it")]
    [InlineData(90.1, "2026-11-01 01:30:00.000Z before it")]
    public void An_uncovered_moment_is_refused_with_its_nearest_neighbours(double minute, string words)
    {
        var problem = Bad(new(Time: Minute(minute)));
        Assert.Equal("uncovered-moment", problem.Code);
        Assert.Contains(words, problem.Fix, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, "a", 1U)]
    [InlineData(11, "b", 1U)]
    [InlineData(16, "b", 1U)]
    [InlineData(25, "c", 2U)]
    [InlineData(26.5, "c", 2U)]
    public void A_place_is_sought_on_the_newest_timeline_that_has_it(double place, string name, uint timeline)
    {
        var plan = Good(new(Position: Place(place)));
        Assert.Equal((name, timeline), (plan.Base.Name, plan.Timeline));
        Assert.True(plan.Wal[^1].End >= Place(place));
    }

    [Fact]
    public void An_uncovered_place_is_refused_with_its_nearest_neighbours()
    {
        Assert.Contains($"{Place(16)} before it and {Place(21)} behind it", Bad(new(Position: Place(18))).Fix, StringComparison.Ordinal);
        Assert.Contains($"{Place(5)} behind it", Bad(new(Position: Place(1))).Fix, StringComparison.Ordinal);
        Assert.Contains($"{Place(32)} before it", Bad(new(Position: Place(33))).Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void A_named_point_needs_all_the_log_that_leads_to_the_latest_moment()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Base("b", 1, 8, 9, 20).Wal(1, 4, 8, 15).Wal(1, 8, 12, 25);
        var plan = RecoveryPlanning.Plan(world.ToCatalogue(), null, new(Name: "before the migration")).Value!;
        Assert.Equal("a", plan.Base.Name);
        Assert.Equal(2, plan.Wal.Count);
    }

    [Fact]
    public void A_time_target_takes_a_segment_more_and_not_the_whole_log()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10);
        for (var i = 0; i < 100; i++)
            world.Wal(1, 4 + i * 4, 8 + i * 4, 10 + i);
        var plan = RecoveryPlanning.Plan(world.ToCatalogue(), null, new(Time: Minute(20.5))).Value!;
        Assert.Equal(13, plan.Wal.Count);
        Assert.Equal(Minute(22), plan.Wal[^1].CaughtUpAt);
    }

    [Fact]
    public void A_segment_is_taken_rather_than_its_parts()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 5, 11).Wal(1, 5, 7, 12).Wal(1, 7, 8, 13).Wal(1, 4, 8, 14);
        Assert.True(Assert.Single(RecoveryPlanning.Plan(world.ToCatalogue(), null, new()).Value!.Wal).IsSegment);
    }

    [Fact]
    public void What_is_nonsense_is_refused_whole()
    {
        var refused = RecoveryPlanning.Plan(World().ToCatalogue(), "1234", new(Time: Minute(1), Name: ""));
        Assert.Equal(["bad-target", "bad-target", "unknown-history"], refused.Problems.Select(p => p.Code));
        Assert.Equal("no-backup", Assert.Single(RecoveryPlanning.Plan(new ArchiveWorld().ToCatalogue(), null, new()).Problems).Code);
    }

    [Fact]
    public void When_only_damaged_backups_are_left_the_refusal_names_them()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Mark("a", MarkKind.Damaged, 30);
        Assert.Contains("a did not pass", Assert.Single(RecoveryPlanning.Plan(world.ToCatalogue(), null, new()).Problems).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_older_history_has_to_be_named_and_a_refusal_names_it()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Base("z", 1, 4, 5, 100, "8000").Wal(1, 4, 8, 110, "8000");
        Assert.Equal("z", RecoveryPlanning.Plan(world.ToCatalogue(), null, new()).Value!.Base.Name);
        Assert.Equal("a", RecoveryPlanning.Plan(world.ToCatalogue(), SystemId, new()).Value!.Base.Name);
        Assert.Contains($"history {SystemId}", Assert.Single(RecoveryPlanning.Plan(world.ToCatalogue(), null, new(Time: Minute(15))).Problems).Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void The_loss_is_told_before_it_happens()
    {
        var catalogue = World().ToCatalogue();
        Assert.Equal(
            ["What was committed after 2026-11-01 01:30:00.000Z may be missing: 1m30s until now.", "Base backup 'c' was never verified."],
            RecoveryPlanning.Loss(catalogue, Good(new()), Minute(91.5)));
        Assert.StartsWith("What was committed after 2026-11-01 00:20:00.000Z is left out: 1h10m until now.", RecoveryPlanning.Loss(catalogue, Good(new(Time: Minute(20))), Minute(90))[0], StringComparison.Ordinal);

        var torn = new ArchiveWorld().Base("a", 1, 4, 5, 10).Mark("a", MarkKind.Restored, 12).Wal(1, 4, 8, 20).Wal(1, 12, 16, 40).ToCatalogue();
        var lines = RecoveryPlanning.Loss(torn, RecoveryPlanning.Plan(torn, null, new()).Value!, Minute(41));
        Assert.Equal(2, lines.Count);
        Assert.Contains($"log up to {Place(16)} on timeline 1 that cannot be reached", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void The_segment_of_a_fork_is_asked_for_by_the_childs_name_and_has_the_parents_bytes()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 8, 10, 25).Fork(2, 1, 10).Wal(2, 10, 13, 40);
        var plan = RecoveryPlanning.Plan(world.ToCatalogue(), null, new()).Value!;
        var files = WalFiles.Of(plan);
        Assert.Equal(["000000010000000000000001", "000000020000000000000002", "000000020000000000000003"], files.Select(f => f.Name));
        Assert.Equal([true, true, false], files.Select(f => f.IsWhole));
        Assert.Equal([1U, 2U], files[1].Parts.Select(p => p.Piece.Timeline));
        Assert.Equal("00000002.history", Assert.Single(WalFiles.Histories(plan)).Key);
    }

    private static RecoveryPlan Good(RecoveryTarget target)
    {
        var judged = RecoveryPlanning.Plan(World().ToCatalogue(), null, target);
        Assert.Empty(judged.Problems);
        return judged.Value!;
    }

    private static Groundcrew.Bedrock.Problem Bad(RecoveryTarget target) => Assert.Single(RecoveryPlanning.Plan(World().ToCatalogue(), null, target).Problems);

    private static (uint Timeline, double Start) Shape(WalPiece piece) => (piece.Timeline, piece.Start.Value / (Lsn.SegmentBytes / 4.0));
}
