using Groundcrew.Bedrock;

namespace Groundcrew.Metrics;

/// <summary>
/// A <c>prometheus.yml</c>, judged whole: with the defaults of Prometheus 3, file names made absolute, and the limits of
/// <c>global</c> taken over by each job. Immutable.
/// </summary>
public sealed record PrometheusConfig
{
    /// <summary>The largest file, in characters.</summary>
    public const int MaxLength = 8 * 1024 * 1024;

    /// <summary>What holds for all.</summary>
    public GlobalConfig Global { get; init; } = new();

    /// <summary>The jobs, in the order of the file; their names are unique.</summary>
    public IReadOnlyList<ScrapeConfig> ScrapeConfigs { get; init; } = [];

    /// <summary>File names and patterns of rule files.</summary>
    public IReadOnlyList<string> RuleFiles { get; init; } = [];

    /// <summary>Files with more <c>scrape_configs</c>; whoever loads the configuration adds their jobs (see <see cref="ParseScrapeConfigs"/>).</summary>
    public IReadOnlyList<string> ScrapeConfigFiles { get; init; } = [];

    /// <summary>Where alerts go.</summary>
    public AlertingConfig Alerting { get; init; } = new();

    /// <summary>Where samples are sent on to.</summary>
    public IReadOnlyList<RemoteWriteConfig> RemoteWrites { get; init; } = [];

    /// <summary>How late a sample may be, from <c>storage.tsdb.out_of_order_time_window</c>; null when the file says nothing.</summary>
    public TimeSpan? OutOfOrderWindow { get; init; }

    /// <summary>
    /// Judges a file: every problem at once, each with its path, line and fix; unknown keys are refused. Pure and
    /// thread-safe; reads no file, so what the configuration names may be missing.
    /// </summary>
    /// <param name="yaml">The text.</param>
    /// <param name="folder">The folder that relative file names begin in; null leaves them as they are.</param>
    public static Judged<PrometheusConfig> Parse(string yaml, string? folder = null) => ConfigJudge.Judge(yaml, folder);

    /// <summary>Judges a file that <see cref="ScrapeConfigFiles"/> names, which holds <c>scrape_configs</c> only.</summary>
    public static Judged<IReadOnlyList<ScrapeConfig>> ParseScrapeConfigs(string yaml, GlobalConfig global, string? folder = null) =>
        ConfigJudge.JudgeScrapeConfigs(yaml, global, folder);
}

/// <summary>The section <c>global</c>. Immutable.</summary>
public sealed record GlobalConfig
{
    /// <summary>How often targets are scraped.</summary>
    public TimeSpan ScrapeInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a scrape may take.</summary>
    public TimeSpan ScrapeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often rules are evaluated.</summary>
    public TimeSpan EvaluationInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How far back rules look, so that late samples are seen.</summary>
    public TimeSpan RuleQueryOffset { get; init; }

    /// <summary>Labels that are added to what leaves: remote write, federation, alerts.</summary>
    public Labels ExternalLabels { get; init; } = Labels.Empty;

    /// <summary>The limits that jobs have which say nothing else.</summary>
    public ScrapeLimits Limits { get; init; } = new();

    /// <summary>What targets are asked for, in the order of preference.</summary>
    public IReadOnlyList<string> ScrapeProtocols { get; init; } = ScrapeProtocol.Defaults;

    /// <summary>How a target's answer without a usable content type is read; null refuses it.</summary>
    public string? FallbackScrapeProtocol { get; init; }

    /// <summary>Whether names of metrics and labels must be plain ones.</summary>
    public bool LegacyNames { get; init; }
}

/// <summary>What one scrape may bring; 0 means no limit. Immutable.</summary>
public sealed record ScrapeLimits
{
    /// <summary>Bytes of the answer, uncompressed.</summary>
    public long BodySize { get; init; }

    /// <summary>Samples after relabelling.</summary>
    public long Samples { get; init; }

    /// <summary>Targets of one job.</summary>
    public long Targets { get; init; }

    /// <summary>Labels of a sample.</summary>
    public long Labels { get; init; }

    /// <summary>Bytes of a label's name.</summary>
    public long LabelNameLength { get; init; }

    /// <summary>Bytes of a label's value.</summary>
    public long LabelValueLength { get; init; }

    /// <summary>Dropped targets that are kept to be shown.</summary>
    public long KeepDroppedTargets { get; init; }

    /// <summary>Buckets of a native histogram.</summary>
    public long NativeHistogramBuckets { get; init; }
}

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

/// <summary>The section <c>alerting</c>, kept for whoever sends alerts. Immutable.</summary>
public sealed record AlertingConfig
{
    /// <summary>Rules for alerts.</summary>
    public IReadOnlyList<RelabelRule> RelabelRules { get; init; } = [];

    /// <summary>Where alerts go.</summary>
    public IReadOnlyList<AlertmanagerConfig> Alertmanagers { get; init; } = [];
}

/// <summary>A group of Alertmanagers. Immutable.</summary>
public sealed record AlertmanagerConfig
{
    /// <summary><c>http</c> or <c>https</c>.</summary>
    public string Scheme { get; init; } = "http";

    /// <summary>What stands before the path of its API.</summary>
    public string PathPrefix { get; init; } = "/";

    /// <summary>How long a call may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How it is called.</summary>
    public HttpSettings Http { get; init; } = new();

    /// <summary>Listed in the file.</summary>
    public IReadOnlyList<TargetGroup> StaticTargets { get; init; } = [];

    /// <summary>Rules for the Alertmanagers themselves.</summary>
    public IReadOnlyList<RelabelRule> RelabelRules { get; init; } = [];

    /// <summary>Rules for the alerts that go there.</summary>
    public IReadOnlyList<RelabelRule> AlertRelabelRules { get; init; } = [];
}

/// <summary>One of <c>remote_write</c>. Immutable.</summary>
public sealed record RemoteWriteConfig
{
    /// <summary>Where to.</summary>
    public required Uri Url { get; init; }

    /// <summary>Its name in metrics, unique; empty when the file gives none.</summary>
    public string Name { get; init; } = "";

    /// <summary>How long a request may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Headers of every request.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>How it is called.</summary>
    public HttpSettings Http { get; init; } = new() { FollowRedirects = true };

    /// <summary>Rules for what is sent.</summary>
    public IReadOnlyList<RelabelRule> RelabelRules { get; init; } = [];

    /// <summary>Whether native histograms are sent; they are dropped otherwise.</summary>
    public bool SendNativeHistograms { get; init; }

    /// <summary>How the queue behaves.</summary>
    public QueueConfig Queue { get; init; } = new();
}

/// <summary>The section <c>queue_config</c>. Immutable.</summary>
public sealed record QueueConfig
{
    /// <summary>Samples that wait for one shard at most.</summary>
    public int Capacity { get; init; } = 10_000;

    /// <summary>The fewest requests that go on at once.</summary>
    public int MinShards { get; init; } = 1;

    /// <summary>The most requests that go on at once.</summary>
    public int MaxShards { get; init; } = 50;

    /// <summary>The most samples of one request.</summary>
    public int MaxSamplesPerSend { get; init; } = 2000;

    /// <summary>How long a sample waits for others.</summary>
    public TimeSpan BatchSendDeadline { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The first pause after a failure, which doubles.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromMilliseconds(30);

    /// <summary>The longest pause.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether "429 Too Many Requests" is tried again.</summary>
    public bool RetryOnHttp429 { get; init; }

    /// <summary>Samples older than this are dropped instead of sent; zero for never.</summary>
    public TimeSpan SampleAgeLimit { get; init; }
}

/// <summary>How an HTTP server is called. Secrets stay closed until a request is made. Immutable.</summary>
public sealed record HttpSettings
{
    /// <summary>The name for basic authentication; null for none.</summary>
    public string? BasicUser { get; init; }

    /// <summary>The password for it.</summary>
    public Secret? BasicPassword { get; init; }

    /// <summary>The file that holds the password, read for each request.</summary>
    public string? BasicPasswordFile { get; init; }

    /// <summary>The word before the credentials.</summary>
    public string AuthorizationType { get; init; } = "Bearer";

    /// <summary>What stands in the header <c>Authorization</c>.</summary>
    public Secret? Credentials { get; init; }

    /// <summary>The file that holds it, read for each request.</summary>
    public string? CredentialsFile { get; init; }

    /// <summary>How certificates are judged and shown.</summary>
    public TlsSettings Tls { get; init; } = new();

    /// <summary>Whether redirects are followed.</summary>
    public bool FollowRedirects { get; init; } = true;

    /// <summary>Whether HTTP/2 may be spoken.</summary>
    public bool EnableHttp2 { get; init; } = true;

    /// <summary>The proxy that is asked.</summary>
    public Uri? ProxyUrl { get; init; }
}

/// <summary>The section <c>tls_config</c>. Immutable.</summary>
public sealed record TlsSettings
{
    /// <summary>The authorities that are trusted instead of the system's, as PEM.</summary>
    public string? Ca { get; init; }

    /// <summary>The file of them.</summary>
    public string? CaFile { get; init; }

    /// <summary>The file of our certificate.</summary>
    public string? CertFile { get; init; }

    /// <summary>The file of its key.</summary>
    public string? KeyFile { get; init; }

    /// <summary>The name that the server's certificate must have instead of its address.</summary>
    public string? ServerName { get; init; }

    /// <summary>Whether any certificate is taken.</summary>
    public bool InsecureSkipVerify { get; init; }

    /// <summary>The lowest version, such as <c>TLS12</c>.</summary>
    public string? MinVersion { get; init; }

    /// <summary>The highest version.</summary>
    public string? MaxVersion { get; init; }
}
