namespace Groundcrew.Metrics;

/// <summary>
/// Series in plain lists, for scripts and tests of rules: nothing is compressed, written or limited. Not thread-safe while
/// samples are added.
/// </summary>
public sealed class MemoryMetrics : IMetricSource
{
    private readonly SortedDictionary<Labels, Series> _series = [];

    /// <summary>How many series there are.</summary>
    public int Count => _series.Count;

    /// <summary>Adds a sample; one that stands at the same time already is replaced.</summary>
    public void Add(Labels labels, long time, double value) => Of(labels).Samples[time] = (value, null);

    /// <summary>Adds a histogram; what stands at the same time already is replaced.</summary>
    public void Add(Labels labels, long time, FloatHistogram histogram) => Of(labels).Samples[time] = (0, histogram);

    /// <summary>Forgets everything.</summary>
    public void Clear() => _series.Clear();

    /// <inheritdoc/>
    public IMetricReader OpenReader() => new Reader(_series);

    private Series Of(Labels labels)
    {
        if (!_series.TryGetValue(labels, out var series))
            _series.Add(labels, series = new(labels));
        return series;
    }

    private sealed class Series(Labels labels) : StoredSeries
    {
        public SortedList<long, (double Value, FloatHistogram? Histogram)> Samples { get; } = [];

        public override Labels Labels => labels;

        public bool Touches(long from, long to) => Samples.Count > 0 && Samples.GetKeyAtIndex(0) <= to && Samples.GetKeyAtIndex(Samples.Count - 1) >= from;

        public override void Read(long from, long to, SampleBuffer into)
        {
            foreach (var (time, (value, histogram)) in Samples)
            {
                if (time < from || time > to)
                    continue;
                if (histogram is null)
                    into.Add(time, value);
                else
                    into.Add(time, histogram);
            }
        }
    }

    private sealed class Reader(SortedDictionary<Labels, Series> all) : IMetricReader
    {
        public IReadOnlyList<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
            [.. Matching(from, to, matchers)];

        public IReadOnlyList<string> LabelNames(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default)
        {
            var names = new SortedSet<string>(StringComparer.Ordinal);
            foreach (var series in Matching(from, to, matchers))
                foreach (var label in series.Labels)
                    names.Add(label.Name);
            return [.. names];
        }

        public IReadOnlyList<string> LabelValues(string name, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
            [.. new SortedSet<string>(Matching(from, to, matchers).Select(s => s.Labels.Get(name)).Where(v => v.Length > 0), StringComparer.Ordinal)];

        public void Dispose()
        {
        }

        private IEnumerable<Series> Matching(long from, long to, IReadOnlyList<LabelMatcher> matchers) =>
            all.Values.Where(s => s.Touches(from, to) && matchers.All(m => m.Matches(s.Labels)));
    }
}
