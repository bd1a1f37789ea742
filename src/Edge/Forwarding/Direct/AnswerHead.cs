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
    private readonly Range[] _dropped = new Range[8];
    private int _count;
    private int _drops;
    private int _reason;
    private bool _isHttp10;

    public int Status { get; private set; }

    public BodyFraming Framing { get; private set; }

    public long Length { get; private set; }

    /// <summary>Whether the target ends the connection after it.</summary>
    public bool IsLast { get; private set; }

    public bool HasDate { get; private set; }

    public bool HasRequestId { get; private set; }

    public ReadOnlySpan<HeadField> Fields => _fields.AsSpan(0, _count);

    /// <summary>The words after the status code, with their line's end.</summary>
    public Range Reason { get; private set; }

    /// <summary>Reads a whole head; false when it is no HTTP.</summary>
    /// <param name="head">The head with its empty line.</param>
    /// <param name="isHead">Whether HEAD was asked, which has no body whatever the head says.</param>
    public bool Read(ReadOnlySpan<byte> head, bool isHead)
    {
        (_count, _drops, Length, IsLast, HasDate, HasRequestId) = (0, 0, -1, false, false, false);
        var line = head.IndexOf("\r\n"u8);
        if (!ReadStatusLine(head[..line]))
            return false;
        IsLast = _isHttp10;
        var isChunked = false;
        for (var start = line + 2; start < head.Length - 2;)
        {
            var length = head[start..].IndexOf("\r\n"u8);
            if (!ReadField(head, start, length, ref isChunked))
                return false;
            start += length + 2;
        }
        Reason = new Range(_reason, line + 2);
        Framing = isHead || Status is 204 or 304 ? BodyFraming.None
            : isChunked ? BodyFraming.Chunked
            : Length >= 0 ? BodyFraming.Length
            : BodyFraming.UntilClose;
        IsLast |= Framing == BodyFraming.UntilClose;
        return true;
    }

    /// <summary>Whether the target named the field as meant for this hop alone.</summary>
    public bool IsDropped(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < _drops; i++)
            if (Ascii.EqualsIgnoreCase(head[_dropped[i]], name))
                return true;
        return false;
    }

    private bool ReadStatusLine(ReadOnlySpan<byte> line)
    {
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[7] is not ((byte)'1' or (byte)'0') || line[8] != ' '
            || !Utf8Parser.TryParse(line.Slice(9, 3), out int status, out var digits) || digits != 3 || status < 100 || (line.Length > 12 && line[12] != ' '))
            return false;
        _isHttp10 = line[7] == '0';
        Status = status;
        _reason = 12;
        return true;
    }

    private bool ReadField(ReadOnlySpan<byte> head, int start, int length, ref bool isChunked)
    {
        var line = head.Slice(start, length);
        var colon = line.IndexOf((byte)':');
        if (colon <= 0 || _count == MaxFields || line[..colon].ContainsAnyInRange((byte)0, (byte)32) || line.ContainsAny((byte)0, (byte)'\r', (byte)'\n'))
            return false;
        var value = line[(colon + 1)..].Trim(" \t"u8);
        var at = start + colon + 1 + (value.IsEmpty ? 0 : line[(colon + 1)..].IndexOf(value[0]));
        var kind = HeadField.KindOf(line[..colon]);
        _fields[_count++] = new HeadField(kind, start, colon, at, value.Length, length + 2);
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

    private bool TryReadLength(ReadOnlySpan<byte> value)
    {
        if (value.Length is 0 or > 18 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9') || !Utf8Parser.TryParse(value, out long length, out _))
            return false;
        // The same number twice says the same; two numbers say nothing.
        var isFirst = Length < 0;
        (var before, Length) = (Length, length);
        return isFirst || before == length;
    }

    private void ReadConnection(ReadOnlySpan<byte> head, int at, int length)
    {
        var value = head.Slice(at, length);
        foreach (var range in value.Split((byte)','))
        {
            var option = value[range].Trim(" \t"u8);
            if (Ascii.EqualsIgnoreCase(option, "close"u8))
                IsLast = true;
            else if (Ascii.EqualsIgnoreCase(option, "keep-alive"u8))
                IsLast &= !_isHttp10;
            else if (!option.IsEmpty && _drops < _dropped.Length && !IsFraming(option))
            {
                var start = at + range.Start.GetOffset(length) + value[range].IndexOf(option[0]);
                _dropped[_drops++] = new Range(start, start + option.Length);
            }
        }
    }

    private static bool IsFraming(ReadOnlySpan<byte> option) => HeadField.KindOf(option) is FieldKind.ContentLength or FieldKind.Framing or FieldKind.Host;
}
