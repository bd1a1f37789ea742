namespace Groundcrew.Contract;

/// <summary>
/// What a database should be: <c>POST /api/v1/databases</c>, and with what is null left as it is
/// <c>PATCH /api/v1/databases/{org}/{name}</c>.
/// </summary>
public sealed record DatabaseRequest
{
    /// <summary>The organization; only of a new one.</summary>
    public string? Org { get; init; }

    /// <summary>Its name; only of a new one.</summary>
    public string? Name { get; init; }

    /// <summary>The address, with its password, of a database that somebody else runs; null for one of our own. Stored sealed.</summary>
    public string? Url { get; init; }

    /// <summary>PostgreSQL's major version; 15 when left out.</summary>
    public int? Version { get; init; }

    /// <summary>The memory that it may plan with, such as <c>1Gi</c>; 256Mi when left out.</summary>
    public string? Memory { get; init; }

    /// <summary>The hostname of the node; chosen when left out. Only of a new one.</summary>
    public string? Node { get; init; }

    /// <summary>The port; chosen when left out. Only of a new one.</summary>
    public int? Port { get; init; }

    /// <summary>How many standbys: 0 or 1. Only of a new one.</summary>
    public int? Standbys { get; init; }

    /// <summary>Settings of <c>postgresql.conf</c>.</summary>
    public IReadOnlyDictionary<string, string>? Settings { get; init; }

    /// <summary>The databases; one with the cluster's name when left out.</summary>
    public IReadOnlyList<DatabasePart>? Databases { get; init; }

    /// <summary>The logins; one with the cluster's name, for all databases, when left out.</summary>
    public IReadOnlyList<DatabaseLoginPart>? Logins { get; init; }

    /// <summary>Addresses that it listens on; its own machine's when left out.</summary>
    public IReadOnlyList<string>? Listen { get; init; }

    /// <summary>Networks that may connect with a password.</summary>
    public IReadOnlyList<string>? Networks { get; init; }

    /// <summary>Where its log and its backups go.</summary>
    public BackupTarget? Backups { get; init; }

    /// <summary>How long backups are kept.</summary>
    public RetentionPart? Retention { get; init; }

    /// <summary>What recovery has to achieve.</summary>
    public ObjectivesPart? Objectives { get; init; }

    /// <summary>Checks of a restored copy: the first column of the first row of each has to be true.</summary>
    public IReadOnlyList<CheckPart>? Checks { get; init; }
}

/// <summary>One database of a cluster.</summary>
/// <param name="Name">Its name in PostgreSQL.</param>
/// <param name="Extensions">Extensions to be created in it.</param>
public sealed record DatabasePart(string? Name, IReadOnlyList<string>? Extensions);

/// <summary>A login that services use.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Databases">The databases that it may use; all when left out.</param>
/// <param name="Connections">How many connections it may have; no limit when left out.</param>
public sealed record DatabaseLoginPart(string? Name, IReadOnlyList<string>? Databases, int? Connections);

/// <summary>Where a database's log and backups go.</summary>
public sealed record BackupTarget
{
    /// <summary>A folder (<c>/srv/backups</c>) or a bucket (<c>s3://bucket/prefix</c>); <c>none</c> for nowhere.</summary>
    public string? To { get; init; }

    /// <summary>S3: the server's address when it is not Amazon's.</summary>
    public string? Endpoint { get; init; }

    /// <summary>S3: the region.</summary>
    public string? Region { get; init; }

    /// <summary>S3: <c>access key:secret key</c>. Stored sealed.</summary>
    public string? Credentials { get; init; }

    /// <summary>The most time that acknowledged changes may be missing there, such as <c>10s</c>.</summary>
    public string? Every { get; init; }

    /// <summary>A commit waits until the storage has it: nothing acknowledged is ever lost (RPO 0).</summary>
    public bool? Synchronous { get; init; }

    /// <summary><c>zstd</c>, <c>gzip</c> or <c>none</c>.</summary>
    public string? Compression { get; init; }

    /// <summary>Whether what lies there is encrypted with the cluster's own key.</summary>
    public bool? Encrypted { get; init; }
}

/// <summary>How long backups are kept; what is null is kept for ever.</summary>
/// <param name="Backups">Base backups and the log that they need, such as <c>30d</c>.</param>
/// <param name="BackupCount">And at most so many.</param>
/// <param name="Dumps">Dumps.</param>
/// <param name="DumpCount">And at most so many of each database.</param>
public sealed record RetentionPart(string? Backups, int? BackupCount, string? Dumps, int? DumpCount);

/// <summary>What recovery has to achieve.</summary>
/// <param name="Rto">How long it may take, such as <c>1h</c>.</param>
/// <param name="Rpo">How much of the newest changes may be lost, such as <c>5m</c>.</param>
public sealed record ObjectivesPart(string? Rto, string? Rpo);

/// <summary>A check of a restored copy.</summary>
/// <param name="Database">Where.</param>
/// <param name="Sql">One statement.</param>
/// <param name="Says">What it means.</param>
public sealed record CheckPart(string? Database, string? Sql, string? Says);

/// <summary><c>POST /api/v1/databases/{org}/{name}/remove</c>.</summary>
/// <param name="Confirm">The name once more: its data goes with it, its backups stay.</param>
public sealed record RemoveDatabase(string? Confirm);

/// <summary><c>POST /api/v1/databases/{org}/{name}/backup</c>; an empty body is fine.</summary>
/// <param name="MaxRate">How fast at most, such as <c>50Mi</c> a second; no limit when left out.</param>
/// <param name="Reason">Why, for the record.</param>
public sealed record BackupDatabase(string? MaxRate, string? Reason);

/// <summary><c>POST /api/v1/databases/{org}/{name}/dump</c>; an empty body means the first database.</summary>
/// <param name="Database">The database.</param>
/// <param name="Template">The template of its name, such as <c>zmos_backup_YYYYMMDD_HHMMSS</c>.</param>
/// <param name="Reason">Why, for the record.</param>
public sealed record DumpDatabase(string? Database, string? Template, string? Reason);

/// <summary><c>POST /api/v1/databases/{org}/{name}/verify</c>; an empty body means the newest backup.</summary>
/// <param name="Backup">The backup.</param>
/// <param name="Level"><c>checksums</c>, or <c>tool</c> for PostgreSQL's own tool besides.</param>
public sealed record VerifyDatabase(string? Backup, string? Level);

/// <summary><c>POST /api/v1/databases/{org}/{name}/drill</c>; an empty body means the latest moment.</summary>
/// <param name="Time">The moment to aim at.</param>
public sealed record DrillDatabase(DateTimeOffset? Time);

/// <summary><c>POST /api/v1/databases/{org}/{name}/restore</c> and <c>/restore/plan</c>; an empty body means the latest moment, beside what is there.</summary>
public sealed record RestoreDatabase
{
    /// <summary>To this moment.</summary>
    public DateTimeOffset? ToTime { get; init; }

    /// <summary>To this place of the log, such as <c>16/B374D848</c>.</summary>
    public string? ToLsn { get; init; }

    /// <summary>To this named point.</summary>
    public string? ToName { get; init; }

    /// <summary>Which history of the archive; the newest when left out.</summary>
    public string? SystemId { get; init; }

    /// <summary>A dump, as another database of the same cluster.</summary>
    public string? Dump { get; init; }

    /// <summary>The name of the copy.</summary>
    public string? As { get; init; }

    /// <summary>Replaces what is there.</summary>
    public bool? InPlace { get; init; }

    /// <summary>In place: the name once more.</summary>
    public string? Confirm { get; init; }

    /// <summary>In place: goes without a backup of what is there now.</summary>
    public bool? WithoutSafetyBackup { get; init; }

    /// <summary>A copy: the hostname of the node.</summary>
    public string? Node { get; init; }
}

/// <summary><c>POST /api/v1/databases/{org}/{name}/failover</c>.</summary>
/// <param name="OldIsOff">The caller vouches that the old primary's machine is off and stays off.</param>
public sealed record FailoverDatabase(bool? OldIsOff);

/// <summary><c>POST /api/v1/databases/{org}/{name}/standby</c>.</summary>
/// <param name="Node">The hostname of its node; chosen when left out.</param>
public sealed record AddStandby(string? Node);

/// <summary><c>POST /api/v1/databases/{org}/{name}/rotate</c>.</summary>
/// <param name="Login">The login; the first one when left out.</param>
public sealed record RotateDatabase(string? Login);

/// <summary><c>POST /api/v1/databases/{org}/{name}/upkeep</c>.</summary>
/// <param name="Work"><c>vacuum</c> or <c>reindex</c>.</param>
/// <param name="Database">The database; the first one when left out.</param>
/// <param name="Only">Tables or indexes by name; all that need it when left out.</param>
public sealed record UpkeepDatabase(string? Work, string? Database, IReadOnlyList<string>? Only);

/// <summary><c>POST /api/v1/databases/{org}/{name}/cancel</c>.</summary>
/// <param name="Operation">The operation whose work is broken off.</param>
public sealed record CancelDatabaseWork(Guid? Operation);

/// <summary>One schedule: of <c>PUT /api/v1/databases/{org}/{name}/schedules</c>, which sets all of them.</summary>
/// <param name="Does"><c>backup</c>, <c>dump</c>, <c>verify</c>, <c>drill</c>, <c>upkeep</c> or <c>retention</c>.</param>
/// <param name="Cron">Minute, hour, day, month and weekday, such as <c>0 2 * * *</c>.</param>
/// <param name="Zone">A time zone of the IANA database; UTC when left out.</param>
/// <param name="Jitter">It begins up to so much later, always by the same.</param>
/// <param name="Database">Dumps and upkeep: the database; the first one when left out.</param>
/// <param name="Template">Dumps: the template of their names.</param>
public sealed record SchedulePart(string? Does, string? Cron, string? Zone, string? Jitter, string? Database, string? Template);

/// <summary><c>POST /api/v1/databases/apply</c>: makes the databases of a manifest so.</summary>
/// <param name="Manifest">The text of <c>crew.yaml</c>.</param>
/// <param name="Org">The organization; the manifest's system when left out.</param>
public sealed record ApplyDatabases(string? Manifest, string? Org);
