using System.Text.Json.Serialization;

namespace Groundcrew.Postgres;

/// <summary>
/// Work that a node does once for a cluster: the payload of a node task of kind <see cref="TaskKind"/>, whose key is <c>job-</c>
/// and the job's id. Idempotent: the same id is done once, and what it came to is reported until the job is dropped. A node that
/// was ended in the middle of one reports it as failed, with nothing half left behind.
/// </summary>
/// <param name="Id">The job.</param>
/// <param name="ClusterId">The cluster; its secrets are asked for by it.</param>
/// <param name="Work">What to do.</param>
/// <param name="Desire">What should become of it.</param>
public sealed record ClusterJob(Guid Id, Guid ClusterId, ClusterWork Work, JobDesire Desire = JobDesire.Done)
{
    /// <summary>The kind of node tasks that carry it.</summary>
    public const string TaskKind = "cluster-job";
}

/// <summary>What should become of a job.</summary>
public enum JobDesire
{
    /// <summary>It is done.</summary>
    Done,

    /// <summary>It is broken off, and what it made is removed.</summary>
    Cancelled,

    /// <summary>It is over and read: the node forgets it.</summary>
    Dropped,
}

/// <summary>What a job does. Each kind has its own result.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(TakeBaseBackup), "base-backup")]
[JsonDerivedType(typeof(TakeDump), "dump")]
[JsonDerivedType(typeof(VerifyBackup), "verify")]
[JsonDerivedType(typeof(RestoreCluster), "restore")]
[JsonDerivedType(typeof(RestoreDump), "restore-dump")]
[JsonDerivedType(typeof(RunDrill), "drill")]
[JsonDerivedType(typeof(DeleteBackups), "delete")]
[JsonDerivedType(typeof(Maintain), "maintain")]
public abstract record ClusterWork;

/// <summary>A physical backup of a server of this node, or of one that is reached by its address.</summary>
/// <param name="ServerId">The server of this node.</param>
/// <param name="Archive">Where it goes.</param>
/// <param name="Reason">Why; see <see cref="BaseBackupManifest.Reason"/>.</param>
/// <param name="MaxBytesPerSecond">How fast at most; null for no limit.</param>
public sealed record TakeBaseBackup(Guid ServerId, ArchiveSpec Archive, string Reason, long? MaxBytesPerSecond = null) : ClusterWork;

/// <summary>A logical backup of one database.</summary>
/// <param name="ServerId">The server of this node.</param>
/// <param name="Database">The database.</param>
/// <param name="Name">The dump's name.</param>
/// <param name="Archive">Where it goes.</param>
/// <param name="Reason">Why.</param>
public sealed record TakeDump(Guid ServerId, string Database, string Name, ArchiveSpec Archive, string Reason) : ClusterWork;

/// <summary>How thoroughly a backup is looked at (T-50).</summary>
public enum VerifyLevel
{
    /// <summary>The checksums of its objects.</summary>
    Checksums,

    /// <summary>Also by PostgreSQL's own tool.</summary>
    Tool,
}

/// <summary>Looks at a backup in the storage, without restoring it.</summary>
/// <param name="Cluster">The cluster's name.</param>
/// <param name="Backup">The name of the base backup or dump.</param>
/// <param name="Archive">Where it lies.</param>
/// <param name="Level">How thoroughly.</param>
public sealed record VerifyBackup(string Cluster, string Backup, ArchiveSpec Archive, VerifyLevel Level) : ClusterWork;

/// <summary>The moment that a restore aims at. Exactly one of the properties is set, or none for the latest.</summary>
/// <param name="Time">The last transactions committed at or before this moment.</param>
/// <param name="Position">Everything up to this place.</param>
/// <param name="Name">A named point (<c>pg_create_restore_point</c>).</param>
public sealed record RecoveryTarget(DateTimeOffset? Time = null, Lsn? Position = null, string? Name = null);

/// <summary>Makes a data folder for a server of this node from the archive, and recovers it; the server's task then starts it.</summary>
/// <param name="Server">The server as it will be: a new one for a side copy, the existing one in place.</param>
/// <param name="Source">The name of the cluster whose archive it is.</param>
/// <param name="SystemId">Which of its histories, when there are several; null for the newest.</param>
/// <param name="Target">The moment.</param>
/// <param name="Archive">Where the archive is.</param>
public sealed record RestoreCluster(ClusterSpec Server, string Source, string? SystemId, RecoveryTarget Target, ArchiveSpec Archive) : ClusterWork;

/// <summary>Restores a dump into a database of a running server; the database is made, and must not be there yet.</summary>
/// <param name="ServerId">The server of this node.</param>
/// <param name="Source">The name of the cluster whose dump it is.</param>
/// <param name="Dump">The dump's name.</param>
/// <param name="Database">The database to be made.</param>
/// <param name="Owner">The role that will own it.</param>
/// <param name="Archive">Where the dump is.</param>
public sealed record RestoreDump(Guid ServerId, string Source, string Dump, string Database, string Owner, ArchiveSpec Archive) : ClusterWork;

/// <summary>One SQL check of a system: it passes when its first column of its first row is true.</summary>
/// <param name="Database">Where.</param>
/// <param name="Sql">The statement.</param>
/// <param name="Words">What it means.</param>
public sealed record SqlCheck(string Database, string Sql, string Words);

/// <summary>Proves that the archive comes back: restores it into a scratch cluster to a moment, checks it, measures, and removes it (U-49).</summary>
/// <param name="Source">The name of the cluster.</param>
/// <param name="Version">Its major version.</param>
/// <param name="Target">The moment; none of its properties for the latest.</param>
/// <param name="Checks">The system's own checks.</param>
/// <param name="Archive">Where the archive is.</param>
/// <param name="MemoryBytes">What the scratch cluster may use.</param>
public sealed record RunDrill(string Source, int Version, RecoveryTarget Target, IReadOnlyList<SqlCheck> Checks, ArchiveSpec Archive, long MemoryBytes) : ClusterWork;

/// <summary>Deletes what retention chose: the manifests first, then what they named.</summary>
/// <param name="Cluster">The cluster's name.</param>
/// <param name="Keys">Every object, in the order of deletion.</param>
/// <param name="Archive">Where they lie.</param>
public sealed record DeleteBackups(string Cluster, IReadOnlyList<string> Keys, ArchiveSpec Archive) : ClusterWork;

/// <summary>One kind of upkeep.</summary>
public enum Upkeep
{
    /// <summary><c>VACUUM (ANALYZE)</c>.</summary>
    Vacuum,

    /// <summary><c>REINDEX CONCURRENTLY</c> of bloated indexes, or of those that are named.</summary>
    Reindex,
}

/// <summary>Upkeep of one database, table by table, so that it may be broken off between two (LO-49..56).</summary>
/// <param name="ServerId">The server of this node.</param>
/// <param name="Database">The database.</param>
/// <param name="Upkeep">What.</param>
/// <param name="Only">Tables or indexes by name; empty for all that need it.</param>
public sealed record Maintain(Guid ServerId, string Database, Upkeep Upkeep, IReadOnlyList<string> Only) : ClusterWork;

/// <summary>Where a job stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JobState>))]
public enum JobState
{
    /// <summary>It waits for another of its cluster.</summary>
    Waiting,

    /// <summary>It is being done.</summary>
    Running,

    /// <summary>It is done.</summary>
    Succeeded,

    /// <summary>It was not done, and left nothing half behind.</summary>
    Failed,

    /// <summary>It was broken off, as wanted.</summary>
    Cancelled,
}

/// <summary>What a node observes of one job; the report under its task's key.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Words">The latest of what it does, or why it failed and what to do.</param>
/// <param name="DoneBytes">How much is done.</param>
/// <param name="TotalBytes">Of how much, as far as it is known; 0 when it is not.</param>
/// <param name="StartedAt">When it was begun; null while it waits.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Result">What came of it, by its kind; null otherwise.</param>
public sealed record JobStatus(
    JobState State, string Words, long DoneBytes, long TotalBytes, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, JobResult? Result);

/// <summary>What came of a job, by its kind.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(BaseBackupTaken), "base-backup")]
[JsonDerivedType(typeof(DumpTaken), "dump")]
[JsonDerivedType(typeof(BackupVerified), "verify")]
[JsonDerivedType(typeof(ClusterRestored), "restore")]
[JsonDerivedType(typeof(DrillDone), "drill")]
[JsonDerivedType(typeof(UpkeepDone), "maintain")]
public abstract record JobResult;

/// <summary>A base backup is there.</summary>
/// <param name="Manifest">What it is.</param>
public sealed record BaseBackupTaken(BaseBackupManifest Manifest) : JobResult;

/// <summary>A dump is there.</summary>
/// <param name="Manifest">What it is.</param>
public sealed record DumpTaken(DumpManifest Manifest) : JobResult;

/// <summary>A backup was looked at.</summary>
/// <param name="IsGood">Whether it passed.</param>
/// <param name="Findings">What was wrong; empty when it passed.</param>
public sealed record BackupVerified(bool IsGood, IReadOnlyList<string> Findings) : JobResult;

/// <summary>A data folder was made and recovered.</summary>
/// <param name="Backup">The base backup that it began with.</param>
/// <param name="Reached">Where recovery ended.</param>
/// <param name="LastCommitAt">The commit time of the last transaction that was replayed; null when there was none.</param>
/// <param name="Timeline">The timeline that it goes on with.</param>
/// <param name="Took">From the start to a server that answers.</param>
public sealed record ClusterRestored(string Backup, Lsn Reached, DateTimeOffset? LastCommitAt, uint Timeline, TimeSpan Took) : JobResult;

/// <summary>A drill ended.</summary>
/// <param name="Restored">What was restored; null when it did not come back.</param>
/// <param name="IsGood">Whether everything passed.</param>
/// <param name="Findings">What did not.</param>
/// <param name="Took">The measured recovery time: from the start to "verified".</param>
/// <param name="Lost">The measured recovery point: the distance from the wanted moment to what came back.</param>
public sealed record DrillDone(ClusterRestored? Restored, bool IsGood, IReadOnlyList<string> Findings, TimeSpan Took, TimeSpan Lost) : JobResult;

/// <summary>Upkeep ended.</summary>
/// <param name="Lines">What was done, a line for each table or index, with its time and bytes.</param>
/// <param name="FreedBytes">How much smaller the database became.</param>
public sealed record UpkeepDone(IReadOnlyList<string> Lines, long FreedBytes) : JobResult;
