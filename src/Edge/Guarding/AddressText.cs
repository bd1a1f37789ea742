using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Groundcrew.Edge;

/// <summary>
/// Reads addresses as they are written today. The platform's own reading also takes old forms (<c>127.1</c>,
/// <c>0x7f.0.0.1</c>, octal digits), with which one address can be passed off as another. Pure.
/// </summary>
internal static class AddressText
{
    private const int MaxLength = 45;
    private static readonly SearchValues<char> Characters = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>The address itself: one of IPv4 that came on a socket of IPv6 is one of IPv4.</summary>
    public static IPAddress? Plain(IPAddress? address) => address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;

    /// <summary>An address without port, brackets or zone; null for anything else.</summary>
    public static IPAddress? Parse(ReadOnlySpan<char> text)
    {
        if (text.Length is < 2 or > MaxLength || text.ContainsAnyExcept(Characters)
            || !IPAddress.TryParse(text, out var address))
            return null;
        return address.AddressFamily == AddressFamily.InterNetworkV6 || IsDotted(text) ? address : null;
    }

    /// <summary>An address that may have a port (<c>192.0.2.1:80</c>, <c>[2001:db8::1]:443</c>) or brackets; null for anything else.</summary>
    public static IPAddress? ParseNode(ReadOnlySpan<char> text)
    {
        if (text.StartsWith('['))
        {
            var close = text.IndexOf(']');
            var inside = close < 0 ? null : Parse(text[1..close]);
            return inside?.AddressFamily == AddressFamily.InterNetworkV6 && IsPort(text[(close + 1)..]) ? inside : null;
        }
        var colon = text.IndexOf(':');
        if (colon < 0 || text[(colon + 1)..].Contains(':'))
            return Parse(text);
        return IsPort(text[colon..]) ? Parse(text[..colon]) : null;
    }

    /// <summary>A whole number in plain digits up to <paramref name="most"/>; null for anything else.</summary>
    public static int? ParseNumber(ReadOnlySpan<char> digits, int most)
    {
        if (digits.Length is 0 or > 5 || (digits.Length > 1 && digits[0] == '0'))
            return null;
        var number = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit(digit))
                return null;
            number = (10 * number) + (digit - '0');
        }
        return number <= most ? number : null;
    }

    /// <summary>Nothing, or a colon and a port.</summary>
    private static bool IsPort(ReadOnlySpan<char> text) =>
        text.IsEmpty || (text[0] == ':' && ParseNumber(text[1..], ushort.MaxValue) is not null);

    /// <summary>Four numbers of plain digits.</summary>
    private static bool IsDotted(ReadOnlySpan<char> text)
    {
        var parts = 0;
        foreach (var range in text.Split('.'))
        {
            parts++;
            if (ParseNumber(text[range], byte.MaxValue) is null)
                return false;
        }
        return parts == 4;
    }
}
