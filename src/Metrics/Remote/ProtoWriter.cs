using System.Buffers.Binary;

namespace Groundcrew.Metrics;

/// <summary>Writes the fields of one protobuf message into a buffer that is used again. Not thread-safe.</summary>
internal sealed class ProtoWriter
{
    private byte[] _buffer = new byte[1024];
    private int _length;

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    public void Clear() => _length = 0;

    public static ulong Zigzag(long value) => (ulong)((value << 1) ^ (value >> 63));

    /// <summary>A number, which is left out when it is 0, as the encoding wants it.</summary>
    public void Number(int field, ulong value)
    {
        if (value == 0)
            return;
        Varint((ulong)field << 3);
        Varint(value);
    }

    public void Double(int field, double value)
    {
        if (BitConverter.DoubleToInt64Bits(value) == 0)
            return;
        Varint(((ulong)field << 3) | 1);
        RawDouble(value);
    }

    public void Doubles(int field, ReadOnlySpan<double> values)
    {
        if (values.IsEmpty)
            return;
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)values.Length * 8);
        foreach (var value in values)
            RawDouble(value);
    }

    public void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)bytes.Length);
        Room(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Numbers in a row, also those that are 0.</summary>
    public void Numbers(int field, ReadOnlySpan<uint> values)
    {
        var length = 0;
        foreach (var value in values)
            length += (38 - System.Numerics.BitOperations.LeadingZeroCount(value | 1)) / 7;
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)length);
        foreach (var value in values)
            Varint(value);
    }

    private void Varint(ulong value)
    {
        Room(10);
        for (; value >= 0x80; value >>= 7)
            _buffer[_length++] = (byte)(value | 0x80);
        _buffer[_length++] = (byte)value;
    }

    private void RawDouble(double value)
    {
        Room(8);
        BinaryPrimitives.WriteDoubleLittleEndian(_buffer.AsSpan(_length), value);
        _length += 8;
    }

    private void Room(int bytes)
    {
        if (_buffer.Length - _length < bytes)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
    }
}
