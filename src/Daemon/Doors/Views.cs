using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>From what the rooms know to what the contract shows.</summary>
internal sealed class Views(Routes routes, Nodes nodes, Settings.RoleSettings settings)
{
    public ProjectView Of(ProjectInfo p) => new()
    {
        Id = p.Id, Name = p.Name, Org = p.Org, GithubRepo = p.GithubRepo, Branch = p.Branch, AutoDeploy = p.AutoDeploy,
        Resources = p.Millicores is null && p.MemoryBytes is null ? null
            : new ResourcesView(p.Millicores / 1000m, p.MemoryBytes / Contract.Manifest.ResourcesManifest.BareMemoryUnit),
        Current = p.Current, Url = UrlOf(routes.HostOf($"{p.Name}-{p.Org}")), Domains = p.Domains, CreatedAt = p.CreatedAt, Version = p.Version,
    };

    public DeploymentView Of(DeploymentInfo d, IReadOnlyList<InstanceInfo> instances)
    {
        var mine = instances.Where(i => i.Deployment == d.Label && i.Phase == InstancePhase.Serving).ToList();
        return new DeploymentView
        {
            Id = d.Id, Label = d.Label, Org = d.Org, Project = d.Project, Environment = d.Environment,
            Status = Word(d.Status), Why = d.Why, Artifact = d.Settings.Artifact, Image = d.Settings.Image, CommitSha = d.CommitSha,
            CommitMessage = d.CommitMessage, InstancesPerRegion = d.Settings.InstancesPerRegion, Ready = mine.Count(i => i.TakesTraffic),
            Instances = mine.Count, Url = UrlOf(routes.HostOf(d.Label)), Actor = d.Actor, Operation = d.Operation, CreatedAt = d.CreatedAt,
            ActivatedAt = d.ActivatedAt, KeptUntil = d.KeptUntil,
        };
    }

    public static InstanceView Of(InstanceInfo i, IReadOnlyDictionary<Guid, string> hostnames) => new()
    {
        Id = i.Id, Deployment = i.Deployment, Org = i.Org, Project = i.Project, Node = hostnames.GetValueOrDefault(i.NodeId, "(removed)"),
        Region = i.Region, State = Word(i.Status.State), Phase = Word(i.Phase), Address = i.Status.Address, Pid = i.Status.Pid,
        Restarts = i.Status.Restarts, Reason = i.Status.Reason, Limits = i.Status.Limits, Since = i.Status.Since,
    };

    public NodeView Of(NodeInfo n) => new()
    {
        Id = n.Id, Hostname = n.Hostname, Role = Word(n.Role), Region = n.Region,
        State = nodes.IsDown(n) ? "down" : n.State == NodeState.Ready ? "ready" : n.Instances == 0 ? "drained" : "draining",
        Instances = n.Instances, Millicores = n.Capacity.Millicores, MemoryBytes = n.Capacity.MemoryBytes, Version = n.Version, LastSeen = n.LastSeen,
    };

    public RouteView Of(Edge.Route r) => new(
        r.Host, r.Org, r.Project, r.Environment, r.Deployment,
        r.Host == routes.HostOf(r.Deployment) ? "deployment" : routes.IsOurs(r.Host) ? "environment" : "domain",
        [.. r.Targets.Select(t => t.Address)]);

    public static OperationStatusView Of(OperationView o, IReadOnlyList<OperationLine> lines) => new()
    {
        Id = o.Id, Kind = o.Kind, Subject = o.Subject, Summary = o.Summary, State = Word(o.State), Outcome = o.Outcome is { } end ? Word(end) : null,
        Why = o.Why, Actor = o.Actor, CreatedAt = o.CreatedAt, EndedAt = o.EndedAt,
        Steps =
        [
            .. o.Steps.Select(s => new OperationStepView(
                s.Name, Word(s.State), s.StartedAt, s.EndedAt, [.. lines.Where(l => l.Step == s.Name).Select(l => l.Text)])),
        ],
    };

    public string UrlOf(string host) => settings.Platform.EdgePort == 80 ? $"http://{host}" : $"http://{host}:{settings.Platform.EdgePort}";

    public static string Word<TEnum>(TEnum value)
        where TEnum : struct, Enum
    {
        var name = value.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
