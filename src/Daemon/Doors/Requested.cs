using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Contract.Manifest;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Postgres;

namespace Groundcrew.Daemon.Doors;

/// <summary>From a request of the contract to what Deploys is asked: every problem at once.</summary>
internal static class Requested
{
    private const int MaxPerRegion = 100;

    public static Judged<DeployRequest> From(CreateDeployment request)
    {
        var problems = new ProblemList();
        var environment = request.Environment ?? ProjectInfo.Production;
        problems.RequireSlug("environment", environment);
        if (request.InstancesPerRegion is < 1 or > MaxPerRegion)
            problems.Add("out-of-range", "instances_per_region", $"{request.InstancesPerRegion} is not a number of instances.", $"Use 1 to {MaxPerRegion}.");
        if (request.CommitMessage?.Length > 4096 || request.CommitSha?.Length > 128)
            problems.Add("too-long", "commit_message", "The commit is described at too great a length.", "At most 4096 characters of message and 128 of id.");
        return request.Manifest is null ? FromImage(request, environment, problems) : FromManifest(request, environment, problems);
    }

    /// <summary>The same artifact, commit and manifest for another environment.</summary>
    public static Judged<DeployRequest> Again(DeploymentInfo source, string environment)
    {
        if (source.Manifest is null)
            return Judged<DeployRequest>.Good(new DeployRequest(
                source.Org, source.Project, environment, source.Settings with { Domains = [] }, null, null, source.CommitSha, source.CommitMessage));
        return From(new CreateDeployment
        {
            Org = source.Org, Project = source.Project, Environment = environment, Manifest = source.Manifest, Service = source.Service,
            Artifact = source.Settings.Artifact, CommitSha = source.CommitSha, CommitMessage = source.CommitMessage,
        });
    }

    private static Judged<DeployRequest> FromImage(CreateDeployment request, string environment, ProblemList problems)
    {
        problems.RequireSlug("org", request.Org);
        problems.RequireSlug("project", request.Project);
        if (string.IsNullOrWhiteSpace(request.Image))
            problems.Add("missing", "image", "Neither an image nor a manifest is given.", "Send 'image', or deploy a folder with 'crew deploy'.");
        else if (request.Image.Any(char.IsWhiteSpace) || request.Image.Length > 512)
            problems.Add("bad-image", "image", $"'{request.Image}' is not an image reference.", "Use registry/name:tag or registry/name@sha256:….");
        if (!problems.IsEmpty)
            return Judged<DeployRequest>.Bad(problems.Problems);
        var settings = new Deploys.ServiceSettings { Image = request.Image, InstancesPerRegion = request.InstancesPerRegion ?? 3 };
        return Judged<DeployRequest>.Good(new DeployRequest(
            request.Org!, request.Project!, environment, settings, null, null, request.CommitSha, request.CommitMessage));
    }

    private static Judged<DeployRequest> FromManifest(CreateDeployment request, string environment, ProblemList problems)
    {
        var manifest = ManifestReader.Read(request.Manifest!, SystemManifest.FileName);
        problems.AddRange(manifest.Problems);
        if (manifest.Value is not { } system)
            return Judged<DeployRequest>.Bad(problems.Problems);
        var name = request.Service ?? (system.Services.Count == 1 ? system.Services.Keys.Single() : null);
        if (name is null || !system.Services.ContainsKey(name))
            problems.Add("unknown-service", "service", name is null ? "The manifest has several services, and none is named." : $"The manifest has no service '{name}'.",
                $"Name one of: {string.Join(", ", system.Services.Keys)}.");
        var org = request.Org ?? system.Organization;
        var project = request.Project ?? name;
        problems.RequireSlug("org", org);
        problems.RequireSlug("project", project);
        if (!problems.IsEmpty)
            return Judged<DeployRequest>.Bad(problems.Problems);
        var service = system.For(environment)[name!];
        if (service.Image is null && !Artifacts.IsDigest(request.Artifact))
            return Judged<DeployRequest>.Bad([new Problem("missing", "artifact", "The digest of the artifact is missing or not a digest.", "Upload the package, and send its sha256 digest.")]);
        return Judged<DeployRequest>.Good(new DeployRequest(
            org, project!, environment, SettingsOf(service, request), request.Manifest, name, request.CommitSha, request.CommitMessage));
    }

    private static Deploys.ServiceSettings SettingsOf(Contract.Manifest.ServiceSettings service, CreateDeployment request) => new()
    {
        Run = service.Run is { } run ? new RunCommand(run.Line, run.Words) : null,
        Artifact = service.Image is null ? request.Artifact : null,
        Image = service.Image,
        Variables = service.Environment,
        Secrets = service.Databases.Aggregate(
            new Dictionary<string, string>(service.Secrets, StringComparer.Ordinal), (all, d) => { all[d.Key] = DatabaseSecrets.UrlOf(d.Value); return all; }),
        Liveness = ProbeOf(service.Liveness),
        Readiness = ProbeOf(service.Readiness),
        MetricsPath = service.MetricsPath,
        ReadyDeadline = service.Deadline,
        Limits = new ResourceLimits(service.Resources.Millicores, service.Resources.MemoryBytes),
        InstancesPerRegion = request.InstancesPerRegion ?? service.Instances.Default ?? 0,
        Regions = request.InstancesPerRegion is null ? service.Instances.Regions : new Dictionary<string, int>(),
        Drain = service.Drain,
        WebSocketGrace = service.WebSocketGrace,
        RollbackWindow = service.RollbackWindow,
        KeepVersions = service.KeepVersions,
        Domains = service.Domains,
        Edge = service.Edge is { } edge ? RequestedEdge.PolicyOf(edge) : null,
    };

    private static Probe? ProbeOf(ProbeSettings? probe) => probe is null ? null
        : new Probe(probe.Path, probe.InitialDelay, probe.Period, probe.Timeout, probe.FailureThreshold);
}
