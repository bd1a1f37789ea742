using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>One observation that stands for many, such as the trace of one slow request. Immutable.</summary>
/// <param name="Labels">What leads to it, such as <c>trace_id</c>.</param>
/// <param name="Value">What was observed.</param>
/// <param name="Time">When, in milliseconds since 1970.</param>
public sealed record Exemplar(Labels Labels, double Value, long Time);

/// <summary>The exemplars of a series, oldest first. Immutable.</summary>
/// <param name="Series">The labels of the series.</param>
/// <param name="Exemplars">Its exemplars.</param>
public sealed record SeriesExemplars(Labels Series, IReadOnlyList<Exemplar> Exemplars);

/// <summary>
/// The newest exemplars of all series, in memory only: a new one takes the place of the oldest, as in Prometheus' circular
/// storage. Thread-safe.
/// </summary>
public sealed class ExemplarStore
{
    /// <summary>The most characters that names and values of an exemplar's labels may have together (OpenMetrics 1.0).</summary>
    public const int MaxLabelCharacters = 128;

    /// <summary>How many are kept where the configuration does not say.</summary>
    public const int DefaultCapacity = 100_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<Labels, Kept> _series = [];

    // The series of each exemplar, in the order in which they came: the first is the one that goes next.
    private readonly Queue<Kept> _order = [];
    private readonly Metric _appended;
    private readonly Metric _outOfOrder;
    private readonly Metric _tooLong;
    private int _capacity = DefaultCapacity;

    /// <summary>An empty store.</summary>
    /// <param name="metrics">Gets <c>prometheus_tsdb_exemplar_…</c>.</param>
    public ExemplarStore(MetricRegistry metrics)
    {
        _appended = metrics.Counter("prometheus_tsdb_exemplar_exemplars_appended_total", "Exemplars that were taken.");
        _outOfOrder = metrics.Counter("prometheus_tsdb_exemplar_out_of_order_exemplars_total", "Exemplars that were refused because their series had a newer one.");
        _tooLong = metrics.Counter("groundcrew_metrics_exemplars_too_long_total", "Exemplars that were refused because their labels were longer than 128 characters.");
        metrics.Observe("prometheus_tsdb_exemplar_exemplars_in_storage", "Exemplars that are kept.", () => Count);
        metrics.Observe("prometheus_tsdb_exemplar_max_exemplars", "Exemplars that may be kept.", () => Capacity);
    }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _order.Count;
        }
    }

    /// <summary>How many may be kept; with fewer than before the oldest go. None are taken when it is 0.</summary>
    public int Capacity
    {
        get => Volatile.Read(ref _capacity);
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            lock (_gate)
            {
                _capacity = value;
                while (_order.Count > value)
                    DropOldest();
            }
        }
    }

    /// <summary>
    /// Adds one; false when it is not taken: its labels are too long, or the series has a newer one. One that repeats the newest
    /// of its series counts as taken, and costs no memory: a target shows the same one until it has another.
    /// </summary>
    /// <param name="series">The labels of the series.</param>
    /// <param name="packedLabels">Those of the exemplar (see <see cref="Labels.Packed"/>).</param>
    /// <param name="value">What was observed.</param>
    /// <param name="time">When, in milliseconds since 1970.</param>
    /// <param name="hasOwnTime">Whether the exemplar says so itself; otherwise the same one at a later time is a repetition.</param>
    public bool Add(Labels series, ReadOnlySpan<byte> packedLabels, double value, long time, bool hasOwnTime = true)
    {
        lock (_gate)
        {
            if (_capacity == 0)
                return false;
            var known = _series.GetValueOrDefault(series);
            if (known?.Newest is { } last)
            {
                if (last.Value.Equals(value) && last.Labels.Packed.SequenceEqual(packedLabels) && (!hasOwnTime || last.Time == time))
                    return true;
                if (time < last.Time || (time == last.Time && value < last.Value))
                {
                    _outOfOrder.Add();
                    return false;
                }
            }
            var labels = Labels.FromPacked(packedLabels);
            if (LengthOf(labels) > MaxLabelCharacters)
            {
                _tooLong.Add();
                return false;
            }
            if (_order.Count == _capacity)
                DropOldest();
            // The oldest may have been the only one of this series.
            if (known is null || known.Exemplars.Count == 0)
                _series[series] = known = new(series);
            known.Exemplars.Enqueue(known.Newest = new(labels, value, time));
            _order.Enqueue(known);
            _appended.Add();
            return true;
        }
    }

    /// <summary>The exemplars of the series that fulfil all matchers of at least one selector, in the order of the series.</summary>
    /// <param name="selectors">The selectors.</param>
    /// <param name="from">The oldest moment, in milliseconds since 1970.</param>
    /// <param name="to">The newest moment, included.</param>
    public IReadOnlyList<SeriesExemplars> Select(IReadOnlyList<IReadOnlyList<LabelMatcher>> selectors, long from, long to)
    {
        var found = new List<SeriesExemplars>();
        lock (_gate)
            foreach (var (series, kept) in _series)
                if (selectors.Any(s => s.All(m => m.Matches(series))) && kept.Exemplars.Where(e => e.Time >= from && e.Time <= to).ToList() is { Count: > 0 } exemplars)
                    found.Add(new(series, exemplars));
        found.Sort((a, b) => a.Series.CompareTo(b.Series));
        return found;
    }

    private void DropOldest()
    {
        var kept = _order.Dequeue();
        kept.Exemplars.Dequeue();
        if (kept.Exemplars.Count == 0)
            _series.Remove(kept.Series);
    }

    private static int LengthOf(Labels labels)
    {
        var length = 0;
        foreach (var label in labels)
            length += RunesIn(label.NameUtf8) + RunesIn(label.ValueUtf8);
        return length;
    }

    /// <summary>Characters of UTF-8: every byte that does not continue one.</summary>
    private static int RunesIn(ReadOnlySpan<byte> text)
    {
        var runes = 0;
        foreach (var b in text)
            runes += (b & 0xC0) != 0x80 ? 1 : 0;
        return runes;
    }

    private sealed class Kept(Labels series)
    {
        public Labels Series => series;

        public Queue<Exemplar> Exemplars { get; } = [];

        public Exemplar? Newest { get; set; }
    }
}

/// <summary>Exemplars that wait until the samples beside them are stored. Reusable; not thread-safe.</summary>
internal sealed class ExemplarBatch
{
    private readonly List<(SeriesHandle Series, int At, int Length, double Value, long Time, bool HasOwnTime)> _entries = [];
    private byte[] _labels = new byte[256];
    private int _length;

    /// <summary>Forgets them and keeps the memory.</summary>
    public void Clear()
    {
        _entries.Clear();
        _length = 0;
    }

    public void Add(SeriesHandle series, ReadOnlySpan<byte> packedLabels, double value, long time, bool hasOwnTime)
    {
        if (_length + packedLabels.Length > _labels.Length)
            Array.Resize(ref _labels, Math.Max(_length + packedLabels.Length, _labels.Length * 2));
        packedLabels.CopyTo(_labels.AsSpan(_length));
        _entries.Add((series, _length, packedLabels.Length, value, time, hasOwnTime));
        _length += packedLabels.Length;
    }

    /// <summary>Hands all of them over; how many were taken.</summary>
    public int AddTo(ExemplarStore store)
    {
        var taken = 0;
        foreach (var (series, at, length, value, time, hasOwnTime) in _entries)
            if (store.Add(series.Labels, _labels.AsSpan(at, length), value, time, hasOwnTime))
                taken++;
        return taken;
    }
}
