namespace Groundcrew.Postgres;

/// <summary>A base backup and the log behind it, along one path without a gap. Immutable.</summary>
/// <param name="History">The history that it belongs to.</param>
/// <param name="Base">The base backup.</param>
/// <param name="Path">The timelines.</param>
/// <param name="Island">The log.</param>
internal sealed record RecoveryRun(ArchiveHistory History, BaseBackupManifest Base, TimelinePath Path, WalIsland Island)
{
    /// <summary>The first moment.</summary>
    public DateTimeOffset FromTime => Base.StoppedAt;

    /// <summary>The last moment of which it is sure; the first one when nothing is sure behind it.</summary>
    public DateTimeOffset ToTime => Island.ToTime > Base.StoppedAt ? Island.ToTime.Value : Base.StoppedAt;

    /// <summary>The place from which the log has to be there: the server reads the first page of a segment before any other.</summary>
    public Lsn NeedsFrom => Base.Start.SegmentStart();

    /// <summary>Whether a moment can be restored.</summary>
    public bool Covers(DateTimeOffset moment) => moment >= FromTime && moment <= ToTime;

    /// <summary>Whether a place can be restored.</summary>
    public bool Covers(Lsn place) => place >= Base.Stop && place <= Island.To;

    /// <summary>As it is shown.</summary>
    public RecoveryWindow ToWindow() => new(History.SystemId, Base.Name, Path.Timeline, Base.Stop, FromTime, Island.To, ToTime);
}

/// <summary>
/// From what an archive holds to what can be restored from it. A backup whose newest mark says that it is damaged opens no window.
/// Pure.
/// </summary>
internal static class RecoveryWindows
{
    /// <summary>
    /// The windows of a cluster: by history, base backup and timeline. Of a window that another one of the same base backup goes on
    /// from, only the other is told.
    /// </summary>
    public static IReadOnlyList<RecoveryWindow> Of(Catalogue catalogue)
    {
        var proofs = new BackupProofs(catalogue.Marks);
        return [.. catalogue.Histories.SelectMany(h => Leading(Runs(h, b => !proofs.IsDamaged(b.Name)))).Select(r => r.ToWindow())];
    }

    /// <summary>
    /// The stretches of time between the windows, oldest first, and at the end one that is open when log lies behind the last
    /// window that no base backup reaches.
    /// </summary>
    public static IReadOnlyList<RecoveryGap> Gaps(Catalogue catalogue)
    {
        var windows = Of(catalogue).OrderBy(w => w.FromTime).ThenByDescending(w => w.ToTime).ToList();
        var gaps = new List<RecoveryGap>();
        RecoveryWindow? last = null;
        foreach (var window in windows)
        {
            if (last is not null && window.FromTime > last.ToTime)
                gaps.Add(new(window.SystemId, last.To, window.From, last.ToTime, window.FromTime));
            if (last is null || window.ToTime > last.ToTime)
                last = window;
        }
        if (last is not null && IsLogBehind(catalogue, last))
            gaps.Add(new(last.SystemId, last.To, null, last.ToTime, null));
        return gaps;
    }

    /// <summary>Every run of a history: of each base backup along every path whose own log it reaches.</summary>
    public static IReadOnlyList<RecoveryRun> Runs(ArchiveHistory history, Func<BaseBackupManifest, bool> isUsable)
    {
        var runs = new List<RecoveryRun>();
        foreach (var path in TimelinePath.All(history))
        {
            IReadOnlyList<WalIsland>? islands = null;
            foreach (var backup in history.Bases.Where(b => isUsable(b) && path.Holds(b)))
            {
                islands ??= WalIsland.Of(path, history.Wal);
                if (Under(islands, backup) is { } island && (backup.Timeline == path.Timeline || island.To > path.OwnFrom))
                    runs.Add(new(history, backup, path, island));
            }
        }
        return [.. runs.OrderBy(r => r.Base.StoppedAt).ThenBy(r => r.Base.Name, StringComparer.Ordinal).ThenBy(r => r.Path.Timeline)];
    }

    private static WalIsland? Under(IReadOnlyList<WalIsland> islands, BaseBackupManifest backup)
    {
        var start = backup.Start.SegmentStart();
        foreach (var island in islands)
        {
            if (island.From <= start && start < island.To && backup.Stop <= island.To)
                return island;
        }
        return null;
    }

    private static IEnumerable<RecoveryRun> Leading(IReadOnlyList<RecoveryRun> runs) =>
        runs.Where(run => !runs.Any(other => other.Base.Name == run.Base.Name && other.Path.Timeline != run.Path.Timeline
            && other.Path.Along(run.Path.Timeline) is { } stretch && run.Island.To <= stretch.To));

    private static bool IsLogBehind(Catalogue catalogue, RecoveryWindow last)
    {
        var history = catalogue.Histories.First(h => h.SystemId == last.SystemId);
        return history.Wal.Any(w => w.Timeline >= last.Timeline && w.End > last.To && w.End > w.Start)
            || catalogue.Histories.SkipWhile(h => h.SystemId != last.SystemId).Skip(1).Any(h => h.Wal.Count > 0);
    }
}

/// <summary>What the marks say about each backup: what was found last counts. Immutable.</summary>
internal sealed class BackupProofs
{
    private readonly Dictionary<string, MarkKind> _last = new(StringComparer.Ordinal);
    private readonly HashSet<string> _kept = new(StringComparer.Ordinal);

    /// <summary>Reads marks in any order.</summary>
    public BackupProofs(IReadOnlyCollection<BackupMark> marks)
    {
        foreach (var mark in marks.OrderBy(m => m.At))
        {
            if (mark.Kind == MarkKind.Kept)
                _kept.Add(mark.Backup);
            else
                _last[mark.Backup] = mark.Kind;
        }
    }

    /// <summary>Whether it was looked at, and passed, the last time.</summary>
    public bool IsVerified(string backup) => _last.TryGetValue(backup, out var kind) && kind != MarkKind.Damaged;

    /// <summary>Whether it did not pass the last time.</summary>
    public bool IsDamaged(string backup) => _last.TryGetValue(backup, out var kind) && kind == MarkKind.Damaged;

    /// <summary>Whether somebody asked that it never be deleted.</summary>
    public bool IsKept(string backup) => _kept.Contains(backup);
}
