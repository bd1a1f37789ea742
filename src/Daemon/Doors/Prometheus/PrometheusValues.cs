using Groundcrew.Metrics;
using Groundcrew.PromQL;

namespace Groundcrew.Daemon.Doors;

/// <summary>The answer to a query as JSON.</summary>
internal static class PrometheusValues
{
    /// <summary>Writes <c>resultType</c> and <c>result</c> of an object that is open.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="value">The answer.</param>
    /// <param name="limit">The most series; null for all.</param>
    public static async ValueTask WriteAsync(PrometheusJson json, QueryValue value, int? limit)
    {
        var writer = json.Writer;
        switch (value)
        {
            case ScalarValue scalar:
                Begin(json, "scalar");
                json.WriteTime(scalar.Time);
                json.WriteFloat(scalar.Value);
                break;
            case StringValue text:
                Begin(json, "string");
                json.WriteTime(text.Time);
                writer.WriteStringValue(text.Value);
                break;
            case VectorValue vector:
                Begin(json, "vector");
                foreach (var (labels, point) in vector.Samples.Take(limit ?? int.MaxValue))
                {
                    WriteOne(json, labels, point);
                    await json.FlushIfFullAsync();
                }
                break;
            case MatrixValue matrix:
                Begin(json, "matrix");
                foreach (var (labels, points) in matrix.Series.Take(limit ?? int.MaxValue))
                    await WriteSeriesAsync(json, labels, points);
                break;
            default:
                throw new InvalidOperationException($"{value.GetType().Name} is no answer to a query.");
        }
        writer.WriteEndArray();
    }

    /// <summary>How many series there are.</summary>
    public static int CountOf(QueryValue value) => value switch
    {
        VectorValue vector => vector.Samples.Count,
        MatrixValue matrix => matrix.Series.Count,
        _ => 0,
    };

    private static void Begin(PrometheusJson json, string type)
    {
        json.Writer.WriteString("resultType"u8, type);
        json.Writer.WriteStartArray("result"u8);
    }

    private static void WriteOne(PrometheusJson json, Labels labels, Point point)
    {
        var writer = json.Writer;
        writer.WriteStartObject();
        writer.WritePropertyName("metric"u8);
        json.WriteLabels(labels);
        writer.WritePropertyName(point.Histogram is null ? "value"u8 : "histogram"u8);
        WritePoint(json, point);
        writer.WriteEndObject();
    }

    private static async ValueTask WriteSeriesAsync(PrometheusJson json, Labels labels, IReadOnlyList<Point> points)
    {
        var writer = json.Writer;
        writer.WriteStartObject();
        writer.WritePropertyName("metric"u8);
        json.WriteLabels(labels);
        foreach (var isHistogram in (bool[])[false, true])
        {
            var isOpen = false;
            foreach (var point in points)
            {
                if (point.Histogram is null == isHistogram)
                    continue;
                if (!isOpen)
                    writer.WriteStartArray(isHistogram ? "histograms"u8 : "values"u8);
                isOpen = true;
                WritePoint(json, point);
                await json.FlushIfFullAsync();
            }
            if (isOpen)
                writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    private static void WritePoint(PrometheusJson json, Point point)
    {
        json.Writer.WriteStartArray();
        json.WriteTime(point.Time);
        if (point.Histogram is { } histogram)
            WriteHistogram(json, histogram);
        else
            json.WriteFloat(point.Value);
        json.Writer.WriteEndArray();
    }

    private static void WriteHistogram(PrometheusJson json, FloatHistogram histogram)
    {
        var writer = json.Writer;
        writer.WriteStartObject();
        writer.WritePropertyName("count"u8);
        json.WriteFloat(histogram.Count);
        writer.WritePropertyName("sum"u8);
        json.WriteFloat(histogram.Sum);
        var isOpen = false;
        foreach (var bucket in histogram.Buckets)
        {
            if (bucket.Count == 0)
                continue;
            if (!isOpen)
                writer.WriteStartArray("buckets"u8);
            isOpen = true;
            writer.WriteStartArray();
            // 0: open to the left, 1: open to the right, 2: open on both sides, 3: closed on both.
            writer.WriteNumberValue((bucket.LowerIncluded, bucket.UpperIncluded) switch { (false, true) => 0, (true, false) => 1, (false, false) => 2, _ => 3 });
            json.WriteFloat(bucket.Lower);
            json.WriteFloat(bucket.Upper);
            json.WriteFloat(bucket.Count);
            writer.WriteEndArray();
        }
        if (isOpen)
            writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
