namespace Groundcrew.Metrics;

public sealed partial class FloatHistogram
{
    /// <summary>
    /// Widens the zero buckets of both until they are equally wide and neither ends inside a bucket that holds something.
    /// Gives the other one so, as a copy when it had to be widened.
    /// </summary>
    private FloatHistogram AlignZeroBuckets(FloatHistogram other)
    {
        var widened = other;
        while (widened.ZeroThreshold != ZeroThreshold)
            if (ZeroThreshold > widened.ZeroThreshold)
            {
                if (ReferenceEquals(widened, other))
                    widened = other.Copy();
                widened.WidenZeroBucket(ZeroThreshold);
            }
            else
            {
                WidenZeroBucket(widened.ZeroThreshold);
            }
        return widened;
    }

    /// <summary>Widens the zero bucket at least to a threshold; what falls into it is counted there.</summary>
    internal void WidenZeroBucket(double threshold)
    {
        (ZeroCount, ZeroThreshold) = WithZeroBucket(threshold);
        Positive = Positive.From(ZeroThreshold, Schema).Compact(0);
        Negative = Negative.From(ZeroThreshold, Schema).Compact(0);
    }

    /// <summary>
    /// The count of a wider zero bucket and where it ends: at the threshold, or further out when that lies inside a bucket
    /// that is not empty.
    /// </summary>
    private (double Count, double Threshold) WithZeroBucket(double threshold)
    {
        while (true)
        {
            var positive = Swallow(Positive, ref threshold);
            var reached = threshold;
            var negative = Swallow(Negative, ref threshold);
            // A threshold that the negative side moved may reach into further positive buckets.
            if (threshold == reached)
                return (ZeroCount + positive + negative, threshold);
        }
    }

    private double Swallow(BucketRow row, ref double threshold)
    {
        double count = 0;
        var cursor = new BucketCursor(row.Spans, row.Counts);
        while (cursor.MoveNext() && BucketBounds.Exponential(cursor.Index - 1, Schema) < threshold)
        {
            count += cursor.Count;
            var end = BucketBounds.Exponential(cursor.Index, Schema);
            if (end <= threshold)
                continue;
            if (cursor.Count != 0)
                threshold = end;
            break;
        }
        return count;
    }
}
