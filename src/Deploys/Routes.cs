using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>The node task that gives an edge its table, and what the edge reports of it.</summary>
/// <param name="Serving">The generation that it serves now.</param>
/// <param name="Draining">Targets that left the table and still have requests in flight.</param>
/// <param name="Problem">Why it does not serve the generation it was given; null when it does.</param>
public sealed record EdgeReport(long Serving, IReadOnlyList<DrainingTarget> Draining, string? Problem)
{
    /// <summary>The kind of the task; its payload is a <see cref="RouteTable"/>.</summary>
    public const string Kind = "edge.routes";

    /// <summary>The key of the task: one an edge.</summary>
    public const string Key = "routes";
}

/// <summary>
/// The one writer of the route table: computes it from pointers, domains and instances that passed their checks,
/// publishes it to every edge as a new generation, and waits for the edges' word. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="nodes">The registry, for the edges.</param>
/// <param name="instances">The instances.</param>
/// <param name="link">Where edges report.</param>
/// <param name="options">The base domain.</param>
/// <param name="clock">The time.</param>
public sealed class Routes(Store store, Nodes nodes, Instances instances, Link link, DeploysOptions options, TimeProvider clock)
{
    private const long OnlyRow = 1;
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>The table that edges should have now.</summary>
    public Task<RouteTable> CurrentAsync(CancellationToken cancellation) =>
        store.ReadAsync(async (db, cancel) => Table(await db.Set<RouteTableRow>().SingleOrDefaultAsync(cancel)), cancellation);

    /// <summary>The whole host of a label.</summary>
    public string HostOf(string label) => $"{label}.{options.BaseDomain}";

    /// <summary>Whether a host lies below the platform's base domain.</summary>
    public bool IsOurs(string host) =>
        host == options.BaseDomain || host.EndsWith("." + options.BaseDomain, StringComparison.Ordinal);

    /// <summary>
    /// Computes the table from what the transaction sees and, when it differs, gives it to every edge as the next
    /// generation. Returns the generation that now holds.
    /// </summary>
    public async Task<long> PublishAsync(StoreContext db, CancellationToken cancellation, long atLeast = 0)
    {
        await db.SaveChangesAsync(cancellation);
        var row = await db.Set<RouteTableRow>().AsTracking().SingleOrDefaultAsync(cancellation);
        if (row is null)
            db.Add(row = new RouteTableRow { Id = OnlyRow, Generation = 0, Routes = "" });
        var routes = JsonSerializer.Serialize(await ComputeAsync(db, cancellation), Json.Options);
        if (row.Generation == 0 || routes != row.Routes || row.Generation < atLeast)
            (row.Generation, row.Routes) = (Math.Max(row.Generation + 1, atLeast), routes);
        var edges = (await nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Edge);
        foreach (var edge in edges)
            await nodes.PutTaskAsync(db, edge.Id, EdgeReport.Key, EdgeReport.Kind, Table(row), cancellation, row.Generation);
        await db.SaveChangesAsync(cancellation);
        return row.Generation;
    }

    /// <summary>
    /// Waits until every edge that is there serves <paramref name="generation"/>. Returns why not: an edge refused it, or
    /// the deadline passed; null when all do. An edge that is down is not waited for: it starts with what it is given.
    /// </summary>
    public async Task<string?> ConfirmAsync(long generation, DateTimeOffset deadline, CancellationToken cancellation)
    {
        string? refusal = null;
        var confirmed = await WaitForEdgesAsync(edge => nodes.IsExpected(edge.Node), edge =>
        {
            if (edge.Report is { Problem: { } problem } report && report.Serving < generation && edge.Attempted >= generation)
                refusal = $"edge {edge.Node.Hostname}: {problem}";
            return edge.Serves(generation);
        }, () => refusal is not null, deadline, cancellation);
        return refusal ?? (confirmed ? null : $"an edge did not confirm route table {generation} in time");
    }

    /// <summary>
    /// Waits until every edge serves <paramref name="generation"/> and has no request in flight to the instances
    /// (invariant 4). False when the deadline passed first. A silent edge is waited for too: it may only be cut off from
    /// us, and still send requests by an older table.
    /// </summary>
    public Task<bool> DrainedAsync(long generation, IReadOnlyCollection<Guid> ids, DateTimeOffset deadline, CancellationToken cancellation) =>
        WaitForEdgesAsync(
            _ => true, edge => edge.Serves(generation) && !edge.Report!.Draining.Any(t => t.InFlight > 0 && ids.Contains(t.InstanceId)),
            () => false, deadline, cancellation);

    /// <summary>
    /// The edges, by hostname, that <see cref="ConfirmAsync"/> would not wait for and that have not said that they serve
    /// <paramref name="generation"/>.
    /// </summary>
    public async Task<IReadOnlyList<string>> SilentAsync(long generation, CancellationToken cancellation) =>
        [.. (await EdgesAsync(cancellation)).Where(e => !nodes.IsExpected(e.Node) && !e.Serves(generation)).Select(e => e.Node.Hostname)];

    /// <summary>
    /// The highest generation of a table that an edge serves and that is not ours, as after the store went back to an
    /// older backup; null when every edge serves what this store gave it.
    /// </summary>
    internal async Task<long?> ForeignAsync(CancellationToken cancellation) =>
        (await EdgesAsync(cancellation)).Where(e => e.IsForeign).Max(e => e.Report?.Serving);

    private async Task<bool> WaitForEdgesAsync(
        Func<EdgeNow, bool> counts, Func<EdgeNow, bool> holds, Func<bool> giveUp, DateTimeOffset deadline, CancellationToken cancellation)
    {
        return await link.Reported.WaitUntilAsync(async cancel =>
        {
            var edges = (await EdgesAsync(cancel)).Where(counts);
            return edges.All(holds) || giveUp();
        }, deadline, LookAgain, clock, cancellation) && !giveUp();
    }

    private async Task<List<EdgeNow>> EdgesAsync(CancellationToken cancellation)
    {
        var edges = (await nodes.ListAsync(cancellation)).Where(n => n.Role == NodeRole.Edge)
            .Select(node => (Node: node, Report: link.ReportOf(node.Id, EdgeReport.Key))).ToList();
        // After the reports: none of them can know a table of ours that is newer than this.
        var newest = (await CurrentAsync(cancellation)).Generation;
        return [.. edges.Select(e => new EdgeNow(e.Node, e.Report?.Generation ?? 0, e.Report?.Status.Deserialize<EdgeReport>(Json.Options), newest))];
    }

    private async Task<List<Route>> ComputeAsync(StoreContext db, CancellationToken cancellation)
    {
        var running = (await instances.ListAsync(db, null, cancellation)).Where(i => i.TakesTraffic)
            .GroupBy(i => i.Deployment, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => (IReadOnlyList<Target>)[.. g.Select(i => new Target(i.Id, i.Status.Address!, i.Region))], StringComparer.Ordinal);
        var environments = await db.Set<EnvironmentRow>().Where(e => e.Current != null).ToListAsync(cancellation);
        var labels = running.Keys.Concat(environments.Select(e => e.Current!)).Distinct().ToList();
        var deployments = await db.Set<DeploymentRow>().Where(d => labels.Contains(d.Label)).ToDictionaryAsync(d => d.Label, cancellation);
        var domains = await db.Set<DomainRow>().ToListAsync(cancellation);
        return RouteTables.Compute(running, environments, deployments, domains, HostOf);
    }

    private RouteTable Table(RouteTableRow? row) => new(
        row?.Generation ?? 0, store.PlatformId,
        row is null or { Routes: "" } ? [] : JsonSerializer.Deserialize<IReadOnlyList<Route>>(row.Routes, Json.Options)!);

    private sealed record EdgeNow(NodeInfo Node, long Attempted, EdgeReport? Report, long Newest)
    {
        /// <summary>
        /// Its table was not made from this store: it is beyond all of ours, or it refuses ours for one that is no older.
        /// Its number then says nothing about what it routes to.
        /// </summary>
        public bool IsForeign => Report is { } report && (report.Serving > Newest || (report.Problem is not null && Attempted <= report.Serving));

        public bool Serves(long generation) => Report?.Serving >= generation && !IsForeign;
    }
}

/// <summary>What the route table should be: pure.</summary>
internal static class RouteTables
{
    /// <summary>
    /// A host for every deployment that has a ready instance, one for every environment that points somewhere, and every
    /// custom domain of such an environment, in the order of hosts; each with the policy of its deployment.
    /// </summary>
    public static List<Route> Compute(
        IReadOnlyDictionary<string, IReadOnlyList<Target>> running, IReadOnlyList<EnvironmentRow> environments,
        IReadOnlyDictionary<string, DeploymentRow> deployments, IReadOnlyList<DomainRow> domains, Func<string, string> hostOf)
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
            routes.Add(Route(hostOf(environment.HostLabel), deployment, targets));
            foreach (var domain in domains.Where(d => d.ProjectId == environment.ProjectId && d.Environment == environment.Name))
                routes.Add(Route(domain.Host, deployment, targets));
        }
        routes.Sort((a, b) => string.CompareOrdinal(a.Host, b.Host));
        return routes;
    }
}
