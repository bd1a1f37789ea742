using Groundcrew.Contract;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>What only edges know, asked over the link; and the drain of a node.</summary>
public sealed class EdgeLiveTests : IAsyncLifetime
{
    private Town _town = null!;

    private ControlHost Host => _town.Host;

    public async ValueTask InitializeAsync() => _town = await Town.BuildAsync();

    public ValueTask DisposeAsync() => _town.DisposeAsync();

    [Fact]
    public async Task Breakers_are_told_under_both_paths()
    {
        var said = (await Host.GetAsync("/api/v1/edge/breakers")).Ok(200).As<EdgeBreakersView>();
        Assert.Empty(said.Unanswered);
        Assert.All(said.Breakers, b => Assert.Equal(("acme", "web", "production", "e1", "closed"), (b.Org, b.Project, b.Environment, b.Edge, b.State)));
        Assert.Null(said.Breakers[0].Instance);
        var instances = (await Host.GetAsync("/api/v1/instances")).As<InstanceView[]>();
        Assert.Equal(instances.Select(i => i.Id).Order(), said.Breakers.Skip(1).Select(b => b.Instance!.Value).Order());
        Assert.Equal((await Host.GetAsync("/api/v1/edge/breakers")).Text, (await Host.GetAsync("/debug/circuit-breakers")).Ok(200).Text);
    }

    [Fact]
    public async Task Limits_say_who_waits()
    {
        (await Host.PostAsync("/api/v1/projects/acme/web/pause", null)).Ok(200);
        var limits = (await Host.GetAsync("/api/v1/edge/limits?org=acme&project=web")).Ok(200).As<EdgeLimitsView>();
        Assert.Equal(("e1", "paused", 0, null), Assert.Single(limits.Limits) is var l ? (l.Edge, l.State, l.Held, l.InFlightAtMost) : default);
        Assert.Empty((await Host.GetAsync("/api/v1/edge/limits?project=none")).As<EdgeLimitsView>().Limits);
    }

    [Fact]
    public async Task Routes_are_those_that_an_edge_has()
    {
        (await Host.SendAsync("PUT", "/api/v1/projects/acme/web/split", Host.Admin, $$$"""{"shares":{"{{{_town.Earlier.Label}}}":30}}""")).Ok(200);
        var all = (await Host.GetAsync("/api/v1/edge/routes")).Ok(200).As<EdgeRoutesView>();
        var edge = Assert.Single(all.Edges);
        Assert.Equal((false, "e1", _town.Nodes.Table.Current!.Generation, 0), (all.Differ, edge.Edge, edge.Generation, edge.Draining.Count));
        Assert.Equal(3, edge.Routes.Count);
        var one = Assert.Single(Assert.Single((await Host.GetAsync("/api/v1/edge/routes?host=web-acme.localhost")).As<EdgeRoutesView>().Edges).Routes);
        Assert.Equal([(_town.Current.Label, 70, "ready"), (_town.Earlier.Label, 30, "ready")], one.Deployments.Select(d => (d.Deployment, d.Percent, Assert.Single(d.Targets).State)));
    }

    [Fact]
    public async Task What_still_drains_is_told_to_whom_it_belongs()
    {
        var route = _town.Nodes.Table.Current!.Routes.First(r => r.Deployment == _town.Earlier.Label);
        (await Host.PostAsync($"/api/v1/deployments/{_town.Earlier.Label}/drain", null)).Ok(200);
        Assert.Empty(Assert.Single((await Host.GetAsync("/api/v1/edge/routes")).As<EdgeRoutesView>().Edges).Routes.Single(r => r.Host == route.Host).Deployments[0].Targets);
        foreach (var (org, count) in ((string, int)[])[("acme", 3), ("other", 0)])
            Assert.Equal(count, Assert.Single((await Host.GetAsync("/api/v1/edge/routes", await Host.TokenAsync(Role.Viewer, org))).Ok(200).As<EdgeRoutesView>().Edges).Routes.Count);
    }

    [Fact]
    public async Task An_edge_that_does_not_answer_is_named_and_the_others_are_shown()
    {
        await _town.Nodes.AddOlderEdgeAsync("e2");
        await _town.Nodes.HelloAsync("e3", NodeRole.Edge);
        var said = (await Host.GetAsync("/api/v1/edge/breakers")).Ok(200).As<EdgeBreakersView>();
        Assert.NotEmpty(said.Breakers);
        Assert.Equal(["e2", "e3"], said.Unanswered.Select(u => u.Edge));
        Assert.Contains("version", said.Unanswered[0].Why, StringComparison.Ordinal);
        Assert.Contains("did not answer within", said.Unanswered[1].Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_is_drained_and_given_back()
    {
        var (worker, edge) = ($"/api/v1/edge/nodes/{_town.Nodes.Worker}", $"/api/v1/edge/nodes/{_town.Nodes.Edge}");
        (await Host.PostAsync($"{worker}/drain", null)).IsProblem(409, ProblemCodes.LastTargets);
        (await Host.PostAsync($"{edge}/drain", null)).IsProblem(409, ProblemCodes.Conflict);
        (await Host.PostAsync($"/api/v1/edge/nodes/{Guid.Empty}/undrain", null)).IsProblem(404, ProblemCodes.NotFound);
        var bad = (await Host.PostAsync($"{worker}/drain", """{"deadline":"soon","webSocketGrace":"1h"}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["deadline", "webSocketGrace"], bad.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var drained = (await Host.PostAsync($"{worker}/drain", """{"force":true,"webSocketGrace":"1s"}""")).Ok(200).As<DrainView>();
        Assert.Equal((null, "w1", "drained", 0, 0), (drained.Deployment, drained.Node, drained.State, drained.InFlight, drained.Upgraded));
        Assert.Equal(("w1", "drained"), Assert.Single((await Host.GetAsync("/api/v1/edge")).As<EdgesView>().Drains) is var d ? (d.Node, d.State) : default);
        Assert.All(_town.Nodes.Table.Current!.Routes, r => Assert.Empty(r.Targets));
        Assert.Equal("serving", (await Host.PostAsync($"{worker}/undrain", null)).Ok(200).As<DrainView>().State);
        Assert.Contains(_town.Nodes.Table.Current!.Routes, r => r.Targets.Count > 0);
    }

    [Fact]
    public async Task Too_much_maintenance_is_a_problem_that_says_what_to_do()
    {
        Answer answer;
        var begun = 0;
        while ((answer = await Host.PostAsync("/api/v1/maintenance", """{"org":"acme"}""")).Status == 201)
            Assert.True(++begun < 100, "there is no bound");
        Assert.Contains("crew edge maintenance off", Assert.Single(answer.IsProblem(400, ProblemCodes.BadInput).Problems).Fix, StringComparison.Ordinal);
    }
}
