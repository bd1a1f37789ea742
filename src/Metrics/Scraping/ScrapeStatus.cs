namespace Groundcrew.Metrics;

/// <summary>How the last scrape of a target went.</summary>
public enum TargetHealth
{
    /// <summary>It was not scraped yet.</summary>
    Unknown,

    /// <summary>It answered, and what it said was stored.</summary>
    Up,

    /// <summary>It did not; the error says why.</summary>
    Down,
}

/// <summary>A target as it is now. Immutable.</summary>
public sealed record TargetStatus
{
    /// <summary>The name of its job.</summary>
    public required string ScrapePool { get; init; }

    /// <summary>Its labels before relabelling.</summary>
    public required Labels DiscoveredLabels { get; init; }

    /// <summary>The labels that its series have.</summary>
    public required Labels Labels { get; init; }

    /// <summary>What is asked.</summary>
    public required string ScrapeUrl { get; init; }

    /// <summary>The same from elsewhere: with a name instead of the loopback address.</summary>
    public required string GlobalUrl { get; init; }

    /// <summary>How it is.</summary>
    public TargetHealth Health { get; init; }

    /// <summary>Why the last scrape failed; empty when it did not.</summary>
    public string LastError { get; init; } = "";

    /// <summary>When the last scrape began; null when there was none.</summary>
    public DateTimeOffset? LastScrape { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan LastScrapeDuration { get; init; }

    /// <summary>When it is due next; null while it is scraped.</summary>
    public DateTimeOffset? NextScrape { get; init; }

    /// <summary>How often it is scraped.</summary>
    public TimeSpan ScrapeInterval { get; init; }

    /// <summary>How long a scrape may take.</summary>
    public TimeSpan ScrapeTimeout { get; init; }
}

/// <summary>A target that is not scraped. Immutable.</summary>
/// <param name="ScrapePool">The name of its job.</param>
/// <param name="DiscoveredLabels">Its labels before relabelling.</param>
/// <param name="Why">What is wrong with it; null when relabelling dropped it.</param>
public sealed record DroppedTarget(string ScrapePool, Labels DiscoveredLabels, string? Why = null);

/// <summary>What a target says about a metric. Immutable.</summary>
/// <param name="Target">The target's labels.</param>
/// <param name="Metric">The metric's name.</param>
/// <param name="Type">Such as <c>counter</c>; <c>unknown</c> when it does not say.</param>
/// <param name="Help">What it is for.</param>
/// <param name="Unit">Its unit, of OpenMetrics only.</param>
public sealed record MetricMetadata(Labels Target, string Metric, string Type, string Help, string Unit);

/// <summary>What a <see cref="Scraper"/> is given besides its configuration. Immutable.</summary>
public sealed record ScraperSettings
{
    /// <summary>Carries the target's labels before relabelling with each request, for transports that choose by them.</summary>
    public static readonly HttpRequestOptionsKey<Labels> TargetLabels = new("groundcrew-target-labels");

    /// <summary>
    /// The transport for a job; null leaves it to ordinary HTTP by the job's own settings. It must not follow redirects or
    /// uncompress, and is not disposed here. Called once for each job that is applied.
    /// </summary>
    public Func<ScrapeConfig, HttpMessageInvoker?> Transport { get; init; } = _ => null;

    /// <summary>The most scrapes that go on at once.</summary>
    public int MaxConcurrentScrapes { get; init; } = 256;

    /// <summary>The most bytes of one answer, uncompressed, for jobs without a <c>body_size_limit</c>.</summary>
    public long MaxBodyBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>The most bytes of one line.</summary>
    public int MaxLineBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>The most bytes of one family in protobuf, which is read whole.</summary>
    public int MaxFamilyBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Whether <c>scrape_timeout_seconds</c>, <c>scrape_sample_limit</c> and <c>scrape_body_size_bytes</c> are stored too.</summary>
    public bool ExtraScrapeMetrics { get; init; }

    /// <summary>What stands in <see cref="TargetStatus.GlobalUrl"/> instead of the loopback address; null leaves it.</summary>
    public string? PublicHost { get; init; }

    /// <summary>Where the exemplars of targets go that speak OpenMetrics; null drops them.</summary>
    public ExemplarStore? Exemplars { get; init; }

    /// <summary>The header <c>User-Agent</c>.</summary>
    public string UserAgent { get; init; } = "Groundcrew";
}
