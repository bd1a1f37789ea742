using System.Globalization;
using System.Text.Json;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>What is scraped, through Prometheus' API: <c>targets</c>, <c>targets/metadata</c>, <c>metadata</c>.</summary>
internal static class PrometheusTargetsDoor
{
    public static Task<PrometheusAnswer> TargetsAsync(PrometheusRequest request)
    {
        var (state, pool) = (request.Parameters.Get("state").ToLowerInvariant(), request.Parameters.Get("scrapePool"));
        bool IsAsked(string name, Labels labels) => (pool.Length == 0 || name == pool) && (request.Org is not { } org || labels.Get("org") == org);
        var active = request.Monitoring.Scraper.Targets.Where(t => IsAsked(t.ScrapePool, t.Labels)).ToList();
        var dropped = request.Monitoring.Scraper.DroppedTargets.Where(t => IsAsked(t.ScrapePool, t.DiscoveredLabels)).ToList();
        return Task.FromResult(new PrometheusAnswer(async json =>
        {
            var writer = json.Writer;
            writer.WriteStartObject();
            writer.WriteStartArray("activeTargets"u8);
            foreach (var target in state == "dropped" ? [] : active)
            {
                Write(json, target);
                await json.FlushIfFullAsync();
            }
            writer.WriteEndArray();
            writer.WriteStartArray("droppedTargets"u8);
            foreach (var target in state == "active" ? [] : dropped)
            {
                writer.WriteStartObject();
                writer.WritePropertyName("discoveredLabels"u8);
                json.WriteLabels(target.DiscoveredLabels);
                writer.WriteString("scrapePool"u8, target.ScrapePool);
                writer.WriteEndObject();
                await json.FlushIfFullAsync();
            }
            writer.WriteEndArray();
            writer.WriteStartObject("droppedTargetCounts"u8);
            foreach (var (name, count) in dropped.CountBy(t => t.ScrapePool))
                writer.WriteNumber(name, count);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }));
    }

    /// <summary>The names of the jobs that have targets.</summary>
    public static Task<PrometheusAnswer> PoolsAsync(PrometheusRequest request)
    {
        var names = request.Monitoring.Scraper.Targets.Where(t => request.Org is not { } org || t.Labels.Get("org") == org)
            .Select(t => t.ScrapePool).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return Task.FromResult(PrometheusAnswer.Of(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("scrapePools"u8);
            foreach (var name in names)
                writer.WriteStringValue(name);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }));
    }

    public static Task<PrometheusAnswer> TargetMetadataAsync(PrometheusRequest request)
    {
        var (metric, limit) = (request.Parameters.Get("metric"), LimitOf(request, "limit"));
        var matchers = request.Parameters.Get("match_target") is { Length: > 0 } text ? PrometheusRequest.SelectorOf(text) : [];
        var found = request.Monitoring.Scraper.Metadata
            .Where(m => IsVisible(request, m) && (metric.Length == 0 || m.Metric == metric) && matchers.All(c => c.Matches(m.Target))).Take(limit).ToList();
        return Task.FromResult(new PrometheusAnswer(async json =>
        {
            json.Writer.WriteStartArray();
            foreach (var m in found)
            {
                json.Writer.WriteStartObject();
                json.Writer.WritePropertyName("target"u8);
                json.WriteLabels(m.Target);
                if (metric.Length == 0)
                    json.Writer.WriteString("metric"u8, m.Metric);
                WriteMeaning(json.Writer, m);
                json.Writer.WriteEndObject();
                await json.FlushIfFullAsync();
            }
            json.Writer.WriteEndArray();
        }));
    }

    public static Task<PrometheusAnswer> MetadataAsync(PrometheusRequest request)
    {
        var (metric, limit, each) = (request.Parameters.Get("metric"), LimitOf(request, "limit"), LimitOf(request, "limit_per_metric"));
        var found = request.Monitoring.Scraper.Metadata.Where(m => IsVisible(request, m) && (metric.Length == 0 || m.Metric == metric))
            .GroupBy(m => m.Metric, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Take(limit).ToList();
        return Task.FromResult(new PrometheusAnswer(async json =>
        {
            json.Writer.WriteStartObject();
            foreach (var group in found)
            {
                json.Writer.WriteStartArray(group.Key);
                foreach (var m in group.DistinctBy(m => (m.Type, m.Help, m.Unit)).Take(each))
                {
                    json.Writer.WriteStartObject();
                    WriteMeaning(json.Writer, m);
                    json.Writer.WriteEndObject();
                }
                json.Writer.WriteEndArray();
                await json.FlushIfFullAsync();
            }
            json.Writer.WriteEndObject();
        }));
    }

    private static bool IsVisible(PrometheusRequest request, MetricMetadata metadata) => request.Org is not { } org || metadata.Target.Get("org") == org;

    private static int LimitOf(PrometheusRequest request, string name) => request.Parameters.Get(name) is not { Length: > 0 } text ? int.MaxValue
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var limit) ? (limit > 0 ? limit : int.MaxValue)
        : throw PrometheusErrorException.BadData($"{name} must be a number");

    private static void WriteMeaning(Utf8JsonWriter writer, MetricMetadata metadata)
    {
        writer.WriteString("type"u8, metadata.Type);
        writer.WriteString("help"u8, metadata.Help);
        writer.WriteString("unit"u8, metadata.Unit);
    }

    private static void Write(PrometheusJson json, TargetStatus target)
    {
        var writer = json.Writer;
        writer.WriteStartObject();
        writer.WritePropertyName("discoveredLabels"u8);
        json.WriteLabels(target.DiscoveredLabels);
        writer.WritePropertyName("labels"u8);
        json.WriteLabels(target.Labels);
        writer.WriteString("scrapePool"u8, target.ScrapePool);
        writer.WriteString("scrapeUrl"u8, target.ScrapeUrl);
        writer.WriteString("globalUrl"u8, target.GlobalUrl);
        writer.WriteString("lastError"u8, target.LastError);
        writer.WriteString("lastScrape"u8, target.LastScrape?.UtcDateTime ?? DateTime.MinValue);
        writer.WriteNumber("lastScrapeDuration"u8, target.LastScrapeDuration.TotalSeconds);
        writer.WriteString("health"u8, target.Health switch { TargetHealth.Up => "up", TargetHealth.Down => "down", _ => "unknown" });
        writer.WriteString("scrapeInterval"u8, PrometheusDuration.Format(target.ScrapeInterval));
        writer.WriteString("scrapeTimeout"u8, PrometheusDuration.Format(target.ScrapeTimeout));
        writer.WriteEndObject();
    }
}
