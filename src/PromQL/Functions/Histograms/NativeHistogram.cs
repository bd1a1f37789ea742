using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>What is found out about the observations in a native histogram.</summary>
internal static class NativeHistogram
{
    /// <summary>What is to be said about NaN among the observations.</summary>
    public enum NaNRemark
    {
        /// <summary>Nothing.</summary>
        None,

        /// <summary>The quantile lies among them.</summary>
        ResultIsNaN,

        /// <summary>They count as greater than everything, so the quantile is higher than without them.</summary>
        Skewed,
    }

    /// <summary>
    /// The quantile. Within exponential buckets observations are spread evenly over the logarithm, within custom ones and the
    /// zero bucket evenly over the value.
    /// </summary>
    public static double Quantile(double quantile, FloatHistogram histogram, out NaNRemark remark)
    {
        remark = NaNRemark.None;
        if (quantile is < 0 or > 1)
            return quantile < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        if (histogram.Count == 0 || double.IsNaN(quantile))
            return double.NaN;
        // NaN is observed in no bucket, but counts; so only the way from below gives the right rank.
        var hasNaN = double.IsNaN(histogram.Sum);
        var upwards = hasNaN || quantile < 0.5;
        var rank = (upwards ? quantile : 1 - quantile) * histogram.Count;
        var bucket = Reach(rank, upwards ? histogram.Buckets : histogram.BucketsDescending, out var count);
        bucket = WithNaturalBounds(bucket, histogram);
        if (histogram.HasCustomBuckets && !double.IsFinite(bucket.Upper - bucket.Lower))
            return double.IsNegativeInfinity(bucket.Lower) ? bucket.Upper : bucket.Lower;
        // Rounding may have brought the counts of all buckets above the count of all observations.
        count = Math.Min(count, histogram.Count);
        if (count < rank)
        {
            remark = hasNaN ? NaNRemark.ResultIsNaN : NaNRemark.None;
            return hasNaN ? double.NaN : bucket.Upper;
        }
        remark = hasNaN ? NaNRemark.Skewed : NaNRemark.None;
        var within = upwards ? rank - (count - bucket.Count) : count - rank;
        return Interpolate(bucket, within / bucket.Count, linear: histogram.HasCustomBuckets);
    }

    /// <summary>The share of observations between two values.</summary>
    public static double Fraction(double lower, double upper, FloatHistogram histogram)
    {
        if (histogram.Count == 0 || double.IsNaN(lower) || double.IsNaN(upper))
            return double.NaN;
        if (lower >= upper)
            return 0;
        var total = histogram.Count;
        if (double.IsNaN(histogram.Sum))
        {
            total = 0;
            foreach (var bucket in histogram.Buckets)
                total += bucket.Count;
        }
        return (RankOf(upper, histogram, total) - RankOf(lower, histogram, total)) / histogram.Count;
    }

    /// <summary>The variance, as if all observations of a bucket were in its middle.</summary>
    public static double Variance(FloatHistogram histogram)
    {
        var mean = histogram.Sum / histogram.Count;
        double variance = 0, lost = 0;
        foreach (var bucket in histogram.Buckets)
        {
            if (bucket.Count == 0)
                continue;
            var delta = Middle(bucket, histogram.HasCustomBuckets) - mean;
            (variance, lost) = Compensated.Add(variance, lost, bucket.Count * delta * delta);
        }
        return (variance + lost) / histogram.Count;
    }

    /// <summary>The first bucket with which the counts come up to a rank, or the last; empty buckets are none.</summary>
    private static HistogramBucket Reach(double rank, HistogramBuckets buckets, out double count)
    {
        var reached = default(HistogramBucket);
        count = 0;
        foreach (var bucket in buckets)
        {
            if (bucket.Count == 0)
                continue;
            reached = bucket;
            count += bucket.Count;
            if (count >= rank)
                break;
        }
        return reached;
    }

    /// <summary>
    /// Zero is a natural bound: that of the lowest custom bucket if it ends above, and that of the zero bucket on the side
    /// on which there are no buckets.
    /// </summary>
    private static HistogramBucket WithNaturalBounds(HistogramBucket bucket, FloatHistogram histogram)
    {
        if (histogram.HasCustomBuckets)
            return double.IsNegativeInfinity(bucket.Lower) && bucket.Upper > 0 ? bucket with { Lower = 0 } : bucket;
        if (bucket.Lower > 0 || bucket.Upper < 0)
            return bucket;
        if (histogram.NegativeBuckets.Length == 0 && histogram.PositiveBuckets.Length > 0)
            return bucket with { Lower = 0 };
        return histogram.PositiveBuckets.Length == 0 && histogram.NegativeBuckets.Length > 0 ? bucket with { Upper = 0 } : bucket;
    }

    private static double Interpolate(HistogramBucket bucket, double share, bool linear)
    {
        if (linear || (bucket.Lower <= 0 && bucket.Upper >= 0))
            return bucket.Lower + ((bucket.Upper - bucket.Lower) * share);
        double lower = Math.Log2(Math.Abs(bucket.Lower)), upper = Math.Log2(Math.Abs(bucket.Upper));
        return bucket.Lower > 0 ? Math.Pow(2, lower + ((upper - lower) * share)) : -Math.Pow(2, upper + ((lower - upper) * (1 - share)));
    }

    /// <summary>How many observations are below a value.</summary>
    private static double RankOf(double value, FloatHistogram histogram, double total)
    {
        double rank = 0;
        foreach (var stored in histogram.Buckets)
        {
            var bucket = WithNaturalBounds(stored, histogram);
            if (bucket.Lower >= value)
                return Math.Min(rank, total);
            if (bucket.Upper > value)
                return Math.Min(Within(bucket, value, rank, histogram.HasCustomBuckets), total);
            rank += bucket.Count;
        }
        return total;
    }

    private static double Within(HistogramBucket bucket, double value, double rank, bool linear)
    {
        if (linear || (bucket.Lower <= 0 && bucket.Upper >= 0))
            return double.IsNegativeInfinity(bucket.Lower) ? bucket.Count : rank + (bucket.Count * (value - bucket.Lower) / (bucket.Upper - bucket.Lower));
        double lower = Math.Log2(Math.Abs(bucket.Lower)), upper = Math.Log2(Math.Abs(bucket.Upper)), at = Math.Log2(Math.Abs(value));
        return rank + (bucket.Count * (value > 0 ? (at - lower) / (upper - lower) : 1 - ((at - upper) / (lower - upper))));
    }

    private static double Middle(HistogramBucket bucket, bool custom)
    {
        if (custom)
            return (bucket.Upper + bucket.Lower) / 2;
        if (bucket.Lower <= 0 && bucket.Upper >= 0)
            return 0;
        var middle = Math.Sqrt(bucket.Upper * bucket.Lower);
        return bucket.Upper < 0 ? -middle : middle;
    }
}
