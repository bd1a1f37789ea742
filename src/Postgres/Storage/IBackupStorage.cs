namespace Groundcrew.Postgres;

/// <summary>One object of a storage.</summary>
/// <param name="Key">Its whole key, such as <c>acme-main/7294.../wal/...</c>.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="ModifiedAt">When it was written, by the storage's clock.</param>
public sealed record StoredObject(string Key, long Bytes, DateTimeOffset ModifiedAt);

/// <summary>
/// Where backups lie: a flat space of keys, which are parts of names with a '/' between (<see cref="ArgumentException"/> for what is
/// none: an empty part, <c>.</c> or <c>..</c>, a control character, more than 1024 bytes; none begins with a dot). No key may be the
/// folder of another, such as <c>a</c> of <c>a/b</c>. Implementations are thread-safe, pass the same compliance tests, and keep one
/// promise: an object is there whole and durable, or not there at all.
/// </summary>
public interface IBackupStorage : IDisposable
{
    /// <summary>Where it is, for people; never with credentials.</summary>
    string Place { get; }

    /// <summary>Begins an object. It becomes visible, and replaces one of the same key, when the upload is completed.</summary>
    BackupUpload Begin(string key);

    /// <summary>Reads an object from its beginning. Checks of the storage itself (S3's checksums) are made while reading.</summary>
    /// <exception cref="BackupStorageException">It is not there, or cannot be read.</exception>
    Task<Stream> OpenAsync(string key, CancellationToken cancellation);

    /// <summary>The objects whose keys begin so, by key in the order of their bytes.</summary>
    IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancellation);

    /// <summary>
    /// Deletes objects durably; those that are not there are fine. In one call they go in any order: what must go first is deleted
    /// by a call of its own.
    /// </summary>
    Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellation);
}

/// <summary>An object that is being written. For one writer; disposing without <see cref="CompleteAsync"/> leaves nothing behind.</summary>
public abstract class BackupUpload : IAsyncDisposable
{
    /// <summary>Adds bytes; waits when the storage is slower than the writer, so that little is held in memory.</summary>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation);

    /// <summary>Makes the object durable and visible. After it only disposing is allowed.</summary>
    public abstract Task<StoredObject> CompleteAsync(CancellationToken cancellation);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}

/// <summary>Why a storage did not do it.</summary>
public enum StorageFailure
{
    /// <summary>There is no such object, bucket or folder.</summary>
    NotFound,

    /// <summary>The credentials or permissions do not suffice.</summary>
    Refused,

    /// <summary>There is no room.</summary>
    Full,

    /// <summary>It does not answer or breaks off; trying again may help, and has been tried.</summary>
    Unavailable,

    /// <summary>What came back is not what was written.</summary>
    Damaged,
}

/// <summary>A storage did not do what was asked. The message is for people and says what to look at.</summary>
public sealed class BackupStorageException(StorageFailure failure, string message, Exception? cause = null) : IOException(message, cause)
{
    /// <summary>Why.</summary>
    public StorageFailure Failure { get; } = failure;
}

/// <summary>
/// Names a storage: a folder (<c>/srv/backups</c>, <c>file:///srv/backups</c>) or a bucket of anything that speaks S3
/// (<c>s3://bucket/prefix</c>). Immutable.
/// </summary>
/// <param name="Url">The place.</param>
/// <param name="Endpoint">S3: the server's address when it is not Amazon's, such as <c>http://127.0.0.1:9000</c>.</param>
/// <param name="Region">S3: the region; <c>us-east-1</c> when it is null.</param>
public sealed record StorageSpec(string Url, string? Endpoint = null, string? Region = null);
