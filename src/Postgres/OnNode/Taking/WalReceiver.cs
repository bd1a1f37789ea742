#pragma warning disable CS9113, IDE0060, MA0025 // A sketch for the others of this room; its body comes next.
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Keeps the log of one primary in an archive, by a loop of its own: streams it from a slot, stores it in runs of at most
/// <see cref="WalReceiverOptions.FlushEvery"/>, confirms to the server only what the storage has, and goes on by itself after every
/// failure. Thread-safe.
/// </summary>
/// <param name="options">What it keeps.</param>
/// <param name="pieces">The archive.</param>
/// <param name="metrics">Where its figures go.</param>
/// <param name="clock">Tells time.</param>
/// <param name="gapFound">Called for every range that is lost for the archive: a new base backup is needed. Quick, and never throws.</param>
internal sealed class WalReceiver(WalReceiverOptions options, Pieces pieces, MetricRegistry metrics, TimeProvider clock, Action<WalGap>? gapFound = null) : IAsyncDisposable
{
    /// <summary>The slot's name, and the application name that <c>synchronous_standby_names</c> has for the synchronous mode.</summary>
    public const string Name = "crew_archive";

    /// <summary>How the archive stands.</summary>
    public ArchiveStatus Status => throw new NotImplementedException();

    /// <summary>Begins. Once.</summary>
    public void Start() => throw new NotImplementedException();

    /// <summary>Waits until the storage has the log of a timeline up to a place, which is stored without waiting for its time; false when <paramref name="limit"/> passed first.</summary>
    public Task<bool> WaitUntilStoredAsync(uint timeline, Lsn place, TimeSpan limit, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>A base backup that begins there was stored: gaps before it no longer matter.</summary>
    public void BaseBackupTaken(Lsn start) => throw new NotImplementedException();

    /// <summary>Stores what was received, as far as the storage answers within a few seconds, and ends. The slot stays.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
