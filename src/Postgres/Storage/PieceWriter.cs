namespace Groundcrew.Postgres;

/// <summary>An object that is being written; see <see cref="Pieces.Begin"/>. For one writer; disposing without completing leaves nothing behind.</summary>
internal sealed class PieceWriter : ObjectWriteStream
{
    private readonly string _key;
    private readonly PieceStage _first;
    private readonly StoredStage _stored;
    private bool _isOver;

    /// <summary>Over the stages that change what is written.</summary>
    /// <param name="key">The whole key.</param>
    /// <param name="first">Takes what is written.</param>
    /// <param name="stored">The last of them.</param>
    internal PieceWriter(string key, PieceStage first, StoredStage stored)
    {
        _key = key;
        _first = first;
        _stored = stored;
    }

    /// <summary>How much was written.</summary>
    public long PlainBytes { get; private set; }

    /// <summary>How much of it the storage was given so far, compressed and encrypted.</summary>
    public long StoredBytes => _stored.Bytes;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        try
        {
            await _first.WriteAsync(buffer, cancellationToken);
            PlainBytes += buffer.Length;
        }
        catch
        {
            // Some of it may be in the object and some not, so that there is no going on.
            _isOver = true;
            throw;
        }
    }

    /// <summary>Makes it durable and visible. After it only disposing is allowed.</summary>
    /// <exception cref="BackupStorageException">The storage did not take it.</exception>
    public async Task<BackupFile> CompleteAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_isOver, this);
        _isOver = true;
        await _first.FinishAsync(cancellation);
        var stored = await _stored.CompleteAsync(cancellation);
        return new(_key, stored.Bytes, PlainBytes, stored.Sha256);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        _isOver = true;
        await _first.DisposeAsync();
        await base.DisposeAsync();
    }
}
