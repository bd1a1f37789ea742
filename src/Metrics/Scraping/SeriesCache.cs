using System.Diagnostics.CodeAnalysis;

namespace Groundcrew.Metrics;

/// <summary>A series of one target, or the knowledge that relabelling drops it.</summary>
internal sealed class CachedSeries(SeriesHandle? handle)
{
    /// <summary>Where its samples go; null when it is dropped.</summary>
    public SeriesHandle? Handle => handle;

    /// <summary>The scrape that brought it last, and the one before that.</summary>
    public int Seen { get; set; }

    public int Before { get; set; }

    /// <summary>Whether it becomes stale when it vanishes: its samples have the time of the scrape.</summary>
    public bool IsTracked { get; set; }
}

/// <summary>
/// The series of one target, found by the text that the target writes for them, so that one that is known costs one lookup and
/// no allocation; and which of them are alive. One thread at a time.
/// </summary>
internal sealed class SeriesCache
{
    private readonly Dictionary<byte[], CachedSeries> _byText = new(ByteText.Comparer);
    private readonly Dictionary<Labels, CachedSeries> _byLabels = new(PackedComparer.Instance);
    private readonly Dictionary<byte[], CachedSeries>.AlternateLookup<ReadOnlySpan<byte>> _texts;
    private readonly Dictionary<Labels, CachedSeries>.AlternateLookup<ReadOnlySpan<byte>> _packed;
    private int _pass;
    private int _lastGood;
    private int _aliveBefore;
    private int _aliveAgain;
    private int _touched;
    private int _hits;

    public SeriesCache()
    {
        _texts = _byText.GetAlternateLookup<ReadOnlySpan<byte>>();
        _packed = _byLabels.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>Series that this scrape brought and the one before did not.</summary>
    public int Added { get; private set; }

    /// <summary>How many texts are known.</summary>
    public int Count => _byText.Count;

    public void Begin()
    {
        _pass++;
        (_aliveAgain, _touched, _hits, Added) = (0, 0, 0, 0);
    }

    public bool TryGet(ReadOnlySpan<byte> text, [MaybeNullWhen(false)] out CachedSeries series) => _texts.TryGetValue(text, out series);

    /// <summary>Remembers a text that relabelling drops.</summary>
    public void Drop(ReadOnlySpan<byte> text) => Keep(text, new CachedSeries(null));

    /// <summary>Remembers a text and the series that it stands for, which other texts may stand for too.</summary>
    public CachedSeries Add(ReadOnlySpan<byte> text, ReadOnlySpan<byte> packed, ISampleSink sink)
    {
        if (!_packed.TryGetValue(packed, out var series))
        {
            series = new CachedSeries(sink.Resolve(packed));
            _byLabels.Add(series.Handle!.Labels, series);
        }
        Keep(text, series);
        return series;
    }

    /// <summary>Notes that this scrape brought a series.</summary>
    public void Touch(CachedSeries series, bool tracked)
    {
        series.IsTracked = tracked;
        _hits++;
        if (series.Seen == _pass)
            return;
        (series.Before, series.Seen) = (series.Seen, _pass);
        if (series.Handle is null)
            return;
        _touched++;
        if (_lastGood != 0 && series.Before == _lastGood)
            _aliveAgain++;
        else
            Added++;
    }

    /// <summary>Ends a scrape that is stored: what the one before brought and this one did not, gets a stale marker.</summary>
    public void Keep(SampleBatch batch, long time)
    {
        if (_aliveAgain < _aliveBefore)
            foreach (var series in _byLabels.Values)
                if (series.Seen == _lastGood && series.IsTracked)
                    batch.Add(series.Handle!, time, StaleMarker.Value);
        if (_aliveAgain < _aliveBefore || _byLabels.Count > _touched)
            Forget();
        (_lastGood, _aliveBefore) = (_pass, _touched);
    }

    /// <summary>Ends a scrape that failed, or the target: all that the last one brought gets a stale marker.</summary>
    public void Fail(SampleBatch batch, long time)
    {
        if (_lastGood != 0)
            foreach (var series in _byLabels.Values)
                if ((series.Seen == _lastGood || series.Before == _lastGood) && series.IsTracked)
                    batch.Add(series.Handle!, time, StaleMarker.Value);
        // A scrape that fails again and again with ever new series must not grow the cache.
        if (_byLabels.Count > (2 * _aliveBefore) + 1000)
            ForgetTexts();
        (_lastGood, _aliveBefore) = (0, 0);
    }

    /// <summary>Forgets what texts stand for, because relabelling changed; what is alive stays known.</summary>
    public void ForgetTexts()
    {
        _byText.Clear();
        foreach (var (labels, series) in _byLabels)
            if (series.Seen != _lastGood || _lastGood == 0)
                _byLabels.Remove(labels);
    }

    /// <summary>Whether there are far more texts than series: the target writes the same ones in ever new ways.</summary>
    public bool IsOvergrown => _byText.Count > (2 * _hits) + 1000;

    private void Keep(ReadOnlySpan<byte> text, CachedSeries series) => _byText[text.ToArray()] = series;

    private void Forget()
    {
        foreach (var (text, series) in _byText)
            if (series.Seen != _pass)
                _byText.Remove(text);
        foreach (var (labels, series) in _byLabels)
            if (series.Seen != _pass)
                _byLabels.Remove(labels);
    }

    private sealed class PackedComparer : IEqualityComparer<Labels>, IAlternateEqualityComparer<ReadOnlySpan<byte>, Labels>
    {
        public static PackedComparer Instance { get; } = new();

        public bool Equals(Labels? x, Labels? y) => x is null ? y is null : x.Equals(y);

        public int GetHashCode(Labels obj) => (int)obj.Hash;

        public bool Equals(ReadOnlySpan<byte> alternate, Labels other) => alternate.SequenceEqual(other.Packed);

        public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)Labels.HashOf(alternate);

        public Labels Create(ReadOnlySpan<byte> alternate) => Labels.FromPacked(alternate);
    }
}
