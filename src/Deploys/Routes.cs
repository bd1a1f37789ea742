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

/// <summary>How the edges took a change.</summary>
/// <param name="Generation">The route table that has it.</param>
/// <param name="Problem">Why not every edge that is there serves it; null when all do.</param>
/// <param name="Silent">Edges, by hostname, that say nothing: they take it when they are back.</param>
public sealed record EdgesAnswer(long Generation, string? Problem, IReadOnlyList<string> Silent);

/// <summary>An edge and what it said last.</summary>
/// <param name="Node">The edge.</param>
/// <param name="IsHeard">Whether it was heard of lately, so that its answer is waited for.</param>
/// <param name="Serving">The generation that it serves; 0 when it never said.</param>
/// <param name="Expected">The generation that it should serve.</param>
/// <param name="IsCurrent">Whether it serves that.</param>
/// <param name="Problem">Why it refused what it was given last; null when it did not.</param>
/// <param name="Draining">Targets that left its table and still carry requests.</param>
public sealed record EdgeInfo(
    NodeInfo Node, bool IsHeard, long Serving, long Expected, bool IsCurrent, string? Problem, IReadOnlyList<DrainingTarget> Draining);

/// <summary>
/// The one writer of the route table: computes it from pointers, domains, instances that passed their checks and
/// what people lay over the traffic,
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

    /// <summary>How long a person's call waits for the edges: an edge that lives answers in milliseconds.</summary>
    private static readonly TimeSpan PeopleWait = TimeSpan.FromSeconds(15);

    /// <summary>Wakes who goes by the table: it changed.</summary>
    internal Nudge Changed { get; } = new();

    /// <summary>The table that edges should have now.</summary>
    public Task<RouteTable> CurrentAsync(CancellationToken cancellation) => store.ReadAsync(CurrentAsync, cancellation);

    /// <summary>The table that edges should have, as the transaction sees it.</summary>
    internal async Task<RouteTable> CurrentAsync(StoreContext db, CancellationToken cancellation) =>
        Table(await db.Set<RouteTableRow>().AsNoTracking().SingleOrDefaultAsync(cancellation));

    /// <summary>The whole host of a label.</summary>
    public string HostOf(string label) => $"{label}.{options.BaseDomain}";

    /// <summary>Whether a host is the platform's base domain or lies below it.</summary>
    public bool IsOurs(string host) => DnsNames.IsBelow(host, options.BaseDomain);

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
        var levels = TableLevels.Encode(await TableLevels.ReadAsync(db, clock.GetUtcNow(), cancellation));
        if (row.Generation == 0 || routes != row.Routes || levels != row.Levels || row.Generation < atLeast)
        {
            (row.Generation, row.Routes, row.Levels) = (Math.Max(row.Generation + 1, atLeast), routes, levels);
            db.AfterCommit(Changed.Set);
        }
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
    /// (invariant 4); upgraded connections are counted apart. False when the deadline passed first. A silent edge is waited
    /// for too: it may only be cut off from us, and still send requests by an older table.
    /// </summary>
    public Task<bool> DrainedAsync(long generation, IReadOnlyCollection<Guid> ids, DateTimeOffset deadline, CancellationToken cancellation) =>
        WaitForEdgesAsync(_ => true, edge => edge.IsDone(generation, ids), () => false, deadline, cancellation);

    /// <summary>
    /// Waits until no edge has an upgraded connection to the instances, such as a WebSocket. False when the deadline
    /// passed first. An edge that is there and has not said anything since this control plane started may have some.
    /// </summary>
    public Task<bool> ClosedAsync(IReadOnlyCollection<Guid> ids, DateTimeOffset deadline, CancellationToken cancellation) =>
        WaitForEdgesAsync(_ => true, edge => !edge.MayBeUpgraded(ids, nodes), () => false, deadline, cancellation);

    /// <summary>
    /// What keeps instances that left the table from being stopped, as it is now: which of them may have requests in
    /// flight, and which may have upgraded connections.
    /// </summary>
    internal async Task<(HashSet<Guid> Busy, HashSet<Guid> Upgraded)> InUseAsync(long generation, IReadOnlyCollection<Guid> ids, CancellationToken cancellation)
    {
        var edges = await LookAsync(cancellation);
        return ([.. ids.Where(id => !edges.All(e => e.IsDone(generation, [id])))], [.. ids.Where(id => edges.Exists(e => e.MayBeUpgraded([id], nodes)))]);
    }

    /// <summary>
    /// The edges, by hostname, that <see cref="ConfirmAsync"/> would not wait for and that have not said that they serve
    /// <paramref name="generation"/>.
    /// </summary>
    public async Task<IReadOnlyList<string>> SilentAsync(long generation, CancellationToken cancellation) =>
        [.. (await LookAsync(cancellation)).Where(e => !nodes.IsExpected(e.Node) && !e.Serves(generation)).Select(e => e.Node.Hostname)];

    /// <summary>
    /// Waits a while, or until <paramref name="deadline"/>, for every edge that is there to serve
    /// <paramref name="generation"/>, and says how that ended: for whoever changed what is laid over the traffic. The
    /// change holds in any case.
    /// </summary>
    public async Task<EdgesAnswer> AnswerAsync(long generation, CancellationToken cancellation, DateTimeOffset? deadline = null)
    {
        var why = await ConfirmAsync(generation, deadline ?? clock.GetUtcNow() + PeopleWait, cancellation);
        return new EdgesAnswer(generation, why, await SilentAsync(generation, cancellation));
    }

    /// <summary>Every edge with what it said last.</summary>
    public async Task<IReadOnlyList<EdgeInfo>> EdgesAsync(CancellationToken cancellation) =>
    [
        .. (await LookAsync(cancellation)).Select(e => new EdgeInfo(
            e.Node, nodes.IsExpected(e.Node), e.Report?.Serving ?? 0, e.Newest, e.Serves(e.Newest), e.Report?.Problem, e.Report?.Draining ?? [])),
    ];

    /// <summary>
    /// The highest generation of a table that an edge serves and that is not ours, as after the store went back to an
    /// older backup; null when every edge serves what this store gave it.
    /// </summary>
    internal async Task<long?> ForeignAsync(CancellationToken cancellation) =>
        (await LookAsync(cancellation)).Where(e => e.IsForeign).Max(e => e.Report?.Serving);

    private async Task<bool> WaitForEdgesAsync(
        Func<EdgeNow, bool> counts, Func<EdgeNow, bool> holds, Func<bool> giveUp, DateTimeOffset deadline, CancellationToken cancellation)
    {
        return await link.Reported.WaitUntilAsync(async cancel =>
        {
            var edges = (await LookAsync(cancel)).Where(counts);
            return edges.All(holds) || giveUp();
        }, deadline, LookAgain, clock, cancellation) && !giveUp();
    }

    private async Task<List<EdgeNow>> LookAsync(CancellationToken cancellation)
    {
        var edges = (await nodes.ListAsync(cancellation)).Where(n => n.Role == NodeRole.Edge)
            .Select(node => (Node: node, Report: link.ReportOf(node.Id, EdgeReport.Key))).ToList();
        // After the reports: none of them can know a table of ours that is newer than this.
        var newest = (await CurrentAsync(cancellation)).Generation;
        return [.. edges.Select(e => new EdgeNow(e.Node, e.Report?.Generation ?? 0, e.Report?.Status.Deserialize<EdgeReport>(Json.Options), newest))];
    }

    private async Task<List<Route>> ComputeAsync(StoreContext db, CancellationToken cancellation)
    {
        var drained = await Drains.AllAsync(db, cancellation);
        // A deployment that is drained keeps its host, and has no targets there; nor has what runs on a drained node.
        var running = (await instances.ListAsync(db, null, cancellation)).Where(i => i.TakesTraffic)
            .GroupBy(i => i.Deployment, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => (IReadOnlyList<Target>)[.. g.Where(i => !drained.Holds(i)).Select(i => new Target(i.Id, i.Status.Address!, i.Region))], StringComparer.Ordinal);
        var environments = await db.Set<EnvironmentRow>().Where(e => e.Current != null).ToListAsync(cancellation);
        var labels = running.Keys.Concat(environments.Select(e => e.Current!)).Distinct().ToList();
        var deployments = await db.Set<DeploymentRow>().Where(d => labels.Contains(d.Label)).ToDictionaryAsync(d => d.Label, cancellation);
        var domains = await db.Set<DomainRow>().Where(d => d.State == DomainState.Verified || d.State == DomainState.Astray).ToListAsync(cancellation);
        var splits = await db.Set<SplitRow>().ToListAsync(cancellation);
        return RouteTables.Compute(running, environments, deployments, domains, splits, HostOf);
    }

    private RouteTable Table(RouteTableRow? row) => new(
        row?.Generation ?? 0, store.PlatformId,
        row is null or { Routes: "" } ? [] : JsonSerializer.Deserialize<IReadOnlyList<Route>>(row.Routes, Json.Options)!)
    {
        Holds = TableLevels.Decode(row?.Levels).Holds,
        Maintenance = TableLevels.Decode(row?.Levels).Maintenance,
        Challenges = TableLevels.Decode(row?.Levels).Challenges,
    };

    private sealed record EdgeNow(NodeInfo Node, long Attempted, EdgeReport? Report, long Newest)
    {
        /// <summary>
        /// Its table was not made from this store: it is beyond all of ours, or it refuses ours for one that is no older.
        /// Its number then says nothing about what it routes to.
        /// </summary>
        public bool IsForeign => Report is { } report && (report.Serving > Newest || (report.Problem is not null && Attempted <= report.Serving));

        public bool Serves(long generation) => Report?.Serving >= generation && !IsForeign;

        /// <summary>It routes by this table, and no request of an older one is in flight to the instances.</summary>
        public bool IsDone(long generation, IReadOnlyCollection<Guid> ids) =>
            Serves(generation) && !Report!.Draining.Any(t => t.InFlight > t.Upgraded && ids.Contains(t.InstanceId));

        public bool MayBeUpgraded(IReadOnlyCollection<Guid> ids, Nodes nodes) =>
            Report is null ? nodes.IsExpected(Node) : Report.Draining.Any(t => t.Upgraded > 0 && ids.Contains(t.InstanceId));
    }
}
