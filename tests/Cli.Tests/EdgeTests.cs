using Groundcrew.Contract;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary><c>crew edge</c>: what is shown, what is asked of the control plane, and how it ends.</summary>
public sealed class EdgeTests
{
    private const string Label = "web-new1234-acme";
    private static readonly ConfirmationView Confirmed = new(42, true, null, []);
    private static readonly ConfirmationView Silent = new(42, true, null, ["edge-2"]);
    private static readonly ConfirmationView Late = new(42, false, "edge edge-1: the disk is full", []);
    private static readonly SplitView Split = new("acme", "web", "production", Label, 75, [new("web-old1234-acme", 25, 2), new("web-bad1234-acme", 0, 0)], Crew.Now.AddMinutes(-2), "ann", null);

    private static MaintenanceView Maintenance(string? org = "acme") => new(
        Views.Operation, org, "Back at noon", null, true, Crew.Now.AddMinutes(-5), Crew.Now.AddMinutes(25), ["/status"], "ann", null);

    private static HoldView Held(string state, ConfirmationView? confirmation = null) => new(
        "acme", "web", "production", state, state == "closed" ? "Back at noon" : null, state == "paused" ? "30s" : null, state == "paused" ? 1000 : null, Crew.Now.AddMinutes(-1), "ann", confirmation);

    private static DrainView Drain(string state, ConfirmationView? confirmation = null) => new(
        "web-old1234-acme", null, null, state, state == "draining" ? 3 : 0, state == "draining" ? 1 : 0, Crew.Now, "ann", confirmation);

    [Fact]
    public async Task Status()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge", new EdgesView(
            42, [new(Guid.Empty, "edge-1", "local", "current", 42, 42, Crew.Now.AddSeconds(-1), null, [new(Guid.Empty, "127.0.0.1:1", 3, 1)]),
                new(Guid.Empty, "edge-2", "local", "refused", 41, 42, Crew.Now.AddSeconds(-4), "the disk is full", [])],
            [Held("paused"), Held("closed") with { Environment = "staging" }], [Split], [Maintenance(), Maintenance(null) with { Until = null }], [Drain("draining"), Drain("drained") with { Instance = Views.Operation }, Drain("drained") with { Deployment = null, Node = "worker-3", InFlight = 2, Upgraded = 2 }]));
        await ShowsAsync(control, "edge", "edge");
    }

    [Fact]
    public async Task A_split()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET projects/acme/web/split", Split);
        await ShowsAsync(control, "edge-split", "edge", "split", "acme/web");
    }

    [Fact]
    public async Task Maintenance_that_holds()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET maintenance", new[] { Maintenance(), Maintenance(null) with { Until = null, Message = null } });
        await ShowsAsync(control, "edge-maintenance", "edge", "maintenance", "list");
    }

    [Fact]
    public async Task Nothing_yet_says_what_comes_next()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge", new EdgesView(0, [], [], [], [], [])).Says("GET maintenance", Array.Empty<MaintenanceView>());
        using var crew = new Crew(control);
        Assert.Contains("crew up", (await crew.AsScriptAsync("edge", "status")).Error, StringComparison.Ordinal);
        var none = await crew.AsScriptAsync("edge", "maintenance");
        none.Ends(ExitCode.Ok);
        Assert.Contains("crew edge maintenance on", none.Error, StringComparison.Ordinal);
        Assert.Equal("[]", (await crew.AsScriptAsync("edge", "maintenance", "list", "--json")).Out.Trim());
        (await crew.AsScriptAsync("edge", "maintenance", "off")).Ends(ExitCode.NotFound);
    }

    [Fact]
    public async Task Traffic_is_held_as_asked_and_the_way_back_is_said()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("POST projects/acme/web/pause", Held("paused", Confirmed)).Says("POST projects/acme/web/close", Held("closed", Confirmed)).Says("POST projects/acme/web/resume", Held("open", Silent));
        using var crew = new Crew(control);
        var paused = await crew.AsScriptAsync("edge", "pause", "acme/web", "--max-wait", "2m", "--max-waiting", "9", "--environment", "production");
        paused.Ends(ExitCode.Ok);
        Assert.Contains("crew edge resume acme/web", paused.Out, StringComparison.Ordinal);
        Assert.Equal("""{"environment":"production","maxWait":"2m","maxWaiting":9}""", control.Asked.Last().Body);
        Assert.NotNull(control.Asked.Last().Key);
        (await crew.AsScriptAsync("edge", "close", "acme/web")).Ends(ExitCode.Usage);
        (await crew.AsScriptAsync("edge", "close", "acme/web", "--message", "Back at noon", "--yes")).Ends(ExitCode.Ok);
        Assert.Equal("""{"message":"Back at noon"}""", control.Asked.Last().Body);
        var open = await crew.AsScriptAsync("edge", "resume", "acme/web");
        open.Ends(ExitCode.Ok);
        Assert.Contains("edge edge-2 is silent", open.Error, StringComparison.Ordinal);
        Assert.Equal("open", (await crew.AsScriptAsync("edge", "resume", "acme/web", "--json")).Json().GetProperty("state").GetString());
    }

    [Fact]
    public async Task What_an_edge_does_not_serve_is_a_failure_with_its_reason()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("POST projects/acme/web/pause", Held("paused", Late)).Says("POST deployments/web-old1234-acme/drain", Drain("draining", Confirmed));
        using var crew = new Crew(control);
        var late = await crew.AsScriptAsync("edge", "pause", "acme/web");
        late.Ends(ExitCode.Failed);
        Assert.Contains("the disk is full", late.Error, StringComparison.Ordinal);
        var drains = await crew.AsScriptAsync("edge", "drain", "web-old1234-acme", "--deadline", "5s");
        drains.Ends(ExitCode.Failed);
        Assert.Contains("2 requests in flight, 1 WebSocket open", drains.Out, StringComparison.Ordinal);
        Assert.Equal("""{"deadline":"5s","force":false}""", control.Asked.Last().Body);
    }

    [Fact]
    public async Task Shares_are_typed_as_label_and_percent()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("PUT projects/acme/web/split", Split with { Confirmation = Confirmed }).Says("DELETE projects/acme/web/split", Split with { Shares = [], CurrentPercent = 100, Confirmation = Confirmed });
        using var crew = new Crew(control);
        (await crew.AsScriptAsync("edge", "split", "acme/web", "web-old1234-acme=25", "web-bad1234-acme=10%")).Ends(ExitCode.Ok);
        Assert.Equal("""{"shares":{"web-old1234-acme":25,"web-bad1234-acme":10}}""", control.Asked.Last().Body);
        var cleared = await crew.AsScriptAsync("edge", "split", "acme/web", "--clear", "--environment", "staging");
        cleared.Ends(ExitCode.Ok);
        Assert.Contains($"all traffic goes to {Label}", cleared.Out, StringComparison.Ordinal);
        Assert.Equal("DELETE projects/acme/web/split?environment=staging", control.Asked.Last().Line);
        foreach (var wrong in (string[][])[["a"], ["a=ten"], ["=5"], ["a=-1"], ["a=1", "a=2"], ["a=1", "--clear"]])
            (await crew.AsScriptAsync(["edge", "split", "acme/web", .. wrong])).Ends(ExitCode.Usage);
    }

    [Fact]
    public async Task Maintenance_is_begun_and_ended_and_a_drain_taken_back()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("POST maintenance", Maintenance() with { Confirmation = Confirmed }, 201).Says("GET maintenance", new[] { Maintenance() })
            .Says($"DELETE maintenance/{Views.Operation}", Maintenance() with { Confirmation = Confirmed })
            .Says("GET deployments/web-old1234-acme/instances", new[] { Views.Instance("9f3c21", "web-old1234-acme", "ready") })
            .Says("POST deployments/web-old1234-acme/undrain", Drain("serving", Confirmed));
        using var crew = new Crew(control);
        (await crew.AsScriptAsync("edge", "maintenance", "on", "--org", "acme", "--for", "30m")).Ends(ExitCode.Usage);
        (await crew.AsScriptAsync("edge", "maintenance", "on", "--for", "30m", "--until", "2026-03-05", "--yes")).Ends(ExitCode.Usage);
        (await crew.AsScriptAsync("edge", "maintenance", "on", "--org", "acme", "--for", "30m", "--remaining", "--exempt", "/a", "/b*", "--yes")).Ends(ExitCode.Ok);
        Assert.Equal("""{"org":"acme","retryAfterIsRemaining":true,"until":"30m","exempt":["/a","/b*"]}""", control.Asked.Last().Body);
        (await crew.AsScriptAsync("edge", "maintenance", "off", "9f3c21aa")).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync("edge", "maintenance", "off")).Ends(ExitCode.Ok);
        (await crew.AsScriptAsync("edge", "maintenance", "off", "00000000")).Ends(ExitCode.NotFound);
        (await crew.AsScriptAsync("edge", "undrain", "web-old1234-acme", "--instance", "9f3c21")).Ends(ExitCode.Ok);
        Assert.Equal("""{"instance":"019c0000-0000-7000-8000-0000009f3c21"}""", control.Asked.Last().Body);
        (await crew.AsScriptAsync("edge", "undrain", "web-old1234-acme", "--instance", "none")).Ends(ExitCode.NotFound);
    }

    private static async Task ShowsAsync(FakeControl control, string name, params string[] args)
    {
        using var crew = new Crew(control);
        var ran = await crew.AsPersonAsync([.. args, "--no-color"]);
        Assert.All(ran.Out.Split('\n'), l => Assert.True(l.Length <= 80, l));
        Golden.Screen(name, $"{ran.Out}{ran.Error}exit {ran.Code}\n");
        (await crew.AsScriptAsync([.. args, "--json"])).Json();
    }
}
