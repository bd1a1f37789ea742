using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Groundcrew.Edge;

/// <summary>Bytes that are written behind each other into rented memory, which grows. For one writer; give it back with <see cref="Dispose"/>.</summary>
internal struct BytesOut(int size) : IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(size);
    private int _count;

    public readonly ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _count);

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Need(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_count));
        _count += bytes.Length;
    }

    /// <summary>Text whose characters are bytes.</summary>
    public void Write(ReadOnlySpan<char> text)
    {
        Need(text.Length);
        _count += Encoding.Latin1.GetBytes(text, _bytes.AsSpan(_count));
    }

    public void Write(long number)
    {
        Need(20);
        number.TryFormat(_bytes.AsSpan(_count), out var length);
        _count += length;
    }

    /// <summary>In UTC, as RFC 3339 has it, to the tenth of a microsecond.</summary>
    public void Write(DateTimeOffset time)
    {
        Need(28);
        Utf8Formatter.TryFormat(time.UtcDateTime, _bytes.AsSpan(_count), out var length, 'O');
        _count += length;
    }

    public void Dispose()
    {
        if (_bytes is { Length: > 0 } bytes)
            ArrayPool<byte>.Shared.Return(bytes);
        (_bytes, _count) = ([], 0);
    }

    private void Need(int more)
    {
        if (_count + more <= _bytes.Length)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, _count + more));
        _bytes.AsSpan(0, _count).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
