using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>Nodes and edges that die, return, are drained, or know more than the store does.</summary>
public sealed class FleetTroubleTests : IAsyncLifetime
{
    private const string Host = "web-acme.localhost";
    private readonly SqliteSource _source = new();
    private World _world = null!;
    private StoreOptions _options = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _world = await World.NewAsync(_options = await _source.NewAsync());

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(_world.Fleet.Violations);
        await _world.DisposeAsync();
        _source.Dispose();
    }

    [Fact]
    public async Task An_instance_that_is_not_ready_leaves_the_table_and_comes_back_with_its_health()
    {
        var first = await _world.DeployAsync();
        var worker = _world.Fleet.Workers[0];
        var id = worker.Of(first.Label)[0];
        await worker.SetAsync(id, InstanceState.Unready);
        await _world.SettleRoutesAsync();
        Assert.DoesNotContain(id.ToString(), await _world.TargetsAsync(Host));
        await worker.SetAsync(id, InstanceState.Ready);
        await _world.SettleRoutesAsync();
        Assert.Contains(id.ToString(), await _world.TargetsAsync(Host));
    }

    [Fact]
    public async Task Instances_of_a_dead_node_are_replaced_and_it_is_told_to_stop_them_when_it_returns()
    {
        var first = await _world.DeployAsync();
        var dead = _world.Fleet.Workers[1];
        dead.Die();
        await _world.StepAsync(TimeSpan.FromSeconds(61));
        await _world.SettleAsync();
        Assert.Equal(2, _world.Fleet.Workers[0].Of(first.Label).Count);
        Assert.Equal(_world.Fleet.Workers[0].Of(first.Label).Select(i => i.ToString()).Order(StringComparer.Ordinal), await _world.TargetsAsync(Host));
        Assert.Equal(2, (await _world.InstancesAsync()).Count);
        Assert.Single(dead.Running);
        dead.Return();
        await Eventually.TrueAsync(() => dead.Running.Count == 0, "the node that came back stops what was replaced");
        Assert.Equal(NodeRemoval.Removed, await _world.Store.WriteAsync((db, cancel) => _world.Plane.Nodes.RemoveAsync(db, dead.Id, cancel), Ct));
    }

    [Fact]
    public async Task A_rollback_counts_no_instance_of_a_dead_node()
    {
        var first = await _world.DeployAsync();
        await _world.DeployAsync();
        _world.Fleet.Workers[1].Die();
        await _world.StepAsync(TimeSpan.FromSeconds(61));
        await _world.EndAsync(World.Accepted(await _world.RollbackAsync()));
        Assert.Equal(2, _world.Fleet.Workers[0].Of(first.Label).Count);
    }

    [Fact]
    public async Task A_drained_node_keeps_its_instances_until_replacements_are_ready()
    {
        var first = await _world.DeployAsync();
        var drained = _world.Fleet.Workers[1];
        _world.Fleet.Behave = _ => Behaviour.NeverReady;
        await _world.Store.WriteAsync((db, cancel) => _world.Plane.Nodes.SetStateAsync(db, drained.Id, NodeState.Draining, cancel), Ct);
        await _world.SettleAsync();
        Assert.Single(drained.Of(first.Label));
        Assert.Contains(drained.Of(first.Label)[0].ToString(), await _world.TargetsAsync(Host));
        var replacement = (await _world.InstancesAsync()).Single(i => !i.TakesTraffic);
        await _world.Fleet.Workers[0].SetAsync(replacement.Id, InstanceState.Ready);
        await _world.SettleAsync();
        Assert.Empty(drained.Running);
        Assert.Equal(2, (await _world.TargetsAsync(Host)).Count);
    }

    [Fact]
    public async Task A_stop_waits_for_the_word_of_every_edge_and_a_busy_edge_for_the_drain_time()
    {
        var slow = await _world.Fleet.AddEdgeAsync("e2");
        var first = await _world.DeployAsync();
        await _world.DeployAsync();
        await _world.SettleAsync();
        var busy = (await _world.InstancesAsync(first.Label))[0].Id;
        slow.Freeze();
        await _world.StepAsync(TimeSpan.FromMinutes(11));
        await _world.Plane.LoopAsync("retire");
        var stop = (await _world.Plane.Operations.ListAsync(new OperationFilter(Kind: "stop"), 1, null, Ct)).Items.Single();
        await Eventually.TrueAsync(async () => (await _world.InstancesAsync(first.Label)).All(i => i.Phase == InstancePhase.Withdrawn), "they left the table");
        Assert.Equal(2, _world.Fleet.Workers.SelectMany(w => w.Of(first.Label)).Count());
        // One request to one of them goes on beyond the drain time: the deadline ends the wait.
        await slow.LoadAsync(busy, 1);
        await slow.ThawAsync();
        await _world.EndAsync(stop.Id);
        Assert.Contains((await _world.Plane.Operations.LinesAsync(stop.Id, Ct)).Select(l => l.Text), t => t.Contains("passed before every edge confirmed", StringComparison.Ordinal));
        Assert.Empty(_world.Fleet.Workers.SelectMany(w => w.Of(first.Label)));
    }

    [Fact]
    public async Task A_stop_waits_for_websockets_as_long_as_their_grace_and_no_longer()
    {
        var first = await _world.DeployAsync(change: s => s with { WebSocketGrace = TimeSpan.FromMinutes(2) });
        await _world.DeployAsync();
        var (ends, stays) = ((await _world.InstancesAsync(first.Label))[0].Id, (await _world.InstancesAsync(first.Label))[1].Id);
        var edge = _world.Fleet.Edges[0];
        await edge.LoadAsync(ends, 0, upgraded: 2);
        await edge.LoadAsync(stays, 0, upgraded: 1);
        await _world.StepAsync(TimeSpan.FromMinutes(11));
        await _world.Plane.LoopAsync("retire");
        await _world.Fleet.QuietAsync();
        await edge.ReportAsync();
        var stop = (await _world.Plane.Operations.ListAsync(new OperationFilter(Kind: "stop"), 1, null, Ct)).Items.Single();
        async Task<List<string>> SaidAsync() => [.. (await _world.Plane.Operations.LinesAsync(stop.Id, Ct)).Select(l => l.Text)];
        await SaysAsync(stop.Id, "upgraded connections, such as WebSockets, have until");
        // The drain time is long over, and they are not cut.
        await _world.StepAsync(TimeSpan.FromSeconds(60));
        await edge.LoadAsync(ends, 0);
        Assert.Equal(2, _world.Fleet.Workers.SelectMany(w => w.Of(first.Label)).Count());
        Assert.All(await _world.InstancesAsync(first.Label), i => Assert.Equal(InstancePhase.Withdrawn, i.Phase));
        await _world.StepAsync(TimeSpan.FromSeconds(61));
        await _world.EndAsync(stop.Id);
        Assert.Contains("their time passed: the upgraded connections that are left end with the instances", await SaidAsync());
        Assert.Contains("the edges confirmed zero requests in flight", await SaidAsync());
        Assert.Empty(_world.Fleet.Workers.SelectMany(w => w.Of(first.Label)));
    }

    [Fact]
    public async Task A_control_plane_that_starts_again_cuts_no_websocket_that_it_has_not_heard_of_yet()
    {
        var first = await _world.DeployAsync();
        await _world.DeployAsync();
        var edge = _world.Fleet.Edges[0];
        await edge.LoadAsync((await _world.InstancesAsync(first.Label))[0].Id, 0, upgraded: 1);
        await _world.StepAsync(TimeSpan.FromMinutes(11));
        await _world.Plane.LoopAsync("retire");
        var stop = (await _world.Plane.Operations.ListAsync(new OperationFilter(Kind: "stop"), 1, null, Ct)).Items.Single();
        await _world.RestartAsync();
        await _world.StepAsync(TimeSpan.FromSeconds(16));
        await SaysAsync(stop.Id, "upgraded connections, such as WebSockets, have until");
        Assert.Equal(2, _world.Fleet.Workers.SelectMany(w => w.Of(first.Label)).Count());
        await edge.LoadAsync((await _world.InstancesAsync(first.Label))[0].Id, 0);
        await _world.EndAsync(stop.Id);
        Assert.Empty(_world.Fleet.Workers.SelectMany(w => w.Of(first.Label)));
    }

    [Fact]
    public async Task A_websocket_on_a_draining_node_keeps_its_instance_and_no_other_repair_waiting()
    {
        var first = await _world.DeployAsync();
        var elsewhere = await _world.DeployAsync("staging");
        var drained = _world.Fleet.Workers[1];
        var held = drained.Of(first.Label).Single();
        await _world.Fleet.Edges[0].LoadAsync(held, 0, upgraded: 1);
        await _world.Store.WriteAsync((db, cancel) => _world.Plane.Nodes.SetStateAsync(db, drained.Id, NodeState.Draining, cancel), Ct);
        await Eventually.TrueAsync(async () =>
        {
            await _world.Fleet.BeatAsync();
            await _world.Plane.LoopAsync("repair");
            await _world.SettleRoutesAsync();
            await _world.Fleet.Edges[0].ReportAsync();
            return drained.Of(elsewhere.Label).Count == 0 && (await _world.InstancesAsync()).Any(i => i.Id == held && i.Phase == InstancePhase.Withdrawn);
        }, "the other one is moved away");
        await _world.StepAsync(TimeSpan.FromMinutes(4));
        Assert.Contains("0 moved away, 1 leaving", await _world.Plane.LoopAsync("repair"), StringComparison.Ordinal);
        Assert.Equal([held], drained.Running);
        await _world.StepAsync(TimeSpan.FromSeconds(61));
        await _world.SettleAsync();
        Assert.Empty(drained.Running);
    }

    [Fact]
    public async Task An_edge_that_dies_fails_no_deploy_and_starts_with_what_it_missed()
    {
        var dying = await _world.Fleet.AddEdgeAsync("e2");
        await _world.DeployAsync();
        dying.Die();
        var second = await _world.DeployAsync();
        Assert.Equal(DeploymentStatus.Active, second.Status);
        Assert.Contains((await _world.Plane.Operations.LinesAsync(second.Operation, Ct)).Select(l => l.Text), t => t.Contains("edge e2 is silent", StringComparison.Ordinal));
        dying.ComeBack();
        await Eventually.TrueAsync(() => dying.Table.Routes.Any(r => r.Deployment == second.Label), "the edge that came back serves the newest table");
    }

    [Fact]
    public async Task An_edge_that_refuses_the_table_takes_the_deploy_back()
    {
        var first = await _world.DeployAsync();
        var targets = await _world.TargetsAsync(Host);
        _world.Fleet.Edges[0].Refuses = "its disk is full";
        var second = await _world.DeployAsync();
        Assert.Equal((DeploymentStatus.Failed, first.Label), (second.Status, await _world.CurrentAsync()));
        Assert.Contains("its disk is full", second.Why, StringComparison.Ordinal);
        Assert.Equal(targets, await _world.TargetsAsync(Host));
    }

    [Fact]
    public async Task After_an_older_backup_the_table_becomes_the_newest_again()
    {
        await _world.DeployAsync();
        var older = _source.Folder["older"];
        Directory.CreateDirectory(older);
        Assert.NotNull((await _world.Store.BackupAsync(Path.Combine(older, "store.db"), Ct)).Value);
        var second = await _world.DeployAsync();
        var edge = _world.Fleet.Edges[0];
        var served = edge.Serving;
        foreach (var member in (SimulatedMember[])[edge, .. _world.Fleet.Workers])
            member.ExpectsOlder = true;
        await _world.RestartOnAsync(new StoreOptions { Folder = older });
        await Eventually.TrueAsync(async () =>
        {
            await _world.Plane.LoopAsync("routes");
            return edge.Serving > served;
        }, "the edge serves a table of the store that came back");
        Assert.DoesNotContain(edge.Table.Routes, r => r.Deployment == second.Label);
        Assert.Equal(edge.Serving, (await _world.Plane.Routes.CurrentAsync(Ct)).Generation);
        var third = await _world.DeployAsync();
        Assert.Equal(DeploymentStatus.Active, third.Status);
    }

    [Fact]
    public async Task A_clock_that_is_set_back_stops_nothing_early_and_deploys_go_on()
    {
        var first = await _world.DeployAsync();
        await _world.DeployAsync();
        await _world.StepAsync(TimeSpan.FromHours(-1));
        await _world.SettleAsync();
        Assert.Equal(DeploymentStatus.Inactive, (await _world.Plane.Deployments.FindAsync(first.Label, Ct))!.Status);
        Assert.Equal(DeploymentStatus.Active, (await _world.DeployAsync()).Status);
        await _world.StepAsync(TimeSpan.FromMinutes(75));
        await _world.SettleAsync();
        Assert.Equal(DeploymentStatus.Stopped, (await _world.Plane.Deployments.FindAsync(first.Label, Ct))!.Status);
    }

    [Fact]
    public async Task Instances_that_are_long_gone_old_requests_and_unneeded_artifacts_are_forgotten()
    {
        var labels = new List<DeploymentInfo>();
        for (var i = 0; i < 4; i++)
        {
            labels.Add(await _world.EndAsync(World.Accepted(await _world.AskAsync(key: $"k{i}", change: s => s with { KeepVersions = 1, RollbackWindow = TimeSpan.FromMinutes(1) }))));
            await _world.StepAsync(TimeSpan.FromMinutes(2));
            await _world.SettleAsync();
        }
        await _world.StepAsync(TimeSpan.FromHours(2));
        var artifacts = _world.Plane.Get<Artifacts>();
        Assert.Equal("2 artifacts, 0 instances and 0 requests were forgotten", await _world.Plane.LoopAsync("prune"));
        Assert.Null(await artifacts.FileAsync(labels[0].Settings.Artifact!, Ct));
        Assert.NotNull(await artifacts.FileAsync(labels[2].Settings.Artifact!, Ct));
        Assert.NotNull(await artifacts.FileAsync(labels[3].Settings.Artifact!, Ct));
        var refused = Assert.IsType<RolloutAnswer.Refused>(await _world.RollbackAsync(labels[0].Label));
        Assert.Equal("artifact-missing", Assert.Single(refused.Problems).Code);
        await _world.StepAsync(TimeSpan.FromDays(8));
        // Few instances: the newest of each deployment stay however old they are.
        Assert.Equal("0 artifacts, 0 instances and 4 requests were forgotten", await _world.Plane.LoopAsync("prune"));
        Assert.Equal(2, (await _world.Plane.Instances.HistoryAsync(labels[0].Label, 10, Ct)).Count);
    }

    [Fact]
    public async Task Of_instances_that_are_gone_the_newest_of_each_deployment_stay()
    {
        var first = await _world.DeployAsync();
        // Each round a node is drained, and the instances move to the other: two more are gone.
        for (var round = 0; round < 3; round++)
        {
            var (from, to) = (_world.Fleet.Workers[round % 2], _world.Fleet.Workers[(round + 1) % 2]);
            await _world.Store.WriteAsync(async (db, cancel) =>
            {
                await _world.Plane.Nodes.SetStateAsync(db, to.Id, NodeState.Ready, cancel);
                await _world.Plane.Nodes.SetStateAsync(db, from.Id, NodeState.Draining, cancel);
            }, Ct);
            await _world.SettleAsync();
            await _world.StepAsync(TimeSpan.FromMinutes(1));
        }
        var before = await _world.Plane.Instances.HistoryAsync(first.Label, 100, Ct);
        var now = _world.Clock.GetUtcNow();
        Task<int> ForgetAsync(DateTimeOffset at, int keep) =>
            _world.Store.WriteAsync((db, cancel) => _world.Plane.Instances.ForgetGoneAsync(db, at, keep, cancel), Ct);
        Assert.Equal(0, await ForgetAsync(now - TimeSpan.FromDays(1), 0));
        var forgotten = await ForgetAsync(now, 3);
        Assert.True(forgotten > 0);
        var after = await _world.Plane.Instances.HistoryAsync(first.Label, 100, Ct);
        Assert.Equal(before.Take(before.Count - forgotten).Select(i => i.Id), after.Select(i => i.Id));
        Assert.Equal(2, (await _world.InstancesAsync()).Count);
    }

    /// <summary>Waits for a line of an operation; what it says is kept a moment later, by the clock.</summary>
    private Task SaysAsync(Guid operation, string start) => Eventually.TrueAsync(async () =>
    {
        await _world.StepAsync(TimeSpan.FromMilliseconds(50));
        return (await _world.Plane.Operations.LinesAsync(operation, Ct)).Any(l => l.Text.StartsWith(start, StringComparison.Ordinal));
    }, start);
}
