using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>Something about a database that needs a look. Stable by its kind, so that it is told once while it lasts.</summary>
/// <param name="Kind">Such as <c>database-archive-gap</c>.</param>
/// <param name="Words">What is so, and what to do.</param>
/// <param name="Urgency">How soon.</param>
internal sealed record DatabaseFinding(string Kind, string Words, SignalUrgency Urgency);

/// <summary>What a look at a database needs. Immutable.</summary>
/// <param name="Info">What was decided and observed.</param>
/// <param name="IsNodeDown">The node of its primary is not heard of.</param>
/// <param name="Seen">What its storage held when it was read last; null when it was not yet.</param>
/// <param name="Drill">The newest drill; null when there was none.</param>
/// <param name="IsMoving">An operation works on it or its archive.</param>
/// <param name="FirstBackupBegunAt">When the base backup was begun that its windows start with.</param>
/// <param name="Now">The present.</param>
internal sealed record DatabaseLook(
    DatabaseInfo Info, bool IsNodeDown, BackupsSeen? Seen, DrillInfo? Drill, bool IsMoving, DateTimeOffset? FirstBackupBegunAt, DateTimeOffset Now)
{
    public ServerStatus? Primary => Info.Primary?.Status;

    /// <summary>The newest moment of which it is sure that everything acknowledged can be restored; null when none is.</summary>
    public DateTimeOffset? Restorable
    {
        get
        {
            if (Seen?.Newest is not { } stored)
                return null;
            // What the node says goes further than what was read; but only where the log has no gap behind the last base backup.
            var live = Primary?.Archive is { Problem: null, Gaps.Count: 0, CaughtUpAt: { } caughtUp } ? caughtUp : stored;
            return live > stored ? live : stored;
        }
    }

    /// <summary>How much would be lost now.</summary>
    public TimeSpan? RecoveryPoint => Restorable is { } at ? (Now > at ? Now - at : TimeSpan.Zero) : null;
}

/// <summary>From a look at a database to what needs a human, and to whether a new base backup is due: pure.</summary>
internal static class DatabaseFindings
{
    private static readonly TimeSpan TryAgain = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan ProvenWithin = TimeSpan.FromDays(35);

    /// <summary>An archive may be behind by so many of its own intervals, and by a minute, before anybody is told.</summary>
    private const int MissedFlushes = 6;

    public static IReadOnlyList<DatabaseFinding> Of(DatabaseLook look)
    {
        var found = new List<DatabaseFinding>();
        OfServers(look, found);
        if (look.Info.Settings.Archive is not null && look.Info.Primary is { Desire: ClusterDesire.Running })
        {
            OfArchive(look, found);
            OfBackups(look, found);
            OfObjectives(look, found);
        }
        return found;
    }

    /// <summary>Why a base backup is to be taken now; null when none is.</summary>
    public static string? BackupDue(DatabaseLook look)
    {
        if (look.Info.Settings.Archive is null || look.IsMoving || look.Primary?.State != ServerState.Ready)
            return null;
        if (look.FirstBackupBegunAt is not { } begun)
            return look.Seen?.Backups.Any(b => !b.IsDump) == true ? "timeline" : "first";
        if (look.Now - begun < TryAgain)
            return null;
        if (look.Primary.Archive is { Gaps.Count: > 0 })
            return "gap";
        return look.Seen is { } seen && !seen.Backups.Any(b => !b.IsDump && !b.IsDamaged) ? "first" : null;
    }

    private static void OfServers(DatabaseLook look, List<DatabaseFinding> found)
    {
        var (info, subject) = (look.Info, look.Info.Subject);
        var hasStandby = info.Servers.Any(s => s.Role == ServerRole.Standby);
        var next = hasStandby ? $"If it does not come back, its standby can take over: crew db failover {subject}" : $"It can be restored elsewhere from its backups: crew db restore {subject} --plan";
        if (look.IsNodeDown)
            found.Add(new("database-unreachable", $"The node {info.Primary?.Hostname} of {subject} is not heard of any more; nobody knows whether the database serves. {next}", SignalUrgency.Urgent));
        else if (look.Primary is { State: ServerState.Failed or ServerState.Degraded } status && info.Primary?.Desire == ClusterDesire.Running)
            found.Add(new("database-down", $"{subject} does not serve as it should: {status.Words} {next}", SignalUrgency.Urgent));
        foreach (var standby in info.Servers.Where(s => s is { Role: ServerRole.Standby, Desire: ClusterDesire.Running, Status.State: ServerState.Failed or ServerState.Degraded }))
            found.Add(new("database-standby-down", $"The standby of {subject} on {standby.Hostname} does not follow: {standby.Status!.Words} Until it does, a failover would lose changes.", SignalUrgency.Warning));
    }

    private static void OfArchive(DatabaseLook look, List<DatabaseFinding> found)
    {
        if (look.Primary?.Archive is not { } archive)
            return;
        var subject = look.Info.Subject;
        if (archive.Problem is { } problem)
            found.Add(new("database-archive-failing", $"The log of {subject} does not reach its storage: {problem} Everything since {Text(archive.CaughtUpAt)} would be lost with the server.", SignalUrgency.Urgent));
        if (archive.Gaps.Count > 0)
            found.Add(new("database-archive-gap", $"The log of {subject} has a gap in its archive, from {archive.Gaps[0].From} to {archive.Gaps[^1].To}: no moment in it, and none behind it until the next base backup, can be restored. A base backup is taken now; crew db backups {subject} shows the time that stays uncovered.", SignalUrgency.Urgent));
        var allowed = TimeSpan.FromTicks(look.Info.Settings.Archive!.FlushEvery.Ticks * MissedFlushes) + TimeSpan.FromMinutes(1);
        if (archive.Problem is null && archive.CaughtUpAt is { } caughtUp && look.Now - caughtUp > allowed)
            found.Add(new("database-archive-behind", $"The archive of {subject} is {Quantity.Format(Rounded(look.Now - caughtUp))} and {Quantity.FormatBytes(Math.Max(0, look.Primary.Position - archive.Stored))} behind. See whether the storage is slow: crew db info {subject}", SignalUrgency.Warning));
    }

    private static void OfBackups(DatabaseLook look, List<DatabaseFinding> found)
    {
        if (look.Seen is not { } seen)
            return;
        var subject = look.Info.Subject;
        foreach (var damaged in seen.Backups.Where(b => b.IsDamaged).Take(1))
            found.Add(new("database-backup-damaged", $"{damaged.Name} of {subject} is damaged. It is not used any more; take a new one: crew db backup {subject}", SignalUrgency.Urgent));
        if (seen.Problems.Count > 0)
            found.Add(new("database-archive-unreadable", $"Some of the archive of {subject} cannot be read: {seen.Problems[0]}", SignalUrgency.Warning));
        if (look.Now - look.Info.CreatedAt > ProvenWithin && (look.Drill is null || look.Now - look.Drill.EndedAt > ProvenWithin))
            found.Add(new("database-unproven", $"Nobody has seen {subject} come back from its backups for {ProvenWithin.Days} days. Prove it: crew db drill {subject}", SignalUrgency.Warning));
    }

    private static void OfObjectives(DatabaseLook look, List<DatabaseFinding> found)
    {
        var (subject, asked) = (look.Info.Subject, look.Info.Settings.Objectives);
        if (asked.RecoveryPoint is { } point && look.RecoveryPoint is { } lost && lost > point)
            found.Add(new("database-rpo-missed", $"{subject} would lose {Quantity.Format(Rounded(lost))} of changes now; {Quantity.Format(point)} is the most that may be (RPO). See: crew db backups {subject}", SignalUrgency.Urgent));
        if (asked.RecoveryTime is { } time && look.Drill is { IsGood: true } drill && drill.Took > time)
            found.Add(new("database-rto-missed", $"{subject} took {Quantity.Format(Rounded(drill.Took))} to come back in its last drill; {Quantity.Format(time)} is the most that it may (RTO). Fresher base backups, or a standby, make it shorter.", SignalUrgency.Warning));
        if (look.Drill is { IsGood: false } failed)
            found.Add(new("database-drill-failed", $"{subject} did not come back as it should in its last drill: {string.Join("; ", failed.Findings.Take(3))}. See: crew db drills {subject}", SignalUrgency.Urgent));
    }

    private static string Text(DateTimeOffset? at) => at is { } time ? $"{time.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC" : "its beginning";

    private static TimeSpan Rounded(TimeSpan span) => TimeSpan.FromSeconds(Math.Round(span.TotalSeconds));
}
