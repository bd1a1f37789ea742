namespace Groundcrew.Metrics;

public sealed partial class FloatHistogram
{
    /// <summary>
    /// Leaves only observations below (or above) a threshold: PromQL's <c>&lt;/</c> and <c>&gt;/</c>. In the bucket that the
    /// threshold divides, as many are left as interpolation says. When anything is taken away, the sum is estimated anew from
    /// the middles of what is left; otherwise nothing changes.
    /// </summary>
    public void Trim(double threshold, bool keepBelow)
    {
        var trim = new Trimming(this, threshold, keepBelow);
        var positive = trim.Side(Positive, positive: true);
        var negative = trim.Side(Negative, positive: false);
        var zeroCount = HasCustomBuckets || ZeroCount == 0 ? ZeroCount : trim.Keep(EffectiveZeroBucket(), linear: true);
        if (!trim.Changed)
            return;
        (Positive, Negative, ZeroCount, Count, Sum) = (positive, negative, zeroCount, trim.Count, trim.Sum);
        Compact();
    }

    /// <summary>The zero bucket, ending at zero on the side on which nothing else was observed when something was on the other.</summary>
    private HistogramBucket EffectiveZeroBucket()
    {
        bool above = Array.Exists(PositiveBuckets, c => c > 0), below = Array.Exists(NegativeBuckets, c => c > 0);
        if (above == below)
            return ZeroBucket;
        return above ? ZeroBucket with { Lower = 0 } : ZeroBucket with { Upper = 0 };
    }

    /// <summary>What is left of the buckets so far.</summary>
    private sealed class Trimming(FloatHistogram histogram, double threshold, bool keepBelow)
    {
        public bool Changed { get; private set; }

        public double Count { get; private set; }

        public double Sum { get; private set; }

        public BucketRow Side(BucketRow row, bool positive)
        {
            var counts = new double[row.Counts.Length];
            var cursor = new BucketCursor(row.Spans, row.Counts);
            for (var i = 0; cursor.MoveNext(); i++)
                counts[i] = cursor.Count == 0 ? 0 : Keep(histogram.BucketAt(positive, cursor.Index, cursor.Count), histogram.HasCustomBuckets);
            return new(row.Spans, counts);
        }

        /// <summary>How many of a bucket are left; they are counted.</summary>
        public double Keep(HistogramBucket bucket, bool linear)
        {
            var (lower, upper) = (bucket.Lower, bucket.Upper);
            double left;
            if (keepBelow ? upper <= threshold : lower >= threshold)
            {
                left = bucket.Count;
            }
            else if (keepBelow ? lower >= threshold : upper <= threshold)
            {
                left = 0;
            }
            else
            {
                left = bucket.Count * Share(lower, upper, linear);
                (lower, upper) = keepBelow ? (lower, threshold) : (threshold, upper);
            }
            Changed |= left != bucket.Count;
            Count += left;
            if (left != 0)
                Sum += left * Middle(lower, upper, linear);
            return left;
        }

        /// <summary>
        /// The share of a divided bucket that is kept. Observations in a bucket without an end count as lying at that end, but the
        /// lowest custom bucket begins at zero if it ends above; of a bucket without any end nothing is known.
        /// </summary>
        private double Share(double lower, double upper, bool linear)
        {
            if (double.IsInfinity(lower) && double.IsInfinity(upper))
                return 0;
            double below;
            if (double.IsInfinity(upper))
                below = 0;
            else if (!double.IsInfinity(lower))
                below = Below(lower, upper, linear);
            else if (upper <= 0)
                below = 1;
            else
                below = threshold > 0 ? threshold / upper : 0;
            return keepBelow ? below : 1 - below;
        }

        private double Below(double lower, double upper, bool linear)
        {
            if (linear)
                return (threshold - lower) / (upper - lower);
            double near = Math.Log2(Math.Abs(lower)), far = Math.Log2(Math.Abs(upper)), at = Math.Log2(Math.Abs(threshold));
            return lower > 0 ? (at - near) / (far - near) : 1 - ((at - far) / (near - far));
        }

        private static double Middle(double lower, double upper, bool linear)
        {
            if (double.IsNegativeInfinity(lower))
                return double.IsPositiveInfinity(upper) ? 0 : upper > 0 ? upper / 2 : upper;
            if (double.IsPositiveInfinity(upper))
                return lower;
            if (linear)
                return (lower + upper) / 2;
            var middle = Math.Sqrt(Math.Abs(lower * upper));
            return upper <= 0 ? -middle : middle;
        }
    }
}
