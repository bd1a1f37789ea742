using Xunit;
using static Groundcrew.Postgres.Tests.Archive.ArchiveWorld;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>From what is in an archive to what can be restored from it, one drawing for each test.</summary>
public sealed class RecoveryWindowsTests
{
    [Fact]
    public void A_base_backup_and_the_log_behind_it_are_a_window()
    {
        var window = Assert.Single(RecoveryWindows.Of(new ArchiveWorld().Base("a", 1, 5, 6, 10).Wal(1, 4, 8, 20).Wal(1, 8, 12, 30).ToCatalogue()));
        Assert.Equal(new(SystemId, "a", 1, Place(6), Minute(10), Place(12), Minute(30)), window);
    }

    [Fact]
    public void Parts_segments_overlaps_and_repetitions_are_one_log()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10)
            .Wal(1, 4, 5, 11).Wal(1, 5, 6.5, 12).Wal(1, 6, 8, 13).Wal(1, 4, 8, 14).Wal(1, 8, 9, 15).Wal(1, 8, 9, 16).Wal(1, 9, 9, 17);
        var window = Assert.Single(RecoveryWindows.Of(world.ToCatalogue()));
        Assert.Equal((Place(9), Minute(17)), (window.To, window.ToTime));
    }

    [Fact]
    public void A_gap_ends_a_window_and_the_next_base_backup_begins_another()
    {
        var catalogue = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 12, 16, 40).Base("b", 1, 13, 14, 35).ToCatalogue();
        Assert.Equal([("a", Place(8), Minute(20)), ("b", Place(16), Minute(40))], RecoveryWindows.Of(catalogue).Select(w => (w.Base, w.To, w.ToTime)));
        Assert.Equal([new RecoveryGap(SystemId, Place(8), Place(14), Minute(20), Minute(35))], RecoveryWindows.Gaps(catalogue));
    }

    [Fact]
    public void Log_behind_a_gap_that_no_base_backup_reaches_leaves_the_gap_open()
    {
        var catalogue = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 12, 16, 40).ToCatalogue();
        Assert.Equal([new RecoveryGap(SystemId, Place(8), null, Minute(20), null)], RecoveryWindows.Gaps(catalogue));
    }

    [Fact]
    public void Without_the_log_to_its_own_end_a_base_backup_is_no_window()
    {
        Assert.Empty(RecoveryWindows.Of(new ArchiveWorld().Base("a", 1, 5, 7, 10).Wal(1, 4, 6, 9).ToCatalogue()));
        Assert.Empty(RecoveryWindows.Of(new ArchiveWorld().Base("a", 1, 5, 7, 10).ToCatalogue()));
    }

    [Fact]
    public void The_log_is_needed_from_the_first_page_of_the_segment() =>
        Assert.Empty(RecoveryWindows.Of(new ArchiveWorld().Base("a", 1, 6, 7, 10).Wal(1, 5, 8, 20).ToCatalogue()));

    [Fact]
    public void A_receiver_that_never_caught_up_promises_the_first_moment_only()
    {
        var window = Assert.Single(RecoveryWindows.Of(new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8).ToCatalogue()));
        Assert.Equal((Place(8), Minute(10)), (window.To, window.ToTime));
    }

    [Fact]
    public void A_window_goes_on_along_the_timeline_of_a_promoted_standby()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 8, 10, 25).Fork(2, 1, 10).Wal(2, 8, 12, 40);
        var window = Assert.Single(RecoveryWindows.Of(world.ToCatalogue()));
        Assert.Equal((2U, Place(12), Minute(40)), (window.Timeline, window.To, window.ToTime));
    }

    [Fact]
    public void The_new_primary_repeats_the_bytes_before_the_fork_that_the_old_one_did_not_hand_over()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 8, 9, 22).Fork(2, 1, 10).Wal(2, 8, 12, 40);
        Assert.Equal(Place(12), Assert.Single(RecoveryWindows.Of(world.ToCatalogue())).To);
        var other = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 8, 9, 22).Fork(2, 1, 10).Wal(2, 10, 12, 40);
        Assert.Equal((1U, Place(9)), (RecoveryWindows.Of(other.ToCatalogue())[0].Timeline, RecoveryWindows.Of(other.ToCatalogue())[0].To));
    }

    [Fact]
    public void What_the_old_primary_wrote_behind_the_fork_is_a_window_of_its_own()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 8, 12, 26).Fork(2, 1, 10).Wal(2, 8, 12, 40);
        var windows = RecoveryWindows.Of(world.ToCatalogue());
        Assert.Equal([(1U, Minute(26)), (2U, Minute(40))], windows.Select(w => (w.Timeline, w.ToTime)));
    }

    [Fact]
    public void A_base_backup_that_was_complete_behind_the_fork_does_not_lead_to_the_child()
    {
        var world = new ArchiveWorld().Base("a", 1, 8, 11, 10).Wal(1, 8, 12, 20).Fork(2, 1, 10).Wal(2, 8, 12, 40);
        Assert.Equal(1U, Assert.Single(RecoveryWindows.Of(world.ToCatalogue())).Timeline);
    }

    [Fact]
    public void A_base_backup_of_the_child_needs_the_parents_bytes_of_its_first_segment()
    {
        var world = new ArchiveWorld().Fork(2, 1, 9).Base("b", 2, 9.5, 10, 30).Wal(2, 9, 12, 40);
        Assert.Empty(RecoveryWindows.Of(world.ToCatalogue()));
        Assert.Equal(Place(12), Assert.Single(RecoveryWindows.Of(world.Wal(1, 8, 9, 20).ToCatalogue())).To);
    }

    [Fact]
    public void A_damaged_backup_opens_no_window_until_it_passes_again()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Mark("a", MarkKind.Restored, 30).Mark("a", MarkKind.Damaged, 31);
        Assert.Empty(RecoveryWindows.Of(world.ToCatalogue()));
        Assert.Single(RecoveryWindows.Of(world.Mark("a", MarkKind.ChecksumsVerified, 32).ToCatalogue()));
    }

    [Fact]
    public void Histories_of_two_clusters_of_one_name_are_never_joined()
    {
        var world = new ArchiveWorld().Base("a", 1, 4, 5, 10).Wal(1, 4, 8, 20).Wal(1, 8, 12, 60, "8000").Base("b", 1, 8, 9, 50, "8000");
        Assert.Equal([("a", Place(8)), ("b", Place(12))], RecoveryWindows.Of(world.ToCatalogue()).Select(w => (w.Base, w.To)));
        Assert.Equal([new RecoveryGap("8000", Place(8), Place(9), Minute(20), Minute(50))], RecoveryWindows.Gaps(world.ToCatalogue()));
    }
}
