using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>What people lay over the traffic, on every engine.</summary>
public abstract class TrafficCompliance(StoreSource source) : IAsyncLifetime
{
    private const string Host = "web-acme.localhost";
    private static readonly EnvironmentKey Production = new(World.Org, World.Project, World.Production);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private World World { get; set; } = null!;

    private Holds Holds => World.Plane.Get<Holds>();

    private Splits Splits => World.Plane.Get<Splits>();

    private MaintenanceTimes Times => World.Plane.Get<MaintenanceTimes>();

    private Drains Drains => World.Plane.Get<Drains>();

    private SimulatedEdge Edge => World.Fleet.Edges[0];

    public async ValueTask InitializeAsync() => World = await World.NewAsync(await source.NewAsync());

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(World.Fleet.Violations);
        await World.DisposeAsync();
        source.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_hold_reaches_the_edges_as_a_level_and_outlives_a_deploy_and_a_restart()
    {
        await World.DeployAsync();
        var answer = await DoneAsync(await Holds.PauseAsync(Production, null, TimeSpan.FromSeconds(20), 7, World.Ann, Ct));
        Assert.Equal((null, 0), (answer.Problem, answer.Silent.Count));
        Assert.Equal(answer.Generation, Edge.Serving);
        var hold = Assert.Single(Edge.Table.Holds);
        Assert.Equal(("acme", "web", "production"), (hold.Org, hold.Project, hold.Environment));
        Assert.Equal((HoldKind.Paused, TimeSpan.FromSeconds(20), 7), (hold.Hold.Kind, hold.Hold.MaxWait, hold.Hold.MaxWaiting));
        await World.DeployAsync();
        await World.RestartAsync();
        await World.SettleRoutesAsync();
        Assert.Equal(hold, Assert.Single(Edge.Table.Holds));
        await DoneAsync(await Holds.CloseAsync(Production, "Back at noon", World.Ann, Ct));
        Assert.Equal((HoldKind.Stopped, "Back at noon"), (Edge.Table.Holds.Single().Hold.Kind, Edge.Table.Holds.Single().Hold.Message));
        Assert.Equal("ann", Assert.Single(await Holds.ListAsync("acme", Ct)).Actor);
        Assert.Empty(await Holds.ListAsync("other", Ct));
        await DoneAsync(await Holds.ResumeAsync(Production, World.Ann, Ct));
        Assert.Empty(Edge.Table.Holds);
        Assert.Equal(
            ["traffic.close", "traffic.pause", "traffic.resume"],
            (await World.Plane.Get<Audit>().ListAsync(new AuditFilter(), 50, null, Ct)).Items.Select(a => a.Action).Where(a => a.StartsWith("traffic.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_level_that_edges_would_refuse_is_refused_whole_before_it_is_stored()
    {
        await World.DeployAsync();
        var refused = Assert.IsType<TrafficChange.Refused>(await Holds.PauseAsync(Production, new string('x', 1001), TimeSpan.Zero, 0, World.Ann, Ct));
        Assert.Equal(["maxWait", "maxWaiting", "message"], refused.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        Assert.IsType<TrafficChange.NotFound>(await Holds.PauseAsync(Production with { Environment = "staging" }, null, TimeSpan.FromSeconds(1), 1, World.Ann, Ct));
        var bad = Times.Plan(new Maintenance("Acme", new string('x', 1001), TimeSpan.FromDays(31), true, default, null, ["status"]), World.Ann);
        Assert.Equal(["exempt[0]", "message", "org", "retryAfter", "until"], bad.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        Assert.Empty(await Holds.ListAsync(null, Ct));
    }

    [Fact]
    public async Task An_edge_that_is_silent_is_named_and_not_waited_for()
    {
        await World.DeployAsync();
        var other = await World.Fleet.AddEdgeAsync("e2");
        await World.SettleRoutesAsync();
        other.Die();
        await World.StepAsync(TimeSpan.FromSeconds(31));
        var answer = await DoneAsync(await Holds.ResumeAsync(Production, World.Ann, Ct));
        Assert.Equal((null, 0), (answer.Problem, answer.Silent.Count));
        answer = await DoneAsync(await Holds.CloseAsync(Production, null, World.Ann, Ct));
        Assert.Null(answer.Problem);
        Assert.Equal(["e2"], answer.Silent);
        var edges = await World.Plane.Routes.EdgesAsync(Ct);
        Assert.Equal([("e1", true, true), ("e2", false, false)], edges.Select(e => (e.Node.Hostname, e.IsHeard, e.IsCurrent)).Order());
    }

    [Fact]
    public async Task Maintenance_whose_end_has_come_leaves_the_store_and_the_table()
    {
        await World.DeployAsync();
        var now = World.Clock.GetUtcNow();
        var ends = await BeginAsync(new Maintenance("acme", "Back soon", TimeSpan.Zero, true, now, now + TimeSpan.FromMinutes(5), ["/status*"]));
        await World.StepAsync(TimeSpan.FromSeconds(1));
        var stays = await BeginAsync(new Maintenance(null, null, TimeSpan.FromMinutes(1), false, now, null, []));
        await World.Fleet.QuietAsync();
        Assert.Equal([ends.Maintenance.Until, null], Edge.Table.Maintenance.Select(m => m.Until));
        Assert.Equal(["/status*"], Edge.Table.Maintenance[0].Exempt);
        Assert.Equal([stays.Id], (await Times.ListAsync("other", Ct)).Select(m => m.Id));
        await World.StepAsync(TimeSpan.FromMinutes(5));
        await World.SettleRoutesAsync();
        Assert.Null(Assert.Single(Edge.Table.Maintenance).Until);
        Assert.Equal([stays.Id], (await Times.ListAsync(null, Ct)).Select(m => m.Id));
        Assert.NotNull(await Times.EndAsync(stays.Id, World.Ann, Ct));
        Assert.Null(await Times.EndAsync(stays.Id, World.Ann, Ct));
        await World.Fleet.QuietAsync();
        Assert.Empty(Edge.Table.Maintenance);
    }

    [Fact]
    public async Task A_split_names_what_runs_in_its_environment_and_nothing_else()
    {
        var first = await World.DeployAsync();
        var elsewhere = await World.DeployAsync("staging");
        var current = await World.DeployAsync();
        World.Fleet.Behave = _ => Behaviour.Fails;
        var failed = await World.DeployAsync();
        var refused = Assert.IsType<TrafficChange.Refused>(await SplitAsync((first.Label, 90), (elsewhere.Label, 10), (current.Label, 10), (failed.Label, 0), ("none", 101)));
        Assert.Equal(
            [("is-current", current.Label), ("not-running", failed.Label), ("out-of-range", "none"), ("out-of-range", failed.Label), ("unknown-deployment", "none"), ("unknown-deployment", elsewhere.Label)],
            refused.Problems.Where(p => p.Path != "shares").Select(p => (p.Code, p.Path["shares.".Length..])).OrderBy(p => p.Code, StringComparer.Ordinal).ThenBy(p => p.Item2 == "none" ? 0 : 1));
        Assert.Equal("out-of-range", Assert.Single(refused.Problems, p => p.Path == "shares").Code);
        Assert.IsType<TrafficChange.Refused>(await SplitAsync());
        Assert.IsType<TrafficChange.NotFound>(await Splits.ClearAsync(Production with { Project = "none" }, World.Ann, Ct));
        Assert.Empty((await Splits.FindAsync(Production, Ct))!.Shares);
    }

    [Fact]
    public async Task What_a_split_names_is_not_stopped_until_a_window_after_it_was_named_last()
    {
        var first = await World.DeployAsync(change: s => s with { Domains = ["shop.example.org"] });
        var second = await World.DeployAsync();
        await DoneAsync(await SplitAsync((first.Label, 10)));
        foreach (var host in (string[])[Host, "shop.example.org"])
        {
            var route = Edge.Table.Routes.Single(r => r.Host == host);
            var share = Assert.Single(route.Split);
            Assert.Equal((second.Label, first.Label, 10, 2), (route.Deployment, share.Deployment, share.Percent, share.Targets.Count));
        }
        Assert.Empty(Edge.Table.Routes.Single(r => r.Host == $"{first.Label}.localhost").Split);
        await World.StepAsync(TimeSpan.FromMinutes(30));
        await World.SettleAsync();
        Assert.Equal(2, (await World.InstancesAsync(first.Label)).Count(i => i.TakesTraffic));
        Assert.Equal([(first.Label, 10, 2)], (await Splits.FindAsync(Production, Ct))!.Shares.Select(s => (s.Deployment, s.Percent, s.Ready)));
        await DoneAsync(await Splits.ClearAsync(Production, World.Ann, Ct));
        Assert.Empty(Edge.Table.Routes.Single(r => r.Host == Host).Split);
        await World.StepAsync(TimeSpan.FromMinutes(9));
        await World.SettleAsync();
        Assert.Equal(2, (await World.InstancesAsync(first.Label)).Count);
        await World.StepAsync(TimeSpan.FromMinutes(2));
        await World.SettleAsync();
        Assert.Empty(await World.InstancesAsync(first.Label));
        Assert.Equal(DeploymentStatus.Stopped, (await World.Plane.Deployments.FindAsync(first.Label, Ct))!.Status);
    }

    [Fact]
    public async Task A_rollout_that_succeeds_ends_the_split_and_says_so_and_one_that_fails_leaves_it()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        await DoneAsync(await SplitAsync((first.Label, 25)));
        World.Fleet.Behave = _ => Behaviour.Fails;
        await World.DeployAsync();
        Assert.Equal(25, Assert.Single((await Splits.FindAsync(Production, Ct))!.Shares).Percent);
        World.Fleet.Behave = _ => Behaviour.Ready;
        var third = await World.DeployAsync();
        await World.Fleet.QuietAsync();
        Assert.Empty((await Splits.FindAsync(Production, Ct))!.Shares);
        Assert.Empty(Edge.Table.Routes.Single(r => r.Host == Host).Split);
        var lines = await World.Plane.Operations.LinesAsync(third.Operation, Ct);
        Assert.Contains(lines, l => l.Text == $"the split of production ends ({first.Label} 25 %): all traffic goes to {third.Label}");
    }

    [Fact]
    public async Task A_split_waits_for_the_operation_that_moves_its_environment_and_ends_when_it_is_stopped()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        await DoneAsync(await SplitAsync((first.Label, 25)));
        World.Fleet.Behave = _ => Behaviour.NeverReady;
        var moving = World.Accepted(await World.AskAsync());
        Assert.Equal(moving.Operation, Assert.IsType<TrafficChange.Busy>(await SplitAsync((first.Label, 50))).Operation);
        await World.StepAsync(TimeSpan.FromSeconds(61));
        await World.EndAsync(moving);
        var stopped = World.Accepted(await World.Plane.Deployments.StopAsync(World.Org, World.Project, World.Production, null, World.Ann, null, Ct));
        await World.EndAsync(stopped);
        Assert.Empty((await Splits.FindAsync(Production, Ct))!.Shares);
        Assert.IsType<TrafficChange.InTheWay>(await SplitAsync((first.Label, 50)));
    }

    [Fact]
    public async Task A_drained_instance_leaves_the_table_runs_on_and_comes_back()
    {
        var current = await World.DeployAsync();
        var id = (await World.InstancesAsync())[0].Id;
        await Edge.LoadAsync(id, 3);
        var done = Assert.IsType<TrafficChange.Done>(await Drains.DrainAsync(current.Label, id, force: false, World.Ann, Ct));
        await World.Fleet.QuietAsync();
        var waiting = Drains.WaitAsync(done.Generation, current.Label, id, World.Clock.GetUtcNow() + TimeSpan.FromSeconds(30), Ct);
        Assert.DoesNotContain(id.ToString(), await World.TargetsAsync(Host));
        await Edge.ReportAsync();
        Assert.Equal(3, Assert.Single(await Drains.ListAsync(Ct)).InFlight);
        await World.StepAsync(TimeSpan.FromSeconds(31));
        var end = await waiting;
        Assert.Equal((false, 3, 0), (end.IsDrained, end.InFlight, end.Upgraded));
        await Edge.LoadAsync(id, 0);
        end = await Drains.WaitAsync(done.Generation, current.Label, id, World.Clock.GetUtcNow() + TimeSpan.FromSeconds(30), Ct);
        Assert.Equal((true, 0), (end.IsDrained, end.InFlight));
        await World.SettleAsync();
        Assert.Equal(2, World.Fleet.Workers.Sum(w => w.Of(current.Label).Count));
        await DoneAsync(await Drains.UndrainAsync(current.Label, id, World.Ann, Ct));
        Assert.Contains(id.ToString(), await World.TargetsAsync(Host));
    }

    [Fact]
    public async Task The_last_targets_of_an_environment_are_drained_by_force_only()
    {
        var old = await World.DeployAsync();
        var current = await World.DeployAsync();
        var ids = (await World.InstancesAsync(current.Label)).Select(i => i.Id).ToList();
        Assert.IsType<TrafficChange.LastTargets>(await Drains.DrainAsync(current.Label, null, force: false, World.Ann, Ct));
        await DoneAsync(await Drains.DrainAsync(current.Label, ids[0], force: false, World.Ann, Ct));
        Assert.IsType<TrafficChange.LastTargets>(await Drains.DrainAsync(current.Label, ids[1], force: false, World.Ann, Ct));
        Assert.Equal([ids[1].ToString()], await World.TargetsAsync(Host));
        Assert.IsType<TrafficChange.NotFound>(await Drains.DrainAsync(old.Label, ids[0], force: false, World.Ann, Ct));
        await DoneAsync(await Drains.DrainAsync(old.Label, null, force: false, World.Ann, Ct));
        await DoneAsync(await Drains.DrainAsync(current.Label, null, force: true, World.Ann, Ct));
        Assert.Empty(await World.TargetsAsync(Host));
        Assert.IsType<TrafficChange.InTheWay>(await Drains.UndrainAsync(current.Label, ids[0], World.Ann, Ct));
        // Going back to a deployment that is drained gives it its traffic.
        Assert.Equal(DeploymentStatus.Active, (await World.EndAsync(World.Accepted(await World.RollbackAsync()))).Status);
        Assert.Equal(2, (await World.TargetsAsync(Host)).Count);
        Assert.Equal([current.Label], (await Drains.ListAsync(Ct)).Select(d => d.Deployment).Distinct());
        await World.StepAsync(TimeSpan.FromMinutes(11));
        await World.SettleAsync();
        await World.SettleRoutesAsync();
        Assert.Empty(await Drains.ListAsync(Ct));
    }

    [Fact]
    public async Task A_drained_node_serves_nothing_gets_nothing_new_and_comes_back()
    {
        var current = await World.DeployAsync();
        var (drained, other) = (World.Fleet.Workers[0], World.Fleet.Workers[1]);
        var (there, left) = (drained.Of(current.Label).Single(), other.Of(current.Label).Single());
        await Edge.LoadAsync(there, 2, upgraded: 1);
        var done = Assert.IsType<TrafficChange.Done>(await Drains.DrainNodeAsync(drained.Id, force: false, World.Ann, Ct));
        await World.Fleet.QuietAsync();
        await Edge.ReportAsync();
        Assert.Equal([left.ToString()], await World.TargetsAsync(Host));
        var waiting = Drains.WaitNodeAsync(done.Generation, drained.Id, World.Clock.GetUtcNow() + TimeSpan.FromSeconds(30), Ct);
        Assert.Equal(("w1", null, 3, 1), Assert.Single(await Drains.ListAsync(Ct)) is var info ? (info.Node, info.Deployment, info.InFlight, info.Upgraded) : default);
        // The connection that is left is told of, and keeps nothing from being drained.
        await Edge.LoadAsync(there, 0, upgraded: 1);
        var end = await waiting;
        Assert.Equal((true, 1, 1), (end.IsDrained, end.InFlight, end.Upgraded));
        Assert.IsType<TrafficChange.LastTargets>(await Drains.DrainNodeAsync(other.Id, force: false, World.Ann, Ct));
        Assert.IsType<TrafficChange.LastTargets>(await Drains.DrainAsync(current.Label, left, force: false, World.Ann, Ct));
        var next = await World.DeployAsync();
        Assert.Equal((0, 2), (drained.Of(next.Label).Count, other.Of(next.Label).Count));
        Assert.Single(drained.Of(current.Label));
        await DoneAsync(await Drains.UndrainNodeAsync(drained.Id, World.Ann, Ct));
        Assert.Empty(await Drains.ListAsync(Ct));
        Assert.Equal(2, Edge.Table.Routes.Single(r => r.Host == $"{current.Label}.localhost").Targets.Count);
    }

    [Fact]
    public async Task Where_every_node_is_drained_a_deploy_is_refused_and_the_last_targets_are_drained_by_force_only()
    {
        await World.DeployAsync();
        await DoneAsync(await Drains.DrainNodeAsync(World.Fleet.Workers[0].Id, force: false, World.Ann, Ct));
        Assert.Contains("production", Assert.IsType<TrafficChange.LastTargets>(await Drains.DrainNodeAsync(World.Fleet.Workers[1].Id, force: false, World.Ann, Ct)).Why, StringComparison.Ordinal);
        await DoneAsync(await Drains.DrainNodeAsync(World.Fleet.Workers[1].Id, force: true, World.Ann, Ct));
        Assert.Empty(await World.TargetsAsync(Host));
        var refused = Assert.IsType<RolloutAnswer.Refused>(await World.AskAsync());
        Assert.Contains("crew edge undrain", Assert.Single(refused.Problems, p => p.Code == "node-drained").Fix, StringComparison.Ordinal);
        Assert.IsType<TrafficChange.InTheWay>(await Drains.DrainNodeAsync(Edge.Id, force: false, World.Ann, Ct));
        Assert.IsType<TrafficChange.NotFound>(await Drains.DrainNodeAsync(Guid.Empty, force: false, World.Ann, Ct));
        Assert.IsType<TrafficChange.NotFound>(await Drains.UndrainNodeAsync(Guid.Empty, World.Ann, Ct));
    }

    [Fact]
    public async Task The_drain_of_a_node_that_was_removed_is_forgotten()
    {
        var idle = await World.Fleet.AddWorkerAsync("w3");
        await DoneAsync(await Drains.DrainNodeAsync(idle.Id, force: false, World.Ann, Ct));
        idle.Die();
        Assert.Equal(NodeRemoval.Removed, await World.Store.WriteAsync((db, cancel) => World.Plane.Nodes.RemoveAsync(db, idle.Id, cancel), Ct));
        await World.SettleRoutesAsync();
        Assert.Empty(await Drains.ListAsync(Ct));
    }

    [Fact]
    public async Task Maintenance_is_bounded_for_each_organization_and_one_for_all_has_its_own_place()
    {
        await World.DeployAsync();
        var now = World.Clock.GetUtcNow();
        var first = await BeginAsync(new Maintenance("acme", null, TimeSpan.Zero, false, now, now + TimeSpan.FromMinutes(5), []));
        for (var i = 1; i < 10; i++)
            await BeginAsync(first.Maintenance with { Until = null });
        async Task<TrafficChange> AskAsync(string? org) => await Times.BeginAsync(Times.Plan(first.Maintenance with { Org = org, Until = null }, World.Ann).Value!, World.Ann, Ct);
        var problem = Assert.Single(Assert.IsType<TrafficChange.Refused>(await AskAsync("acme")).Problems);
        Assert.Equal(("too-many", "org"), (problem.Code, problem.Path));
        Assert.Contains("crew edge maintenance off", problem.Fix, StringComparison.Ordinal);
        Assert.IsType<TrafficChange.Done>(await AskAsync("other"));
        // What has ended takes no place.
        await World.StepAsync(TimeSpan.FromMinutes(6));
        Assert.IsType<TrafficChange.Done>(await AskAsync("acme"));
        Assert.IsType<TrafficChange.Refused>(await AskAsync("acme"));
        for (var i = 11; i < 200; i++)
            Assert.IsType<TrafficChange.Done>(await AskAsync($"org-{i}"));
        Assert.Contains("over all", Assert.Single(Assert.IsType<TrafficChange.Refused>(await AskAsync("org-200")).Problems).Message, StringComparison.Ordinal);
        Assert.IsType<TrafficChange.Done>(await AskAsync(null));
    }

    private Task<TrafficChange> SplitAsync(params (string Label, int Percent)[] shares) =>
        Splits.SetAsync(Production, shares.ToDictionary(s => s.Label, s => s.Percent), World.Ann, Ct);

    private async Task<EdgesAnswer> DoneAsync(TrafficChange change)
    {
        var done = change as TrafficChange.Done;
        Assert.True(done is not null, change is TrafficChange.Refused refused ? string.Join("; ", refused.Problems) : $"{change}");
        return await World.Plane.Routes.AnswerAsync(done.Generation, Ct);
    }

    private async Task<MaintenanceInfo> BeginAsync(Maintenance wanted)
    {
        var judged = Times.Plan(wanted, World.Ann);
        Assert.True(judged.Value is not null, string.Join("; ", judged.Problems));
        Assert.IsType<TrafficChange.Done>(await Times.BeginAsync(judged.Value, World.Ann, Ct));
        return judged.Value;
    }
}

public sealed class SqliteTrafficTests() : TrafficCompliance(new SqliteSource());

public sealed class PostgresTrafficTests(PostgresServer server) : TrafficCompliance(new PostgresSource(server));
