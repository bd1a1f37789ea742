namespace Groundcrew.Metrics;

/// <summary>A series of the head as it was at one moment; reading it takes no lock.</summary>
internal sealed class HeadSeriesView : StoredSeries
{
    private readonly SlotPool _slots;
    private readonly Labels _labels;
    private readonly int _slot;
    private readonly int _openCount;
    private readonly long _minValid;
    private readonly long _last;
    private readonly HistogramChunkView[]? _histograms;
    private readonly LateSamples? _late;
    private readonly TimeRanges? _deleted;

    /// <summary>Taken under the head's lock.</summary>
    public HeadSeriesView(Head head, HeadSeries series, ReaderMoment? moment, long minValid, long from, long to)
    {
        // A slot without floats from there on may be given to another series while this one is read.
        var slot = series.Slot != 0 && head.LastFloatTime(series) >= minValid ? series.Slot : 0;
        (_slots, _labels, _slot, _openCount, _minValid) = (head.Slots, series.Labels, slot, series.Open.Count, minValid);
        _last = moment?.LastOf(series) ?? series.LastTime;
        head.Deleted.TryGetValue(series.Id, out _deleted);
        if (series.More is not { } more)
            return;
        _late = more.CopyLate(from, to);
        if (moment is not null)
            _late = moment.Seen(series, _late);
        if (more.Histograms.Count > 0)
            _histograms = [.. more.Histograms.Select(c => c.View)];
    }

    /// <inheritdoc/>
    public override Labels Labels => _labels;

    /// <summary>No sample is earlier.</summary>
    public long MinTime => _late is { } late ? Math.Min(late.Times[0], _minValid) : _minValid;

    /// <summary>Its samples out of order.</summary>
    public LateSamples? Late => _late;

    /// <summary>What was deleted of it.</summary>
    public TimeRanges? Deleted => _deleted;

    /// <inheritdoc/>
    public override void Read(long from, long to, SampleBuffer into)
    {
        if (_late is null && _deleted is null)
        {
            ReadOrdered(from, to, into);
            return;
        }
        var read = new SampleBuffer();
        ReadOrdered(from, to, read);
        if (_late is { } late)
        {
            var others = new SampleBuffer();
            for (var i = 0; i < late.Times.Length; i++)
                if (late.Times[i] >= from && late.Times[i] <= to)
                    late.AddTo(others, i);
            var merged = new SampleBuffer();
            SampleMerge.Merge(read, others, merged);
            read = merged;
        }
        if (_deleted is { } deleted)
            SampleMerge.CopyKept(read, deleted, into);
        else
            SampleMerge.Copy(read, 0, read.Count, into);
    }

    /// <summary>The samples in order alone, without what was deleted being left out.</summary>
    public void ReadOrdered(long from, long to, SampleBuffer into)
    {
        (from, to) = (Math.Max(from, _minValid), Math.Min(to, _last));
        if (from > to)
            return;
        Span<int> some = stackalloc int[64];
        var chain = new SlotChain(some);
        for (var slot = _slot; slot != 0; slot = _slots.Before(slot))
        {
            var first = _slots.FirstTime(slot);
            if (first <= to)
                chain.Add(slot);
            if (first <= from)
                break;
        }
        var next = 0;
        for (var i = chain.Count - 1; i >= 0; i--)
        {
            var slot = chain[i];
            next = ReadHistograms(next, _slots.FirstTime(slot), from, to, into);
            var count = slot == _slot && _openCount > 0 ? _openCount : _slots.Count(slot);
            into.AddRange(count, out var times, out var values);
            _slots.Decode(slot, count, times, values);
            if (times[0] < from || times[^1] > to)
                SampleMerge.Clip(into, times, values, from, to);
        }
        ReadHistograms(next, long.MaxValue, from, to, into);
    }

    /// <summary>Chunks of histograms lie before, between and behind those of floats, never inside.</summary>
    private int ReadHistograms(int next, long before, long from, long to, SampleBuffer into)
    {
        for (; _histograms is not null && next < _histograms.Length && _histograms[next].FirstTime < before; next++)
            _histograms[next].Read(from, to, into);
        return next;
    }

    /// <summary>Slots in the order in which they were found, on the stack while they are few.</summary>
    private ref struct SlotChain(Span<int> some)
    {
        private readonly Span<int> _some = some;
        private List<int>? _more;

        public int Count { get; private set; }

        public readonly int this[int index] => index < _some.Length ? _some[index] : _more![index - _some.Length];

        public void Add(int slot)
        {
            if (Count < _some.Length)
                _some[Count] = slot;
            else
                (_more ??= []).Add(slot);
            Count++;
        }
    }
}
