using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Groundcrew.Contract.Manifest;

/// <summary>The rules for the texts of <c>edge</c>. What they let pass, the edge takes.</summary>
internal static class EdgeTextRules
{
    private const int MaxToken = 128;

    /// <summary>What a token may be made of (RFC 9110, section 5.6.2).</summary>
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly SearchValues<char> AddressCharacters = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>Headers without which a message has no end or no host.</summary>
    private static readonly string[] Needed =
        ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer", "Expect"];

    public static TextRule Header { get; } = new(ProblemKinds.BadHeader, "the name of a header", WhyNoToken, "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");

    public static TextRule HeaderPattern { get; } = new(ProblemKinds.BadHeader, "a header to strip", WhyNotStripped, "^[!#$%&'+.^_`|~0-9A-Za-z-]+\\*?$");

    public static TextRule Cookie { get; } = new(ProblemKinds.BadCookie, "the name of a cookie", WhyNoToken, "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");

    public static TextRule Method { get; } = new(ProblemKinds.BadMethod, "a method",
        text => WhyNoToken(text) ?? (text.Any(char.IsAsciiLetterLower) ? "methods are written in capital letters" : null), "^[!#$%&'*+.^_`|~0-9A-Z-]+$");

    public static TextRule Network { get; } = new(ProblemKinds.BadNetwork, "a network", WhyNoNetwork, "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$");

    public static TextRule PathPattern { get; } = new(ProblemKinds.BadUrlPath, "a path with or without a '*' at its end", WhyNoPathPattern, @"^/[!-)+->@-~]*\*?$");

    public static TextRule MediaType { get; } = new(ProblemKinds.BadMediaType, "a media type", WhyNoMediaType, @"^([A-Za-z0-9!#$&^_.+-]+/([A-Za-z0-9!#$&^_.+-]+|\*)|\*\+[A-Za-z0-9.-]+)$");

    private static string? WhyNoPathPattern(string text)
    {
        var bare = text is [.. var start, '*'] ? start : text;
        return bare.AsSpan().ContainsAny('*', '?') ? "a '*' stands at its end only, and a query nowhere" : TextRules.UrlPath.Why(bare);
    }

    private static string? WhyNoMediaType(string text)
    {
        var (first, rest) = text.Split('/') switch
        {
            [['*', '+', .. var suffix]] => (suffix, suffix),
            [var type, "*"] => (type, type),
            [var type, var subtype] => (type, subtype),
            _ => ("", ""),
        };
        return IsMediaName(first) && IsMediaName(rest) ? null : "it is not of the form text/html, text/* or *+json";
    }

    private static bool IsMediaName(string name) =>
        name.Length is > 0 and <= MaxToken && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$&^_.+-".Contains(c));

    private static string? WhyNoToken(string text) =>
        text.Length == 0 ? "it is empty"
        : text.Length > MaxToken ? $"it has {text.Length} characters; {MaxToken} is the most"
        : text.AsSpan().ContainsAnyExcept(TokenCharacters) ? "only letters, digits and marks such as '-' and '_' may stand in it" : null;

    private static string? WhyNotStripped(string text)
    {
        var bare = text is [.. var start, '*'] ? start : text;
        if (bare.Contains('*'))
            return "a '*' stands at its end only";
        if (WhyNoToken(bare) is { } why)
            return why;
        var folded = bare.Replace('_', '-');
        var stripped = Array.Find(Needed, needed => bare.Length < text.Length
            ? needed.StartsWith(folded, StringComparison.OrdinalIgnoreCase) : needed.Equals(folded, StringComparison.OrdinalIgnoreCase));
        return stripped is null ? null : $"it would take away {stripped}, which requests need";
    }

    private static string? WhyNoNetwork(string text)
    {
        var slash = text.IndexOf('/');
        if (AddressOf(slash < 0 ? text : text[..slash]) is not { } address)
            return "it does not begin with an IPv4 or IPv6 address";
        if (address.IsIPv4MappedToIPv6)
            return "it is an IPv4 address written as IPv6";
        var bytes = address.GetAddressBytes();
        var length = bytes.Length * 8;
        if (slash >= 0 && (NumberOf(text[(slash + 1)..]) is not { } prefix || (length = prefix) > bytes.Length * 8))
            return $"after the '/' stands no number from 0 to {bytes.Length * 8}";
        for (var bit = length; bit < bytes.Length * 8; bit++)
            if ((bytes[bit / 8] & (0x80 >> (bit % 8))) != 0)
                return "it has bits beyond its prefix; write the network's first address";
        return null;
    }

    // The platform's own reading also takes old forms such as 127.1 and 0x7f.0.0.1, and nobody else means the same by them.
    private static IPAddress? AddressOf(string text)
    {
        if (text.AsSpan().ContainsAnyExcept(AddressCharacters) || !IPAddress.TryParse(text, out var address))
            return null;
        var isPlain = address.AddressFamily == AddressFamily.InterNetworkV6 || text.Split('.') is { Length: 4 } parts && parts.All(part => NumberOf(part) <= byte.MaxValue);
        return isPlain ? address : null;
    }

    private static int? NumberOf(string digits) =>
        digits.Length is > 0 and <= 3 && digits.All(char.IsAsciiDigit) && (digits.Length == 1 || digits[0] != '0') ? int.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture) : null;
}
