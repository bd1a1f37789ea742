using System.Globalization;
using Groundcrew.Metrics;
using Groundcrew.Tests.Support;

namespace Groundcrew.PromQL.Tests.Evaluation;

/// <summary>Series in memory and an engine; answers as one line of text, so that a test is a query and what it answers.</summary>
internal sealed class Stage
{
    public MemoryMetrics Metrics { get; } = new();

    public ManualClock Clock { get; } = new();

    public EngineOptions Options { get; set; } = new() { Experimental = true };

    /// <summary>Adds samples every 10 s from 0 on; NaN of no value is a gap, the stale marker is itself.</summary>
    public Stage Add(string series, params double?[] values)
    {
        var labels = LabelsOf(series);
        for (var i = 0; i < values.Length; i++)
            if (values[i] is { } value)
                Metrics.Add(labels, i * 10_000, value);
        return this;
    }

    public Stage Add(string series, params FloatHistogram?[] values)
    {
        var labels = LabelsOf(series);
        for (var i = 0; i < values.Length; i++)
            if (values[i] is { } value)
                Metrics.Add(labels, i * 10_000, value);
        return this;
    }

    public QueryResult Result(string query, double seconds, CancellationToken cancellation = default) =>
        new QueryEngine(Options, Clock).Instant(Metrics, query, (long)(seconds * 1000), cancellation);

    /// <summary>The answer at a moment: series and values, in the order of the labels.</summary>
    public string At(double seconds, string query) => Text(Result(query, seconds), ordered: false);

    /// <summary>The answer at a moment, in the order of the answer.</summary>
    public string InOrder(double seconds, string query) => Text(Result(query, seconds), ordered: true);

    /// <summary>The answers from one moment to another, a dot for a gap.</summary>
    public string From(double start, double end, double step, string query)
    {
        var result = new QueryEngine(Options, Clock).Range(Metrics, query, (long)(start * 1000), (long)(end * 1000), (long)(step * 1000));
        if (result.Error is not null)
            return Text(result, ordered: false);
        return string.Join("; ", ((MatrixValue)result.Value!).Series.Select(s => $"{s.Labels.ToSeriesText()} {Row(s.Points)}"));

        string Row(IReadOnlyList<Point> points)
        {
            var row = new List<string>();
            for (var time = start; time <= end; time += step)
                row.Add(points.Any(p => p.Time == (long)(time * 1000)) ? Text(points.First(p => p.Time == (long)(time * 1000))) : ".");
            return string.Join(' ', row);
        }
    }

    /// <summary>Warnings and infos of a query at a moment.</summary>
    public string RemarksAt(double seconds, string query)
    {
        var annotations = Result(query, seconds).Annotations;
        return string.Join("; ", annotations.Warnings.Concat(annotations.Infos).Select(r => r.Text).Distinct());
    }

    public static FloatHistogram Histogram(double count, double sum, params double[] buckets) => new()
    {
        Count = count,
        Sum = sum,
        PositiveSpans = buckets.Length == 0 ? [] : [new(0, (uint)buckets.Length)],
        PositiveBuckets = buckets,
    };

    public static FloatHistogram Custom(double count, double sum, double[] bounds, params double[] buckets) => new()
    {
        Schema = FloatHistogram.CustomBucketsSchema,
        Count = count,
        Sum = sum,
        CustomValues = bounds,
        PositiveSpans = [new(0, (uint)buckets.Length)],
        PositiveBuckets = buckets,
    };

    private static Labels LabelsOf(string series)
    {
        var parts = series.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var builder = new LabelsBuilder();
        foreach (var part in parts)
        {
            var at = part.IndexOf('=', StringComparison.Ordinal);
            builder.Set(at < 0 ? Labels.MetricName : part[..at], part[(at + 1)..]);
        }
        return builder.ToLabels();
    }

    private static string Text(QueryResult result, bool ordered)
    {
        switch (result)
        {
            case { Error: { } error }:
                return $"{error.Kind}: {error.Message}";
            case { Value: ScalarValue scalar }:
                return Text(new Point(0, scalar.Value));
            case { Value: StringValue text }:
                return text.Value;
            case { Value: VectorValue vector }:
                IEnumerable<(Labels Labels, Point Point)> samples = ordered ? vector.Samples : vector.Samples.OrderBy(s => s.Labels);
                return string.Join("; ", samples.Select(s => $"{s.Labels.ToSeriesText()} {Text(s.Point)}"));
            default:
                return string.Join("; ", ((MatrixValue)result.Value!).Series.Select(s =>
                    $"{s.Labels.ToSeriesText()} {string.Join(' ', s.Points.Select(p => $"{Text(p)}@{p.Time / 1000.0}"))}"));
        }
    }

    private static string Text(Point point) => point.Histogram?.ToString() ?? Math.Round(point.Value, 9).ToString(CultureInfo.InvariantCulture);
}
