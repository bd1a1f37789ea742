namespace Groundcrew.Metrics;

public sealed partial class FloatHistogram
{
    /// <summary>
    /// Whether the counter began anew between the histogram before and this one: a count fell, a bucket vanished, or the
    /// layout became finer, which no running counter does. The hint decides alone where it says something about that; a
    /// gauge is compared as if it were a counter.
    /// </summary>
    public bool DetectReset(FloatHistogram previous)
    {
        if (ResetHint is CounterResetHint.CounterReset or CounterResetHint.NotCounterReset)
            return ResetHint == CounterResetHint.CounterReset;
        if (Count < previous.Count)
            return true;
        if (HasCustomBuckets)
        {
            if (!previous.HasCustomBuckets)
                return true;
            if (!CustomValues.AsSpan().SequenceEqual(previous.CustomValues))
                return FellInCommonBuckets(previous);
        }
        if (Schema > previous.Schema || ZeroThreshold < previous.ZeroThreshold)
            return true;
        var (zeroCount, threshold) = HasCustomBuckets ? (previous.ZeroCount, ZeroThreshold) : previous.WithZeroBucket(ZeroThreshold);
        return threshold != ZeroThreshold || ZeroCount < zeroCount ||
            Fell(Positive, previous.Positive, previous.Schema - Schema) || Fell(Negative, previous.Negative, previous.Schema - Schema);
    }

    /// <summary>Whether a bucket outside the zero bucket has less than it had before, when that comes in a higher schema.</summary>
    private bool Fell(BucketRow now, BucketRow before, int reduction)
    {
        var current = new BucketCursor(now.Spans, now.Counts);
        var more = current.MoveNext();
        var previous = new BucketCursor(before.Spans, before.Counts, reduction);
        while (previous.MoveNext())
        {
            if (ZeroThreshold > 0 && !HasCustomBuckets && BucketBounds.Exponential(previous.Index, Schema) <= ZeroThreshold)
                continue;
            while (more && current.Index < previous.Index)
                more = current.MoveNext();
            var count = more && current.Index == previous.Index ? current.Count : 0;
            if (count == 0 ? previous.Count != 0 : count < previous.Count)
                return true;
        }
        return false;
    }

    private bool FellInCommonBuckets(FloatHistogram previous)
    {
        var common = BucketBounds.Common(CustomValues, previous.CustomValues);
        return Fell(Positive.Coarsen(CustomValues, common), previous.Positive.Coarsen(previous.CustomValues, common), 0);
    }
}
