using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// Goes through one side of a histogram away from zero: index and count of each stored bucket. With a reduction,
/// neighbours that become one bucket in a schema that many steps lower come as one.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct BucketCursor(HistogramSpan[] spans, double[] counts, int reduction = 0)
{
    private int _span;
    private int _inSpan;
    private int _bucket;
    private int _next = spans.Length > 0 ? spans[0].Offset : 0;

    /// <summary>The index of the bucket in the (reduced) schema.</summary>
    public int Index { get; private set; }

    /// <summary>Its count.</summary>
    public double Count { get; private set; }

    public bool MoveNext()
    {
        if (!Step(out var index, out var count))
            return false;
        (Index, Count) = (Reduced(index), count);
        while (reduction > 0)
        {
            var before = this;
            if (!Step(out index, out count))
                break;
            if (Reduced(index) != Index)
            {
                this = before;
                break;
            }
            Count += count;
        }
        return true;
    }

    private readonly int Reduced(int index) => ((index - 1) >> reduction) + 1;

    private bool Step(out int index, out double count)
    {
        while (_span < spans.Length && _inSpan >= spans[_span].Length)
        {
            _inSpan = 0;
            if (++_span < spans.Length)
                _next += spans[_span].Offset;
        }
        // Fewer counts than the spans promise can only be in a histogram that was never validated.
        if (_span >= spans.Length || _bucket >= counts.Length)
        {
            (index, count) = (0, 0);
            return false;
        }
        (index, count) = (_next++, counts[_bucket++]);
        _inSpan++;
        return true;
    }
}

/// <summary>Goes through one side of a histogram towards zero.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct BackwardCursor
{
    private readonly HistogramSpan[] _spans;
    private readonly double[] _counts;
    private int _span;
    private long _leftInSpan;
    private int _bucket;

    public BackwardCursor(HistogramSpan[] spans, double[] counts)
    {
        (_spans, _counts, _span, _bucket) = (spans, counts, spans.Length - 1, counts.Length);
        foreach (var span in spans)
            Index += span.Offset + (int)span.Length;
        _leftInSpan = _span >= 0 ? spans[_span].Length : 0;
    }

    /// <summary>The index of the bucket in the schema.</summary>
    public int Index { get; private set; }

    /// <summary>Its count.</summary>
    public double Count { get; private set; }

    public bool MoveNext()
    {
        while (_leftInSpan == 0 && _span > 0)
        {
            Index -= _spans[_span].Offset;
            _leftInSpan = _spans[--_span].Length;
        }
        if (_leftInSpan == 0 || _bucket == 0)
            return false;
        _leftInSpan--;
        Index--;
        Count = _counts[--_bucket];
        return true;
    }
}
