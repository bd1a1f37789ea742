using Groundcrew.Edge;

namespace Groundcrew.Deploys;

/// <summary>What the route table should be: pure.</summary>
internal static class RouteTables
{
    /// <summary>
    /// A host for every deployment that has a ready instance, one for every environment that points somewhere, and every
    /// custom domain that such an environment holds, in the order of hosts; each with the policy of its deployment. A split is on the hosts of its environment only.
    /// </summary>
    public static List<Route> Compute(
        IReadOnlyDictionary<string, IReadOnlyList<Target>> running, IReadOnlyList<EnvironmentRow> environments,
        IReadOnlyDictionary<string, DeploymentRow> deployments, IReadOnlyList<DomainRow> domains,
        IReadOnlyList<SplitRow> splits, Func<string, string> hostOf)
    {
        var routes = new List<Route>();
        var policies = deployments.Values.ToDictionary(d => d.Label, d => Deployments.SettingsOf(d).Edge, StringComparer.Ordinal);
        Route Route(string host, DeploymentRow d, IReadOnlyList<Target> targets) =>
            new(host, d.Org, d.Project, d.Environment, d.Label, targets) { Policy = policies[d.Label] };
        foreach (var (label, targets) in running)
            routes.Add(Route(hostOf(label), deployments[label], targets));
        foreach (var environment in environments)
        {
            var deployment = deployments[environment.Current!];
            var targets = running.GetValueOrDefault(deployment.Label, []);
            var split = SplitOf(environment, splits, running);
            routes.Add(Route(hostOf(environment.HostLabel), deployment, targets) with { Split = split });
            foreach (var domain in domains.Where(d => d.ProjectId == environment.ProjectId && d.Environment == environment.Name))
                routes.Add(Route(domain.Host, deployment, targets) with { Split = split });
        }
        routes.Sort((a, b) => string.CompareOrdinal(a.Host, b.Host));
        return routes;
    }

    /// <summary>Once a deployment of the split is what the environment points at, it takes the rest and has no share.</summary>
    private static List<Share> SplitOf(
        EnvironmentRow environment, IReadOnlyList<SplitRow> splits, IReadOnlyDictionary<string, IReadOnlyList<Target>> running) =>
    [
        .. splits.Where(s => s.ProjectId == environment.ProjectId && s.Environment == environment.Name && s.Deployment != environment.Current)
            .OrderBy(s => s.Deployment, StringComparer.Ordinal).Select(s => new Share(s.Deployment, s.Percent, running.GetValueOrDefault(s.Deployment, []))),
    ];
}
