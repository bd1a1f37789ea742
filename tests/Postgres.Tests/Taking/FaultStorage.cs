namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>A storage that fails, stalls or is full when a test says so.</summary>
internal sealed class FaultStorage(IBackupStorage inner) : IBackupStorage
{
    private int _completed;

    /// <summary>What completing an object throws; null for nothing.</summary>
    public volatile Func<string, Exception?>? Failing;

    /// <summary>What completing an object waits for first.</summary>
    public volatile Task Stalling = Task.CompletedTask;

    /// <summary>How many objects were completed.</summary>
    public int Completed => Volatile.Read(ref _completed);

    public string Place => inner.Place;

    public BackupUpload Begin(string key) => new Upload(this, inner.Begin(key), key);

    public Task<Stream> OpenAsync(string key, CancellationToken cancellation) => inner.OpenAsync(key, cancellation);

    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancellation) => inner.ListAsync(prefix, cancellation);

    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellation) => inner.DeleteAsync(keys, cancellation);

    public void Dispose() => inner.Dispose();

    private sealed class Upload(FaultStorage storage, BackupUpload inner, string key) : BackupUpload
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => inner.WriteAsync(bytes, cancellation);

        public override async Task<StoredObject> CompleteAsync(CancellationToken cancellation)
        {
            await storage.Stalling.WaitAsync(cancellation);
            if (storage.Failing?.Invoke(key) is { } failure)
                throw failure;
            var stored = await inner.CompleteAsync(cancellation);
            Interlocked.Increment(ref storage._completed);
            return stored;
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
