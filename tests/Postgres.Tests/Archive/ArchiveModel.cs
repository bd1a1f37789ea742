namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>
/// The slow and plain truth about an archive, place by place: places are counted in quarters of a segment, and every byte is known
/// by the timeline that wrote it first. What the clever code says is compared with it.
/// </summary>
internal static class ArchiveModel
{
    public const ulong Quarter = Lsn.SegmentBytes / 4;

    /// <summary>The timeline that wrote a place of a timeline's log.</summary>
    public static uint Author(ArchiveHistory history, uint timeline, ulong quarter)
    {
        for (var fork = Fork(history, timeline); fork is not null && quarter < fork.At.Value / Quarter; fork = Fork(history, timeline))
            timeline = fork.Parent;
        return timeline;
    }

    /// <summary>Whether the archive has a place of a timeline's log: by the author itself, or repeated in the segment in which a child begins.</summary>
    public static bool Has(ArchiveHistory history, uint timeline, ulong quarter)
    {
        for (var at = timeline; ;)
        {
            var fork = Fork(history, at);
            var start = fork is null ? 0 : fork.At.Value / Lsn.SegmentBytes * 4;
            if (quarter >= start && history.Wal.Any(w => w.Timeline == at && w.Start.Value <= quarter * Quarter && (quarter + 1) * Quarter <= w.End.Value))
                return true;
            if (fork is null || quarter >= fork.At.Value / Quarter)
                return false;
            at = fork.Parent;
        }
    }

    /// <summary>Where recovery of a base backup along a timeline ends; null when it cannot be recovered along it.</summary>
    public static ulong? Reach(ArchiveHistory history, BaseBackupManifest backup, uint timeline)
    {
        var (start, stop) = (backup.Start.Value / Quarter, backup.Stop.Value / Quarter);
        for (var quarter = start; quarter < stop; quarter++)
        {
            if (Author(history, timeline, quarter) != Author(history, backup.Timeline, quarter))
                return null;
        }
        if (!IsAncestor(history, backup.Timeline, timeline) || Fork(history, backup.Timeline) is { } own && backup.Start < own.At)
            return null;
        var place = start / 4 * 4;
        while (Has(history, timeline, place))
            place++;
        var reaches = place > start / 4 * 4 && place >= stop;
        return reaches && (backup.Timeline == timeline || place > Fork(history, timeline)!.At.Value / Quarter) ? place : null;
    }

    /// <summary>The last moment before which everything acknowledged on a timeline lies before a place.</summary>
    public static DateTimeOffset? SureUntil(ArchiveHistory history, uint timeline, ulong place) =>
        history.Wal.Where(w => w.CaughtUpAt is not null && w.End.Value <= place * Quarter && IsOnPath(history, w, timeline)).Max(w => w.CaughtUpAt);

    /// <summary>The catalogue as it is when some objects are gone.</summary>
    public static Catalogue Without(Catalogue catalogue, IReadOnlyCollection<string> gone)
    {
        var keys = gone.ToHashSet(StringComparer.Ordinal);
        return catalogue with
        {
            Histories =
            [
                .. catalogue.Histories.Select(h => h with
                {
                    Bases = [.. h.Bases.Where(b => !keys.Contains(ArchiveLayout.BaseManifest(catalogue.Cluster, h.SystemId, b.Name)))],
                    Wal = [.. h.Wal.Where(w => !keys.Contains(w.Key))],
                    Forks = [.. h.Forks.Where(f => !keys.Contains(ArchiveLayout.HistoryFile(catalogue.Cluster, h.SystemId, f.Timeline)))],
                }),
            ],
            Dumps = [.. catalogue.Dumps.Where(d => !keys.Contains(ArchiveLayout.DumpManifest(catalogue.Cluster, d.Name)))],
            Marks = [.. catalogue.Marks.Where(m => !keys.Contains(ArchiveLayout.Mark(catalogue.Cluster, m)))],
            Unfinished = [.. catalogue.Unfinished.Where(o => !keys.Contains(o.Key))],
        };
    }

    public static bool IsAncestor(ArchiveHistory history, uint ancestor, uint timeline)
    {
        for (; timeline != ancestor; timeline = Fork(history, timeline)!.Parent)
        {
            if (Fork(history, timeline) is null)
                return false;
        }
        return true;
    }

    private static bool IsOnPath(ArchiveHistory history, WalPiece piece, uint timeline)
    {
        if (!IsAncestor(history, piece.Timeline, timeline))
            return false;
        for (var at = timeline; at != piece.Timeline; at = Fork(history, at)!.Parent)
        {
            if (piece.End > Fork(history, at)!.At)
                return false;
        }
        return Fork(history, piece.Timeline) is not { } own || piece.End >= own.At.SegmentStart();
    }

    private static TimelineFork? Fork(ArchiveHistory history, uint timeline) => history.Forks.FirstOrDefault(f => f.Timeline == timeline);
}
