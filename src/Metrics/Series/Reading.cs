namespace Groundcrew.Metrics;

/// <summary>
/// Samples of one series in the order of time, as arrays side by side. Reusable; not thread-safe.
/// Times are milliseconds since 1970-01-01T00:00:00Z, everywhere in this room.
/// </summary>
public sealed class SampleBuffer
{
    private long[] _times = new long[128];
    private double[] _values = new double[128];
    private FloatHistogram?[]? _histograms;

    /// <summary>How many samples there are.</summary>
    public int Count { get; private set; }

    /// <summary>The times, ascending, each once.</summary>
    public ReadOnlySpan<long> Times => _times.AsSpan(0, Count);

    /// <summary>The values; what stands where a histogram is, means nothing, unless both are stale markers.</summary>
    public ReadOnlySpan<double> Values => _values.AsSpan(0, Count);

    /// <summary>The histograms, null where the sample is a float; empty when there is none at all.</summary>
    public ReadOnlySpan<FloatHistogram?> Histograms => _histograms is null ? default : _histograms.AsSpan(0, Count);

    /// <summary>Forgets the samples and keeps the memory.</summary>
    public void Clear()
    {
        Count = 0;
        _histograms = null;
    }

    /// <summary>Adds a float, which must be newer than the last sample.</summary>
    public void Add(long time, double value)
    {
        if (Count == _times.Length)
            Grow(Count + 1);
        _times[Count] = time;
        _values[Count] = value;
        if (_histograms is not null)
            _histograms[Count] = null;
        Count++;
    }

    /// <summary>Adds a histogram, which must be newer than the last sample; it is shared from now on.</summary>
    public void Add(long time, FloatHistogram histogram)
    {
        Add(time, StaleMarker.Is(histogram.Sum) ? histogram.Sum : 0);
        _histograms ??= new FloatHistogram?[_times.Length];
        _histograms[Count - 1] = histogram;
    }

    /// <summary>
    /// Room for <paramref name="count"/> more floats, to be written in place by a decoder; they count at once.
    /// </summary>
    public void AddRange(int count, out Span<long> times, out Span<double> values)
    {
        if (Count + count > _times.Length)
            Grow(Count + count);
        times = _times.AsSpan(Count, count);
        values = _values.AsSpan(Count, count);
        _histograms?.AsSpan(Count, count).Clear();
        Count += count;
    }

    /// <summary>Takes the last <paramref name="count"/> samples away again.</summary>
    public void RemoveLast(int count) => Count -= count;

    private void Grow(int atLeast)
    {
        var size = Math.Max(atLeast, _times.Length * 2);
        Array.Resize(ref _times, size);
        Array.Resize(ref _values, size);
        if (_histograms is not null)
            Array.Resize(ref _histograms, size);
    }
}

/// <summary>A series that a selection found. May be read as long as its reader is open; several threads may read it, each into its own buffer.</summary>
public abstract class StoredSeries
{
    /// <summary>Its labels.</summary>
    public abstract Labels Labels { get; }

    /// <summary>Adds the samples from <paramref name="from"/> to <paramref name="to"/>, both included, to the buffer.</summary>
    public abstract void Read(long from, long to, SampleBuffer into);
}

/// <summary>A view of what was stored at the moment it was opened. Not thread-safe, but what it selects is (see <see cref="StoredSeries"/>).</summary>
public interface IMetricReader : IDisposable
{
    /// <summary>
    /// The series that fulfil all matchers and may have samples from <paramref name="from"/> to <paramref name="to"/> (both
    /// included), in the order of their labels.
    /// </summary>
    IReadOnlyList<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default);

    /// <summary>The names of labels of such series (all series when there is no matcher), in order.</summary>
    IReadOnlyList<string> LabelNames(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default);

    /// <summary>The values of one label of such series (all series when there is no matcher), in order.</summary>
    IReadOnlyList<string> LabelValues(string name, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default);
}

/// <summary>Anything that samples can be read from. Thread-safe.</summary>
public interface IMetricSource
{
    /// <summary>Opens a view; close it, because it keeps files open.</summary>
    IMetricReader OpenReader();
}
