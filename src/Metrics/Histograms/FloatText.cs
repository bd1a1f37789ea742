using System.Globalization;

namespace Groundcrew.Metrics;

/// <summary>Floats as texts in the forms that Prometheus uses in its messages and histograms. Thread-safe.</summary>
public static class FloatText
{
    /// <summary>As OpenMetrics writes the values of <c>le</c> and <c>quantile</c>: as <see cref="General"/>, but <c>1.0</c> for 1.</summary>
    public static string OpenMetrics(double value)
    {
        var text = General(value);
        return double.IsFinite(value) && !text.AsSpan().ContainsAny('.', 'e') ? text + ".0" : text;
    }

    /// <summary>The shortest digits that give the float again; with an exponent from 1e+06 on and below 0.0001 (Go's <c>%g</c>).</summary>
    public static string General(double value) => Format(value, "R", exponentFrom: 6);

    /// <summary>Rounded to two digits; with an exponent from 1e+02 on and below 0.0001 (Go's <c>%.2g</c>).</summary>
    public static string TwoDigits(double value) => Format(value, "E1", exponentFrom: 2);

    private static string Format(double value, string digitsFormat, int exponentFrom)
    {
        if (double.IsNaN(value))
            return "NaN";
        if (double.IsInfinity(value))
            return value > 0 ? "+Inf" : "-Inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0" : "0";
        var shortest = value.ToString(digitsFormat, CultureInfo.InvariantCulture);
        var sign = shortest[0] == '-' ? "-" : "";
        var at = shortest.IndexOf('E', StringComparison.Ordinal);
        var mantissa = shortest[sign.Length..(at < 0 ? shortest.Length : at)];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        var exponent = (point < 0 ? mantissa.Length : point) - 1 + (at < 0 ? 0 : int.Parse(shortest.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));
        var leading = digits.Length - digits.TrimStart('0').Length;
        digits = digits[leading..].TrimEnd('0');
        exponent -= leading;
        if (exponent < -4 || exponent >= exponentFrom)
            return sign + digits[0] + (digits.Length > 1 ? "." + digits[1..] : "") + (exponent < 0 ? "e-" : "e+") + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
        if (exponent < 0)
            return sign + "0." + new string('0', -exponent - 1) + digits;
        return digits.Length <= exponent + 1 ? sign + digits.PadRight(exponent + 1, '0') : sign + digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }
}
