namespace Groundcrew.Postgres;

/// <summary>
/// Which base backups may go and which log nobody needs then. A base backup that stays keeps all the log behind it, on every
/// timeline that it leads to; one that stays only because somebody asked keeps what makes it consistent. Immutable.
/// </summary>
internal sealed class BaseRetention
{
    private readonly Catalogue _catalogue;
    private readonly RetentionPolicy _policy;
    private readonly BackupProofs _proofs;
    private readonly DateTimeOffset _now;
    private readonly Dictionary<string, List<RecoveryRun>> _runs = new(StringComparer.Ordinal);
    private readonly List<BaseBackupManifest> _floors = [];
    private readonly List<BaseBackupManifest> _pinned = [];

    /// <summary>Decides, newest first: what stands in for a base backup is newer and has been decided to stay.</summary>
    public BaseRetention(Catalogue catalogue, RetentionPolicy policy, BackupProofs proofs, DateTimeOffset now, IDictionary<string, string> kept)
    {
        (_catalogue, _policy, _proofs, _now) = (catalogue, policy, proofs, now);
        if (policy is { BaseFor: null, BaseCount: null })
            return;
        _runs = catalogue.Histories.SelectMany(h => RecoveryWindows.Runs(h, b => !proofs.IsDamaged(b.Name)))
            .GroupBy(r => r.Base.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.ToList(), StringComparer.Ordinal);
        var unread = catalogue.Unread.FirstOrDefault(key => ArchiveLayout.Read(catalogue.Cluster, key) is ArchiveKey.BaseManifest or ArchiveKey.History);
        var needed = Indispensable();
        var newer = 0;
        foreach (var backup in catalogue.Histories.SelectMany(h => h.Bases).OrderByDescending(b => b.StoppedAt).ThenByDescending(b => b.Name, StringComparer.Ordinal))
        {
            var why = unread is not null ? Reasons.Unread(unread) : needed.GetValueOrDefault(backup.Name) ?? WhyStays(backup, newer);
            if (why is null && proofs.IsKept(backup.Name))
            {
                _pinned.Add(backup);
                why = Reasons.Asked;
            }
            else if (why is null)
                Delete.Insert(0, backup);
            else
                _floors.Add(backup);
            if (why is not null && IsWanted(backup, newer))
                kept[backup.Name] = why;
            newer++;
        }
        if (unread is null)
            DecideOnWal();
    }

    /// <summary>The base backups that go, oldest first.</summary>
    public List<BaseBackupManifest> Delete { get; } = [];

    /// <summary>The log that goes.</summary>
    public List<WalPiece> Wal { get; } = [];

    /// <summary>Keys of history files that go: of histories that nothing is left of.</summary>
    public List<string> HistoryFiles { get; } = [];

    private bool IsOld(BaseBackupManifest backup) => _policy.BaseFor is { } age && backup.StoppedAt < _now - age;

    private bool IsWanted(BaseBackupManifest backup, int newer) => IsOld(backup) || newer >= _policy.BaseCount;

    /// <summary>What stays whatever the policy says.</summary>
    private Dictionary<string, string> Indispensable()
    {
        var all = _catalogue.Histories.SelectMany(h => h.Bases).OrderBy(b => b.StoppedAt).ToList();
        var needed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var history in _catalogue.Histories.Where(IsAlive))
        {
            var latest = history.Bases.Where(b => _runs.ContainsKey(b.Name)).SelectMany(b => _runs[b.Name])
                .OrderBy(r => r.Path.Timeline).ThenBy(r => r.Island.To).ThenBy(r => r.Base.Start).LastOrDefault();
            if (latest is not null)
                needed[latest.Base.Name] = Reasons.NewestMoment;
        }
        if (all.FindLast(b => !_proofs.IsDamaged(b.Name)) is { } newest)
            needed[newest.Name] = Reasons.Newest;
        if (all.FindLast(b => _proofs.IsVerified(b.Name)) is { } verified)
            needed[verified.Name] = Reasons.NewestVerified;
        return needed;
    }

    private string? WhyStays(BaseBackupManifest backup, int newer)
    {
        if (!IsWanted(backup, newer))
            return "it is not old enough";
        var verified = _floors.Concat(_pinned).Where(b => _proofs.IsVerified(b.Name)).ToList();
        if (verified.Count == 0)
            return Reasons.NotVerified;
        if (verified.Count >= _policy.BaseCount)
            return null;
        return IsOld(backup) ? WhyNeeded(backup, _policy.BaseFor!.Value) : Reasons.NotVerified;
    }

    /// <summary>Null when every moment that is promised and that this one brings back, a newer verified one brings back too.</summary>
    private string? WhyNeeded(BaseBackupManifest backup, TimeSpan age)
    {
        var since = _now - age;
        var promised = _runs.GetValueOrDefault(backup.Name, []).Where(r => r.ToTime >= since).ToList();
        if (promised.All(run => _floors.Exists(b => _proofs.IsVerified(b.Name) && StandsIn(b, run, since))))
            return null;
        return promised.All(run => _floors.Exists(b => StandsIn(b, run, since))) ? Reasons.NotVerified : Reasons.Needed(age);
    }

    private bool StandsIn(BaseBackupManifest other, RecoveryRun run, DateTimeOffset since) =>
        _runs.GetValueOrDefault(other.Name, []).Exists(r => r.Path.Timeline == run.Path.Timeline && r.History == run.History && r.FromTime <= since && r.ToTime >= run.ToTime && r.Island.To >= run.Island.To);

    private void DecideOnWal()
    {
        foreach (var history in _catalogue.Histories)
        {
            var needs = TimelinePath.All(history).Select(path => (Path: path, From: NeededFrom(history, path))).Where(n => n.From is not null).ToList();
            var pinned = _pinned.Where(b => b.SystemId == history.SystemId).Select(b => (Backup: b, Path: TimelinePath.To(b.Timeline, history.Forks))).ToList();
            foreach (var piece in history.Wal)
            {
                var isNeeded = needs.Exists(n => n.Path.Part(piece) is var (_, to) && (to > n.From || (to == n.From && piece.Start == piece.End)))
                    || pinned.Exists(p => p.Path.Part(piece) is var (from, to) && to > p.Backup.Start.SegmentStart() && from < p.Backup.Stop);
                if (!isNeeded)
                    Wal.Add(piece);
            }
            if (needs.Count == 0 && pinned.Count == 0)
                HistoryFiles.AddRange(history.Forks.Select(f => ArchiveLayout.HistoryFile(_catalogue.Cluster, history.SystemId, f.Timeline)));
        }
    }

    /// <summary>
    /// From where on a path's log is needed; null when none of it is. A timeline that is still written, and that no base backup
    /// leads to, is kept for the base backup that is being taken on it.
    /// </summary>
    private Lsn? NeededFrom(ArchiveHistory history, TimelinePath path)
    {
        var starts = _floors.Where(b => b.SystemId == history.SystemId && path.Holds(b)).Select(b => b.Start.SegmentStart()).ToList();
        if (starts.Count > 0)
            return starts.Min();
        var isNewest = history.Wal.All(w => w.Timeline <= path.Timeline) && history.Forks.All(f => f.Timeline <= path.Timeline);
        return isNewest && IsAlive(history) ? path.OwnFrom.SegmentStart() : null;
    }

    private bool IsAlive(ArchiveHistory history) =>
        history == _catalogue.Histories[^1] || history.Wal.Any(w => w.CaughtUpAt >= _now - RetentionPlanning.UnfinishedFor);
}
