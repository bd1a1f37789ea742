using System.Globalization;

namespace Groundcrew.PromQL;

/// <summary>Numbers as Go reads and prints them.</summary>
internal static class GoNumber
{
    /// <summary>
    /// The value of a literal: decimal, <c>0x</c>, octal with a leading 0, Inf, NaN, underscores between digits. Null for the
    /// message means that it is one.
    /// </summary>
    public static (double Value, string? Error) Parse(string text)
    {
        var sign = 1.0;
        var rest = text.AsSpan();
        if (!rest.IsEmpty && rest[0] is '+' or '-')
        {
            sign = rest[0] == '-' ? -1 : 1;
            rest = rest[1..];
        }
        if (rest.Equals("inf", StringComparison.OrdinalIgnoreCase) || rest.Equals("infinity", StringComparison.OrdinalIgnoreCase))
            return (sign * double.PositiveInfinity, null);
        if (rest.Equals("nan", StringComparison.OrdinalIgnoreCase))
            return (double.NaN, null);
        if (rest.IsEmpty || !UnderscoresStandBetweenDigits(rest))
            return (0, Invalid(text));
        var digits = rest.Contains('_') ? rest.ToString().Replace("_", "", StringComparison.Ordinal) : rest;
        if (digits.Length > 1 && digits[0] == '0' && Integer(digits) is { } integer)
            return (sign * integer, null);
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value))
            return (0, Invalid(text));
        return double.IsInfinity(value) ? (0, $"strconv.ParseFloat: parsing {GoText.Quote(text)}: value out of range") : (sign * value, null);
    }

    /// <summary>The shortest digits that give the value again, never with an exponent (<c>'f', -1</c>).</summary>
    public static string Format(double value)
    {
        if (double.IsNaN(value))
            return "NaN";
        if (double.IsInfinity(value))
            return value > 0 ? "+Inf" : "-Inf";
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var e = shortest.IndexOf('E', StringComparison.Ordinal);
        if (e < 0)
            return shortest;
        var exponent = int.Parse(shortest.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var sign = shortest[0] == '-' ? "-" : "";
        var digits = shortest[sign.Length..e];
        var point = digits.IndexOf('.', StringComparison.Ordinal);
        var whole = point < 0 ? digits.Length : point;
        digits = digits.Replace(".", "", StringComparison.Ordinal);
        var at = whole + exponent;
        if (at <= 0)
            return sign + "0." + new string('0', -at) + digits;
        return at >= digits.Length ? sign + digits + new string('0', at - digits.Length) : sign + digits[..at] + "." + digits[at..];
    }

    private static double? Integer(ReadOnlySpan<char> digits)
    {
        long value = 0;
        var numberBase = digits[1] is 'x' or 'X' ? 16 : 8;
        var rest = digits[(numberBase == 16 ? 2 : 1)..];
        if (rest.IsEmpty)
            return null;
        foreach (var c in rest)
        {
            var digit = GoText.HexValue(c);
            if (digit >= numberBase || value > (long.MaxValue - digit) / numberBase)
                return null;
            value = (value * numberBase) + digit;
        }
        return value;
    }

    private static bool UnderscoresStandBetweenDigits(ReadOnlySpan<char> text)
    {
        var hex = text.Length > 1 && text[0] == '0' && text[1] is 'x' or 'X';
        var before = hex ? '0' : '!';
        foreach (var c in hex ? text[2..] : text)
        {
            var digit = char.IsAsciiDigit(c) || (hex && char.IsAsciiHexDigit(c));
            if ((c == '_' && before != '0') || (before == '_' && !digit))
                return false;
            before = digit ? '0' : c == '_' ? '_' : '!';
        }
        return before != '_';
    }

    private static string Invalid(string text) => $"strconv.ParseFloat: parsing {GoText.Quote(text)}: invalid syntax";
}
