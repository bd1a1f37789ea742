using System.Net;

namespace Groundcrew.Edge;

/// <summary>
/// Reads the elements of <c>Forwarded</c> (RFC 7239, section 4) from the right, so that a client's unfinished quoted
/// string further left cannot swallow what a proxy wrote behind it. Pure.
/// </summary>
internal static class ForwardedElement
{
    /// <summary>The place of the last separator that does not stand in a quoted string; -1 when there is none.</summary>
    public static int LastSeparator(ReadOnlySpan<char> text, char separator)
    {
        var isQuoted = false;
        for (var i = text.Length - 1; i >= 0; i--)
        {
            if (text[i] == '"' && !IsEscaped(text, i))
                isQuoted = !isQuoted;
            else if (text[i] == separator && !isQuoted)
                return i;
        }
        return -1;
    }

    /// <summary>The address that <c>for</c> names; null when it is missing, named twice, hidden, unknown or malformed.</summary>
    public static IPAddress? NodeOf(ReadOnlySpan<char> element)
    {
        ReadOnlySpan<char> node = [];
        while (!element.IsEmpty)
        {
            var semicolon = LastSeparator(element, ';');
            var pair = element[(semicolon + 1)..].Trim(" \t");
            element = semicolon < 0 ? [] : element[..semicolon];
            if (!pair.StartsWith("for=", StringComparison.OrdinalIgnoreCase))
                continue;
            if (!node.IsEmpty)
                return null;
            node = pair["for=".Length..];
        }
        return AddressText.ParseNode(Unquoted(node));
    }

    private static ReadOnlySpan<char> Unquoted(ReadOnlySpan<char> text) =>
        text is ['"', .., '"'] && text.Length > 2 ? text[1..^1] : text;

    private static bool IsEscaped(ReadOnlySpan<char> text, int place)
    {
        var slashes = 0;
        while (place - slashes > 0 && text[place - slashes - 1] == '\\')
            slashes++;
        return slashes % 2 == 1;
    }
}
