namespace Groundcrew.Postgres;

/// <summary>Breaks a request off when no byte moved for some time. For one request.</summary>
internal sealed class StallGuard : IDisposable
{
    private readonly TimeSpan _limit;
    private readonly CancellationTokenSource _source;
    private readonly ITimer _timer;
    private volatile bool _hasStalled;

    /// <summary>Begins to watch.</summary>
    public StallGuard(TimeSpan limit, TimeProvider clock, CancellationToken cancellation)
    {
        _limit = limit;
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _timer = clock.CreateTimer(_ => BreakOff(), state: null, limit, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Is cancelled with the request, or when it stalls.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Whether it was broken off.</summary>
    public bool HasStalled => _hasStalled;

    /// <summary>Something moved.</summary>
    public void Touch() => _timer.Change(_limit, Timeout.InfiniteTimeSpan);

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _source.Dispose();
    }

    private void BreakOff()
    {
        _hasStalled = true;
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The request ended at the same moment.
        }
    }
}

/// <summary>A part of an object on its way out: a new one for each try.</summary>
internal sealed class GuardedPart(byte[] bytes, int length, StallGuard guard) : MemoryStream(bytes, 0, length, writable: false)
{
    private readonly ReadOnlyMemory<byte> _bytes = bytes;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        guard.Touch();
        return base.Read(buffer);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        guard.Touch();
        return base.Read(buffer, offset, count);
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        guard.Touch();
        return base.ReadAsync(buffer, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        guard.Touch();
        return base.ReadAsync(buffer, offset, count, cancellationToken);
    }

    /// <summary>In pieces, so that it is seen how they go.</summary>
    public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
    {
        const int Piece = 128 * 1024;
        for (var left = Length - Position; left > 0; left = Length - Position)
        {
            guard.Touch();
            var size = (int)Math.Min(Piece, left);
            await destination.WriteAsync(_bytes.Slice((int)Position, size), cancellationToken);
            Position += size;
        }
        guard.Touch();
    }
}
