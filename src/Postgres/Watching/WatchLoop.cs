using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>
/// Looks at every database: measures how much would be lost and how long recovery takes, tells what needs a human once while it
/// lasts, and takes the base backups that nobody has to ask for: the first, and the one behind a gap.
/// </summary>
internal sealed class WatchLoop : ILoop
{
    private static readonly TimeSpan ReadArchiveEvery = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan TellAgainAfter = TimeSpan.FromHours(1);
    private static readonly Actor Asker = Actor.Platform("watch");
    private readonly Store _store;
    private readonly DatabaseReading _reading;
    private readonly DatabaseBackups _backups;
    private readonly Archives _archives;
    private readonly DrillRecords _drills;
    private readonly Nodes _nodes;
    private readonly ISignals _signals;
    private readonly TimeProvider _clock;
    private readonly DatabaseSeries _series;

    /// <summary>What was told, and when. Runs never overlap.</summary>
    private readonly Dictionary<(string Subject, string Kind), DateTimeOffset> _told = [];

    public WatchLoop(
        Store store, DatabaseReading reading, DatabaseBackups backups, Archives archives, DrillRecords drills, Nodes nodes, ISignals signals, MetricRegistry metrics, TimeProvider clock)
    {
        (_store, _reading, _backups, _archives, _drills, _nodes, _signals, _clock) = (store, reading, backups, archives, drills, nodes, signals, clock);
        _series = new DatabaseSeries(metrics);
    }

    public string Name => "database-watch";

    public TimeSpan Every => TimeSpan.FromSeconds(10);

    public Nudge Wake { get; } = new();

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var all = (await _reading.ListAsync(null, cancellation)).Where(i => i is { State: DatabaseState.Ready, IsExternal: false }).ToList();
        var down = all.Count == 0 ? [] : (await _nodes.ListAsync(cancellation)).Where(_nodes.IsDown).Select(n => n.Id).ToHashSet();
        var looks = new List<DatabaseLook>();
        var (told, begun) = (0, 0);
        foreach (var info in all)
        {
            var look = await LookAsync(info, down, cancellation);
            looks.Add(look);
            told += Tell(look);
            if (DatabaseFindings.BackupDue(look) is { } reason
                && await _backups.BackupAsync(info.Org, info.Name, reason, null, Asker, cancellation) is DatabaseAnswer.Accepted)
                begun++;
        }
        _series.Fill(looks);
        return $"{all.Count} databases looked at; {told} things told, {begun} backups begun";
    }

    private async Task<DatabaseLook> LookAsync(DatabaseInfo info, HashSet<Guid> down, CancellationToken cancellation)
    {
        var seen = await _archives.SeenAsync(info.Id, cancellation);
        if (info.Settings.Archive is not null && (seen is null || _clock.GetUtcNow() - seen.Value.ReadAt > ReadArchiveEvery))
        {
            if (await _archives.RefreshAsync(info.Id, cancellation) is { } why)
                TellOnce(info.Subject, new("database-archive-unreadable", $"The archive of {info.Subject} cannot be read: {why}", SignalUrgency.Warning));
            seen = await _archives.SeenAsync(info.Id, cancellation);
        }
        var drills = await _drills.ListAsync(info.Id, 1, cancellation);
        var begunAt = await _store.ReadAsync((db, cancel) => db.Set<ClusterRow>().Where(c => c.Id == info.Id).Select(c => c.FirstBackupBegunAt).SingleAsync(cancel), cancellation);
        return new DatabaseLook(
            info, info.Primary is { } primary && down.Contains(primary.NodeId), seen?.Seen, drills.Count > 0 ? drills[0] : null, info.Moving is not null, begunAt, _clock.GetUtcNow());
    }

    private int Tell(DatabaseLook look)
    {
        // What an operation moves is not as it should be for a while, and that operation says so itself.
        var found = look.IsMoving ? [] : DatabaseFindings.Of(look);
        var told = found.Count(f => TellOnce(look.Info.Subject, f));
        if (!look.IsMoving)
            foreach (var over in _told.Keys.Where(k => k.Subject == look.Info.Subject && found.All(f => f.Kind != k.Kind) && k.Kind != "database-archive-unreadable").ToList())
            {
                _told.Remove(over);
                _signals.Raise(new Signal(over.Kind, over.Subject, $"{over.Subject}: this is over.", SignalUrgency.Info, look.Now));
            }
        return told;
    }

    private bool TellOnce(string subject, DatabaseFinding finding)
    {
        var now = _clock.GetUtcNow();
        if (_told.TryGetValue((subject, finding.Kind), out var at) && now - at < TellAgainAfter)
            return false;
        _told[(subject, finding.Kind)] = now;
        _signals.Raise(new Signal(finding.Kind, subject, finding.Words, finding.Urgency, now));
        return true;
    }
}

/// <summary>The series of databases that only the control plane can measure (T-48, ZM-57..62).</summary>
internal sealed class DatabaseSeries
{
    private readonly Metric _point;
    private readonly Metric _time;
    private readonly Metric _pointAsked;
    private readonly Metric _timeAsked;
    private readonly Metric _success;
    private readonly Metric _verified;
    private readonly Metric _restored;
    private readonly Metric _bytes;
    private readonly Metric _lag;
    private readonly Metric _up;

    public DatabaseSeries(MetricRegistry metrics)
    {
        _up = metrics.Gauge("groundcrew_database_up", "1 while the primary answers as it should.", "org", "database");
        _point = metrics.Gauge("groundcrew_database_rpo_seconds", "How much of the newest changes would be lost if the servers were lost now.", "org", "database");
        _time = metrics.Gauge("groundcrew_database_rto_seconds", "How long recovery took in the newest drill that passed.", "org", "database");
        _pointAsked = metrics.Gauge("groundcrew_database_rpo_objective_seconds", "How much may be lost.", "org", "database");
        _timeAsked = metrics.Gauge("groundcrew_database_rto_objective_seconds", "How long recovery may take.", "org", "database");
        _success = metrics.Gauge("groundcrew_backup_last_success_timestamp_seconds", "When the newest backup that is not damaged was complete.", "org", "database", "kind");
        _verified = metrics.Gauge("groundcrew_backup_last_verified_timestamp_seconds", "When a backup was last looked at and was good.", "org", "database");
        _restored = metrics.Gauge("groundcrew_backup_last_restored_timestamp_seconds", "When a backup was last restored and passed.", "org", "database");
        _bytes = metrics.Gauge("groundcrew_backup_storage_bytes", "What backups and log take in the storage.", "org", "database");
        _lag = metrics.Gauge("groundcrew_database_standby_lag_bytes", "How much of the log the standby has not replayed.", "org", "database");
    }

    /// <summary>Fills them anew; what is gone, or not known, has no series.</summary>
    public void Fill(IReadOnlyList<DatabaseLook> looks)
    {
        foreach (var metric in (Metric[])[_up, _point, _time, _pointAsked, _timeAsked, _success, _verified, _restored, _bytes, _lag])
            metric.Clear();
        foreach (var look in looks)
            Fill(look, look.Info.Org, look.Info.Name);
    }

    private void Fill(DatabaseLook look, string org, string name)
    {
        _up.With(org, name).Set(!look.IsNodeDown && look.Primary?.State == ServerState.Ready ? 1 : 0);
        Set(_point, look.RecoveryPoint?.TotalSeconds, org, name);
        Set(_time, look.Drill is { IsGood: true } drill ? drill.Took.TotalSeconds : null, org, name);
        Set(_pointAsked, look.Info.Settings.Objectives.RecoveryPoint?.TotalSeconds, org, name);
        Set(_timeAsked, look.Info.Settings.Objectives.RecoveryTime?.TotalSeconds, org, name);
        if (look.Seen is { } seen)
        {
            Set(_success, Newest(seen, b => b is { IsDump: false, IsDamaged: false } ? b.StoppedAt : null), org, name, "base");
            Set(_success, Newest(seen, b => b is { IsDump: true, IsDamaged: false } ? b.StoppedAt : null), org, name, "dump");
            Set(_verified, Newest(seen, b => b.VerifiedAt), org, name);
            Set(_restored, Newest(seen, b => b.RestoredAt), org, name);
            Set(_bytes, seen.Bytes, org, name);
        }
        if (look.Primary is { } primary && look.Info.Servers.FirstOrDefault(s => s.Role == ServerRole.Standby)?.Status is { } standby)
            Set(_lag, Math.Max(0, primary.Position - standby.Position), org, name);
    }

    private static double? Newest(BackupsSeen seen, Func<BackupSeen, DateTimeOffset?> at) => seen.Backups.Select(at).Max()?.ToUnixTimeMilliseconds() / 1000.0;

    private static void Set(Metric metric, double? value, params string[] labels)
    {
        if (value is { } known)
            metric.With(labels).Set(known);
    }
}
