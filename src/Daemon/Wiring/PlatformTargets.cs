using System.Collections.Frozen;
using Groundcrew.Daemon.Settings;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Metrics;

namespace Groundcrew.Daemon.Wiring;

/// <summary>Finds what the platform scrapes: its roles, and the instances whose manifest names a metrics path. Thread-safe.</summary>
internal sealed class PlatformTargets(RoleSettings settings, Nodes nodes, Instances instances, Deployments deployments)
{
    // A deployment never changes; what was read of it holds for ever.
    private FrozenDictionary<string, string?> _paths = FrozenDictionary<string, string?>.Empty;
    private FrozenDictionary<string, string> _environments = FrozenDictionary<string, string>.Empty;

    /// <summary>The targets of each of <see cref="PlatformJobs.All"/>.</summary>
    public async Task<IReadOnlyDictionary<string, IReadOnlyList<TargetGroup>>> FindAsync(CancellationToken cancellation)
    {
        if (!settings.Metrics.OwnTargets)
            return FrozenDictionary<string, IReadOnlyList<TargetGroup>>.Empty;
        var members = (await nodes.ListAsync(cancellation)).Where(n => !nodes.IsDown(n) || n.Hostname == settings.Hostname).ToList();
        var running = (await instances.ListAsync(null, cancellation)).Where(i => i.Status.Address is not null).ToList();
        await LearnAsync(running.Select(i => i.Deployment).Distinct(), cancellation);
        return new Dictionary<string, IReadOnlyList<TargetGroup>>
        {
            [PlatformJobs.Control] = Group([Labels.Of(
                ("__address__", $"{settings.Hostname}:{settings.Platform.ControlPort}"), ("node", settings.Hostname), ("region", settings.Platform.Region), ("service", "control"))]),
            [PlatformJobs.Agent] = Group(members.Where(n => n.Role == NodeRole.Worker).Select(n => Of(n, settings.Platform.AgentPort, "agent"))),
            [PlatformJobs.Edge] = Group(members.Where(n => n.Role == NodeRole.Edge).Select(n => Of(n, settings.Platform.EdgeStatusPort, "edge"))),
            [PlatformJobs.Instance] = Group(running.Where(i => _paths.GetValueOrDefault(i.Deployment) is not null).Select(i => Of(i, members))),
        };
    }

    private static IReadOnlyList<TargetGroup> Group(IEnumerable<Labels> targets) => [new("platform", [.. targets], Labels.Empty)];

    private static Labels Of(NodeInfo node, int port, string service) => Labels.Of(
        ("__address__", $"{node.Hostname}:{port}"), (PlatformJobs.NodeId, node.Id.ToString()), ("node", node.Hostname), ("region", node.Region), ("service", service));

    private Labels Of(InstanceInfo instance, List<NodeInfo> members) => Labels.Of(
        ("__address__", instance.Status.Address!), ("__metrics_path__", _paths[instance.Deployment]!), (PlatformJobs.NodeId, instance.NodeId.ToString()),
        ("instance", InstanceSpec.NameOf(instance.Deployment, instance.Id)), ("instance_id", instance.Id.ToString()), ("org", instance.Org), ("project", instance.Project),
        ("service", $"{instance.Project}-{instance.Org}"), ("environment", _environments[instance.Deployment]), ("deployment", instance.Deployment),
        ("node", members.Find(n => n.Id == instance.NodeId)?.Hostname ?? ""), ("region", instance.Region));

    private async Task LearnAsync(IEnumerable<string> wanted, CancellationToken cancellation)
    {
        var (paths, environments) = (new Dictionary<string, string?>(), new Dictionary<string, string>());
        var isNew = false;
        foreach (var label in wanted)
        {
            if (!_paths.TryGetValue(label, out var path))
            {
                var deployment = await deployments.FindAsync(label, cancellation);
                (path, isNew) = (deployment?.Settings.MetricsPath, true);
                environments[label] = deployment?.Environment ?? "";
            }
            else
            {
                environments[label] = _environments[label];
            }
            paths[label] = path;
        }
        if (isNew || paths.Count < _paths.Count)
            (_paths, _environments) = (paths.ToFrozenDictionary(), environments.ToFrozenDictionary());
    }
}
