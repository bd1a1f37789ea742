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

    /// <summary>How long samples are kept, from <c>storage.tsdb.retention.time</c>; null when the file says nothing.</summary>
    public TimeSpan? RetentionTime { get; init; }

    /// <summary>The most bytes that samples may take, from <c>storage.tsdb.retention.size</c>; null when the file says nothing.</summary>
    public long? RetentionBytes { get; init; }

    /// <summary>How many exemplars are kept, from <c>storage.exemplars.max_exemplars</c>; null when the file says nothing.</summary>
    public int? MaxExemplars { get; init; }

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

    /// <summary>What targets are asked for, in the order of preference; null asks for what <see cref="NativeHistograms"/> needs.</summary>
    public IReadOnlyList<string>? ScrapeProtocols { get; init; }

    /// <summary>Whether native histograms are taken.</summary>
    public bool NativeHistograms { get; init; }

    /// <summary>Whether a histogram that is both native and classic is taken as both.</summary>
    public bool AlsoClassicHistograms { get; init; }

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
