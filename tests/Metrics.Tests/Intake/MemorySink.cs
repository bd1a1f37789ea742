using System.Collections.Concurrent;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>A sink in memory with the rules of the real one that intake depends on: duplicates, order, and failing when told.</summary>
internal sealed class MemorySink : ISampleSink
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Labels, Series> _series = new();

    public string? Failure { get; set; }

    /// <summary>Samples before this time are out of bounds.</summary>
    public long OldestTime { get; set; } = long.MinValue;

    public int SeriesCount
    {
        get
        {
            lock (_gate)
                return _series.Values.Count(s => s.Samples.Count > 0);
        }
    }

    public int Resolved => _series.Count;

    public SeriesHandle Resolve(ReadOnlySpan<byte> packedLabels) =>
        _series.GetOrAdd(Labels.FromPacked(packedLabels), labels => new Series(labels));

    public CommitResult Commit(SampleBatch batch)
    {
        lock (_gate)
        {
            if (Failure is { } failure)
                return new(0, 0, null, null, failure);
            int stored = 0, begun = 0;
            int[]? refused = null;
            (SampleRefusal, Labels, long)? first = null;
            foreach (var entry in batch.Entries)
            {
                var series = (Series)entry.Series;
                var why = Judge(series, entry);
                if (why != SampleRefusal.None)
                {
                    (refused ??= new int[8])[(int)why]++;
                    first ??= (why, series.Labels, entry.Time);
                    continue;
                }
                stored++;
                if (series.Samples.Count == 0)
                    begun++;
                if (series.Samples.Count == 0 || series.Samples[^1].Time != entry.Time)
                    series.Samples.Add((entry.Time, entry.Value, entry.Histogram));
            }
            return new(stored, begun, refused, first, null);
        }
    }

    /// <summary>The samples of the series that is written like this.</summary>
    public IReadOnlyList<(long Time, double Value, FloatHistogram? Histogram)> Of(string seriesText)
    {
        lock (_gate)
            return _series.Where(s => s.Key.ToSeriesText() == seriesText).Select(s => s.Value.Samples.ToList()).FirstOrDefault() ?? [];
    }

    public IReadOnlyList<double> ValuesOf(string seriesText) => [.. Of(seriesText).Select(s => s.Value)];

    /// <summary>All series with samples, as text, in order.</summary>
    public IReadOnlyList<string> All()
    {
        lock (_gate)
            return [.. _series.Where(s => s.Value.Samples.Count > 0).Select(s => s.Key.ToSeriesText()).Order(StringComparer.Ordinal)];
    }

    private SampleRefusal Judge(Series series, SampleBatch.Entry entry)
    {
        if (entry.Time < OldestTime)
            return SampleRefusal.OutOfBounds;
        if (series.Samples.Count == 0 || entry.Time > series.Samples[^1].Time)
            return SampleRefusal.None;
        if (entry.Time < series.Samples[^1].Time)
            return SampleRefusal.OutOfOrder;
        return BitConverter.DoubleToInt64Bits(entry.Value) == BitConverter.DoubleToInt64Bits(series.Samples[^1].Value) ? SampleRefusal.None : SampleRefusal.Duplicate;
    }

    private sealed class Series(Labels labels) : SeriesHandle
    {
        public override Labels Labels => labels;

        public List<(long Time, double Value, FloatHistogram? Histogram)> Samples { get; } = [];
    }
}
