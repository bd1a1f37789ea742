using System.Buffers.Text;
using System.Text;

namespace Groundcrew.Edge;

/// <summary>How the end of an answer's body is known.</summary>
internal enum BodyFraming
{
    None,
    Length,
    Chunked,

    /// <summary>It ends with the connection.</summary>
    UntilClose,
}

/// <summary>
/// The head of a target's answer (RFC 9112, sections 4 to 6), read where it lies. Anything ambiguous is a bad answer: a
/// target is a program of somebody's, and its mistakes must not become a client's.
/// </summary>
internal sealed class AnswerHead
{
    private const int MaxFields = 128;
    private readonly HeadField[] _fields = new HeadField[MaxFields];
    private int _count;
    private bool _isHttp10;

    /// <summary>Whether every line of it ends with CR LF, and none had to be mended.</summary>
    private bool _isPlain;

    /// <summary>Whether it names fields that are meant for this hop alone.</summary>
    private bool _hasOptions;

    public int Status { get; private set; }

    public BodyFraming Framing { get; private set; }

    public long Length { get; private set; }

    /// <summary>Whether the target ends the connection after it.</summary>
    public bool IsLast { get; private set; }

    public bool HasDate { get; private set; }

    public bool HasRequestId { get; private set; }

    public ReadOnlySpan<HeadField> Fields => _fields.AsSpan(0, _count);

    /// <summary>The words after the status code, without their line's end.</summary>
    public Range Reason { get; private set; }

    /// <summary>
    /// Reads a whole head; false when it is no HTTP. Lines may end with a bare line feed (RFC 9112, section 2.2), and a
    /// folded line is made one (section 5.2): that changes the bytes.
    /// </summary>
    /// <param name="head">The head with its empty line.</param>
    /// <param name="isHead">Whether HEAD was asked, which has no body whatever the head says.</param>
    public bool Read(Span<byte> head, bool isHead)
    {
        (_count, Length, IsLast, HasDate, HasRequestId, _hasOptions) = (0, -1, false, false, false, false);
        var line = head.IndexOf((byte)'\n') + 1;
        if (!ReadStatusLine(WithoutEnd(head[..line])))
            return false;
        Reason = new Range(12, WithoutEnd(head[..line]).Length);
        _isPlain = IsPlain(head[line..]);
        if (!_isPlain)
            Mend(head[line..]);
        IsLast = _isHttp10;
        var isChunked = false;
        for (var start = line; head[start] is not ((byte)'\r' or (byte)'\n');)
        {
            var length = head[start..].IndexOf((byte)'\n') + 1;
            if (!ReadField(head, start, WithoutEnd(head.Slice(start, length)), ref isChunked))
                return false;
            start += length;
        }
        var hasNoBody = isHead || Status is 204 or 304;
        Framing = hasNoBody ? BodyFraming.None
            : isChunked ? BodyFraming.Chunked
            : Length >= 0 ? BodyFraming.Length
            : BodyFraming.UntilClose;
        // One that announces a body where there is none may send it all the same, later.
        IsLast |= Framing == BodyFraming.UntilClose || (!isHead && (Status == 204 ? isChunked || Length > 0 : Status == 304 && isChunked));
        return true;
    }

    /// <summary>A field's line with its end, when it is written as we write one; empty otherwise.</summary>
    public ReadOnlySpan<byte> PlainLineOf(ReadOnlySpan<byte> head, in HeadField field) =>
        _isPlain && field.ValueStart == field.NameStart + field.NameLength + 2 && field.LineLength == field.NameLength + 2 + field.ValueLength
            ? head.Slice(field.NameStart, field.LineLength + 2)
            : [];

    /// <summary>Whether the target named the field as meant for this hop alone.</summary>
    public bool IsDropped(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        if (!_hasOptions)
            return false;
        foreach (ref readonly var field in Fields)
        {
            if (field.Kind != FieldKind.Connection)
                continue;
            var value = head.Slice(field.ValueStart, field.ValueLength);
            foreach (var range in value.Split((byte)','))
                if (Ascii.EqualsIgnoreCase(value[range].Trim(" \t"u8), name) && !IsFraming(name))
                    return true;
        }
        return false;
    }

    /// <summary>What it says of itself, for the rules of a route that has some.</summary>
    public AnswerFacts FactsOf(ReadOnlySpan<byte> head)
    {
        var isEncoded = ValueOf(head, "Content-Encoding") is { Length: > 0 } coding && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase);
        var hasDigest = false;
        foreach (var name in AnswerFacts.Digests)
            hasDigest |= ValueOf(head, name) is not null;
        return new AnswerFacts(Status, Length < 0 || Framing == BodyFraming.Chunked ? null : Length, ValueOf(head, "Content-Type") ?? "", ValueOf(head, "Cache-Control") ?? "", isEncoded,
            hasDigest, ValueOf(head, "Expires") is not null, ValueOf(head, "Set-Cookie") is not null, ValueOf(head, "Vary") ?? "");
    }

    /// <summary>Whether the bytes, as far as they came, can be an answer.</summary>
    public static bool CanBegin(ReadOnlySpan<byte> bytes)
    {
        var start = "HTTP/1."u8;
        var length = Math.Min(bytes.Length, start.Length);
        return bytes[..length].SequenceEqual(start[..length]);
    }

    /// <summary>How long the head at the start of <paramref name="bytes"/> is, with its empty line; 0 when it is not whole.</summary>
    public static int LengthOf(ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; bytes[at..].IndexOf((byte)'\n') is var end and >= 0;)
        {
            at += end + 1;
            if (at < bytes.Length && bytes[at] == '\n')
                return at + 1;
            if (at + 1 < bytes.Length && bytes[at] == '\r' && bytes[at + 1] == '\n')
                return at + 2;
        }
        return 0;
    }

    /// <summary>The values of a field in one list; null when there is none.</summary>
    private string? ValueOf(ReadOnlySpan<byte> head, string name)
    {
        string? all = null;
        foreach (ref readonly var field in Fields)
            if (Ascii.EqualsIgnoreCase(head.Slice(field.NameStart, field.NameLength), name))
                all = (all is null ? "" : all + ", ") + Encoding.Latin1.GetString(head.Slice(field.ValueStart, field.ValueLength));
        return all;
    }

    private static ReadOnlySpan<byte> WithoutEnd(ReadOnlySpan<byte> line) => line.EndsWith("\r\n"u8) ? line[..^2] : line[..^1];

    /// <summary>Whether there is nothing to mend: every line ends with CR LF, none goes on in the next, and no other control is there.</summary>
    private static bool IsPlain(ReadOnlySpan<byte> fields)
    {
        while (fields.IndexOfAny(RequestHead.Controls) is var end and >= 0)
        {
            if (fields[end] != '\r' || end + 1 == fields.Length || fields[end + 1] != '\n')
                return false;
            fields = fields[(end + 2)..];
            if (fields is [(byte)' ' or (byte)'\t', ..])
                return false;
        }
        return true;
    }

    /// <summary>Makes folded lines one, and spaces of what may not stand in a value (RFC 9110, section 5.5).</summary>
    private static void Mend(Span<byte> fields)
    {
        fields.Replace((byte)0, (byte)' ');
        for (var at = 0; fields[at..].IndexOf((byte)'\r') is var next and >= 0;)
        {
            at += next + 1;
            if (at < fields.Length && fields[at] != '\n')
                fields[at - 1] = (byte)' ';
        }
        for (var at = 0; fields[at..].IndexOf((byte)'\n') is var end and >= 0;)
        {
            at += end + 1;
            if (at == fields.Length || fields[at] is not ((byte)' ' or (byte)'\t'))
                continue;
            fields[at - 1] = (byte)' ';
            if (at > 1 && fields[at - 2] == '\r')
                fields[at - 2] = (byte)' ';
        }
    }

    private bool ReadStatusLine(ReadOnlySpan<byte> line)
    {
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || !char.IsAsciiDigit((char)line[7]) || line[8] != ' '
            || !Utf8Parser.TryParse(line.Slice(9, 3), out int status, out var digits) || digits != 3 || status < 100 || (line.Length > 12 && line[12] != ' '))
            return false;
        _isHttp10 = line[7] == '0';
        Status = status;
        return !HasControls(line);
    }

    private bool ReadField(ReadOnlySpan<byte> head, int start, ReadOnlySpan<byte> line, ref bool isChunked)
    {
        var colon = line.IndexOf((byte)':');
        // A space before the colon is taken away (RFC 9112, section 5.1).
        var name = colon < 0 ? default : line[..colon].TrimEnd((byte)' ');
        if (name.IsEmpty || _count == MaxFields || name.ContainsAnyExcept(RequestHead.TokenBytes) || HasControls(line))
            return false;
        var value = line[(colon + 1)..].Trim(" \t"u8);
        var at = start + colon + 1 + (value.IsEmpty ? 0 : line[(colon + 1)..].IndexOf(value[0]));
        var kind = HeadField.KindOf(name);
        _fields[_count++] = new HeadField(kind, start, name.Length, at, value.Length, line.Length);
        switch (kind)
        {
            case FieldKind.ContentLength:
                return TryReadLength(value);
            case FieldKind.Framing:
                (var before, isChunked) = (isChunked, true);
                return !before && Ascii.EqualsIgnoreCase(value, "chunked"u8);
            case FieldKind.Connection:
                ReadConnection(head, at, value.Length);
                return true;
            case FieldKind.Date:
                HasDate = true;
                return true;
            case FieldKind.RequestId:
                HasRequestId = true;
                return true;
            default:
                return true;
        }
    }

    /// <summary>A second length says the same or another: that either is right is not certain.</summary>
    private bool TryReadLength(ReadOnlySpan<byte> value)
    {
        if (Length >= 0 || value.Length is 0 or > 18 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9') || !Utf8Parser.TryParse(value, out long length, out _))
            return false;
        Length = length;
        return true;
    }

    private void ReadConnection(ReadOnlySpan<byte> head, int at, int length)
    {
        var value = head.Slice(at, length);
        var (isClose, isKept) = (false, false);
        foreach (var range in value.Split((byte)','))
        {
            var option = value[range].Trim(" \t"u8);
            var (close, kept) = (Ascii.EqualsIgnoreCase(option, "close"u8), Ascii.EqualsIgnoreCase(option, "keep-alive"u8));
            (isClose, isKept, _hasOptions) = (isClose || close, isKept || kept, _hasOptions || !(close || kept));
        }
        if (isClose)
            IsLast = true;
        else if (isKept)
            IsLast &= !_isHttp10;
    }

    private static bool HasControls(ReadOnlySpan<byte> line) => line.ContainsAny(RequestHead.Controls);

    private static bool IsFraming(ReadOnlySpan<byte> option) => HeadField.KindOf(option) is FieldKind.ContentLength or FieldKind.Framing or FieldKind.Host;
}
