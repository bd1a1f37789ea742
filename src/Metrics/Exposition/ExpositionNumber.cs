using System.Buffers.Text;
using System.Globalization;

namespace Groundcrew.Metrics;

/// <summary>Numbers of the exposition formats, which are those of Go's <c>strconv.ParseFloat</c> without hexadecimal ones.</summary>
internal static class ExpositionNumber
{
    // The NaN of Go, and so of every store that a sample may be handed on to.
    private const long NormalNaN = 0x7FF8_0000_0000_0001;

    private static readonly double[] PowersOfTen =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

    public static bool TryParse(ReadOnlySpan<byte> text, out double value) =>
        TryParseShort(text, out value) || TryParseName(text, out value) || TryParseLong(text, out value);

    /// <summary>A whole number of milliseconds.</summary>
    public static bool TryParseTime(ReadOnlySpan<byte> text, out long time)
    {
        if (!text.IsEmpty && text[0] == '+')
            text = text[1..];
        return Utf8Parser.TryParse(text, out time, out var used) && used == text.Length && text[^1] != '+';
    }

    // Up to fifteen digits with at most one point: both parts are exact as doubles, so one division rounds correctly.
    private static bool TryParseShort(ReadOnlySpan<byte> text, out double value)
    {
        value = 0;
        var at = 0;
        var negative = text.Length > 0 && text[0] == '-';
        if (negative || (text.Length > 0 && text[0] == '+'))
            at++;
        if (text.Length - at is 0 or > 16)
            return false;
        long digits = 0;
        int count = 0, point = -1;
        for (; at < text.Length; at++)
        {
            var digit = text[at] - '0';
            if ((uint)digit <= 9)
            {
                digits = (digits * 10) + digit;
                count++;
            }
            else if (text[at] == '.' && point < 0)
            {
                point = count;
            }
            else
            {
                return false;
            }
        }
        if (count is 0 or > 15)
            return false;
        value = point < 0 ? digits : digits / PowersOfTen[count - point];
        if (negative)
            value = -value;
        return true;
    }

    private static bool TryParseName(ReadOnlySpan<byte> text, out double value)
    {
        var negative = text.Length > 0 && text[0] == '-';
        var bare = negative || (text.Length > 0 && text[0] == '+') ? text[1..] : text;
        if (IsWord(bare, "inf"u8) || IsWord(bare, "infinity"u8))
        {
            value = negative ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }
        value = BitConverter.Int64BitsToDouble(NormalNaN);
        return IsWord(text, "nan"u8);
    }

    private static bool IsWord(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) => System.Text.Ascii.EqualsIgnoreCase(text, word);

    private static bool TryParseLong(ReadOnlySpan<byte> text, out double value)
    {
        value = 0;
        if (text.IsEmpty || text[^1] is not ((>= (byte)'0' and <= (byte)'9') or (byte)'.'))
            return false;
        return double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value);
    }
}
