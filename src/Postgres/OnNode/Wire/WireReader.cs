using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Groundcrew.Postgres.OnNode;

/// <summary>One message of the server. Its body is valid until the next one is read.</summary>
/// <param name="Type">Its kind, a letter.</param>
/// <param name="Body">What follows its length.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WireMessage(byte Type, ReadOnlyMemory<byte> Body);

/// <summary>
/// Cuts what the server sends into messages, in one pooled buffer that holds at most one message and what came with it. For one
/// reader. A read that is cancelled loses nothing: the next one goes on.
/// </summary>
internal sealed class WireReader(Stream stream) : IDisposable
{
    /// <summary>The longest message that is taken; what the server sends in replication is far shorter.</summary>
    public const int LongestMessage = 8 * 1024 * 1024;

    private const int Header = 5;
    private const int BufferSize = 256 * 1024;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _start;
    private int _end;

    /// <summary>The next message.</summary>
    /// <exception cref="WireException">The connection ended, or this is no message.</exception>
    public async ValueTask<WireMessage> ReadAsync(CancellationToken cancellation)
    {
        await FillAsync(Header, cancellation);
        var type = _buffer[_start];
        var length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (length is < 4 or > LongestMessage || !char.IsAsciiLetterOrDigit((char)type))
            throw new WireException($"What came is no message of PostgreSQL (kind {type}, length {length}).");
        await FillAsync(length + 1, cancellation);
        var body = _buffer.AsMemory(_start + Header, length - 4);
        _start += length + 1;
        return new(type, body);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private async ValueTask FillAsync(int wanted, CancellationToken cancellation)
    {
        if (_end - _start >= wanted)
            return;
        MakeRoom(wanted);
        while (_end - _start < wanted)
        {
            var got = await stream.ReadAsync(_buffer.AsMemory(_end), cancellation);
            if (got == 0)
                throw new WireException("The server closed the connection.");
            _end += got;
        }
    }

    private void MakeRoom(int wanted)
    {
        if (_buffer.Length - _start >= wanted && _start < _buffer.Length / 2)
            return;
        var target = wanted <= _buffer.Length ? _buffer : ArrayPool<byte>.Shared.Rent(wanted);
        _buffer.AsSpan(_start, _end - _start).CopyTo(target);
        if (target != _buffer)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _end, _start) = (target, _end - _start, 0);
    }
}
