using System.Globalization;
using System.Text.Json;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Doors;

/// <summary>What the platform says about itself in Prometheus' words: <c>status/…</c>, <c>notifications</c>, and <c>rules</c> and <c>alerts</c>, of which there are none.</summary>
internal static class PrometheusStatusDoor
{
    /// <summary>The version of Prometheus whose language and API this is; clients choose by it what they ask.</summary>
    public const string Speaks = "3.5.0";

    private const int TopByDefault = 10;
    private static readonly string[] SizeUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    private static readonly TimeSpan Newest = TimeSpan.FromHours(2);

    public static Task<PrometheusAnswer> RulesAsync(PrometheusRequest request) => Empty("groups");

    public static Task<PrometheusAnswer> AlertsAsync(PrometheusRequest request) => Empty("alerts");

    public static Task<PrometheusAnswer> AlertmanagersAsync(PrometheusRequest request) => Empty("activeAlertmanagers", "droppedAlertmanagers");

    /// <summary>What whoever runs this should know now: that <c>prometheus.yml</c> as it stands is not taken.</summary>
    public static Task<PrometheusAnswer> NotificationsAsync(PrometheusRequest request) => Task.FromResult(PrometheusAnswer.Of(writer =>
    {
        writer.WriteStartArray();
        if (request.Monitoring.Config.RefusedAt is { } since)
        {
            writer.WriteStartObject();
            writer.WriteString("text"u8, "Configuration reload has failed."u8);
            writer.WriteString("date"u8, since.UtcDateTime);
            writer.WriteBoolean("active"u8, true);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }));

    public static Task<PrometheusAnswer> BuildAsync(PrometheusRequest request) => Texts(
        ("version", Speaks), ("revision", $"groundcrew {ProgramVersion.Text}"), ("branch", ""), ("buildUser", ""), ("buildDate", ""), ("goVersion", ""));

    public static Task<PrometheusAnswer> ConfigAsync(PrometheusRequest request) => Texts(("yaml", RedactedYaml.Of(request.Monitoring.Config.Text)));

    public static Task<PrometheusAnswer> FlagsAsync(PrometheusRequest request)
    {
        var (options, engine) = (request.Monitoring.Options, request.Queries.Options);
        return Texts(
            ("storage.tsdb.retention.time", PrometheusDuration.Format(options.Retention)), ("storage.tsdb.retention.size", SizeOf(options.MaxBytes ?? 0)),
            ("query.lookback-delta", PrometheusDuration.Format(engine.Lookback)), ("query.max-concurrency", $"{Queries.AtOnce}"), ("query.max-samples", $"{engine.MaxSamples}"), ("query.timeout", PrometheusDuration.Format(engine.Timeout)),
            ("web.enable-admin-api", "true"), ("web.enable-lifecycle", "true"), ("web.enable-remote-write-receiver", "true"), ("web.route-prefix", "/prometheus"));
    }

    public static Task<PrometheusAnswer> RuntimeAsync(PrometheusRequest request)
    {
        var (monitoring, now) = (request.Monitoring, DateTimeOffset.FromUnixTimeMilliseconds(request.Now));
        return Task.FromResult(PrometheusAnswer.Of(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("startTime"u8, monitoring.StartedAt.UtcDateTime);
            writer.WriteString("CWD"u8, monitoring.Options.Folder);
            writer.WriteString("hostname"u8, request.Http.RequestServices.GetRequiredService<RoleSettings>().Hostname);
            writer.WriteString("serverTime"u8, now.UtcDateTime);
            writer.WriteBoolean("reloadConfigSuccess"u8, monitoring.Config.Refused.Count == 0);
            writer.WriteString("lastConfigTime"u8, monitoring.Config.LoadedAt.UtcDateTime);
            writer.WriteNumber("corruptionCount"u8, monitoring.Corruptions);
            writer.WriteNumber("goroutineCount"u8, ThreadPool.ThreadCount);
            writer.WriteNumber("GOMAXPROCS"u8, Environment.ProcessorCount);
            writer.WriteString("GOGC"u8, "");
            writer.WriteString("GODEBUG"u8, "");
            writer.WriteString("storageRetention"u8, RetentionOf(monitoring.Options));
            writer.WriteEndObject();
        }));
    }

    /// <summary>What a program that is answering has read back is all of it.</summary>
    public static Task<PrometheusAnswer> ReplayAsync(PrometheusRequest request)
    {
        var last = request.Monitoring.Store.End.Segment;
        return Task.FromResult(PrometheusAnswer.Of(writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("min"u8, 0);
            writer.WriteNumber("max"u8, last);
            writer.WriteNumber("current"u8, last);
            writer.WriteEndObject();
        }));
    }

    /// <summary>How many series there are in memory, by what makes them many. A token of an organization has its own counted.</summary>
    public static Task<PrometheusAnswer> StoreAsync(PrometheusRequest request)
    {
        var most = TopByDefault;
        if (request.Parameters.Get("limit") is { Length: > 0 } text && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out most) || most < 1))
            throw PrometheusErrorException.BadData("limit must be a positive number");
        var status = request.Org is null ? request.Monitoring.Store.Status(most) : Counted(request, most);
        return Task.FromResult(PrometheusAnswer.Of(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartObject("headStats"u8);
            writer.WriteNumber("numSeries"u8, status.Series);
            writer.WriteNumber("numLabelPairs"u8, status.LabelPairs);
            writer.WriteNumber("chunkCount"u8, status.Chunks);
            writer.WriteNumber("minTime"u8, status.MinTime);
            writer.WriteNumber("maxTime"u8, status.MaxTime);
            writer.WriteEndObject();
            WriteTop(writer, "seriesCountByMetricName", status.SeriesByMetricName);
            WriteTop(writer, "labelValueCountByLabelName", status.ValuesByLabelName);
            WriteTop(writer, "memoryInBytesByLabelName", status.BytesByLabelName);
            WriteTop(writer, "seriesCountByLabelValuePair", status.SeriesByLabelPair);
            writer.WriteEndObject();
        }));
    }

    private static string RetentionOf(StoreOptions options) =>
        PrometheusDuration.Format(options.Retention) + (options.MaxBytes is { } most ? $" or {SizeOf(most)}" : "");

    /// <summary>A size in the largest unit that it is a whole number of, as Prometheus writes it.</summary>
    private static string SizeOf(long bytes)
    {
        var unit = 0;
        for (; bytes > 0 && bytes % 1024 == 0 && unit < SizeUnits.Length - 1; unit++)
            bytes /= 1024;
        return $"{bytes}{SizeUnits[unit]}";
    }

    private static StoreStatus Counted(PrometheusRequest request, int most)
    {
        var from = request.Now - (long)Newest.TotalMilliseconds;
        using var reader = request.Source.OpenReader();
        var counts = new SeriesCounts();
        foreach (var series in reader.Select(from, request.Now, [new LabelMatcher(MatchKind.NotEqual, Labels.MetricName, "")], request.Cancellation))
            counts.Add(series.Labels);
        return counts.ToStatus(from, request.Now, most);
    }

    private static void WriteTop(Utf8JsonWriter writer, string name, IReadOnlyList<StoreCount> counts)
    {
        writer.WriteStartArray(name);
        foreach (var count in counts)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, count.Name);
            writer.WriteNumber("value"u8, count.Value);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static Task<PrometheusAnswer> Empty(params IReadOnlyList<string> lists) => Task.FromResult(PrometheusAnswer.Of(writer =>
    {
        writer.WriteStartObject();
        foreach (var list in lists)
        {
            writer.WriteStartArray(list);
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }));

    private static Task<PrometheusAnswer> Texts(params (string Name, string Value)[] texts) => Task.FromResult(PrometheusAnswer.Of(writer =>
    {
        writer.WriteStartObject();
        foreach (var (name, value) in texts)
            writer.WriteString(name, value);
        writer.WriteEndObject();
    }));
}
