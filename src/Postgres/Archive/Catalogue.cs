namespace Groundcrew.Postgres;

/// <summary>
/// An interval of which every moment can be restored: a base backup, and the log from its start without a gap. Made from what
/// the storage holds, never guessed.
/// </summary>
/// <param name="SystemId">The history that it belongs to.</param>
/// <param name="Base">The base backup that it begins with.</param>
/// <param name="Timeline">The timeline that it ends on.</param>
/// <param name="From">The first place that can be restored: where the base backup is consistent.</param>
/// <param name="FromTime">The first moment.</param>
/// <param name="To">The last place.</param>
/// <param name="ToTime">The last moment of which it is sure that everything acknowledged is there.</param>
public sealed record RecoveryWindow(string SystemId, string Base, uint Timeline, Lsn From, DateTimeOffset FromTime, Lsn To, DateTimeOffset ToTime);

/// <summary>Where a timeline left another (PostgreSQL's history files).</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="Parent">The one that it left.</param>
/// <param name="At">Where.</param>
public sealed record TimelineFork(uint Timeline, uint Parent, Lsn At);

/// <summary>What the archive of one history of a cluster holds.</summary>
/// <param name="SystemId">PostgreSQL's number of the cluster.</param>
/// <param name="Bases">The base backups, oldest first.</param>
/// <param name="Wal">The log, in the order of timelines and places.</param>
/// <param name="Forks">The history of its timelines.</param>
public sealed record ArchiveHistory(string SystemId, IReadOnlyList<BaseBackupManifest> Bases, IReadOnlyList<WalPiece> Wal, IReadOnlyList<TimelineFork> Forks);

/// <summary>What a cluster's archive holds: read from the storage alone. Immutable.</summary>
/// <param name="Cluster">The cluster's name.</param>
/// <param name="Histories">Its histories by the time of their newest base backup; a cluster made anew under its name begins another.</param>
/// <param name="Dumps">The dumps, oldest first.</param>
/// <param name="Marks">What was done with the backups, oldest first.</param>
/// <param name="Unfinished">Objects that no manifest names: of backups that are being taken, or that were broken off.</param>
/// <param name="Problems">What could not be read, for people.</param>
public sealed record Catalogue(
    string Cluster, IReadOnlyList<ArchiveHistory> Histories, IReadOnlyList<DumpManifest> Dumps, IReadOnlyList<BackupMark> Marks,
    IReadOnlyList<StoredObject> Unfinished, IReadOnlyList<string> Problems)
{
    /// <summary>Keys of manifests, marks and history files that are there and could not be read: whatever they say may still hold.</summary>
    public IReadOnlyList<string> Unread { get; init; } = [];
}

/// <summary>A stretch of time of which nothing can be restored, between two that can. For people to see.</summary>
/// <param name="SystemId">The history that goes on behind it.</param>
/// <param name="From">The last place before it.</param>
/// <param name="To">The first place behind it; null when nothing is restorable behind it.</param>
/// <param name="FromTime">The last moment before it.</param>
/// <param name="ToTime">The first moment behind it; null when there is none.</param>
public sealed record RecoveryGap(string SystemId, Lsn From, Lsn? To, DateTimeOffset FromTime, DateTimeOffset? ToTime);

/// <summary>What a restore will do, before it does it.</summary>
/// <param name="SystemId">The history.</param>
/// <param name="Base">The base backup that it begins with.</param>
/// <param name="Wal">The log that it needs, in order.</param>
/// <param name="Forks">The history files that it needs.</param>
/// <param name="Timeline">The timeline that it follows.</param>
/// <param name="Target">The moment.</param>
/// <param name="Bytes">How much has to be fetched.</param>
public sealed record RecoveryPlan(
    string SystemId, BaseBackupManifest Base, IReadOnlyList<WalPiece> Wal, IReadOnlyList<TimelineFork> Forks, uint Timeline, RecoveryTarget Target, long Bytes);

/// <summary>How long backups are kept (ZM-54, ZZ-116..119, T-51). What is not given is kept for ever.</summary>
/// <param name="BaseFor">Base backups, and the log that they need, are kept so long.</param>
/// <param name="BaseCount">And at most so many.</param>
/// <param name="DumpsFor">Dumps are kept so long.</param>
/// <param name="DumpCount">And at most so many of each database.</param>
public sealed record RetentionPolicy(TimeSpan? BaseFor = null, int? BaseCount = null, TimeSpan? DumpsFor = null, int? DumpCount = null);

/// <summary>What retention would delete, and why it keeps the rest.</summary>
/// <param name="Delete">Names of backups.</param>
/// <param name="Keys">Every object to delete, in the order of deletion: manifests before what they name.</param>
/// <param name="Bytes">How much becomes free.</param>
/// <param name="Kept">Names of backups that are older than asked and stay, with the reason.</param>
public sealed record RetentionPlan(IReadOnlyList<string> Delete, IReadOnlyList<string> Keys, long Bytes, IReadOnlyDictionary<string, string> Kept);
