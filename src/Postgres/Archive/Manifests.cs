namespace Groundcrew.Postgres;

/// <summary>One file of a backup, as it lies in the storage.</summary>
/// <param name="Key">Where.</param>
/// <param name="Bytes">Its size there, compressed and encrypted.</param>
/// <param name="PlainBytes">The size of what is in it.</param>
/// <param name="Sha256">The checksum of what lies there, in lower-case hexadecimal digits.</param>
public sealed record BackupFile(string Key, long Bytes, long PlainBytes, string Sha256);

/// <summary>
/// A physical backup: written last, it is what makes the files of a base backup one (T-49). Kept as JSON beside them
/// (<c>docs/formats/backup-archive.md</c>).
/// </summary>
public sealed record BaseBackupManifest
{
    /// <summary>The version of this shape.</summary>
    public int Format { get; init; } = 1;

    /// <summary>Its name, unique in the cluster's archive: <c>base-YYYYMMDD-HHMMSS</c>, with a digit more when two began in one second.</summary>
    public required string Name { get; init; }

    /// <summary>The cluster.</summary>
    public required string Cluster { get; init; }

    /// <summary>PostgreSQL's number of the cluster (<c>IDENTIFY_SYSTEM</c>).</summary>
    public required string SystemId { get; init; }

    /// <summary>The server's major version.</summary>
    public required int Version { get; init; }

    /// <summary>The timeline that it was taken on.</summary>
    public required uint Timeline { get; init; }

    /// <summary>Where replay begins.</summary>
    public required Lsn Start { get; init; }

    /// <summary>From here on the copy is consistent.</summary>
    public required Lsn Stop { get; init; }

    /// <summary>When it was begun.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When the server had sent all of it: no moment before this one can be restored from it.</summary>
    public required DateTimeOffset StoppedAt { get; init; }

    /// <summary>The data folder as a tar archive; the first one of <see cref="Files"/>. Table spaces follow, and PostgreSQL's own manifest comes last.</summary>
    public required IReadOnlyList<BackupFile> Files { get; init; }

    /// <summary>The folders of table spaces, by their numbers; empty when there are none.</summary>
    public IReadOnlyDictionary<string, string> TableSpaces { get; init; } = new Dictionary<string, string>();

    /// <summary>How files are compressed.</summary>
    public required Compression Compression { get; init; }

    /// <summary>Which key they are encrypted with; null when they are not. Not the key itself: the first 16 digits of its checksum.</summary>
    public string? KeyId { get; init; }

    /// <summary>Why it was taken: <c>schedule</c>, <c>request</c>, <c>gap</c>, <c>before-restore</c>…</summary>
    public required string Reason { get; init; }
}

/// <summary>A logical backup of one database, made by <c>pg_dump</c> in its custom format; kept as JSON beside it and written last.</summary>
public sealed record DumpManifest
{
    /// <summary>The version of this shape.</summary>
    public int Format { get; init; } = 1;

    /// <summary>Its name, by the template of its system (T-49), such as <c>zmos_backup_20261122_020000</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The cluster.</summary>
    public required string Cluster { get; init; }

    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>The server's major version.</summary>
    public required int Version { get; init; }

    /// <summary>The moment whose data it holds.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it was complete.</summary>
    public required DateTimeOffset StoppedAt { get; init; }

    /// <summary>The dump.</summary>
    public required BackupFile File { get; init; }

    /// <summary>How the file is compressed as a whole; the custom format compresses by itself besides.</summary>
    public required Compression Compression { get; init; }

    /// <summary>As in <see cref="BaseBackupManifest.KeyId"/>.</summary>
    public string? KeyId { get; init; }

    /// <summary>As in <see cref="BaseBackupManifest.Reason"/>.</summary>
    public required string Reason { get; init; }
}

/// <summary>How an object is compressed.</summary>
public enum Compression
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>gzip (RFC 1952), suffix <c>.gz</c>.</summary>
    Gzip,

    /// <summary>Zstandard (RFC 8878), suffix <c>.zst</c>.</summary>
    Zstd,
}

/// <summary>What was done with a backup after it was taken. Each is an object of its own, so that a catalogue is made from the storage alone.</summary>
/// <param name="Backup">The backup's name.</param>
/// <param name="Kind">What was done.</param>
/// <param name="At">When.</param>
/// <param name="Words">What was seen, for people.</param>
public sealed record BackupMark(string Backup, MarkKind Kind, DateTimeOffset At, string Words);

/// <summary>The levels of proof that a backup can have (T-50), and what else is remembered of one.</summary>
public enum MarkKind
{
    /// <summary>All checksums of the files in the storage were compared.</summary>
    ChecksumsVerified,

    /// <summary>PostgreSQL's own tool read it (<c>pg_verifybackup</c>, <c>pg_restore --list</c>).</summary>
    ToolVerified,

    /// <summary>It was restored into a scratch cluster and looked at.</summary>
    Restored,

    /// <summary>It did not pass.</summary>
    Damaged,

    /// <summary>Somebody asked that it never be deleted.</summary>
    Kept,
}

/// <summary>
/// A run of WAL as it lies in the storage: a whole segment, or a part of one that was not full yet. The name of its object says
/// all of this, so that a list is enough.
/// </summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="Start">Its first byte.</param>
/// <param name="End">Behind its last byte.</param>
/// <param name="CaughtUpAt">
/// The latest moment at which the server had nothing more than <paramref name="End"/> or less: every transaction that was
/// acknowledged before it lies before <paramref name="End"/>. Null when the receiver was behind all the while.
/// </param>
/// <param name="Key">The object.</param>
/// <param name="Bytes">Its size in the storage.</param>
public sealed record WalPiece(uint Timeline, Lsn Start, Lsn End, DateTimeOffset? CaughtUpAt, string Key, long Bytes)
{
    /// <summary>Whether it is a whole segment.</summary>
    public bool IsSegment => Start.SegmentStart() == Start && End - Start == Lsn.SegmentBytes;
}
