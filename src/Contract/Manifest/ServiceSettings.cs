namespace Groundcrew.Contract.Manifest;

/// <summary>One HTTP probe with nothing left open.</summary>
/// <param name="Path">The path to GET, from <c>/</c>.</param>
/// <param name="InitialDelay">How long to wait after a start.</param>
/// <param name="Period">From probe to probe.</param>
/// <param name="Timeout">How long one may take.</param>
/// <param name="FailureThreshold">How many failures in a row count.</param>
public sealed record ProbeSettings(string Path, TimeSpan InitialDelay, TimeSpan Period, TimeSpan Timeout, int FailureThreshold);

/// <summary>What holds for one service in one environment: every default and override resolved. Immutable; crosses the wire as JSON.</summary>
public sealed record ServiceSettings
{
    /// <summary>The line that builds it; null when nothing is built.</summary>
    public string? Build { get; init; }

    /// <summary>What is shipped, relative to the manifest's folder.</summary>
    public required IReadOnlyList<string> Package { get; init; }

    /// <summary>Patterns of files that are not shipped.</summary>
    public required IReadOnlyList<string> Exclude { get; init; }

    /// <summary>How it starts; null exactly when there is an <see cref="Image"/>.</summary>
    public CommandManifest? Run { get; init; }

    /// <summary>The container image; null exactly when there is a <see cref="Run"/>.</summary>
    public string? Image { get; init; }

    /// <summary>Restarts an instance; null when the process being alive is enough.</summary>
    public ProbeSettings? Liveness { get; init; }

    /// <summary>Gates traffic; null when an accepted connection is enough.</summary>
    public ProbeSettings? Readiness { get; init; }

    /// <summary>Where an instance shows its own metrics; null when it does not.</summary>
    public string? MetricsPath { get; init; }

    /// <summary>A new instance must be ready within this time.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>How many copies run in each region.</summary>
    public required InstancesManifest Instances { get; init; }

    /// <summary>What one instance may use.</summary>
    public required ResourcesManifest Resources { get; init; }

    /// <summary>From SIGTERM to SIGKILL, and how long requests in flight are waited for.</summary>
    public required TimeSpan Drain { get; init; }

    /// <summary>How long upgraded connections, such as WebSockets, are waited for.</summary>
    public TimeSpan WebSocketGrace { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the previous version stays running.</summary>
    public required TimeSpan RollbackWindow { get; init; }

    /// <summary>How many artifacts stay for a later rollback.</summary>
    public required int KeepVersions { get; init; }

    /// <summary>How a new version takes the place of the old one.</summary>
    public required DeployStrategy Strategy { get; init; }

    /// <summary>Plain variables.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Variables, and the names of the organization's secrets that fill them.</summary>
    public required IReadOnlyDictionary<string, string> Secrets { get; init; }

    /// <summary>Variables, and the names of the organization's databases whose addresses fill them.</summary>
    public IReadOnlyDictionary<string, string> Databases { get; init; } = new Dictionary<string, string>();

    /// <summary>Domains that lead to this environment, in lower case.</summary>
    public required IReadOnlyList<string> Domains { get; init; }

    /// <summary>How the edge treats the traffic; null for all as the edge has it by itself, as is what is null in it.</summary>
    public EdgeManifest? Edge { get; init; }
}
