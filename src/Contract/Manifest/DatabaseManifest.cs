using System.Collections.ObjectModel;

namespace Groundcrew.Contract.Manifest;

/// <summary>How backups are compressed.</summary>
public enum BackupCompression
{
    /// <summary>Zstandard.</summary>
    Zstd,

    /// <summary>gzip.</summary>
    Gzip,

    /// <summary>Not at all.</summary>
    None,
}

/// <summary>What a schedule does.</summary>
public enum ScheduledWork
{
    /// <summary>A base backup.</summary>
    Backup,

    /// <summary>A dump.</summary>
    Dump,

    /// <summary>Looks at the newest backup.</summary>
    Verify,

    /// <summary>Restores into a scratch cluster and checks it.</summary>
    Drill,

    /// <summary>Vacuums.</summary>
    Upkeep,

    /// <summary>Deletes what is older than asked.</summary>
    Retention,
}

/// <summary>One PostgreSQL cluster of a system (U-47..U-59). Immutable.</summary>
public sealed record DatabaseManifest
{
    /// <summary>PostgreSQL's major version.</summary>
    [Key(KeyKind.Count, "PostgreSQL's major version. Its programs have to be on the node.", Min = "13", Max = "18", Example = "15")]
    public int Version { get; init; } = 15;

    /// <summary>The memory that it may plan with.</summary>
    [Key(KeyKind.Memory, "The memory that it may plan with; the memory settings are derived from it, and `crew db info` shows them.", Name = "memory", Min = "64Mi", Max = "4Ti", Example = "1Gi")]
    public long MemoryBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>How many standbys follow it.</summary>
    [Key(KeyKind.Count, "How many standbys follow it. It is set when the database is made; later `crew db standby` adds and removes one.", Min = "0", Max = "1", Example = "1")]
    public int Standbys { get; init; }

    /// <summary>The names of its databases.</summary>
    [Key(KeyKind.Identifiers, "The names of its databases. The first one is what its address leads to.", Example = "[shop]", LeftOut = "one with the name of the cluster, `_` for `-`")]
    public IReadOnlyList<string> Databases { get; init; } = [];

    /// <summary>Extensions to be created in its databases.</summary>
    [Key(KeyKind.Extensions, "Extensions to be created in its databases.", Example = "[pg_trgm]")]
    public IReadOnlyList<string> Extensions { get; init; } = [];

    /// <summary>Settings of the server.</summary>
    [Key(KeyKind.Variables, "Settings of the server, as in `postgresql.conf`. They go before the derived ones.", Example = "{work_mem: 16MB}")]
    public IReadOnlyDictionary<string, string> Settings { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>How many connections services may have.</summary>
    [Key(KeyKind.Count, "How many connections services may have.", Min = "1", Max = "10000", Example = "100", LeftOut = "not limited below what the server takes")]
    public int? Connections { get; init; }

    /// <summary>Where its log and its backups go.</summary>
    [Key(KeyKind.Section, "Where its log and its backups go.")]
    public DatabaseBackupsManifest? Backups { get; init; }

    /// <summary>When what is done by itself.</summary>
    [Key(KeyKind.Schedules, "When what is done by itself. A list here replaces the usual one: a backup, a look at it and the deletion of old ones each night, a drill and upkeep each week.",
        LeftOut = "the usual ones")]
    public IReadOnlyList<DatabaseScheduleManifest>? Schedules { get; init; }

    /// <summary>How long backups are kept.</summary>
    [Key(KeyKind.Section, "How long backups are kept. The newest one that is known to be good is never deleted.")]
    public DatabaseRetentionManifest Retention { get; init; } = new();

    /// <summary>What recovery has to achieve.</summary>
    [Key(KeyKind.Section, "What recovery has to achieve. Both are measured, and missing one is told.")]
    public DatabaseObjectivesManifest Objectives { get; init; } = new();

    /// <summary>Checks of a copy that was restored in a drill.</summary>
    [Key(KeyKind.Checks, "Checks of a copy that was restored in a drill.", LeftOut = "PostgreSQL's own checks only")]
    public IReadOnlyList<DatabaseCheckManifest> Checks { get; init; } = [];
}

/// <summary>Where a database's log and backups go. Immutable.</summary>
public sealed record DatabaseBackupsManifest
{
    /// <summary>A folder or a bucket.</summary>
    [Key(KeyKind.Storage, "A folder or a bucket.", Required = true, Example = "s3://acme-backups/production")]
    public required string To { get; init; }

    /// <summary>A bucket: the server's address.</summary>
    [Key(KeyKind.Endpoint, "A bucket: the server's address when it is not Amazon's.", Example = "https://storage.acme.org", LeftOut = "Amazon's")]
    public string? Endpoint { get; init; }

    /// <summary>A bucket: its region.</summary>
    [Key(KeyKind.Name, "A bucket: its region.", Example = "eu-central-1", LeftOut = "us-east-1")]
    public string? Region { get; init; }

    /// <summary>A bucket: the name of the secret with its credentials.</summary>
    [Key(KeyKind.SecretName, "A bucket: the name of the secret with its credentials, written `access key:secret key`.", Example = "backup-storage", LeftOut = "none")]
    public string? Credentials { get; init; }

    /// <summary>The most time that acknowledged changes may be missing there.</summary>
    [Key(KeyKind.Duration, "The most time that acknowledged changes may be missing there, while all is well.", Min = "1s", Max = "1h", Example = "10s")]
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether a commit waits until the storage has it.</summary>
    [Key(KeyKind.Flag, "Whether a commit waits until the storage has it: nothing acknowledged is ever lost (RPO 0), and each commit takes as long as the storage does.", Example = "true")]
    public bool Synchronous { get; init; }

    /// <summary>How what lies there is compressed.</summary>
    [Key(KeyKind.Choice, "How what lies there is compressed.", Example = "zstd")]
    public BackupCompression Compression { get; init; } = BackupCompression.Zstd;

    /// <summary>Whether what lies there is encrypted.</summary>
    [Key(KeyKind.Flag, "Whether what lies there is encrypted with a key of the database's own, which the control plane keeps. Without the control plane's store nobody can read it.", Example = "true")]
    public bool Encrypted { get; init; }
}

/// <summary>A schedule of a database. Immutable.</summary>
public sealed record DatabaseScheduleManifest
{
    /// <summary>What is done.</summary>
    [Key(KeyKind.Choice, "What is done. `drill` restores into a scratch cluster and checks it; `retention` deletes what is older than asked.", Name = "does", Required = true, Example = "dump")]
    public required ScheduledWork Work { get; init; }

    /// <summary>When.</summary>
    [Key(KeyKind.Cron, "When: minute, hour, day, month and weekday.", Required = true, Example = "\"0 */6 * * *\"")]
    public required string Cron { get; init; }

    /// <summary>The time zone.</summary>
    [Key(KeyKind.Zone, "The time zone, by its name in the IANA database.", Example = "Europe/Berlin")]
    public string Zone { get; init; } = "UTC";

    /// <summary>How much later it may begin.</summary>
    [Key(KeyKind.Duration, "How much later it may begin; always by the same, so that not everything begins in the same second.", Min = "0s", Max = "12h", Example = "10m")]
    public TimeSpan Jitter { get; init; } = TimeSpan.Zero;

    /// <summary>Dumps and upkeep: the database.</summary>
    [Key(KeyKind.Identifier, "Dumps and upkeep: the database.", Example = "shop", LeftOut = "the first one")]
    public string? Database { get; init; }

    /// <summary>Dumps: the template of their names.</summary>
    [Key(KeyKind.Template, "Dumps: the template of their names, with `YYYYMMDD` and `HHMMSS` in it (T-49).", Example = "loyalty_YYYYMMDD_HHMMSS", LeftOut = "database, date and time")]
    public string? Template { get; init; }
}

/// <summary>How long backups are kept. Immutable.</summary>
public sealed record DatabaseRetentionManifest
{
    /// <summary>Base backups and the log that they need.</summary>
    [Key(KeyKind.Duration, "Base backups and the log that they need: so far back every moment can be restored.", Min = "1h", Max = "3650d", Example = "30d")]
    public TimeSpan Backups { get; init; } = TimeSpan.FromDays(30);

    /// <summary>At most so many base backups.</summary>
    [Key(KeyKind.Count, "At most so many base backups.", Min = "1", Max = "10000", Example = "10", LeftOut = "as many as there are")]
    public int? BackupCount { get; init; }

    /// <summary>Dumps.</summary>
    [Key(KeyKind.Duration, "Dumps.", Min = "1h", Max = "3650d", Example = "90d")]
    public TimeSpan Dumps { get; init; } = TimeSpan.FromDays(30);

    /// <summary>At most so many dumps of each database.</summary>
    [Key(KeyKind.Count, "At most so many dumps of each database.", Min = "1", Max = "10000", Example = "10", LeftOut = "as many as there are")]
    public int? DumpCount { get; init; }
}

/// <summary>What recovery has to achieve (ZM-57..62). Immutable.</summary>
public sealed record DatabaseObjectivesManifest
{
    /// <summary>RTO.</summary>
    [Key(KeyKind.Duration, "RTO: how long recovery may take. Measured by drills.", Name = "rto", Min = "1s", Max = "365d", Example = "1h", LeftOut = "nothing is asked")]
    public TimeSpan? RecoveryTime { get; init; }

    /// <summary>RPO.</summary>
    [Key(KeyKind.Duration, "RPO: how much of the newest changes may be lost. Measured all the time.", Name = "rpo", Min = "0s", Max = "365d", Example = "5m", LeftOut = "nothing is asked")]
    public TimeSpan? RecoveryPoint { get; init; }
}

/// <summary>A check of a restored copy. Immutable.</summary>
public sealed record DatabaseCheckManifest
{
    /// <summary>One statement.</summary>
    [Key(KeyKind.Sql, "One statement. All is well when the first column of its first row is true.", Required = true, Example = "SELECT count(*) > 0 FROM orders")]
    public required string Sql { get; init; }

    /// <summary>What it means.</summary>
    [Key(KeyKind.Sql, "What it means, for whoever reads that it failed.", Example = "there are orders", LeftOut = "the statement")]
    public string? Says { get; init; }

    /// <summary>The database.</summary>
    [Key(KeyKind.Identifier, "The database.", Example = "shop", LeftOut = "the first one")]
    public string? Database { get; init; }
}
