using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// One side of a histogram, as spans and counts, and what can be done to it. Spans are never changed in place, so
/// histograms may share them; counts are new unless said otherwise.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct BucketRow(HistogramSpan[] Spans, double[] Counts)
{
    /// <summary>The counts of both added up, or the other's taken away; a bucket that only one has, is kept.</summary>
    /// <remarks>This row's counts are used up: they may become the result.</remarks>
    public BucketRow Merge(BucketRow other, bool subtract)
    {
        if (other.Counts.Length == 0)
            return this;
        if (!Spans.AsSpan().SequenceEqual(other.Spans))
        {
            var spans = Union(Spans, other.Spans);
            return new BucketRow(spans, Spread(spans)).Merge(new(spans, other.Spread(spans)), subtract);
        }
        for (var i = 0; i < Counts.Length; i++)
            Counts[i] = subtract ? Counts[i] - other.Counts[i] : Counts[i] + other.Counts[i];
        return this;
    }

    /// <summary>The counts where other spans, which hold all buckets of these, have them; 0 where these have none.</summary>
    public double[] Spread(HistogramSpan[] spans)
    {
        if (Spans.AsSpan().SequenceEqual(spans))
            return Counts;
        var counts = new double[TotalLength(spans)];
        var to = new BucketCursor(spans, counts);
        var at = -1;
        var from = new BucketCursor(Spans, Counts);
        while (from.MoveNext())
        {
            do
                at++;
            while (to.MoveNext() && to.Index != from.Index);
            counts[at] = from.Count;
        }
        return counts;
    }

    /// <summary>The same in a schema that is this many steps lower.</summary>
    public BucketRow Reduce(int steps)
    {
        if (steps == 0 || Counts.Length == 0)
            return this;
        var builder = new Builder(Counts.Length);
        var cursor = new BucketCursor(Spans, Counts, steps);
        while (cursor.MoveNext())
            builder.Add(cursor.Index, cursor.Count);
        return builder.ToRow();
    }

    /// <summary>Without the buckets that begin below a bound (absolute), of an exponential schema.</summary>
    public BucketRow From(double bound, int schema)
    {
        var builder = new Builder(Counts.Length);
        var cursor = new BucketCursor(Spans, Counts);
        while (cursor.MoveNext())
            if (BucketBounds.Exponential(cursor.Index - 1, schema) >= bound)
                builder.Add(cursor.Index, cursor.Count);
        return builder.Count == Counts.Length ? this : builder.ToRow();
    }

    /// <summary>Without the buckets that end at a bound (absolute) or below, of an exponential schema.</summary>
    public BucketRow EndingAfter(double bound, int schema)
    {
        var builder = new Builder(Counts.Length);
        var cursor = new BucketCursor(Spans, Counts);
        while (cursor.MoveNext())
            if (BucketBounds.Exponential(cursor.Index, schema) > bound)
                builder.Add(cursor.Index, cursor.Count);
        return builder.ToRow();
    }

    /// <summary>Custom buckets brought to fewer bounds, all of which are among the old ones; empty buckets are left out.</summary>
    public BucketRow Coarsen(double[] bounds, double[] to)
    {
        var counts = new double[to.Length + 1];
        var cursor = new BucketCursor(Spans, Counts);
        while (cursor.MoveNext())
        {
            var target = to.Length;
            if (cursor.Index < bounds.Length)
            {
                var found = to.AsSpan().BinarySearch(bounds[cursor.Index]);
                target = found < 0 ? ~found : found;
            }
            counts[target] += cursor.Count;
        }
        return new BucketRow([new(0, (uint)counts.Length)], counts).Compact(0);
    }

    /// <summary>
    /// Without empty buckets, except where at most that many lie between two others: then the two share a span.
    /// </summary>
    public BucketRow Compact(int maxEmptyBuckets)
    {
        if (IsCompact(maxEmptyBuckets))
            return this;
        var builder = new Builder(Counts.Length);
        var cursor = new BucketCursor(Spans, Counts);
        var last = int.MaxValue;
        while (cursor.MoveNext())
        {
            if (cursor.Count == 0)
                continue;
            if (last < cursor.Index && cursor.Index - last - 1 <= maxEmptyBuckets)
                for (var empty = last + 1; empty < cursor.Index; empty++)
                    builder.Add(empty, 0);
            builder.Add(last = cursor.Index, cursor.Count);
        }
        return builder.ToRow();
    }

    /// <summary>Whether both have the same buckets with the same bits in their counts, however the spans are cut.</summary>
    public bool SameAs(BucketRow other)
    {
        if (Counts.Length != other.Counts.Length)
            return false;
        if (!MemoryMarshal.Cast<double, long>(Counts.AsSpan()).SequenceEqual(MemoryMarshal.Cast<double, long>(other.Counts.AsSpan())))
            return false;
        if (Spans.AsSpan().SequenceEqual(other.Spans))
            return true;
        var mine = new BucketCursor(Spans, Counts);
        var theirs = new BucketCursor(other.Spans, other.Counts);
        while (mine.MoveNext() && theirs.MoveNext())
            if (mine.Index != theirs.Index)
                return false;
        return true;
    }

    /// <summary>Spans with every bucket of both.</summary>
    public static HistogramSpan[] Union(HistogramSpan[] one, HistogramSpan[] other)
    {
        var ones = new double[TotalLength(one)];
        var others = new double[TotalLength(other)];
        var a = new BucketCursor(one, ones);
        var b = new BucketCursor(other, others);
        var builder = new Builder(ones.Length + others.Length);
        var (moreA, moreB) = (a.MoveNext(), b.MoveNext());
        while (moreA || moreB)
        {
            var index = !moreB || (moreA && a.Index <= b.Index) ? a.Index : b.Index;
            builder.Add(index, 0);
            if (moreA && a.Index == index)
                moreA = a.MoveNext();
            if (moreB && b.Index == index)
                moreB = b.MoveNext();
        }
        return builder.ToRow().Spans;
    }

    private static int TotalLength(HistogramSpan[] spans)
    {
        uint total = 0;
        foreach (var span in spans)
            total += span.Length;
        return (int)total;
    }

    private bool IsCompact(int maxEmptyBuckets)
    {
        if (Counts.AsSpan().Contains(0))
            return false;
        for (var i = 0; i < Spans.Length; i++)
            if (Spans[i].Length == 0 || (i > 0 && Spans[i].Offset <= maxEmptyBuckets))
                return false;
        return true;
    }

    /// <summary>Makes a row of buckets that come in the order of their index.</summary>
    private ref struct Builder(int capacity)
    {
        private readonly List<HistogramSpan> _spans = [];
        private double[] _counts = new double[capacity];
        private int _next;

        public int Count { get; private set; }

        public void Add(int index, double count)
        {
            if (_spans.Count > 0 && index == _next)
                _spans[^1] = _spans[^1] with { Length = _spans[^1].Length + 1 };
            else
                _spans.Add(new(_spans.Count == 0 ? index : index - _next, 1));
            _next = index + 1;
            if (Count == _counts.Length)
                Array.Resize(ref _counts, Math.Max(4, Count * 2));
            _counts[Count++] = count;
        }

        public readonly BucketRow ToRow() => new([.. _spans], Count == _counts.Length ? _counts : _counts.AsSpan(0, Count).ToArray());
    }
}
