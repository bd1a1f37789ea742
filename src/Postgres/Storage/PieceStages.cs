using System.Security.Cryptography;

namespace Groundcrew.Postgres;

/// <summary>One of the streams behind a <see cref="PieceWriter"/>. Disposing of it disposes of those behind it, and writes nothing.</summary>
internal abstract class PieceStage : ObjectWriteStream
{
    /// <summary>Hands on what it still holds, and lets the stages behind it do the same. Nothing may be written after it.</summary>
    public abstract Task FinishAsync(CancellationToken cancellation);
}

/// <summary>The last stage: what arrives here lies in the storage.</summary>
internal sealed class StoredStage(BackupUpload upload) : PieceStage
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int _isDisposed;

    /// <summary>How much arrived.</summary>
    public long Bytes { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _hash.AppendData(buffer.Span);
        await upload.WriteAsync(buffer, cancellationToken);
        Bytes += buffer.Length;
    }

    /// <inheritdoc/>
    public override Task FinishAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>Makes the object visible.</summary>
    public async Task<(long Bytes, string Sha256)> CompleteAsync(CancellationToken cancellation)
    {
        var stored = await upload.CompleteAsync(cancellation);
        return stored.Bytes == Bytes ? (Bytes, Convert.ToHexStringLower(_hash.GetHashAndReset()))
            : throw new BackupStorageException(StorageFailure.Damaged, $"The storage has {stored.Bytes} bytes of '{stored.Key}', of {Bytes}.");
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        _hash.Dispose();
        await upload.DisposeAsync();
        await base.DisposeAsync();
    }
}
