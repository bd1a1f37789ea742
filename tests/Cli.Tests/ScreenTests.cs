using Groundcrew.Contract;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary>What a person sees on a terminal of 80 columns, without colours.</summary>
public sealed class ScreenTests
{
    [Fact]
    public Task Projects() => ShowsAsync("projects", c => c.Says("GET projects", new[]
    {
        Views.Project("acme", "web", "web-new1234-acme"), Views.Project("acme", "a-project-with-a-long-name", "a-project-with-a-long-name-abc1234-acme"), Views.Project("zeta", "api", null),
    }), "projects");

    [Fact]
    public Task Deployments() => ShowsAsync("deployments", c => c.Says("GET projects/acme/web/deployments", new[]
    {
        Views.Deployment("web-new1234-acme", "active"), Views.Deployment("web-old1234-acme", "inactive", minutesAgo: 100), Views.Deployment("web-bad1234-acme", "failed", "staging", 3000),
    }), "deployments", "acme/web");

    [Fact]
    public Task Instances() => ShowsAsync("instances", c => c.Says("GET instances", new[]
    {
        Views.Instance("9f3c21", "web-new1234-acme", "ready"), Views.Instance("9f3c22", "web-new1234-acme", "backingOff", "ended with code 1: no such file or directory"),
    }), "instances", "acme/web");

    [Fact]
    public Task Status() => ShowsAsync("status", c => c.Says("GET status", new StatusView(
        "0.1.0", Guid.Empty, "localhost", 8000, "SQLite, 1.2 MiB", [Views.Node("worker-1", "worker", "ready", 4), Views.Node("worker-1", "edge", "down", 0)], 2, 1, 41,
        [new LoopStatusView("repair", Crew.Now, 3, "the node does not answer", 3), new LoopStatusView("routes", Crew.Now, 1, "41", 0)])), "status");

    [Fact]
    public Task Operations() => ShowsAsync("operations", c => c.Says("GET operations", new[]
    {
        Views.Op("running"), Views.Op("ended", "rolledBack", "0 of 2 were ready after 60s") with { CreatedAt = Crew.Now.AddHours(-3) },
    }), "operations");

    [Fact]
    public Task Operation() => ShowsAsync("operation", c => c.Says("GET operations", new[] { Views.Op("stuck") }).Says($"GET operations/{Views.Operation}", Views.Op(
        "stuck", "stuck", "the node is gone", Views.Step("Place 2 instances", "done"), Views.Step("Start 2 instances", "failed", "1 of 2 ready", "the node worker-2 does not answer"),
        Views.Step("Swap routes", "waiting"))), "operations", "show", "9f3c21aa");

    [Fact]
    public Task Health() => ShowsAsync("health", c => c.Says("GET projects/acme/web/health", new ProjectHealthView("acme", "web", "degraded",
        [new DeploymentHealthView("web-new1234-acme", "production", true, "degraded", 1, 2, ["ended with code 1"])])), "health", "acme/web");

    [Fact]
    public Task Routes() => ShowsAsync("routes", c => c.Says("GET routes", new[]
    {
        new RouteView("web-acme.localhost", "acme", "web", "production", "web-new1234-acme", "environment", ["127.0.0.1:30001", "127.0.0.1:30002"]),
        new RouteView("app.acme.org", "acme", "web", "production", "web-new1234-acme", "domain", []),
    }), "routes");

    [Fact]
    public Task Tokens() => ShowsAsync("tokens", c => c.Says("GET tokens", new[]
    {
        new TokenView(Views.Operation, "ci", "deployer", "acme", Crew.Now.AddDays(-2), Crew.Now.AddDays(28), null), new TokenView(Views.Operation, "old", "admin", null, Crew.Now.AddDays(-90), null, Crew.Now),
    }), "tokens");

    [Fact]
    public Task Problems() => ShowsAsync("problems", c => c.Refuses("POST projects", 400, ProblemCodes.BadInput, "The request has 2 problems.",
        new Bedrock.Problem("bad-name", "name", "'A' is not a name: only a-z, 0-9 and '-' may stand in it.", "Use another."), new Bedrock.Problem("bad-quantity", "resources.vcpu", "0 is not a number of processors.", "Use more than 0.")),
        "projects", "create", "acme/A");

    [Fact]
    public async Task Overview()
    {
        using var crew = new Crew();
        var ran = await crew.AsPersonAsync("--no-color");
        Golden.Screen("overview", ran.Out + ran.Error);
        Assert.All(ran.Out.Split('\n'), l => Assert.True(l.Length <= 80, l));
    }

    [Fact]
    public async Task Help()
    {
        using var crew = new Crew();
        var ran = await crew.AsScriptAsync("rollback", "--help");
        ran.Ends(ExitCode.Ok);
        Golden.Screen("help-rollback", ran.Out);
    }

    [Fact]
    public void Every_exit_code_is_in_the_list() => Assert.Equal(Enum.GetValues<ExitCode>(), ExitCodes.All.Select(e => e.Code));

    private static async Task ShowsAsync(string name, Action<FakeControl> holds, params string[] args)
    {
        await using var control = await FakeControl.StartAsync();
        holds(control);
        using var crew = new Crew(control);
        var ran = await crew.AsPersonAsync([.. args, "--no-color"]);
        Assert.DoesNotContain('\e', ran.Out + ran.Error);
        if (name != "problems")
            Assert.All(ran.Out.Split('\n'), l => Assert.True(l.Length <= 80, l));
        Golden.Screen(name, $"{ran.Out}{ran.Error}exit {ran.Code}\n");
        var json = await crew.AsScriptAsync([.. args, "--json"]);
        json.Json();
    }
}
