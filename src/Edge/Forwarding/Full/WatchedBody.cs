namespace Groundcrew.Edge;

/// <summary>A request's body as it is read, with what time limits need to know of it. For one reader at a time.</summary>
internal sealed class WatchedBody(Stream inner, Action whole) : Stream
{
    /// <summary>Whether a read waits for the client, or failed when it did.</summary>
    public bool IsWaiting { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        IsWaiting = true;
        var count = await inner.ReadAsync(buffer, cancellationToken);
        IsWaiting = false;
        // The end is read after the last byte was sent.
        if (count == 0 && buffer.Length > 0)
            whole();
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
