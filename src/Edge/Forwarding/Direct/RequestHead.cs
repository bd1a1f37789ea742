using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Groundcrew.Edge;

/// <summary>What became of reading a head.</summary>
internal enum HeadEnd
{
    /// <summary>It is whole and ordinary.</summary>
    Ordinary,

    /// <summary>It is not whole, or in any way not ordinary: the full path judges it.</summary>
    NotOrdinary,
}

/// <summary>
/// The head of an ordinary request: HTTP/1.1, a common method, a plain path, at most one Host and Content-Length, no
/// other framing and no negotiation about the connection. Whatever is not so is left to the full path, which knows the
/// whole of RFC 9112: what is refused is refused in one place. Copies what it reads; used again for the next request.
/// </summary>
internal sealed class RequestHead
{
    /// <summary>The longest head that is taken.</summary>
    public const int MaxBytes = 4096;

    private const int MaxFields = 64;

    /// <summary>What a name may hold (RFC 9110, section 5.6.2).</summary>
    public static readonly SearchValues<byte> TokenBytes =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    /// <summary>What no line may hold (RFC 9110, section 5.5): all controls but the tab.</summary>
    public static readonly SearchValues<byte> Controls =
        SearchValues.Create([0, 1, 2, 3, 4, 5, 6, 7, 8, .. Enumerable.Range(10, 22).Select(b => (byte)b), 127]);

    private static readonly SearchValues<byte> HostBytes = SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_"u8);

    private readonly byte[] _bytes = new byte[MaxBytes];
    private readonly HeadField[] _fields = new HeadField[MaxFields];
    private int _count;
    private Range _target;
    private int _pathLength;
    private Range _hostRange;
    private bool _hasHost;

    public string Method { get; private set; } = "";

    /// <summary>Path and query as they came.</summary>
    public ReadOnlySpan<byte> Target => _bytes.AsSpan(_target);

    public string Host { get; private set; } = "";

    public string Path { get; private set; } = "";

    public long BodyLength { get; private set; }

    /// <summary>Whether the client asked to close the connection after the answer.</summary>
    public bool IsLast { get; private set; }

    public ReadOnlySpan<HeadField> Fields => _fields.AsSpan(0, _count);

    public ReadOnlySpan<byte> NameOf(in HeadField field) => _bytes.AsSpan(field.NameStart, field.NameLength);

    public ReadOnlySpan<byte> ValueOf(in HeadField field) => _bytes.AsSpan(field.ValueStart, field.ValueLength);

    /// <summary>The whole line with its end, as it came.</summary>
    public ReadOnlySpan<byte> LineOf(in HeadField field) => _bytes.AsSpan(field.NameStart, field.LineLength);

    /// <summary>The first value of a header; null when there is none.</summary>
    public string? Header(string name)
    {
        foreach (ref readonly var field in Fields)
            if (Ascii.EqualsIgnoreCase(NameOf(field), name))
                return Encoding.Latin1.GetString(ValueOf(field));
        return null;
    }

    /// <summary>All values of a header, in order.</summary>
    public StringValues Headers(string name)
    {
        var values = StringValues.Empty;
        foreach (ref readonly var field in Fields)
            if (Ascii.EqualsIgnoreCase(NameOf(field), name))
                values = StringValues.Concat(values, Encoding.Latin1.GetString(ValueOf(field)));
        return values;
    }

    /// <summary>The value of a header that stands there once; null otherwise.</summary>
    public string? OnlyHeader(FieldKind kind)
    {
        string? only = null;
        foreach (ref readonly var field in Fields)
        {
            if (field.Kind != kind)
                continue;
            if (only is not null)
                return null;
            only = Encoding.Latin1.GetString(ValueOf(field));
        }
        return only;
    }

    /// <summary>Reads the head at the start of <paramref name="input"/>; <paramref name="length"/> is how much of it that took.</summary>
    public HeadEnd Read(ReadOnlySpan<byte> input, out int length)
    {
        length = 0;
        var end = input[..Math.Min(input.Length, MaxBytes)].IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return HeadEnd.NotOrdinary;
        length = end + 4;
        input[..length].CopyTo(_bytes);
        (_count, BodyLength, IsLast, _hasHost) = (0, 0, false, false);
        var line = _bytes.AsSpan(0, length).IndexOf("\r\n"u8);
        if (!ReadRequestLine(_bytes.AsSpan(0, line)) || !ReadFields(line + 2, end + 2) || !_hasHost)
            return HeadEnd.NotOrdinary;
        Host = Kept(Host, _bytes.AsSpan(_hostRange));
        Path = Kept(Path, Target[.._pathLength]);
        return HeadEnd.Ordinary;
    }

    private bool ReadRequestLine(ReadOnlySpan<byte> line)
    {
        var space = line.IndexOf((byte)' ');
        if (space <= 0 || MethodOf(line[..space]) is not { } method || !line.EndsWith(" HTTP/1.1"u8))
            return false;
        Method = method;
        _target = new Range(space + 1, line.Length - " HTTP/1.1".Length);
        if (_target.Start.Value >= _target.End.Value)
            return false;
        var target = line[_target];
        if (target[0] != '/' || target.ContainsAnyExceptInRange((byte)'!', (byte)'~') || target.Contains((byte)'#'))
            return false;
        var query = target.IndexOf((byte)'?');
        _pathLength = query < 0 ? target.Length : query;
        var path = target[.._pathLength];
        // What an escape or a dot segment means for a route is the full path's to say.
        return !path.Contains((byte)'%') && path.IndexOf("/."u8) < 0 && path.IndexOf("//"u8) < 0 && !path.Contains((byte)'\\');
    }

    private bool ReadFields(int start, int end)
    {
        while (start < end)
        {
            var line = _bytes.AsSpan(start, end - start);
            var length = line.IndexOf("\r\n"u8);
            var colon = line[..length].IndexOf((byte)':');
            if (colon <= 0 || _count == MaxFields || line[..colon].ContainsAnyExcept(TokenBytes))
                return false;
            var value = line[(colon + 1)..length];
            var trimmed = value.Trim(" \t"u8);
            if (value.ContainsAny(Controls))
                return false;
            var at = trimmed.IsEmpty ? colon + 1 : colon + 1 + value.IndexOf(trimmed[0]);
            var kind = HeadField.KindOf(line[..colon]);
            // Some servers take '_' for '-': which of these fields pass, the full path says.
            if (line[..colon].Contains((byte)'_'))
                return false;
            if (!TakeField(kind, new Range(start + at, start + at + trimmed.Length)))
                return false;
            _fields[_count++] = new HeadField(kind, start, colon, start + at, trimmed.Length, length + 2);
            start += length + 2;
        }
        return true;
    }

    private bool TakeField(FieldKind kind, Range range)
    {
        var value = _bytes.AsSpan(range);
        switch (kind)
        {
            case FieldKind.Host:
                if (_hasHost || !IsPlainHost(value))
                    return false;
                (_hasHost, _hostRange) = (true, range);
                return true;
            case FieldKind.ContentLength:
                return !HasContentLength() && TryReadLength(value);
            case FieldKind.Connection:
                IsLast |= Ascii.EqualsIgnoreCase(value, "close"u8);
                return IsLast || Ascii.EqualsIgnoreCase(value, "keep-alive"u8);
            case FieldKind.Framing or FieldKind.Hop or FieldKind.Asking:
                return false;
            default:
                return true;
        }
    }

    /// <summary>A name, or an address of IPv4, and perhaps a port. What else a host may be is the full path's to say.</summary>
    private static bool IsPlainHost(ReadOnlySpan<byte> host)
    {
        if (host.IndexOf((byte)':') is var colon and >= 0)
        {
            var port = host[(colon + 1)..];
            if (port.Length is 0 or > 5 || port.ContainsAnyExceptInRange((byte)'0', (byte)'9') || (Utf8Parser.TryParse(port, out int number, out _) && number > ushort.MaxValue))
                return false;
            host = host[..colon];
        }
        return !host.IsEmpty && !host.ContainsAnyExcept(HostBytes);
    }

    private bool HasContentLength()
    {
        foreach (ref readonly var field in Fields)
            if (field.Kind == FieldKind.ContentLength)
                return true;
        return false;
    }

    private bool TryReadLength(ReadOnlySpan<byte> digits)
    {
        if (digits.Length is 0 or > 15 || (digits[0] == '0' && digits.Length > 1) || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return false;
        var length = 0L;
        foreach (var digit in digits)
            length = (length * 10) + (digit - '0');
        BodyLength = length;
        return true;
    }

    /// <summary>The same text as before, when it is the same: most requests of a connection name one host.</summary>
    private static string Kept(string before, ReadOnlySpan<byte> now) => Ascii.Equals(now, before) ? before : Encoding.ASCII.GetString(now);

    private static string? MethodOf(ReadOnlySpan<byte> method) => method switch
    {
        [(byte)'G', (byte)'E', (byte)'T'] => "GET",
        [(byte)'P', (byte)'U', (byte)'T'] => "PUT",
        [(byte)'P', (byte)'O', (byte)'S', (byte)'T'] => "POST",
        [(byte)'H', (byte)'E', (byte)'A', (byte)'D'] => "HEAD",
        _ when method.SequenceEqual("PATCH"u8) => "PATCH",
        _ when method.SequenceEqual("DELETE"u8) => "DELETE",
        _ when method.SequenceEqual("OPTIONS"u8) => "OPTIONS",
        _ => null,
    };
}
