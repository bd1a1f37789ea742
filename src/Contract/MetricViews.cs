using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract;

/// <summary>An answer of Prometheus' API below <c>/prometheus/api/v1</c>.</summary>
/// <param name="Data">What was asked for.</param>
/// <param name="Warnings">Something is probably wrong with the data; with <c>results truncated due to limit</c>, something is missing here.</param>
/// <param name="Infos">Something is probably wrong with the query.</param>
public sealed record MetricAnswer<T>(T Data, IReadOnlyList<string> Warnings, IReadOnlyList<string> Infos);

/// <summary>A moment in seconds since 1970 and the value there.</summary>
/// <param name="Time">When.</param>
/// <param name="Value">What; NaN and infinities are values too.</param>
[JsonConverter(typeof(MetricPointConverter))]
[StructLayout(LayoutKind.Auto)]
public readonly record struct MetricPointView(double Time, double Value);

/// <summary>A series in the answer to a query: one value, or values over time.</summary>
/// <param name="Metric">Its labels; the metric's name is <c>__name__</c>.</param>
/// <param name="Value">The value of an instant query.</param>
/// <param name="Values">The values of a range.</param>
/// <param name="Histogram">The native histogram of an instant query, as it stands in the answer.</param>
/// <param name="Histograms">The native histograms of a range.</param>
public sealed record MetricSeriesView(
    IReadOnlyDictionary<string, string> Metric, MetricPointView? Value, IReadOnlyList<MetricPointView>? Values, JsonElement? Histogram, JsonElement? Histograms)
{
    /// <summary>As people write a series: <c>up{job="api"}</c>.</summary>
    public string Name()
    {
        var labels = string.Join(", ", Metric.Where(l => l.Key != "__name__").OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={JsonSerializer.Serialize(l.Value, Json.Options)}"));
        return labels.Length == 0 && Metric.ContainsKey("__name__") ? Metric["__name__"] : $"{Metric.GetValueOrDefault("__name__")}{{{labels}}}";
    }
}

/// <summary>The answer to a query.</summary>
/// <param name="ResultType"><c>vector</c>, <c>matrix</c>, <c>scalar</c> or <c>string</c>.</param>
/// <param name="Result">As it stands in the answer.</param>
public sealed record MetricQueryView(string ResultType, JsonElement Result)
{
    /// <summary>The series of a vector or a matrix; none for a scalar or a string.</summary>
    public IReadOnlyList<MetricSeriesView> Series() =>
        ResultType is "vector" or "matrix" ? Result.Deserialize<MetricSeriesView[]>(Json.Options) ?? [] : [];

    /// <summary>The text of a scalar or a string; null for series.</summary>
    public string? Single() => ResultType is "scalar" or "string" ? Result[1].GetString() : null;
}

/// <summary>A metric or label and how much there is of it.</summary>
/// <param name="Name">The metric's name, the label's name, or <c>name=value</c>.</param>
/// <param name="Value">How much.</param>
public sealed record MetricCountView(string Name, long Value);

/// <summary>How many series there are and what makes them many (<c>status/tsdb</c>).</summary>
/// <param name="HeadStats">The newest samples, in memory.</param>
/// <param name="SeriesCountByMetricName">Series of each metric, the largest first.</param>
/// <param name="LabelValueCountByLabelName">Values of each label.</param>
/// <param name="MemoryInBytesByLabelName">Bytes of the values of each label.</param>
/// <param name="SeriesCountByLabelValuePair">Series of each label with its value.</param>
public sealed record MetricStoreView(
    MetricHeadView HeadStats, IReadOnlyList<MetricCountView> SeriesCountByMetricName, IReadOnlyList<MetricCountView> LabelValueCountByLabelName,
    IReadOnlyList<MetricCountView> MemoryInBytesByLabelName, IReadOnlyList<MetricCountView> SeriesCountByLabelValuePair);

/// <summary>The newest samples, in memory.</summary>
/// <param name="NumSeries">Series.</param>
/// <param name="NumLabelPairs">Different pairs of label and value.</param>
/// <param name="ChunkCount">Chunks of samples.</param>
/// <param name="MinTime">The oldest sample, in milliseconds since 1970.</param>
/// <param name="MaxTime">The newest sample.</param>
public sealed record MetricHeadView(long NumSeries, long NumLabelPairs, long ChunkCount, long MinTime, long MaxTime);

/// <summary>What is scraped (<c>targets</c>).</summary>
/// <param name="ActiveTargets">Those that are scraped.</param>
public sealed record MetricTargetsView(IReadOnlyList<MetricTargetView> ActiveTargets);

/// <summary>A target that is scraped.</summary>
/// <param name="DiscoveredLabels">Its labels before relabelling.</param>
/// <param name="Labels">Its labels.</param>
/// <param name="ScrapePool">The job that it belongs to.</param>
/// <param name="ScrapeUrl">Where it is asked.</param>
/// <param name="LastError">Why the last scrape failed; empty when it did not.</param>
/// <param name="LastScrape">When it was asked last.</param>
/// <param name="LastScrapeDuration">How long that took, in seconds.</param>
/// <param name="Health"><c>up</c>, <c>down</c> or <c>unknown</c>.</param>
public sealed record MetricTargetView(
    IReadOnlyDictionary<string, string> DiscoveredLabels, IReadOnlyDictionary<string, string> Labels, string ScrapePool, string ScrapeUrl, string LastError,
    DateTimeOffset LastScrape, double LastScrapeDuration, string Health);

/// <summary>How a deployment does (ZW-83), over the window that is named.</summary>
/// <param name="Deployment">The deployment's label.</param>
/// <param name="Window">The time that rates and quantiles are taken over, such as <c>5m</c>.</param>
/// <param name="At">When it was calculated.</param>
/// <param name="RequestsPerSecond">Requests that the edges carried to it.</param>
/// <param name="ErrorRatio">The share of them that was answered with 500 to 599, from 0 to 1; null without requests.</param>
/// <param name="ByStatus">Requests per second by status.</param>
/// <param name="LatencySeconds">Quantiles of the time from the first byte of a request to the last of its response, by name; empty without requests.</param>
/// <param name="CpuCores">Processors that its instances use together.</param>
/// <param name="MemoryBytes">Memory that they use together.</param>
/// <param name="Instances">Each instance.</param>
public sealed record DeploymentMetricsView(
    string Deployment, string Window, DateTimeOffset At, double RequestsPerSecond, double? ErrorRatio, IReadOnlyDictionary<string, double> ByStatus,
    IReadOnlyDictionary<string, double> LatencySeconds, double CpuCores, double MemoryBytes, IReadOnlyList<InstanceMetricsView> Instances);

/// <summary>What one instance uses.</summary>
/// <param name="Id">The instance.</param>
/// <param name="CpuCores">Processors.</param>
/// <param name="MemoryBytes">Memory, without what the kernel can take back at once.</param>
/// <param name="MemoryLimitBytes">What it may use; null when nothing is limited.</param>
public sealed record InstanceMetricsView(Guid Id, double? CpuCores, double? MemoryBytes, double? MemoryLimitBytes);

/// <summary><c>[1700000000.123, "0.5"]</c>, as Prometheus writes a sample.</summary>
internal sealed class MetricPointConverter : JsonConverter<MetricPointView>
{
    public override MetricPointView Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || reader.TokenType != JsonTokenType.Number)
            throw new JsonException("A sample is an array of a time and a value.");
        var time = reader.GetDouble();
        if (!reader.Read() || reader.GetString() is not { } text || !reader.Read())
            throw new JsonException("A sample has a value.");
        return new(time, ValueOf(text));
    }

    public override void Write(Utf8JsonWriter writer, MetricPointView value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        writer.WriteNumberValue(value.Time);
        writer.WriteStringValue(TextOf(value.Value));
        writer.WriteEndArray();
    }

    private static double ValueOf(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };

    private static string TextOf(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
