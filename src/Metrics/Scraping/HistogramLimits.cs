namespace Groundcrew.Metrics;

/// <summary>Brings native histograms to what a job allows: fewer, wider buckets.</summary>
internal static class HistogramLimits
{
    private const int LowestSchema = -4;
    private const int HighestSchema = 8;

    /// <summary>The highest schema whose buckets grow by at least a factor.</summary>
    public static int SchemaOf(double factor) =>
        factor <= 1 ? HighestSchema : (int)Math.Clamp(Math.Floor(-Math.Log2(Math.Log2(factor))), LowestSchema, HighestSchema);

    /// <summary>Makes the buckets of a histogram, which is the caller's own, wider until they are few enough; false when that is not possible.</summary>
    public static bool TryFit(FloatHistogram histogram, int maxSchema, long maxBuckets)
    {
        if (histogram.Schema > maxSchema)
            histogram.ReduceTo(maxSchema);
        while (maxBuckets > 0 && histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length > maxBuckets)
        {
            if (histogram.Schema <= LowestSchema)
                return false;
            histogram.ReduceTo(histogram.Schema - 1);
        }
        return true;
    }
}
