using System.Buffers.Binary;

namespace Groundcrew.Metrics;

/// <summary>Reads through to another stream and remembers the last four bytes: in gzip, the length of what was packed (RFC 1952, 2.3.1).</summary>
internal sealed class TailStream(Stream inner) : Stream
{
    private readonly byte[] _last = new byte[4];

    public uint LastWord => BinaryPrimitives.ReadUInt32LittleEndian(_last);

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
        var read = await inner.ReadAsync(buffer, cancellationToken);
        Note(buffer.Span[..read]);
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        var read = inner.Read(buffer, offset, count);
        Note(buffer.AsSpan(offset, read));
        return read;
    }

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private void Note(ReadOnlySpan<byte> read)
    {
        if (read.Length >= 4)
        {
            read[^4..].CopyTo(_last);
            return;
        }
        _last.AsSpan(read.Length).CopyTo(_last);
        read.CopyTo(_last.AsSpan(4 - read.Length));
    }
}
