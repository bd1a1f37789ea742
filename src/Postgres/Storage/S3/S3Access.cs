using Amazon.S3;

namespace Groundcrew.Postgres;

/// <summary>A bucket, and how it is asked: every request is watched, tried again, and its failure named. Thread-safe.</summary>
/// <param name="Client">The SDK's client; it is disposed of with the storage.</param>
/// <param name="Bucket">The bucket.</param>
/// <param name="Prefix">What keys begin with there; empty, or with '/' at its end.</param>
/// <param name="Place">The storage, for people.</param>
/// <param name="IsSecure">Whether TLS keeps what is sent from changing on its way.</param>
/// <param name="Limits">How often, how long, how much.</param>
/// <param name="Clock">Tells stalls and pauses.</param>
internal sealed record S3Access(AmazonS3Client Client, string Bucket, string Prefix, string Place, bool IsSecure, S3Limits Limits, TimeProvider Clock)
{
    /// <summary>Asks until it is answered, or has been tried often enough.</summary>
    /// <param name="doing">What is being done, such as <c>read 'a/b'</c>.</param>
    /// <param name="request">Makes the request, under the guard's token.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="stall">Another limit than the usual one.</param>
    /// <exception cref="BackupStorageException">It was not done.</exception>
    public async Task<T> AskAsync<T>(string doing, Func<StallGuard, Task<T>> request, CancellationToken cancellation, TimeSpan? stall = null)
    {
        for (var tries = 1; ; tries++)
        {
            BackupStorageException failure;
            using (var guard = new StallGuard(stall ?? Limits.Stall, Clock, cancellation))
            {
                try
                {
                    return await request(guard);
                }
                catch (Exception e) when (S3Faults.Named(e, doing, Place) is { } named)
                {
                    failure = named;
                }
            }
            cancellation.ThrowIfCancellationRequested();
            if (!MayHelp(failure) || tries >= Limits.Tries)
                throw failure;
            await PauseAsync(tries, cancellation);
        }
    }

    /// <summary>Waits before another try.</summary>
    /// <param name="tries">How many there were.</param>
    /// <param name="cancellation">Gives up.</param>
    public Task PauseAsync(int tries, CancellationToken cancellation) => Task.Delay(Limits.FirstPause * Math.Pow(2, tries - 1), Clock, cancellation);

    private static bool MayHelp(BackupStorageException e) => e.Failure is StorageFailure.Unavailable or StorageFailure.Damaged;
}
