using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;

namespace Groundcrew.Deploys;

/// <summary>Everything that a deployment was asked to be, settled for its environment. Immutable, stored with it.</summary>
public sealed record ServiceSettings
{
    /// <summary>How to start an instance; null for an image.</summary>
    public RunCommand? Run { get; init; }

    /// <summary>The artifact's digest; null for an image.</summary>
    public string? Artifact { get; init; }

    /// <summary>The image reference; null for an artifact.</summary>
    public string? Image { get; init; }

    /// <summary>Plain variables.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    /// <summary>Variable to the name of a secret of the organization.</summary>
    public IReadOnlyDictionary<string, string> Secrets { get; init; } = new Dictionary<string, string>();

    /// <summary>Restarts an instance when it fails.</summary>
    public Probe? Liveness { get; init; }

    /// <summary>Gates traffic.</summary>
    public Probe? Readiness { get; init; }

    /// <summary>Where an instance shows its own metrics; null when it does not.</summary>
    public string? MetricsPath { get; init; }

    /// <summary>A new instance must be ready within this time of its start.</summary>
    public TimeSpan ReadyDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What each instance may use.</summary>
    public ResourceLimits Limits { get; init; } = new(null, null);

    /// <summary>How many instances a region gets that <see cref="Regions"/> does not name.</summary>
    public int InstancesPerRegion { get; init; } = 3;

    /// <summary>How many instances a region gets, by its code.</summary>
    public IReadOnlyDictionary<string, int> Regions { get; init; } = new Dictionary<string, int>();

    /// <summary>How long requests in flight are waited for, and then SIGTERM may take (T-34).</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long upgraded connections, such as WebSockets, are waited for once an instance gets no new ones.</summary>
    public TimeSpan WebSocketGrace { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a superseded deployment stays running (ZW-79).</summary>
    public TimeSpan RollbackWindow { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How many superseded deployments keep their artifact (T-31).</summary>
    public int KeepVersions { get; init; } = 10;

    /// <summary>Custom domains of the environment.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>How the edge treats its traffic; null for <see cref="RoutePolicy.Default"/>. Going back to a deployment goes back to this too.</summary>
    public RoutePolicy? Edge { get; init; }

    /// <summary>How many instances a region gets.</summary>
    public int InstancesIn(string region) => Regions.TryGetValue(region, out var count) ? count : InstancesPerRegion;

    internal InstanceSpec Spec(DeploymentRow deployment, Placed placed) => new()
    {
        InstanceId = placed.InstanceId,
        Org = deployment.Org,
        Project = deployment.Project,
        Environment = deployment.Environment,
        Deployment = deployment.Label,
        Region = placed.Region,
        Artifact = Artifact ?? throw new InvalidOperationException("Only artifacts are run by nodes."),
        Run = Run ?? throw new InvalidOperationException("An artifact has a run command."),
        Variables = Variables,
        SecretVariables = [.. Secrets.Keys],
        Liveness = Liveness,
        Readiness = Readiness,
        Limits = Limits,
        Drain = Drain,
    };
}

/// <summary>Settings of the room that the daemon gives.</summary>
/// <param name="BaseDomain">Where the platform's hosts live, such as <c>localhost</c>.</param>
/// <param name="ArtifactFolder">Where artifact files lie.</param>
public sealed record DeploysOptions(string BaseDomain, string ArtifactFolder)
{
    /// <summary>The largest artifact that is taken, in bytes.</summary>
    public long MaxArtifactBytes { get; init; } = Artifacts.MaxBytes;

    /// <summary>How custom domains are looked at.</summary>
    public DomainOptions Domains { get; init; } = new();

    /// <summary>The name that customers' records lead to, in lower case.</summary>
    public string EdgeName => Domains.EdgeName ?? $"edge.{BaseDomain}";
}

/// <summary>Names of hosts below the base domain.</summary>
internal static class HostLabels
{
    public static string OfEnvironment(string org, string project, string environment) =>
        environment == ProjectInfo.Production ? $"{project}-{org}" : $"{project}-{environment}-{org}";

    public static string NewDeployment(string org, string project) => $"{project}-{Ids.NewNano()}-{org}";
}
