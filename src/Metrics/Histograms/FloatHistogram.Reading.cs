using System.Text;

namespace Groundcrew.Metrics;

public sealed partial class FloatHistogram
{
    /// <summary>Whether this is no histogram but the end of its series (see <see cref="StaleMarker"/>).</summary>
    public bool IsStale => StaleMarker.Is(Sum);

    /// <summary>All buckets from the lowest to the highest.</summary>
    public HistogramBuckets Buckets => new(this, descending: false);

    /// <summary>All buckets from the highest to the lowest.</summary>
    public HistogramBuckets BucketsDescending => new(this, descending: true);

    /// <summary>The bucket around zero; custom buckets have none, there it is empty.</summary>
    public HistogramBucket ZeroBucket => new(-ZeroThreshold, ZeroThreshold, true, true, ZeroCount);

    /// <summary>The bytes that Prometheus takes one for, by which limits on samples count it (16 bytes a sample).</summary>
    public int SizeInBytes =>
        168 + (8 * (PositiveSpans.Length + NegativeSpans.Length + PositiveBuckets.Length + NegativeBuckets.Length + CustomValues.Length));

    internal BucketRow Positive
    {
        get => new(PositiveSpans, PositiveBuckets);
        set => (PositiveSpans, PositiveBuckets) = value;
    }

    internal BucketRow Negative
    {
        get => new(NegativeSpans, NegativeBuckets);
        set => (NegativeSpans, NegativeBuckets) = value;
    }

    /// <summary>
    /// Whether both are the same data: same bits in sums and counts, same buckets (empty ones too), however the spans are
    /// cut. This is PromQL's <c>==</c>; it does not look at <see cref="ResetHint"/>.
    /// </summary>
    public bool ContentEquals(FloatHistogram other) =>
        Schema == other.Schema && SameBits(Count, other.Count) && SameBits(Sum, other.Sum) &&
        ZeroThreshold == other.ZeroThreshold && SameBits(ZeroCount, other.ZeroCount) &&
        (!HasCustomBuckets || CustomValues.AsSpan().SequenceEqual(other.CustomValues)) &&
        Positive.SameAs(other.Positive) && Negative.SameAs(other.Negative);

    /// <summary>As Prometheus prints it, without empty buckets: <c>{count:3, sum:4.5, [-0.5,0.5]:1, (1,2]:2}</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder("{count:").Append(FloatText.General(Count)).Append(", sum:").Append(FloatText.General(Sum));
        var negative = new BackwardCursor(NegativeSpans, NegativeBuckets);
        while (negative.MoveNext())
            Append(BucketAt(positive: false, negative.Index, negative.Count));
        if (ZeroCount != 0)
            Append(ZeroBucket);
        var positive = new BucketCursor(PositiveSpans, PositiveBuckets);
        while (positive.MoveNext())
            Append(BucketAt(positive: true, positive.Index, positive.Count));
        return text.Append('}').ToString();

        void Append(HistogramBucket bucket)
        {
            if (bucket.Count != 0)
                bucket.AppendTo(text.Append(", "));
        }
    }

    internal HistogramBucket BucketAt(bool positive, int index, double count)
    {
        if (HasCustomBuckets)
            return new(BucketBounds.Custom(index - 1, CustomValues), BucketBounds.Custom(index, CustomValues), index == 0, true, count);
        var near = BucketBounds.Exponential(index - 1, Schema);
        var far = BucketBounds.Exponential(index, Schema);
        return positive ? new(near, far, near < 0, far > 0, count) : new(-far, -near, -far < 0, -near > 0, count);
    }

    private static bool SameBits(double one, double other) => BitConverter.DoubleToInt64Bits(one) == BitConverter.DoubleToInt64Bits(other);
}
