using System.Diagnostics.CodeAnalysis;

namespace Groundcrew.Contract.Manifest;

/// <summary>The probes of a service (U-20, T-06) and what they share. Immutable.</summary>
public sealed record HealthManifest
{
    /// <summary>A probe that restarts an instance when it fails.</summary>
    [Key(KeyKind.Probe, "A probe that restarts an instance when it fails. A path alone is the short form.", LeftOut = "it is enough that the process is alive")]
    public ProbeManifest? Liveness { get; init; }

    /// <summary>A probe that gates traffic.</summary>
    [Key(KeyKind.Probe, "A probe that gates traffic. A path alone is the short form.", Example = "/health/ready",
        LeftOut = "it is enough that the port accepts a connection")]
    public ProbeManifest? Readiness { get; init; }

    /// <summary>How long to wait after a start before the first probe.</summary>
    [Key(KeyKind.Duration, "How long to wait after a start before the first probe.", Min = "0s", Max = "1h", Example = "0s")]
    public TimeSpan InitialDelay { get; init; } = TimeSpan.Zero;

    /// <summary>The time from one probe to the next.</summary>
    [Key(KeyKind.Duration, "The time from one probe to the next.", Min = "100ms", Max = "1h", Example = "2s")]
    public TimeSpan Period { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long one probe may take.</summary>
    [Key(KeyKind.Duration, "How long one probe may take.", Min = "10ms", Max = "60s", Example = "1s")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many failures in a row count as failed.</summary>
    [Key(KeyKind.Count, "How many failures in a row count as failed.", Min = "1", Max = "100", Example = "3")]
    public int FailureThreshold { get; init; } = 3;

    /// <summary>How long a new instance may take to become ready.</summary>
    [Key(KeyKind.Duration, "How long a new instance may take to become ready. After that the deployment has failed and the version before it stays.",
        Min = "1s", Max = "1h", Example = "60s")]
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A probe with what the service's probes share filled in; null when there is no probe. Pure.</summary>
    [return: NotNullIfNotNull(nameof(probe))]
    public ProbeSettings? Resolve(ProbeManifest? probe) => probe is null
        ? null
        : new ProbeSettings(probe.Path, probe.InitialDelay ?? InitialDelay, probe.Period ?? Period, probe.Timeout ?? Timeout,
            probe.FailureThreshold ?? FailureThreshold);
}

/// <summary>One HTTP probe as written; what is null counts as the service's probes share it. Immutable.</summary>
public sealed record ProbeManifest
{
    /// <summary>The path to GET.</summary>
    [Key(KeyKind.UrlPath, "The path to GET.", Required = true, Example = "/health/live")]
    public required string Path { get; init; }

    /// <summary>How long to wait after a start before the first probe.</summary>
    [Key(KeyKind.Duration, "How long to wait after a start before the first probe.", Min = "0s", Max = "1h", Example = "5s",
        LeftOut = "as `health.initialDelay`")]
    public TimeSpan? InitialDelay { get; init; }

    /// <summary>The time from one probe to the next.</summary>
    [Key(KeyKind.Duration, "The time from one probe to the next.", Min = "100ms", Max = "1h", Example = "10s", LeftOut = "as `health.period`")]
    public TimeSpan? Period { get; init; }

    /// <summary>How long one probe may take.</summary>
    [Key(KeyKind.Duration, "How long one probe may take.", Min = "10ms", Max = "60s", Example = "2s", LeftOut = "as `health.timeout`")]
    public TimeSpan? Timeout { get; init; }

    /// <summary>How many failures in a row count as failed.</summary>
    [Key(KeyKind.Count, "How many failures in a row count as failed.", Min = "1", Max = "100", Example = "3",
        LeftOut = "as `health.failureThreshold`")]
    public int? FailureThreshold { get; init; }
}
