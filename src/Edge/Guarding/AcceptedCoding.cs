using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Groundcrew.Edge;

/// <summary>How a body is encoded.</summary>
internal enum Coding
{
    /// <summary>As it is.</summary>
    None,

    /// <summary>RFC 1952.</summary>
    Gzip,

    /// <summary>RFC 7932.</summary>
    Brotli,
}

/// <summary>Which coding a client wants, by <c>Accept-Encoding</c> (RFC 9110, section 12.5.3). Pure.</summary>
internal static class AcceptedCoding
{
    /// <summary>The one that it prefers; br when it does not care, and none when it did not ask or likes the body as it is better.</summary>
    public static Coding Of(StringValues fields)
    {
        // What is named counts; "*" counts for all that are not named. A body as it is may always be sent unless it is refused.
        double? brotli = null, gzip = null, identity = null, any = null;
        foreach (var field in fields)
        {
            foreach (var range in field.AsSpan().Split(','))
            {
                var item = field.AsSpan()[range];
                var semicolon = item.IndexOf(';');
                var name = (semicolon < 0 ? item : item[..semicolon]).Trim(" \t");
                var weight = semicolon < 0 ? 1 : WeightOf(item[(semicolon + 1)..]);
                if (Is(name, "br"))
                    brotli = weight;
                else if (Is(name, "gzip") || Is(name, "x-gzip"))
                    gzip = weight;
                else if (Is(name, "identity"))
                    identity = weight;
                else if (Is(name, "*"))
                    any = weight;
            }
        }
        var (asBrotli, asGzip) = (brotli ?? any ?? 0, gzip ?? any ?? 0);
        var best = Math.Max(asBrotli, asGzip);
        return best <= 0 || identity > best ? Coding.None : asBrotli >= asGzip ? Coding.Brotli : Coding.Gzip;
    }

    /// <summary>A weight that cannot be read is none: the coding is not sent on a guess.</summary>
    private static double WeightOf(ReadOnlySpan<char> parameter)
    {
        var text = parameter.Trim(" \t");
        return text is ['q' or 'Q', '=', .. var number] && number.Length is > 0 and <= 5
            && double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight) && weight is >= 0 and <= 1 ? weight : 0;
    }

    private static bool Is(ReadOnlySpan<char> name, string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);
}
