#pragma warning disable CS9113, IDE0060, MA0025 // A sketch for the others of this room; its body comes next.
namespace Groundcrew.Postgres.OnNode;

/// <summary>A base backup that is asked for. Immutable.</summary>
internal sealed record BaseBackupRequest
{
    /// <summary>The cluster's name.</summary>
    public required string Cluster { get; init; }

    /// <summary>The server's major version; another one is refused in words.</summary>
    public required int Version { get; init; }

    /// <summary>The server.</summary>
    public required ReplicationTarget Server { get; init; }

    /// <summary>Why; see <see cref="BaseBackupManifest.Reason"/>.</summary>
    public required string Reason { get; init; }

    /// <summary>How fast at most; null for no limit.</summary>
    public long? MaxBytesPerSecond { get; init; }

    /// <summary>The receiver that keeps this server's log in the same archive; without one, the log of the backup itself is stored with it.</summary>
    public WalReceiver? Receiver { get; init; }

    /// <summary>How long the receiver may take to store the log of the backup once the copy is complete.</summary>
    public TimeSpan WalLimit { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>Takes base backups over the replication protocol straight into an archive. Thread-safe; several may be taken at once.</summary>
/// <param name="clock">Tells time.</param>
internal sealed class BaseBackupTaker(TimeProvider clock)
{
    /// <summary>Takes one. When it throws or is cancelled, nothing of it stays in the archive as far as the storage still answers.</summary>
    /// <returns>The manifest, which was written last.</returns>
    /// <exception cref="JobFailedException">It was not taken; the message says why and what to do.</exception>
    public Task<BaseBackupManifest> TakeAsync(BaseBackupRequest request, Pieces pieces, JobProgress progress, CancellationToken cancellation) =>
        throw new NotImplementedException();
}
