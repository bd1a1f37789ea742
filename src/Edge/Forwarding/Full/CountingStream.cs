namespace Groundcrew.Edge;

/// <summary>Passes what is written on, and counts it. For one writer at a time.</summary>
internal sealed class CountingStream(Stream inner, TimeProvider clock) : Stream
{
    /// <summary>How many bytes were handed on.</summary>
    public long Count { get; private set; }

    /// <summary>Since when a write waits for the client, or waited when it failed, as a timestamp; 0 when none does.</summary>
    public long WaitingSince { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        WaitingSince = clock.GetTimestamp();
        await inner.WriteAsync(buffer, cancellationToken);
        (WaitingSince, Count) = (0, Count + buffer.Length);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count)
    {
        inner.Write(buffer, offset, count);
        Count += count;
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
