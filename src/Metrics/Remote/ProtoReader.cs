using System.Buffers.Binary;

namespace Groundcrew.Metrics;

/// <summary>A message that is no protobuf, or not the one that was expected.</summary>
internal sealed class ProtoException(string message) : FormatException(message);

/// <summary>Goes through the fields of one protobuf message (encoding of version 3). Throws <see cref="ProtoException"/>.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;
    private int _wire;

    /// <summary>The number of the field that <see cref="Next"/> came to.</summary>
    public int Field { get; private set; }

    public readonly bool AtEnd => _rest.IsEmpty;

    /// <summary>Whether the field carries bytes: text, a message, or numbers in a row.</summary>
    public readonly bool IsBytes => _wire == 2;

    /// <summary>Goes to the next field, whose value must then be read or skipped.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty)
            return false;
        var tag = Varint();
        (Field, _wire) = ((int)(tag >> 3), (int)(tag & 7));
        if (tag >> 3 is 0 or > 0x1FFF_FFFF)
            throw new ProtoException("a field has no number");
        return true;
    }

    public ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0, at = 0; shift < 64 && at < _rest.Length; shift += 7, at++)
        {
            value |= (ulong)(_rest[at] & 0x7F) << shift;
            if (_rest[at] >= 0x80)
                continue;
            _rest = _rest[(at + 1)..];
            return value;
        }
        throw new ProtoException("a number does not end");
    }

    /// <summary>A number of the field, of type int64, uint64, int32, uint32, or an enumeration.</summary>
    public ulong Number() => _wire == 0 ? Varint() : throw Wrong();

    /// <summary>A number of the field, of type sint32 or sint64.</summary>
    public long Signed() => Unzigzag(Number());

    public double Double() => _wire == 1 ? RawDouble() : throw Wrong();

    public double RawDouble()
    {
        if (_rest.Length < 8)
            throw new ProtoException("the message ends within a number");
        var value = BinaryPrimitives.ReadDoubleLittleEndian(_rest);
        _rest = _rest[8..];
        return value;
    }

    public ReadOnlySpan<byte> Bytes()
    {
        if (_wire != 2)
            throw Wrong();
        var length = Varint();
        if (length > (ulong)_rest.Length)
            throw new ProtoException($"field {Field} is longer than its message");
        var bytes = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return bytes;
    }

    public void Skip()
    {
        switch (_wire)
        {
            case 0:
                Varint();
                break;
            case 1:
                RawDouble();
                break;
            case 2:
                Bytes();
                break;
            case 5 when _rest.Length >= 4:
                _rest = _rest[4..];
                break;
            default:
                throw Wrong();
        }
    }

    public static long Unzigzag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);

    private readonly ProtoException Wrong() => new($"field {Field} has the unexpected wire type {_wire}");
}
