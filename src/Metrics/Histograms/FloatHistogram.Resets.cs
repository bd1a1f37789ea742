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
        return IsAfterReset(previous);
    }

    private bool IsAfterReset(FloatHistogram previous)
    {
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

    /// <summary>
    /// What a store says of this histogram when it is read back, whatever it came with: gauges stay gauges, and where the
    /// counter surely ran on, that is said. Anything else is unknown, resets too, since whoever reads may not see the sample
    /// that came before: it compares. (Prometheus 3 says the same of the first histogram of each chunk.)
    /// </summary>
    /// <param name="before">The histogram before it in its series; null when there is none, or a float.</param>
    public CounterResetHint HintAfter(FloatHistogram? before)
    {
        if (ResetHint == CounterResetHint.Gauge)
            return ResetHint;
        if (before is null or { ResetHint: CounterResetHint.Gauge } || ResetHint == CounterResetHint.CounterReset)
            return CounterResetHint.Unknown;
        if (StaleMarker.Is(Sum))
            return CounterResetHint.NotCounterReset;
        if (StaleMarker.Is(before.Sum) || Schema != before.Schema || ZeroThreshold != before.ZeroThreshold || IsAfterReset(before))
            return CounterResetHint.Unknown;
        return CounterResetHint.NotCounterReset;
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
