using System.Globalization;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Scripts;

/// <summary>
/// Native histograms as scripts write them between double braces: <c>schema:1 sum:3 count:9 z_bucket:2 z_bucket_w:0.1
/// buckets:[1 2 4] offset:-1</c>, for negative buckets <c>n_buckets</c> and <c>n_offset</c>, <c>custom_values</c> for schema
/// -53, and <c>counter_reset_hint</c>.
/// </summary>
internal static class HistogramNotation
{
    /// <summary>Reads what stands between the braces; also whether the hint was named. Throws <see cref="FormatException"/>.</summary>
    public static (FloatHistogram Histogram, bool HintIsStated) Read(string text)
    {
        var histogram = new FloatHistogram();
        var (offset, negativeOffset, stated) = (0, 0, false);
        foreach (var (key, value) in Fields(text))
            switch (key)
            {
                case "schema":
                    histogram.Schema = Integer(value);
                    break;
                case "sum":
                    histogram.Sum = Number(value);
                    break;
                case "count":
                    histogram.Count = Number(value);
                    break;
                case "z_bucket":
                    histogram.ZeroCount = Number(value);
                    break;
                case "z_bucket_w":
                    histogram.ZeroThreshold = Number(value);
                    break;
                case "custom_values":
                    histogram.CustomValues = Numbers(value);
                    break;
                case "buckets":
                    histogram.PositiveBuckets = Numbers(value);
                    break;
                case "n_buckets":
                    histogram.NegativeBuckets = Numbers(value);
                    break;
                case "offset":
                    offset = Integer(value);
                    break;
                case "n_offset":
                    negativeOffset = Integer(value);
                    break;
                case "counter_reset_hint":
                    (histogram.ResetHint, stated) = (Hint(value), true);
                    break;
                default:
                    throw new FormatException($"bad histogram descriptor found: {GoText.Quote(key)}");
            }
        if (histogram.PositiveBuckets.Length > 0)
            histogram.PositiveSpans = [new(offset, (uint)histogram.PositiveBuckets.Length)];
        if (histogram.NegativeBuckets.Length > 0)
            histogram.NegativeSpans = [new(negativeOffset, (uint)histogram.NegativeBuckets.Length)];
        return (histogram, stated);
    }

    /// <summary>The way back, for showing what was expected and what came.</summary>
    public static string Print(FloatHistogram h)
    {
        var fields = new List<string> { $"schema:{h.Schema}", "count:" + GoNumber.Format(h.Count), "sum:" + GoNumber.Format(h.Sum) };
        if (h.ZeroCount != 0 || h.ZeroThreshold != 0)
            fields.Add($"z_bucket:{GoNumber.Format(h.ZeroCount)} z_bucket_w:{GoNumber.Format(h.ZeroThreshold)}");
        if (h.CustomValues.Length > 0)
            fields.Add($"custom_values:{List(h.CustomValues)}");
        AddBuckets(fields, "", h.PositiveSpans, h.PositiveBuckets);
        AddBuckets(fields, "n_", h.NegativeSpans, h.NegativeBuckets);
        if (h.ResetHint != CounterResetHint.Unknown)
            fields.Add("counter_reset_hint:" + h.ResetHint switch { CounterResetHint.CounterReset => "reset", CounterResetHint.NotCounterReset => "not_reset", _ => "gauge" });
        return "{{" + string.Join(' ', fields) + "}}";
    }

    private static void AddBuckets(List<string> fields, string prefix, HistogramSpan[] spans, double[] buckets)
    {
        if (spans.Length == 0)
            return;
        var all = new List<double>();
        var next = 0;
        for (var i = 0; i < spans.Length; i++)
        {
            if (i > 0)
                all.AddRange(Enumerable.Repeat(0.0, Math.Max(0, spans[i].Offset)));
            for (var j = 0; j < spans[i].Length; j++)
                all.Add(buckets[next++]);
        }
        fields.Add($"{prefix}offset:{spans[0].Offset} {prefix}buckets:{List(all)}");
    }

    private static string List(IEnumerable<double> values) => $"[{string.Join(' ', values.Select(GoNumber.Format))}]";

    private static IEnumerable<(string Key, string Value)> Fields(string text)
    {
        var rest = text.Trim();
        while (rest.Length > 0)
        {
            var colon = rest.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0)
                throw new FormatException($"unexpected {GoText.Quote(rest)} in histogram description");
            var value = rest[(colon + 1)..];
            var end = value.StartsWith('[') ? value.IndexOf(']', StringComparison.Ordinal) + 1 : value.IndexOf(' ', StringComparison.Ordinal);
            if (end == 0)
                throw new FormatException("a list of buckets ends with ]");
            if (end < 0)
                end = value.Length;
            yield return (rest[..colon], value[..end]);
            rest = value[end..].TrimStart();
        }
    }

    private static double[] Numbers(string list) =>
        [.. list.Trim('[', ']').Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).Select(Number)];

    private static double Number(string text) => GoNumber.Parse(text) switch
    {
        (var value, null) => value,
        var (_, error) => throw new FormatException("error parsing number: " + error),
    };

    private static int Integer(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : throw new FormatException($"{GoText.Quote(text)} is no whole number");

    private static CounterResetHint Hint(string text) => text switch
    {
        "unknown" => CounterResetHint.Unknown,
        "reset" => CounterResetHint.CounterReset,
        "not_reset" => CounterResetHint.NotCounterReset,
        "gauge" => CounterResetHint.Gauge,
        _ => throw new FormatException($"unknown counter_reset_hint {GoText.Quote(text)}"),
    };
}
