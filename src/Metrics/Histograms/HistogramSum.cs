namespace Groundcrew.Metrics;

/// <summary>
/// Adds up histograms with little loss of digits: what each addition of floats rounds away is kept beside the sum
/// (Neumaier's variant of Kahan's summation). Not thread-safe.
/// </summary>
public sealed class HistogramSum
{
    private readonly bool _ofMean;
    private FloatHistogram _sum;
    private FloatHistogram? _lost;
    private bool _incremental;
    private bool _sawReset;
    private bool _sawNoReset;

    /// <summary>Begins with one histogram, which stays as it is.</summary>
    /// <param name="first">The first histogram.</param>
    /// <param name="ofMean">Whether the mean is wanted: it is found even where the sum overflows.</param>
    public HistogramSum(FloatHistogram first, bool ofMean = false)
    {
        (_sum, _ofMean) = (first.Copy(), ofMean);
        Note(first.ResetHint);
    }

    /// <summary>How many histograms there are.</summary>
    public int Count { get; private set; } = 1;

    /// <summary>What is to be said about all additions.</summary>
    public HistogramRemarks Remarks { get; private set; }

    /// <summary>Adds a histogram, which stays as it is; false (and nothing added) when its buckets are of the other kind.</summary>
    public bool Add(FloatHistogram histogram)
    {
        if (histogram.HasCustomBuckets != _sum.HasCustomBuckets)
        {
            Remarks |= HistogramRemarks.Incompatible;
            return false;
        }
        Note(histogram.ResetHint);
        _sum.TakeHint(histogram.ResetHint);
        Count++;
        if (_ofMean && !_incremental && WouldOverflow(histogram))
        {
            _incremental = true;
            _sum.Divide(Count - 1);
            _lost?.Divide(Count - 1);
        }
        if (_incremental)
        {
            var share = (Count - 1.0) / Count;
            _sum.Multiply(share);
            _lost?.Multiply(share);
            histogram = histogram.Copy();
            histogram.Divide(Count);
        }
        AddUp(histogram);
        return true;
    }

    /// <summary>The sum, or the mean if that was asked for. Call it once, at the end.</summary>
    public FloatHistogram Total()
    {
        if (_ofMean && !_incremental)
        {
            _sum.Divide(Count);
            _lost?.Divide(Count);
        }
        if (_lost is not null)
        {
            // What was rounded away has no hint of its own to disagree with.
            _lost.ResetHint = _sum.ResetHint;
            _sum.Add(_lost);
        }
        return _sum;
    }

    private void Note(CounterResetHint hint)
    {
        _sawReset |= hint == CounterResetHint.CounterReset;
        _sawNoReset |= hint == CounterResetHint.NotCounterReset;
        if (_sawReset && _sawNoReset)
            Remarks |= HistogramRemarks.ResetCollision;
    }

    private bool WouldOverflow(FloatHistogram other) =>
        double.IsInfinity(_sum.Sum + other.Sum) || double.IsInfinity(_sum.Count + other.Count) || double.IsInfinity(_sum.ZeroCount + other.ZeroCount) ||
        double.IsInfinity(Largest(_sum) + Largest(other));

    private static double Largest(FloatHistogram histogram)
    {
        double largest = 0;
        foreach (var count in histogram.PositiveBuckets)
            largest = Math.Max(largest, Math.Abs(count));
        foreach (var count in histogram.NegativeBuckets)
            largest = Math.Max(largest, Math.Abs(count));
        return largest;
    }

    private void AddUp(FloatHistogram histogram)
    {
        var lost = _lost ??= new() { Schema = _sum.Schema, ZeroThreshold = _sum.ZeroThreshold, CustomValues = _sum.CustomValues };
        var remarks = HistogramRemarks.None;
        var other = _sum.Align(histogram, ref remarks);
        Remarks |= remarks;
        if (lost.HasCustomBuckets)
        {
            if (!ReferenceEquals(lost.CustomValues, _sum.CustomValues))
                lost.CoarsenTo(_sum.CustomValues);
        }
        else
        {
            if (lost.ZeroThreshold != _sum.ZeroThreshold)
                lost.WidenZeroBucket(_sum.ZeroThreshold);
            lost.ReduceTo(_sum.Schema);
        }
        (_sum.ZeroCount, lost.ZeroCount) = Compensated.Add(_sum.ZeroCount, lost.ZeroCount, other.ZeroCount);
        (_sum.Count, lost.Count) = Compensated.Add(_sum.Count, lost.Count, other.Count);
        (_sum.Sum, lost.Sum) = Compensated.Add(_sum.Sum, lost.Sum, other.Sum);
        (_sum.Positive, lost.Positive) = AddUp(_sum.Positive, lost.Positive, _sum.Outside(other.Positive));
        (_sum.Negative, lost.Negative) = AddUp(_sum.Negative, lost.Negative, _sum.Outside(other.Negative));
    }

    private static (BucketRow Sum, BucketRow Lost) AddUp(BucketRow sum, BucketRow lost, BucketRow other)
    {
        if (!sum.Spans.AsSpan().SequenceEqual(other.Spans) || !sum.Spans.AsSpan().SequenceEqual(lost.Spans))
        {
            var spans = BucketRow.Union(BucketRow.Union(sum.Spans, other.Spans), lost.Spans);
            (sum, lost, other) = (new(spans, sum.Spread(spans)), new(spans, lost.Spread(spans)), new(spans, other.Spread(spans)));
        }
        for (var i = 0; i < sum.Counts.Length; i++)
            (sum.Counts[i], lost.Counts[i]) = Compensated.Add(sum.Counts[i], lost.Counts[i], other.Counts[i]);
        return (sum, lost);
    }
}
