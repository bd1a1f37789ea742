using System.Buffers;
using System.IO.Compression;

namespace Groundcrew.Edge;

/// <summary>
/// The body of an answer, encoded on its way to the client. It holds what one write made and what the coding keeps by
/// itself, which is less than two megabytes. For one writer at a time.
/// </summary>
/// <param name="inner">Where the encoded bytes go; it stays open.</param>
/// <param name="coding">The coding.</param>
/// <param name="isPrompt">Whether each write is to reach the client at once, since nobody knows when the next comes.</param>
internal sealed class EncodedBody(Stream inner, Coding coding, bool isPrompt) : Stream
{
    /// <summary>Dear enough to help, cheap enough to be done for each answer.</summary>
    private const int Quality = 4;

    /// <summary>256 KiB to look back over: more costs each answer megabytes.</summary>
    private const int WindowBits = 18;

    private const int Room = 16 * 1024;
    private readonly MemoryStream _made = new();
    private readonly Encoder _encoder = coding == Coding.Brotli ? new Brotli() : new Gzip();

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
        // Not where the bytes arrived: other connections' bytes arrive there too.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        _encoder.Write(buffer.Span, _made);
        if (isPrompt)
            _encoder.Flush(_made);
        await PassOnAsync(cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    /// <summary>The body is whole: sends its end.</summary>
    public async Task CompleteAsync(CancellationToken cancellation)
    {
        _encoder.Finish(_made);
        await PassOnAsync(cancellation);
    }

    public override void Flush() => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _encoder.Dispose();
            _made.Dispose();
        }
        base.Dispose(disposing);
    }

    private async ValueTask PassOnAsync(CancellationToken cancellation)
    {
        if (_made.Length == 0)
            return;
        await inner.WriteAsync(_made.GetBuffer().AsMemory(0, (int)_made.Length), cancellation);
        _made.SetLength(0);
    }

    private abstract class Encoder : IDisposable
    {
        public abstract void Write(ReadOnlySpan<byte> bytes, MemoryStream to);

        public abstract void Flush(MemoryStream to);

        public abstract void Finish(MemoryStream to);

        public abstract void Dispose();
    }

    private sealed class Gzip : Encoder
    {
        private GZipStream? _stream;

        public override void Write(ReadOnlySpan<byte> bytes, MemoryStream to) => StreamTo(to).Write(bytes);

        public override void Flush(MemoryStream to) => StreamTo(to).Flush();

        public override void Finish(MemoryStream to) => StreamTo(to).Dispose();

        public override void Dispose() => _stream?.Dispose();

        private GZipStream StreamTo(MemoryStream to) => _stream ??= new GZipStream(to, new ZLibCompressionOptions { CompressionLevel = Quality }, leaveOpen: true);
    }

    private sealed class Brotli : Encoder
    {
        private BrotliEncoder _encoder = new(Quality, WindowBits);

        public override void Write(ReadOnlySpan<byte> bytes, MemoryStream to) => Compress(bytes, to, isFinal: false);

        public override void Finish(MemoryStream to) => Compress([], to, isFinal: true);

        public override void Flush(MemoryStream to)
        {
            Span<byte> room = stackalloc byte[1024];
            OperationStatus status;
            do
            {
                status = _encoder.Flush(room, out var count);
                to.Write(room[..count]);
            }
            while (status == OperationStatus.DestinationTooSmall);
        }

        public override void Dispose() => _encoder.Dispose();

        private void Compress(ReadOnlySpan<byte> bytes, MemoryStream to, bool isFinal)
        {
            var room = ArrayPool<byte>.Shared.Rent(Room);
            try
            {
                OperationStatus status;
                do
                {
                    status = _encoder.Compress(bytes, room, out var taken, out var count, isFinal);
                    to.Write(room.AsSpan(0, count));
                    bytes = bytes[taken..];
                }
                while (status == OperationStatus.DestinationTooSmall || bytes.Length > 0);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(room);
            }
        }
    }
}

/// <summary>
/// How many answers are compressed at once: each holds memory for as long as its client takes. One more is sent as it is,
/// and counted. Thread-safe.
/// </summary>
internal sealed class Encoders(Groundcrew.Bedrock.MetricRegistry metrics)
{
    private const int Most = 256;
    private readonly Groundcrew.Bedrock.Metric.Series _refused = metrics.Counter("groundcrew_edge_compressions_refused_total",
        "Answers that were sent as they are because as many as may were being compressed.").With();
    private int _count;

    public bool TryBegin()
    {
        if (Interlocked.Increment(ref _count) <= Most)
            return true;
        End();
        _refused.Add();
        return false;
    }

    public void End() => Interlocked.Decrement(ref _count);
}
