using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>What a database's storage holds, and how fresh that word is.</summary>
/// <param name="Seen">What was seen.</param>
/// <param name="ReadAt">When; null when it was never read.</param>
/// <param name="Problem">Why it could not be read just now; null when it was.</param>
public sealed record BackupsInfo(BackupsSeen Seen, DateTimeOffset? ReadAt, string? Problem);

/// <summary>Backups of databases: taken, looked at, proven, kept and deleted. Restores are <see cref="DatabaseRestores"/>. Thread-safe.</summary>
public sealed class DatabaseBackups
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);
    private readonly DatabaseChange _change;
    private readonly DatabaseReading _reading;
    private readonly Archives _archives;
    private readonly DrillRecords _drills;
    private readonly Nodes _nodes;
    private readonly JobOperations _jobs;

    internal DatabaseBackups(
        Operations operations, DatabaseChange change, DatabaseReading reading, Archives archives, DrillRecords drills, Nodes nodes, JobOperations jobs)
    {
        (_change, _reading, _archives, _drills, _nodes, _jobs) = (change, reading, archives, drills, nodes, jobs);
        foreach (var definition in jobs.All.Values)
            operations.Register(definition);
    }

    /// <summary>What the storage of a database holds: read anew unless that was done within five seconds. Null when there is no such database.</summary>
    public async Task<BackupsInfo?> SeenAsync(string org, string name, CancellationToken cancellation)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } info)
            return null;
        if (info.Settings.Archive is null || info.IsExternal)
            return new BackupsInfo(BackupsSeen.None, null, Databases.NotOurs(info, "back up") ?? $"{info.Subject} has no place for backups. Give it one: crew db change {info.Subject} --backups-to /srv/backups");
        var seen = await _archives.SeenAsync(info.Id, cancellation);
        var problem = seen is { } known && _change.Clock.GetUtcNow() - known.ReadAt < Fresh ? null : await _archives.RefreshAsync(info.Id, cancellation);
        seen = await _archives.SeenAsync(info.Id, cancellation);
        return new BackupsInfo(seen?.Seen ?? BackupsSeen.None, seen?.ReadAt, problem);
    }

    /// <summary>The newest drills of a database, newest first.</summary>
    public Task<IReadOnlyList<DrillInfo>> DrillsAsync(Guid clusterId, int most, CancellationToken cancellation) => _drills.ListAsync(clusterId, most, cancellation);

    /// <summary>Takes a base backup.</summary>
    public Task<DatabaseAnswer> BackupAsync(string org, string name, string reason, long? maxBytesPerSecond, Actor actor, CancellationToken cancellation, Guid? schedule = null) =>
        BeginAsync("database.backup", org, name, actor, JobOperations.BackupKind, $"back up {org}/{name} ({reason})", schedule,
            (info, archive) => new TakeBaseBackup(info.Primary!.Id, archive, reason, maxBytesPerSecond), cancellation);

    /// <summary>Takes a dump of one database; the first one when none is named.</summary>
    public async Task<DatabaseAnswer> DumpAsync(
        string org, string name, string? database, string? template, string reason, Actor actor, CancellationToken cancellation, Guid? schedule = null)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } found)
            return new DatabaseAnswer.NotFound($"database {org}/{name}");
        var problems = new ProblemList();
        BackupNames.Judge("template", template ?? BackupNames.DefaultTemplate, problems);
        var wanted = database ?? (found.Settings.Databases.Count > 0 ? found.Settings.Databases[0].Name : null);
        if (wanted is null || found.Settings.Databases.All(d => d.Name != wanted))
            problems.Add("unknown-database", "database", $"{found.Subject} has no database '{wanted}'.", $"Name one of: {string.Join(", ", found.Settings.Databases.Select(d => d.Name))}.");
        if (!problems.IsEmpty)
            return new DatabaseAnswer.Refused(problems.Problems);
        var known = (await _archives.SeenAsync(found.Id, cancellation))?.Seen.Backups.Select(b => b.Name).ToHashSet(StringComparer.Ordinal) ?? [];
        var dump = BackupNames.Dump(template ?? BackupNames.DefaultTemplate, found.ArchiveName, wanted!, _change.Clock.GetUtcNow(), known.Contains);
        return await BeginAsync("database.dump", org, name, actor, JobOperations.DumpKind, $"dump {wanted} of {org}/{name} as {dump} ({reason})", schedule,
            (info, archive) => new TakeDump(info.Primary!.Id, wanted!, dump, archive, reason), cancellation);
    }

    /// <summary>Looks at a backup, or at the newest one (T-50). Of base backups it is the default to compare checksums only.</summary>
    public async Task<DatabaseAnswer> VerifyAsync(
        string org, string name, string? backup, VerifyLevel level, Actor actor, CancellationToken cancellation, Guid? schedule = null)
    {
        if (await SeenAsync(org, name, cancellation) is not { } seen)
            return new DatabaseAnswer.NotFound($"database {org}/{name}");
        var found = backup is null ? seen.Seen.Backups is [var latest, ..] ? latest : null : seen.Seen.Backups.FirstOrDefault(b => b.Name == backup);
        if (found is null)
            return backup is null
                ? new DatabaseAnswer.Conflict($"{org}/{name} has no backup to look at. {seen.Problem ?? $"Take one: crew db backup {org}/{name}"}")
                : new DatabaseAnswer.NotFound($"backup '{backup}' of {org}/{name}; crew db backups {org}/{name} lists them");
        return await BeginAsync("database.verify", org, name, actor, JobOperations.VerifyKind, $"look at {found.Name} of {org}/{name}", schedule,
            (info, archive) => new VerifyBackup(info.ArchiveName, found.Name, archive, level), cancellation, readsOnly: true);
    }

    /// <summary>Restores into a scratch cluster, checks it, measures, and removes it (U-49).</summary>
    public Task<DatabaseAnswer> DrillAsync(string org, string name, RecoveryTarget target, Actor actor, CancellationToken cancellation, Guid? schedule = null) =>
        BeginAsync("database.drill", org, name, actor, JobOperations.DrillKind, $"prove that {org}/{name} comes back", schedule,
            (info, archive) => new RunDrill(info.ArchiveName, info.Settings.Version, target, info.Settings.Checks, archive, info.Settings.MemoryBytes), cancellation, readsOnly: true);

    /// <summary>Vacuums or reindexes one database; the first one when none is named.</summary>
    public async Task<DatabaseAnswer> UpkeepAsync(
        string org, string name, string? database, Upkeep upkeep, IReadOnlyList<string> only, Actor actor, CancellationToken cancellation, Guid? schedule = null)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } found)
            return new DatabaseAnswer.NotFound($"database {org}/{name}");
        var wanted = database ?? (found.Settings.Databases.Count > 0 ? found.Settings.Databases[0].Name : "");
        if (!found.IsExternal && found.Settings.Databases.All(d => d.Name != wanted))
            return new DatabaseAnswer.Refused([new Problem("unknown-database", "database", $"{found.Subject} has no database '{wanted}'.", $"Name one of: {string.Join(", ", found.Settings.Databases.Select(d => d.Name))}.")]);
        return await BeginAsync("database.upkeep", org, name, actor, JobOperations.UpkeepKind,
            $"{(upkeep == Upkeep.Vacuum ? "vacuum and analyze" : "reindex")} {wanted} of {org}/{name}", schedule,
            (info, _) => new Maintain(info.Primary!.Id, wanted, upkeep, only), cancellation, needsArchive: false);
    }

    /// <summary>What retention would delete now, and why it keeps the rest; a problem when the archive cannot be read.</summary>
    public async Task<Judged<RetentionPlan>?> PlanRetentionAsync(string org, string name, CancellationToken cancellation)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } info)
            return null;
        try
        {
            return Judged<RetentionPlan>.Good(RetentionPlanning.Plan(await _archives.ReadAsync(info, cancellation), info.Settings.Retention, _change.Clock.GetUtcNow()));
        }
        catch (IOException e)
        {
            return Judged<RetentionPlan>.Bad([new Problem("archive-unreadable", "", $"The archive of {info.Subject} cannot be read: {e.Message}", "Mend that, and ask again; nothing is deleted meanwhile.")]);
        }
    }

    /// <summary>Deletes what retention does not keep: looks first at what stays (T-51).</summary>
    public async Task<DatabaseAnswer> PruneAsync(string org, string name, Actor actor, CancellationToken cancellation, Guid? schedule = null)
    {
        if (await PlanRetentionAsync(org, name, cancellation) is not { } judged)
            return new DatabaseAnswer.NotFound($"database {org}/{name}");
        if (judged.Value is not { } plan)
            return new DatabaseAnswer.Refused(judged.Problems);
        if (plan.Keys.Count == 0)
            return await _change.OfAsync("database.prune", org, name, actor, (_, _, info, _) => Task.FromResult<DatabaseAnswer>(new DatabaseAnswer.Done(info.Subject)), cancellation);
        var seen = (await SeenAsync(org, name, cancellation))!.Seen.Backups;
        var newest = seen.FirstOrDefault(b => !b.IsDamaged && !plan.Delete.Contains(b.Name) && !b.IsDump) ?? seen.FirstOrDefault(b => !b.IsDamaged && !plan.Delete.Contains(b.Name));
        var isProven = newest?.VerifiedAt is not null;
        return await BeginAsync("database.prune", org, name, actor, JobOperations.PruneKind, $"delete {plan.Delete.Count} old backups of {org}/{name}, {Quantity.FormatBytes(plan.Bytes)}", schedule,
            (info, archive) => new DeleteBackups(info.ArchiveName, plan.Keys, archive), cancellation, lookAt: isProven ? null : newest?.Name);
    }

    /// <summary>Asks that an operation's work on a node be broken off; what it made is removed.</summary>
    public Task<DatabaseAnswer> CancelAsync(string org, string name, Guid operation, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.cancel", org, name, actor, async (db, row, info, cancel) =>
            await Jobs.CancelAsync(db, row.Id, operation, actor.Name, cancel)
                ? new DatabaseAnswer.Done(info.Subject)
                : new DatabaseAnswer.Conflict($"Operation {operation} has no work on a node that could be broken off: it has ended, or its present step is a short one."), cancellation);

    private Task<DatabaseAnswer> BeginAsync(
        string action, string org, string name, Actor actor, string kind, string summary, Guid? schedule, Func<DatabaseInfo, ArchiveSpec, ClusterWork> work,
        CancellationToken cancellation, bool readsOnly = false, bool needsArchive = true, string? lookAt = null) =>
        _change.OfAsync(action, org, name, actor, async (db, row, info, cancel) =>
        {
            if (Databases.NotOurs(info, kind == JobOperations.UpkeepKind ? "vacuum or reindex" : "back up") is { } words)
                return new DatabaseAnswer.Conflict(words);
            if (needsArchive && info.Settings.Archive is null)
                return new DatabaseAnswer.Conflict($"{info.Subject} has no place for backups. Give it one: crew db change {info.Subject} --backups-to /srv/backups");
            var needsServer = !readsOnly && kind != JobOperations.PruneKind;
            if (needsServer && (info.State != DatabaseState.Ready || info.Primary is not { Desire: ClusterDesire.Running }))
                return new DatabaseAnswer.Conflict($"{info.Subject} is {info.Health}: no server of it runs. See: crew db info {info.Subject}");
            var node = info.Primary is { } primary ? (primary.NodeId, primary.Hostname)
                : (await _nodes.ListAsync(db, cancel)).Where(n => n.Role == NodeRole.Worker && !_nodes.IsDown(n)).Select(n => (n.Id, n.Hostname)).FirstOrDefault();
            if (node.Hostname is null)
                return new DatabaseAnswer.Conflict("No node is up that could do it. Start an agent ('crew up').");
            var plan = new JobPlan
            {
                ClusterId = row.Id, NodeId = node.Item1, Hostname = node.Hostname, JobId = Ids.New(_change.Clock), SecondJobId = Ids.New(_change.Clock),
                Work = work(info, info.Settings.Archive!), ArchiveName = info.ArchiveName, ScheduleId = schedule, LookAt = lookAt,
            };
            string[] leases = kind == JobOperations.PruneKind ? [DatabaseReading.BackupLeaseOf(row.Id), DatabaseReading.RestoreLeaseOf(row.Id)] : [DatabaseReading.BackupLeaseOf(row.Id)];
            var begun = await _change.BeginAsync(db, _jobs.All[kind], plan, info.Subject, summary, actor, leases, cancel);
            if (begun is DatabaseAnswer.Accepted accepted)
            {
                if (kind == JobOperations.BackupKind)
                    row.FirstBackupBegunAt = _change.Clock.StoreNow();
                await ScheduleRecords.BegunAsync(db, schedule, accepted.Operation.Id, _change.Clock.StoreNow(), cancel);
            }
            return begun;
        }, cancellation);
}
