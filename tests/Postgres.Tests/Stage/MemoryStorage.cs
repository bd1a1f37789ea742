using System.Runtime.CompilerServices;
using System.Text;

namespace Groundcrew.Postgres.Tests.Stage;

/// <summary>A storage in memory that keeps the promise of <see cref="IBackupStorage"/> and does what a test makes it do. Thread-safe.</summary>
internal sealed class MemoryStorage(TimeProvider clock) : IBackupStorage
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, (byte[] Bytes, DateTimeOffset At)> _objects = new(StringComparer.Ordinal);
    private int _opened;

    public string Place => "memory";

    /// <summary>How many objects were opened.</summary>
    public int Opened => Volatile.Read(ref _opened);

    /// <summary>Called before each object of a list is given out, with its key; may change the storage.</summary>
    public Action<string>? OnListed { get; set; }

    /// <summary>Called before an object is opened; throws what opening should throw.</summary>
    public Action<string>? OnOpening { get; set; }

    /// <summary>Called with each batch that is deleted, before it is.</summary>
    public Action<IReadOnlyCollection<string>>? OnDeleting { get; set; }

    /// <summary>The keys that are there.</summary>
    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_lock)
                return [.. _objects.Keys];
        }
    }

    public void Put(string key, byte[] bytes, DateTimeOffset? at = null)
    {
        lock (_lock)
            _objects[key] = (bytes, at ?? clock.GetUtcNow());
    }

    public void Put(string key, string text, DateTimeOffset? at = null) => Put(key, Encoding.UTF8.GetBytes(text), at);

    public byte[] Get(string key)
    {
        lock (_lock)
            return _objects[key].Bytes;
    }

    public void Delete(params string[] keys)
    {
        lock (_lock)
        {
            foreach (var key in keys)
                _objects.Remove(key);
        }
    }

    public BackupUpload Begin(string key) => new Upload(this, key);

    public Task<Stream> OpenAsync(string key, CancellationToken cancellation)
    {
        OnOpening?.Invoke(key);
        Interlocked.Increment(ref _opened);
        lock (_lock)
        {
            return _objects.TryGetValue(key, out var found)
                ? Task.FromResult<Stream>(new MemoryStream(found.Bytes, writable: false))
                : Task.FromException<Stream>(new BackupStorageException(StorageFailure.NotFound, $"There is no object '{key}' in memory."));
        }
    }

    /// <summary>Walks through the keys as a storage with pages does: what happens meanwhile is seen from there on.</summary>
    public async IAsyncEnumerable<StoredObject> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.Yield();
        for (var last = ""; Next(last, prefix) is { } next; last = next.Key)
        {
            cancellation.ThrowIfCancellationRequested();
            OnListed?.Invoke(next.Key);
            yield return next;
        }
    }

    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellation)
    {
        OnDeleting?.Invoke(keys);
        Delete([.. keys]);
        return Task.CompletedTask;
    }

    public void Dispose()
    {
    }

    private StoredObject? Next(string after, string prefix)
    {
        lock (_lock)
        {
            foreach (var (key, value) in _objects)
            {
                if (string.CompareOrdinal(key, after) > 0 && key.StartsWith(prefix, StringComparison.Ordinal))
                    return new(key, value.Bytes.Length, value.At);
            }
            return null;
        }
    }

    private sealed class Upload(MemoryStorage storage, string key) : BackupUpload
    {
        private readonly MemoryStream _bytes = new();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
        {
            _bytes.Write(bytes.Span);
            return ValueTask.CompletedTask;
        }

        public override Task<StoredObject> CompleteAsync(CancellationToken cancellation)
        {
            var at = storage.Now();
            storage.Put(key, _bytes.ToArray(), at);
            return Task.FromResult(new StoredObject(key, _bytes.Length, at));
        }

        public override ValueTask DisposeAsync() => _bytes.DisposeAsync();
    }

    private DateTimeOffset Now() => clock.GetUtcNow();
}
