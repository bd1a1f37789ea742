namespace Groundcrew.Metrics.Tests.Histograms;

/// <summary>Histograms for tests.</summary>
internal static class HistogramBench
{
    /// <summary>Positive buckets from an index on, without gaps.</summary>
    public static FloatHistogram Of(int schema, int offset, params double[] counts) => new()
    {
        Schema = schema,
        Count = counts.Sum(),
        Sum = counts.Sum() * 2,
        PositiveSpans = counts.Length == 0 ? [] : [new(offset, (uint)counts.Length)],
        PositiveBuckets = counts,
    };

    public static FloatHistogram Custom(double[] bounds, params double[] counts) => new()
    {
        Schema = FloatHistogram.CustomBucketsSchema,
        Count = counts.Sum(),
        Sum = counts.Sum() * 3,
        PositiveSpans = counts.Length == 0 ? [] : [new(0, (uint)counts.Length)],
        PositiveBuckets = counts,
        CustomValues = bounds,
    };

    /// <summary>Whole counts, so that sums are exact; some buckets empty, spans with gaps.</summary>
    public static FloatHistogram Random(Random random) => Random(random, random.Next(3) switch { 0 => 0, 1 => 0.001, _ => 0.5 });

    /// <summary>Nothing lies inside the zero bucket but what is counted there.</summary>
    public static FloatHistogram Random(Random random, double zeroThreshold)
    {
        var histogram = new FloatHistogram { Schema = random.Next(-2, 5), ZeroThreshold = zeroThreshold, ZeroCount = random.Next(5) };
        (histogram.PositiveSpans, histogram.PositiveBuckets) = Side(random, random.Next(-8, 8));
        (histogram.NegativeSpans, histogram.NegativeBuckets) = Side(random, random.Next(-8, 8));
        (histogram.Positive, histogram.Negative) = (histogram.Positive.From(histogram.ZeroThreshold, histogram.Schema), histogram.Negative.From(histogram.ZeroThreshold, histogram.Schema));
        histogram.Count = histogram.ZeroCount + histogram.PositiveBuckets.Sum() + histogram.NegativeBuckets.Sum();
        histogram.Sum = random.Next(-1000, 1000);
        return histogram;
    }

    private static (HistogramSpan[] Spans, double[] Counts) Side(Random random, int offset)
    {
        var spans = new List<HistogramSpan>();
        for (var i = random.Next(4); i > 0; i--)
        {
            spans.Add(new(offset, (uint)random.Next(4)));
            offset = random.Next(4);
        }
        return ([.. spans], [.. Enumerable.Range(0, spans.Sum(s => (int)s.Length)).Select(_ => (double)random.Next(4))]);
    }
}
