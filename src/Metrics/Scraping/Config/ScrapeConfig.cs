namespace Groundcrew.Metrics;

/// <summary>One job of <c>scrape_configs</c>. Immutable.</summary>
public sealed record ScrapeConfig
{
    /// <summary>Its name, which targets have as label <c>job</c>.</summary>
    public required string JobName { get; init; }

    /// <summary>How often.</summary>
    public TimeSpan ScrapeInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long it may take; not above the interval.</summary>
    public TimeSpan ScrapeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The path that is asked for.</summary>
    public string MetricsPath { get; init; } = "/metrics";

    /// <summary><c>http</c> or <c>https</c>.</summary>
    public string Scheme { get; init; } = "http";

    /// <summary>Parameters of the URL.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Params { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Whether a target's labels win over those that are given to it here.</summary>
    public bool HonorLabels { get; init; }

    /// <summary>Whether timestamps in the answer are used.</summary>
    public bool HonorTimestamps { get; init; } = true;

    /// <summary>Whether series with timestamps of their own become stale too when they vanish.</summary>
    public bool TrackTimestampsStaleness { get; init; }

    /// <summary>Whether the answer may be compressed.</summary>
    public bool EnableCompression { get; init; } = true;

    /// <summary>What targets are asked for, in the order of preference (see <see cref="ScrapeProtocol"/>).</summary>
    public IReadOnlyList<string> ScrapeProtocols { get; init; } = ScrapeProtocol.Defaults;

    /// <summary>How an answer without a usable content type is read; null refuses it.</summary>
    public string? FallbackScrapeProtocol { get; init; }

    /// <summary>Whether native histograms are taken; otherwise histograms are classic ones.</summary>
    public bool NativeHistograms { get; init; }

    /// <summary>Whether a histogram that is both native and classic is taken as both.</summary>
    public bool AlsoClassicHistograms { get; init; }

    /// <summary>Buckets of native histograms that grow by less are made wider; 0 leaves them.</summary>
    public double NativeHistogramMinBucketFactor { get; init; }

    /// <summary>What one scrape may bring.</summary>
    public ScrapeLimits Limits { get; init; } = new();

    /// <summary>Whether names of metrics and labels must be plain ones.</summary>
    public bool LegacyNames { get; init; }

    /// <summary>How targets are called.</summary>
    public HttpSettings Http { get; init; } = new();

    /// <summary>Targets that are listed in the file.</summary>
    public IReadOnlyList<TargetGroup> StaticTargets { get; init; } = [];

    /// <summary>Files that list targets.</summary>
    public IReadOnlyList<FileDiscovery> FileDiscoveries { get; init; } = [];

    /// <summary>Addresses that list targets.</summary>
    public IReadOnlyList<HttpDiscovery> HttpDiscoveries { get; init; } = [];

    /// <summary>Rules for targets.</summary>
    public IReadOnlyList<RelabelRule> RelabelRules { get; init; } = [];

    /// <summary>Rules for samples.</summary>
    public IReadOnlyList<RelabelRule> MetricRelabelRules { get; init; } = [];
}

/// <summary>The words of <c>scrape_protocols</c>.</summary>
public static class ScrapeProtocol
{
    /// <summary>Prometheus' text, 0.0.4.</summary>
    public const string Text0 = "PrometheusText0.0.4";

    /// <summary>Prometheus' text with names in UTF-8.</summary>
    public const string Text1 = "PrometheusText1.0.0";

    /// <summary>OpenMetrics before its first version.</summary>
    public const string OpenMetrics0 = "OpenMetricsText0.0.1";

    /// <summary>OpenMetrics.</summary>
    public const string OpenMetrics1 = "OpenMetricsText1.0.0";

    /// <summary>Protobuf, which native histograms need.</summary>
    public const string Protobuf = "PrometheusProto";

    /// <summary>What is asked for when nothing is said.</summary>
    public static IReadOnlyList<string> Defaults { get; } = Array.AsReadOnly([OpenMetrics1, OpenMetrics0, Text1, Text0]);

    /// <summary>What is asked for when nothing is said and native histograms are wanted.</summary>
    public static IReadOnlyList<string> ProtobufFirst { get; } = Array.AsReadOnly([Protobuf, OpenMetrics1, OpenMetrics0, Text1, Text0]);
}

/// <summary>Targets with labels that all of them have. Immutable.</summary>
/// <param name="Source">Where it comes from, such as <c>static/0</c>; a later group of this source replaces an earlier one.</param>
/// <param name="Targets">Labels of each target, at least <c>__address__</c>.</param>
/// <param name="Common">Labels of all of them, which a target's own replace.</param>
public sealed record TargetGroup(string Source, IReadOnlyList<Labels> Targets, Labels Common);

/// <summary>Files that list targets, as JSON or YAML. Immutable.</summary>
/// <param name="Files">Names; the last part may hold <c>*</c>.</param>
/// <param name="RefreshInterval">How often they are read at the latest.</param>
public sealed record FileDiscovery(IReadOnlyList<string> Files, TimeSpan RefreshInterval);

/// <summary>An address that lists targets, as JSON. Immutable.</summary>
/// <param name="Url">The address.</param>
/// <param name="RefreshInterval">How often it is asked.</param>
/// <param name="Http">How it is called.</param>
public sealed record HttpDiscovery(Uri Url, TimeSpan RefreshInterval, HttpSettings Http);
