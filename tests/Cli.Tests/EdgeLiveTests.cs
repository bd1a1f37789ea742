using Groundcrew.Contract;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary><c>crew edge breakers</c>, <c>limits</c> and <c>routes</c>, and the drain of a node.</summary>
public sealed class EdgeLiveTests
{
    private static readonly UnansweredView Silent = new("edge-2", "it did not answer within 5s");

    private static readonly EdgeBreakersView Breakers = new(
        [Breaker("closed"), Breaker("open") with { Instance = Views.Operation, Address = "127.0.0.1:20001", FailuresInARow = 5, Requests = 40, FailurePercent = 12, OpenUntil = Crew.Now.AddSeconds(4), Opened = 1 },
            Breaker("half-open") with { Environment = "staging", Edge = "edge-3" }], [Silent]);

    private static readonly EdgeLimitsView Limits = new(
        [new("acme", "web", "production", "edge-1", "paused", 12, 200, 200, 40, 3, [new("per-client", "address", 100, "1m", 100, 17, 0), new("login", "token", 5, "1m", 10, 2, 31)], 0),
            new("acme", "api", "production", "edge-1", "open", 0, null, null, null, null, [], 0)], []);

    private static readonly EdgeRoutesView Routes = new(
        true,
        [new("edge-1", 42, [Route(7, 1)], [new(Views.Operation, "127.0.0.1:20009", 3, 2)]), new("edge-3", 41, [Route(0, 0) with { Path = "/api", Match = "header x-preview=1" }], [])], [Silent]);

    private static BreakerView Breaker(string state) => new("acme", "web", "production", "edge-1", null, null, state, 0, 0, 0, null, 0);

    private static EdgeRouteView Route(int inFlight, int upgraded) => new(
        "web-acme.localhost", "/", null, "acme", "web", "production",
        [new("web-new1234-acme", 75, [new(Views.Operation, "127.0.0.1:20001", "ready", inFlight, upgraded), new(Views.Operation, "127.0.0.1:20002", "left-out", 0, 0)]),
            new("web-old1234-acme", 25, [])]);

    [Fact]
    public Task Breakers_of_every_edge() => ShowsAsync("GET edge/breakers", Breakers, "edge-breakers", "edge", "breakers");

    [Fact]
    public Task Limits_of_every_edge() => ShowsAsync("GET edge/limits", Limits, "edge-limits", "edge", "limits");

    [Fact]
    public Task Routes_of_every_edge() => ShowsAsync("GET edge/routes", Routes, "edge-routes", "edge", "routes");

    [Fact]
    public async Task Only_what_is_asked_for_is_asked_and_shown()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge/breakers", Breakers).Says("GET edge/limits", Limits).Says("GET edge/routes", Routes);
        using var crew = new Crew(control);
        var open = await crew.AsScriptAsync("edge", "breakers", "acme/web", "--open", "--json");
        open.Ends(ExitCode.Ok);
        Assert.Equal("GET edge/breakers?org=acme&project=web", control.Asked.Last().Line);
        Assert.Equal(["open", "half-open"], open.Json().GetProperty("breakers").EnumerateArray().Select(b => b.GetProperty("state").GetString()));
        (await crew.AsScriptAsync("edge", "limits", "acme/web")).Ends(ExitCode.Ok);
        Assert.Equal("GET edge/limits?org=acme&project=web", control.Asked.Last().Line);
        (await crew.AsScriptAsync("edge", "routes", "acme/web")).Ends(ExitCode.Ok);
        Assert.Equal("GET edge/routes?org=acme&project=web", control.Asked.Last().Line);
        (await crew.AsScriptAsync("edge", "routes", "web-acme.localhost")).Ends(ExitCode.Ok);
        Assert.Equal("GET edge/routes?host=web-acme.localhost", control.Asked.Last().Line);
        (await crew.AsScriptAsync("edge", "breakers", "acme")).Ends(ExitCode.Usage);
    }

    [Fact]
    public async Task Where_nothing_is_to_show_it_says_so_and_names_who_is_missing()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge/breakers", Breakers with { Breakers = [Breaker("closed")] }).Says("GET edge/limits", new EdgeLimitsView([], [Silent])).Says("GET edge/routes", new EdgeRoutesView(false, [], [Silent]));
        using var crew = new Crew(control);
        foreach (var (words, args) in ((string, string[])[])[("Every breaker is closed", ["breakers", "--open"]), ("Nothing is limited", ["limits"]), ("crew routes", ["routes"])])
        {
            var ran = await crew.AsScriptAsync(["edge", .. args]);
            ran.Ends(ExitCode.Ok);
            Assert.Contains(words, ran.Error, StringComparison.Ordinal);
            Assert.Contains("edge edge-2 is missing here: it did not answer within 5s", ran.Error, StringComparison.Ordinal);
        }
        control.Says("GET edge/breakers", new EdgeBreakersView([], []));
        Assert.Contains("crew edge", (await crew.AsScriptAsync("edge", "breakers")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_is_drained_by_its_name_with_websockets_counted_apart()
    {
        var confirmed = new ConfirmationView(42, true, null, []);
        var view = new DrainView(null, null, "worker-3", "drained", 2, 2, Crew.Now, "ann", confirmed);
        await using var control = await FakeControl.StartAsync();
        control.Says("GET nodes", new[] { Views.Node("worker-3", "worker", "ready", 2) with { Id = Views.Operation }, Views.Node("worker-3", "edge", "ready", 0) })
            .Says($"POST edge/nodes/{Views.Operation}/drain", view).Says($"POST edge/nodes/{Views.Operation}/undrain", view with { State = "serving", InFlight = 0, Upgraded = 0 });
        using var crew = new Crew(control);
        var drained = await crew.AsScriptAsync("edge", "drain", "--node", "worker-3", "--websocket-grace", "5m", "--force");
        drained.Ends(ExitCode.Ok);
        Assert.Equal("""{"force":true,"webSocketGrace":"5m"}""", control.Asked.Last().Body);
        Assert.Contains("crew edge undrain --node worker-3", drained.Out, StringComparison.Ordinal);
        Assert.Contains("2 WebSockets still open", drained.Error, StringComparison.Ordinal);
        (await crew.AsScriptAsync("edge", "undrain", "--node", "worker-3")).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync("edge", "drain", "--node", "none")).Ends(ExitCode.NotFound);
        foreach (var wrong in (string[][])[[], ["web-old1234-acme", "--node", "worker-3"], ["--node", "worker-3", "--instance", "9f3c21aa"]])
            (await crew.AsScriptAsync(["edge", "drain", .. wrong])).Ends(ExitCode.Usage);
    }

    private static async Task ShowsAsync<T>(string call, T view, string name, params string[] args)
    {
        await using var control = await FakeControl.StartAsync();
        control.Says(call, view);
        using var crew = new Crew(control);
        var ran = await crew.AsPersonAsync([.. args, "--no-color"]);
        Assert.All(ran.Out.Split('\n'), l => Assert.True(l.Length <= 80, l));
        Golden.Screen(name, $"{ran.Out}{ran.Error}exit {ran.Code}\n");
        (await crew.AsScriptAsync([.. args, "--json"])).Json();
    }
}
