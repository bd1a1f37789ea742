using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Wiring;

/// <summary>The jobs by which the platform scrapes itself and what it runs; their targets are found, never listed (U-25).</summary>
internal static class PlatformJobs
{
    public const string Control = "crew-control";
    public const string Agent = "crew-agent";
    public const string Edge = "crew-edge";
    public const string Instance = "crew-instance";

    /// <summary>The node that a target is on, for the transport; gone after relabelling.</summary>
    public const string NodeId = "__meta_groundcrew_node_id";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// One name for one thing (T-18): a status of HTTP is <c>status</c>, whatever a service calls it. What it calls it stays
    /// beside, so that queries of both kinds find it.
    /// </summary>
    public static IReadOnlyList<RelabelRule> CanonicalLabels { get; } =
    [
        new() { SourceLabels = ["status", "status_code"], Regex = ";(.+)", TargetLabel = "status", Replacement = "$1" },
        new() { SourceLabels = ["status", "code"], Regex = ";([1-5][0-9]{2})", TargetLabel = "status", Replacement = "$1" },
    ];

    /// <summary>The most that one instance may show: it is a customer's program.</summary>
    public static ScrapeLimits InstanceLimits { get; } = new() { BodySize = 16 * 1024 * 1024, Samples = 20_000, Labels = 64, LabelNameLength = 256, LabelValueLength = 4096 };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ScrapeConfig> All { get; } =
    [
        // What our own roles say about a service, an organization or a region stands; a customer's program may not say it.
        Job(Control) with { HonorLabels = true }, Job(Agent) with { HonorLabels = true }, Job(Edge) with { HonorLabels = true },
        Job(Instance) with { MetricRelabelRules = CanonicalLabels, Limits = InstanceLimits, FallbackScrapeProtocol = ScrapeProtocol.Text0 },
    ];

    private static ScrapeConfig Job(string name) => new() { JobName = name, ScrapeInterval = Interval, ScrapeTimeout = Timeout };
}
