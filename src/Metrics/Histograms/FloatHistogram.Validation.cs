using System.Globalization;

namespace Groundcrew.Metrics;

public sealed partial class FloatHistogram
{
    private const string NegativeBucketCount = "histogram has a bucket whose observation count is negative";

    /// <summary>What is wrong with it, in Prometheus' words; null when it is in itself right. A stale marker is right.</summary>
    public string? Validate()
    {
        if (HasCustomBuckets)
        {
            if (CheckBounds() is { } bounds)
                return "custom buckets: " + bounds;
            if (ZeroCount != 0)
                return "custom buckets: must have zero count of 0";
            if (ZeroThreshold != 0)
                return "custom buckets: must have zero threshold of 0";
            if (NegativeSpans.Length > 0)
                return "custom buckets: must not have negative spans";
            if (NegativeBuckets.Length > 0)
                return "custom buckets: must not have negative buckets";
        }
        else if (Schema is < -4 or > 8)
        {
            return Text($"histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {Schema}");
        }
        else if (CheckExponential() is { } problem)
        {
            return problem;
        }
        if (Count < 0)
            return $"observation count is  {FloatText.General(Count)}: histogram's observation count is negative";
        return CheckCounts(PositiveBuckets) is { } positive ? "positive side: " + positive : null;
    }

    private string? CheckExponential()
    {
        if (CheckSpans(PositiveSpans, PositiveBuckets.Length, 1) is { } positive)
            return "positive side: " + positive;
        if ((CheckSpans(NegativeSpans, NegativeBuckets.Length, 1) ?? CheckCounts(NegativeBuckets)) is { } negative)
            return "negative side: " + negative;
        if (ZeroCount < 0)
            return $"zero bucket has observation count of {FloatText.General(ZeroCount)}: {NegativeBucketCount}";
        return CustomValues.Length > 0 ? "histogram with exponential schema must not have custom bounds" : null;
    }

    private string? CheckBounds()
    {
        for (var i = 0; i < CustomValues.Length; i++)
        {
            if (double.IsNaN(CustomValues[i]))
                return "histogram custom bounds must not be NaN";
            if (i > 0 && CustomValues[i] <= CustomValues[i - 1])
                return Text($"previous bound is {CustomValues[i - 1]:F6} and current is {CustomValues[i]:F6}: histogram custom bounds must be in strictly increasing order");
        }
        if (CustomValues.Length > 0 && double.IsPositiveInfinity(CustomValues[^1]))
            return "last +Inf bound must not be explicitly defined: histogram custom bounds must be finite";
        if (CheckSpans(PositiveSpans, PositiveBuckets.Length, 0) is { } spans)
            return spans;
        long total = 0;
        foreach (var span in PositiveSpans)
            total += span.Offset + span.Length;
        return CustomValues.Length + 1 < total
            ? Text($"only {CustomValues.Length} custom bounds defined which is insufficient to cover total span length of {total}: histogram custom bounds are too few")
            : null;
    }

    private static string? CheckSpans(HistogramSpan[] spans, int buckets, int gapsFrom)
    {
        long total = 0;
        for (var i = 0; i < spans.Length; i++)
        {
            if (i >= gapsFrom && spans[i].Offset < 0)
                return Text($"span number {i + 1} with offset {spans[i].Offset}: histogram has a span whose offset is negative");
            total += spans[i].Length;
        }
        return total == buckets ? null : Text($"spans need {total} buckets, have {buckets} buckets: histogram spans specify different number of buckets than provided");
    }

    private static string? CheckCounts(double[] counts)
    {
        for (var i = 0; i < counts.Length; i++)
            if (counts[i] < 0)
                return $"bucket number {i + 1} has observation count of {FloatText.General(counts[i])}: {NegativeBucketCount}";
        return null;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
