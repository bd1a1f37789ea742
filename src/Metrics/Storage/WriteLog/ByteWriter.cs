using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>Bytes that grow and are used again: numbers little-endian, or seven bits to a byte (LEB128). Not thread-safe.</summary>
internal sealed class ByteWriter(int capacity = 4096)
{
    private byte[] _bytes = new byte[capacity];

    public int Length { get; private set; }

    public Span<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Byte(byte value) => Room(1)[0] = value;

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Room(4), value);

    public void Int64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Room(8), value);

    public void Bytes(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Room(bytes.Length));

    public void Counted(ReadOnlySpan<byte> bytes)
    {
        Varint((ulong)bytes.Length);
        Bytes(bytes);
    }

    public void ZigZag(long value) => Varint(LogNumbers.ZigZag(value));

    public void Varint(ulong value)
    {
        Reserve(10);
        while (value >= 0x80)
        {
            _bytes[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _bytes[Length++] = (byte)value;
    }

    /// <summary>Room for bytes that are filled in by the caller.</summary>
    public Span<byte> Room(int count)
    {
        Reserve(count);
        var room = _bytes.AsSpan(Length, count);
        Length += count;
        return room;
    }

    /// <summary>Writes over a number that was written before.</summary>
    public void PatchUInt32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(at), value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Reserve(int count)
    {
        if (Length + count > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
    }
}

/// <summary>Takes apart what <see cref="ByteWriter"/> wrote; throws <see cref="InvalidDataException"/> when it ends too early.</summary>
[StructLayout(LayoutKind.Auto)]
internal ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int At { get; set; }

    public readonly bool IsAtEnd => At >= _bytes.Length;

    public byte Byte() => At < _bytes.Length ? _bytes[At++] : throw TooShort();

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(8));

    public ReadOnlySpan<byte> Counted() => Bytes(checked((int)Varint()));

    public long ZigZag() => LogNumbers.UnZigZag(Varint());

    public int Int32() => checked((int)Varint());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Varint()
    {
        if ((uint)At < (uint)_bytes.Length && _bytes[At] < 0x80)
            return _bytes[At++];
        return LongVarint();
    }

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count < 0 || count > _bytes.Length - At)
            throw TooShort();
        At += count;
        return _bytes.Slice(At - count, count);
    }

    private ulong LongVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
        throw new InvalidDataException("a number has too many bytes");
    }

    private static InvalidDataException TooShort() => new("it ends too early");
}

/// <summary>Signed numbers as unsigned ones, small ones first.</summary>
internal static class LogNumbers
{
    public static ulong ZigZag(long value) => (ulong)((value << 1) ^ (value >> 63));

    public static long UnZigZag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);
}
