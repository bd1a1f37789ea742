namespace Groundcrew.Metrics;

/// <summary>What few series have: chunks of histograms, and samples that came out of order. Changed under the head's lock.</summary>
internal sealed class HeadSeriesMore
{
    private long[] _times = [];
    private long[] _values = [];
    private FloatHistogram?[]? _histograms;

    /// <summary>Chunks of histograms, oldest first; the last one may grow.</summary>
    public List<HistogramChunk> Histograms { get; } = [];

    /// <summary>The newest sample, when it is a histogram.</summary>
    public FloatHistogram? LastHistogram { get; set; }

    /// <summary>Samples out of order that wait for their block.</summary>
    public int LateCount { get; private set; }

    public bool IsEmpty => Histograms.Count == 0 && LateCount == 0;

    public ReadOnlySpan<long> LateTimes => _times.AsSpan(0, LateCount);

    /// <summary>Whether a sample out of order is at this time already, and whether it is the same.</summary>
    public bool HasLate(long time, long value, FloatHistogram? histogram, out bool isSame)
    {
        var at = LateTimes.BinarySearch(time);
        isSame = at >= 0 && _values[at] == value && (_histograms?[at] is { } there ? histogram is not null && HistogramLayout.SameSample(there, histogram) : histogram is null);
        return at >= 0;
    }

    /// <summary>Whether a sample out of order lies in a range.</summary>
    public bool HasLate(long from, long to) => FirstAt(from) is var first && first < LateCount && _times[first] <= to;

    /// <summary>Keeps a sample in its place; one at the same time stays as it is.</summary>
    public bool AddLate(long time, long value, FloatHistogram? histogram)
    {
        var at = ~LateTimes.BinarySearch(time);
        if (at < 0)
            return false;
        if (LateCount == _times.Length)
        {
            var size = Math.Max(8, LateCount * 2);
            Array.Resize(ref _times, size);
            Array.Resize(ref _values, size);
            if (_histograms is not null)
                Array.Resize(ref _histograms, size);
        }
        if (histogram is not null)
            _histograms ??= new FloatHistogram?[_times.Length];
        Array.Copy(_times, at, _times, at + 1, LateCount - at);
        Array.Copy(_values, at, _values, at + 1, LateCount - at);
        (_times[at], _values[at]) = (time, value);
        if (_histograms is not null)
        {
            Array.Copy(_histograms, at, _histograms, at + 1, LateCount - at);
            _histograms[at] = histogram;
        }
        LateCount++;
        return true;
    }

    /// <summary>The samples out of order of a time, copied, because they move; null when there is none.</summary>
    public LateSamples? CopyLate(long from, long to)
    {
        var (first, last) = (FirstAt(from), to == long.MaxValue ? LateCount : FirstAt(to + 1));
        return first >= last ? null : new(_times[first..last], _values[first..last], _histograms?[first..last]);
    }

    /// <summary>Forgets the samples out of order before a time that are in a block now.</summary>
    public void DropLate(LateSamples written)
    {
        var kept = 0;
        for (var i = 0; i < LateCount; i++)
        {
            if (Array.BinarySearch(written.Times, _times[i]) >= 0)
                continue;
            (_times[kept], _values[kept]) = (_times[i], _values[i]);
            if (_histograms is not null)
                _histograms[kept] = _histograms[i];
            kept++;
        }
        LateCount = kept;
        if (kept == 0)
            (_times, _values, _histograms) = ([], [], null);
    }

    private int FirstAt(long time)
    {
        var at = LateTimes.BinarySearch(time);
        return at < 0 ? ~at : at;
    }
}

/// <summary>Samples out of order as a reader took them.</summary>
internal sealed record LateSamples(long[] Times, long[] Values, FloatHistogram?[]? Histograms)
{
    public void AddTo(SampleBuffer into, int index)
    {
        // What it was sent with tells of the one sent before, which lies elsewhere.
        if (Histograms?[index] is { } histogram)
            into.Add(Times[index], histogram.ResetHint is CounterResetHint.Gauge or CounterResetHint.Unknown ? histogram : HistogramLayout.WithHint(histogram, CounterResetHint.Unknown));
        else
            into.Add(Times[index], BitConverter.Int64BitsToDouble(Values[index]));
    }
}
