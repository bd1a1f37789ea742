using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Reads the body of a message from its beginning to its end; what is too short is a <see cref="WireException"/>.</summary>
[StructLayout(LayoutKind.Auto)]
internal ref struct WireBody(ReadOnlySpan<byte> rest)
{
    private ReadOnlySpan<byte> _rest = rest;

    /// <summary>What is left.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>One byte.</summary>
    public byte Byte() => Take(1)[0];

    /// <summary>A number of 16 bits, most significant byte first, as all of them.</summary>
    public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Take(2));

    /// <summary>A number of 32 bits.</summary>
    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

    /// <summary>A number of 64 bits.</summary>
    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

    /// <summary>A moment: microseconds since 2000-01-01.</summary>
    public DateTimeOffset Time()
    {
        var microseconds = Int64();
        // Outside of the years 2000 to 2300 it is no clock.
        return microseconds is >= 0 and < 9_500_000_000_000_000 ? Epoch.AddMicroseconds(microseconds)
            : throw new WireException("The server sent a time that is none.");
    }

    /// <summary>A text that ends with a zero byte.</summary>
    public string Text()
    {
        var end = _rest.IndexOf((byte)0);
        if (end < 0)
            throw TooShort();
        var text = Encoding.UTF8.GetString(_rest[..end]);
        _rest = _rest[(end + 1)..];
        return text;
    }

    /// <summary>So many bytes.</summary>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _rest.Length)
            throw TooShort();
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    /// <summary>The moment that the server's clock counts from.</summary>
    public static DateTimeOffset Epoch { get; } = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Reads an ErrorResponse or NoticeResponse: fields of a letter and a text each.</summary>
    public static PgServerException Error(ReadOnlySpan<byte> body)
    {
        var read = new WireBody(body);
        string state = "XX000", severity = "ERROR", words = "", plain = "";
        string? detail = null, hint = null;
        while (read.Rest.Length > 0 && read.Byte() is var field && field != 0)
        {
            var text = read.Text();
            switch ((char)field)
            {
                case 'S': plain = text; break;
                case 'V': severity = text; break;
                case 'C': state = text; break;
                case 'M': words = text; break;
                case 'D': detail = text; break;
                case 'H': hint = text; break;
                default: break;
            }
        }
        return new(state, severity.Length > 0 ? severity : plain, words, detail, hint);
    }

    private static WireException TooShort() => new("A message of the server is shorter than what it says to hold.");
}
