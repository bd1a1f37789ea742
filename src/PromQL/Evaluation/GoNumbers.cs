using System.Text;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Floats as Go writes them, because the labels of <c>count_values</c> are compared with Prometheus'.</summary>
internal static class GoNumbers
{
    /// <summary>The fewest digits and never an exponent (<c>%f</c>): <c>0.001</c>, <c>1000000000000000000000</c>, <c>+Inf</c>.</summary>
    public static string Plain(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
        var shortest = value.ToString("R");
        var e = shortest.IndexOf('E', StringComparison.Ordinal);
        if (e < 0)
            return shortest;
        var sign = value < 0 ? "-" : "";
        var digits = shortest[sign.Length..e].Replace(".", "", StringComparison.Ordinal);
        var point = 1 + int.Parse(shortest.AsSpan(e + 1));
        var text = new StringBuilder(sign);
        if (point <= 0)
            return text.Append("0.").Append('0', -point).Append(digits).ToString();
        return point >= digits.Length
            ? text.Append(digits).Append('0', point - digits.Length).ToString()
            : text.Append(digits, 0, point).Append('.').Append(digits, point, digits.Length - point).ToString();
    }
}
