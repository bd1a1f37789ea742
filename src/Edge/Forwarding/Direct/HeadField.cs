using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Edge;

/// <summary>What a header field means to the edge.</summary>
internal enum FieldKind : byte
{
    /// <summary>Nothing: it passes.</summary>
    Other,
    Host,
    ContentLength,
    Connection,

    /// <summary>Transfer-Encoding and what goes with it.</summary>
    Framing,

    /// <summary>Other fields about this hop alone (RFC 9110, section 7.6.1), and those that ask for another protocol.</summary>
    Hop,

    /// <summary>What asks for more than an ordinary answer; in an answer it passes.</summary>
    Asking,

    /// <summary>What passes in a request, and means nothing in an answer.</summary>
    RequestOnly,

    /// <summary>What a client says about its own way.</summary>
    Untrusted,
    RequestId,
    Via,
    Date,
}

/// <summary>Where one field stands in the bytes of a head.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct HeadField(FieldKind Kind, int NameStart, int NameLength, int ValueStart, int ValueLength, int LineLength)
{
    /// <summary>Told by length first: most fields are none of these.</summary>
    public static FieldKind KindOf(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 when Is(name, "TE"u8) => FieldKind.Hop,
        3 when Is(name, "Via"u8) => FieldKind.Via,
        4 when Is(name, "Host"u8) => FieldKind.Host,
        4 when Is(name, "Date"u8) => FieldKind.Date,
        4 when Is(name, "ALPN"u8) => FieldKind.Hop,
        5 when Is(name, "Close"u8) => FieldKind.Hop,
        6 when Is(name, "Expect"u8) => FieldKind.Asking,
        7 when Is(name, "Trailer"u8) => FieldKind.Asking,
        7 when Is(name, "Upgrade"u8) || Is(name, "Alt-Svc"u8) => FieldKind.Hop,
        9 when Is(name, "Forwarded"u8) || Is(name, "X-Real-IP"u8) => FieldKind.Untrusted,
        10 when Is(name, "Connection"u8) => FieldKind.Connection,
        10 when Is(name, "Keep-Alive"u8) => FieldKind.Hop,
        12 when Is(name, "X-Request-Id"u8) => FieldKind.RequestId,
        14 when Is(name, "Content-Length"u8) => FieldKind.ContentLength,
        14 when Is(name, "HTTP2-Settings"u8) || Is(name, "Proxy-Features"u8) => FieldKind.Hop,
        15 when Is(name, "Security-Scheme"u8) => FieldKind.Hop,
        15 when Is(name, "X-Forwarded-For"u8) || Is(name, "X-Original-Host"u8) || Is(name, "X-Forwarded-Ssl"u8) => FieldKind.Untrusted,
        16 when Is(name, "X-Forwarded-Host"u8) || Is(name, "X-Forwarded-Port"u8) => FieldKind.Untrusted,
        16 when Is(name, "Proxy-Connection"u8) => FieldKind.Hop,
        17 when Is(name, "X-Forwarded-Proto"u8) => FieldKind.Untrusted,
        17 when Is(name, "Transfer-Encoding"u8) => FieldKind.Framing,
        17 when Is(name, "Proxy-Instruction"u8) => FieldKind.Hop,
        18 when Is(name, "X-Forwarded-Prefix"u8) || Is(name, "X-Forwarded-Server"u8) => FieldKind.Untrusted,
        18 when Is(name, "Proxy-Authenticate"u8) => FieldKind.Hop,
        19 when Is(name, "Proxy-Authorization"u8) => FieldKind.Hop,
        25 when Is(name, "Proxy-Authentication-Info"u8) => FieldKind.Hop,
        25 when Is(name, "Upgrade-Insecure-Requests"u8) => FieldKind.RequestOnly,
        _ => FieldKind.Other,
    };

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> other) => Ascii.EqualsIgnoreCase(name, other);
}
