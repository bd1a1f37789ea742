using System.Globalization;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>Writes numbers as Go's <c>strconv.FormatFloat(value, 'g', -1, 64)</c> does, which the exposition formats use.</summary>
internal static class GoNumber
{
    public static string Format(double value)
    {
        if (double.IsNaN(value))
            return "NaN";
        if (double.IsInfinity(value))
            return value > 0 ? "+Inf" : "-Inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0" : "0";
        var (digits, exponent) = Digits(value.ToString("R", CultureInfo.InvariantCulture));
        var sign = value < 0 ? "-" : "";
        return exponent is < -4 or >= 6 ? sign + Scientific(digits, exponent) : sign + Plain(digits, exponent);
    }

    private static (string Digits, int Exponent) Digits(string text)
    {
        var mark = text.IndexOf('E');
        var exponent = mark < 0 ? 0 : int.Parse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var number = (mark < 0 ? text : text[..mark]).TrimStart('-');
        var point = number.IndexOf('.');
        var whole = point < 0 ? number.Length : point;
        var all = number.Replace(".", "", StringComparison.Ordinal);
        var leading = all.Length - all.TrimStart('0').Length;
        return (all.Trim('0'), exponent + whole - leading - 1);
    }

    private static string Scientific(string digits, int exponent)
    {
        var text = new StringBuilder(digits[..1]);
        if (digits.Length > 1)
            text.Append('.').Append(digits, 1, digits.Length - 1);
        return text.Append('e').Append(exponent < 0 ? '-' : '+').Append(Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)).ToString();
    }

    private static string Plain(string digits, int exponent)
    {
        if (exponent < 0)
            return "0." + new string('0', -exponent - 1) + digits;
        if (exponent >= digits.Length - 1)
            return digits + new string('0', exponent - digits.Length + 1);
        return $"{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }
}
