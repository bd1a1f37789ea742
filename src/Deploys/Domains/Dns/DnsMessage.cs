using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Groundcrew.Deploys;

/// <summary>What a message that came turned out to be.</summary>
internal abstract record DnsReading
{
    private DnsReading()
    {
    }

    /// <summary>No answer to this question: left aside, whoever sent it (RFC 5452, section 9.1).</summary>
    public sealed record NotOurs : DnsReading;

    /// <summary>It answers the question, and cannot be understood.</summary>
    public sealed record Malformed(string Why) : DnsReading;

    /// <summary>There is more than a datagram takes: to be asked again over TCP.</summary>
    public sealed record Truncated : DnsReading;

    /// <summary>An answer.</summary>
    public sealed record Answered(DnsAnswer Answer) : DnsReading;
}

/// <summary>Questions and answers as bytes (RFC 1035, section 4). Pure.</summary>
internal static class DnsMessage
{
    private const int Header = 12;
    private const ushort Internet = 1;
    private const ushort RecursionDesired = 0x0100;
    private const ushort IsAnswer = 0x8000;
    private const ushort OpCode = 0x7800;
    private const ushort IsTruncated = 0x0200;

    /// <summary>One question, for a server that finds the answer itself; null when DNS cannot carry the name.</summary>
    public static byte[]? Ask(ushort id, string name, DnsType type)
    {
        var bytes = new List<byte>(Header + name.Length + 6);
        foreach (var field in (ReadOnlySpan<ushort>)[id, RecursionDesired, 1, 0, 0, 0])
            Add(bytes, field);
        if (!DnsName.TryWrite(name, bytes))
            return null;
        Add(bytes, (ushort)type);
        Add(bytes, Internet);
        return [.. bytes];
    }

    /// <summary>Reads what came after the question of this id, name (in lower case) and type.</summary>
    public static DnsReading Read(ReadOnlySpan<byte> message, ushort id, string name, DnsType type)
    {
        if (message.Length < Header || Field(message, 0) != id)
            return new DnsReading.NotOurs();
        var flags = Field(message, 2);
        var at = Header;
        if ((flags & IsAnswer) == 0 || (flags & OpCode) != 0 || Field(message, 4) != 1
            || DnsName.Read(message, ref at) != name || at + 4 > message.Length
            || Field(message, at) != (ushort)type || Field(message, at + 2) != Internet)
            return new DnsReading.NotOurs();
        if ((flags & IsTruncated) != 0)
            return new DnsReading.Truncated();
        at += 4;
        var records = new List<DnsRecord>();
        for (var left = Field(message, 6); left > 0; left--)
        {
            if (!TryRead(message, ref at, out var record))
                return new DnsReading.Malformed("a record of its answer is malformed");
            if (record is not null)
                records.Add(record);
        }
        return new DnsReading.Answered(Of(flags & 0x0F, records, type));
    }

    private static DnsAnswer Of(int code, List<DnsRecord> records, DnsType type) => code switch
    {
        0 when records.Exists(r => r.Type == type || r.Type == DnsType.Cname) => new(DnsOutcome.Found, records),
        0 => new(DnsOutcome.NoData, []),
        3 => new(DnsOutcome.NoName, records),
        2 => new(DnsOutcome.Failed, [], "it could not find the answer (SERVFAIL)"),
        5 => new(DnsOutcome.Failed, [], "it refused to answer"),
        _ => new(DnsOutcome.Failed, [], $"it answered with code {code}"),
    };

    /// <summary>False when the record does not fit into the message or its own length; null for one of another type or class.</summary>
    private static bool TryRead(ReadOnlySpan<byte> message, ref int at, out DnsRecord? record)
    {
        record = null;
        if (DnsName.Read(message, ref at) is not { } name || at + 10 > message.Length)
            return false;
        var (type, kind, length) = ((DnsType)Field(message, at), Field(message, at + 2), Field(message, at + 8));
        var start = at + 10;
        at = start + length;
        if (at > message.Length)
            return false;
        if (kind != Internet || type is not (DnsType.A or DnsType.Aaaa or DnsType.Cname or DnsType.Txt))
            return true;
        if (Value(message[..at], start, type) is not { } value)
            return false;
        record = new DnsRecord(name, type, value);
        return true;
    }

    /// <summary>The value that begins at <paramref name="start"/> and ends with the span; null when it does not.</summary>
    private static string? Value(ReadOnlySpan<byte> message, int start, DnsType type)
    {
        var data = message[start..];
        switch (type)
        {
            case DnsType.A:
                return data.Length == 4 ? new IPAddress(data).ToString() : null;
            case DnsType.Aaaa:
                return data.Length == 16 ? new IPAddress(data).ToString() : null;
            case DnsType.Cname:
                var at = start;
                return DnsName.Read(message, ref at) is { } name && at == message.Length ? name : null;
            default:
                return Text(data);
        }
    }

    /// <summary>Strings of up to 255 bytes, put together (RFC 1035, section 3.3.14).</summary>
    private static string? Text(ReadOnlySpan<byte> data)
    {
        var text = new StringBuilder(data.Length);
        while (data.Length > 0)
        {
            if (data[0] >= data.Length)
                return null;
            text.Append(Encoding.Latin1.GetString(data.Slice(1, data[0])));
            data = data[(data[0] + 1)..];
        }
        return text.ToString();
    }

    private static ushort Field(ReadOnlySpan<byte> message, int at) => BinaryPrimitives.ReadUInt16BigEndian(message[at..]);

    private static void Add(List<byte> bytes, ushort field)
    {
        bytes.Add((byte)(field >> 8));
        bytes.Add((byte)field);
    }
}
