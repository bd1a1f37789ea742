using System.Buffers;

namespace Groundcrew.Metrics;

/// <summary>
/// The newest sample of each series that one of some selectors finds, in the text format, as <c>/federate</c> gives it: by name, as
/// untyped metrics, with its time; without what is stale or older than the lookback. Native histograms, which the format cannot
/// carry, are left out. Thread-safe.
/// </summary>
/// <param name="external">Labels that are added where a series does not have them; <c>instance</c> is added empty.</param>
/// <param name="lookback">How old the newest sample may be; five minutes as with queries.</param>
public sealed class Federation(Labels external, TimeSpan? lookback = null)
{
    /// <summary>The type of what is written.</summary>
    public static string ContentType => ExpositionWriter.ContentType;

    /// <summary>Writes the samples as of a moment.</summary>
    /// <param name="source">What is asked.</param>
    /// <param name="selectors">Conditions; a series is written once when it fulfils one of them.</param>
    /// <param name="now">The moment.</param>
    /// <param name="output">Where to.</param>
    /// <param name="cancellation">Ends it early.</param>
    public void Write(IMetricSource source, IReadOnlyList<IReadOnlyList<LabelMatcher>> selectors, DateTimeOffset now, IBufferWriter<byte> output, CancellationToken cancellation = default)
    {
        var until = now.ToUnixTimeMilliseconds();
        var from = until - (long)(lookback ?? TimeSpan.FromMinutes(5)).TotalMilliseconds;
        using var reader = source.OpenReader();
        var found = new SortedDictionary<Labels, StoredSeries>(Comparer<Labels>.Create(ByName));
        foreach (var selector in selectors)
            foreach (var series in reader.Select(from, until, selector, cancellation))
                found.TryAdd(series.Labels, series);
        WriteAll(found, from, until, new ExpositionWriter(output), cancellation);
    }

    private void WriteAll(SortedDictionary<Labels, StoredSeries> found, long from, long until, ExpositionWriter writer, CancellationToken cancellation)
    {
        var added = Added();
        var samples = new SampleBuffer();
        string? family = null;
        foreach (var (labels, series) in found)
        {
            cancellation.ThrowIfCancellationRequested();
            samples.Clear();
            series.Read(from, until, samples);
            var name = labels.Get(Labels.MetricName);
            if (samples.Count == 0 || name.Length == 0 || (!samples.Histograms.IsEmpty && samples.Histograms[^1] is not null) || StaleMarker.Is(samples.Values[^1]))
                continue;
            if (family != name)
                writer.Family(family = name, "untyped");
            writer.Sample(labels, samples.Values[^1], samples.Times[^1], [.. added.Where(label => labels.Get(label.Name).Length == 0)]);
        }
    }

    private List<(string Name, string Value)> Added()
    {
        var added = new List<(string Name, string Value)>();
        foreach (var label in external)
            added.Add((label.Name, label.Value));
        if (external.Get("instance").Length == 0)
            added.Add(("instance", ""));
        added.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return added;
    }

    // Metrics stand together, whatever labels their series have before the name.
    private static int ByName(Labels a, Labels b)
    {
        a.TryGet(Labels.MetricNameUtf8, out var first);
        b.TryGet(Labels.MetricNameUtf8, out var second);
        return first.SequenceCompareTo(second) is var order and not 0 ? order : a.CompareTo(b);
    }
}
