using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>
/// kill -9 of any role at any moment changes nothing that a user sees: a deploy reaches its right end, instances keep
/// their processes, no request fails (ZW-76..81; invariants 1, 2, 4, 6 and 7).
/// </summary>
public sealed class CrashJourneys(Platform platform) : IClassFixture<Platform>
{
    private const int Rounds = 3;
    private const int LatestKillMs = 800;

    [Theory]
    [InlineData("control")]
    [InlineData("agent")]
    [InlineData("control", "agent")]
    public async Task A_deploy_ends_well_whatever_is_killed_in_its_midst(params string[] roles)
    {
        using var actor = new Actor($"killed-{string.Join('-', roles)}") { RollbackWindow = "10m" };
        var active = await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        var moments = new List<int>();
        for (var round = 2; round < 2 + Rounds; round++)
        {
            actor.Version = $"{round}";
            var before = await PidsAsync(active);
            var deploying = platform.DeployAsync(actor.Write());
            await MovesAsync(actor);
            moments.Add(Random.Shared.Next(LatestKillMs));
            await Task.Delay(moments[^1], Platform.Token);
            await platform.KillAsync(roles);

            var next = await deploying;
            await platform.ReadyAsync();
            Assert.Equal(before, await PidsAsync(active));
            Assert.Equal("active", next.Status);
            await Eventually.TrueAsync(
                async () => (await platform.InstancesAsync(next.Label)).Count(i => i is { State: "ready", Phase: "serving" }) == actor.Instances, "the new version is whole");
            Assert.Contains($"\"version\":\"{round}\"", (await platform.GetAsync(actor.Host)).Body, StringComparison.Ordinal);
            active = next;
        }
        await load.StopWithoutFailureAsync($"kill -9 of {string.Join(" and ", roles)} {string.Join(", ", moments)} ms into a deploy");
    }

    [Fact]
    public async Task The_next_supervisor_adopts_what_one_that_was_killed_left()
    {
        using var actor = new Actor("adopted");
        var active = await platform.DeployAsync(actor.Write());
        await using var load = platform.Load(actor.Host);
        var (roles, instances) = (Pids(), await PidsAsync(active));
        await platform.KillAsync("supervisor");

        var up = Expect.Ok(await platform.UpAsync());
        Assert.Contains("stale", up.Error, StringComparison.Ordinal);
        Assert.Equal(roles, Pids());
        Assert.Equal(instances, await PidsAsync(active));
        // The new one supervises: what dies is started again.
        await platform.KillAsync("agent");
        await Eventually.TrueAsync(() => platform.ProcessOf("agent") is { } agent && agent.Pid != roles[1] && agent.IsAlive(), "a new agent runs");
        await platform.ReadyAsync();
        Assert.Equal(instances, await PidsAsync(active));
        await load.StopWithoutFailureAsync("kill -9 of the supervisor, and crew up");
    }

    [Fact]
    public async Task An_edge_that_starts_with_everything_else_dead_serves_from_its_disk()
    {
        using var actor = new Actor("alone");
        var active = await platform.DeployAsync(actor.Write());
        var instances = await PidsAsync(active);
        await platform.KillAsync("supervisor");
        await platform.KillAsync("control", "agent", "edge");

        using (var edge = CrewProgram.Start(CrewProgram.File, ["serve", "--role", "edge", "--data", platform.Data]))
        {
            try
            {
                await Eventually.TrueAsync(() => platform.AnswersAsync(platform.EdgeStatusPort), "the edge is ready with nobody to ask");
                await using var load = platform.Load(actor.Host);
                await Eventually.TrueAsync(() => load.Sent > 500 || load.Failed > 0, "500 requests went through the lonely edge");
                await load.StopWithoutFailureAsync("an edge restarted with control and agent dead");
            }
            finally
            {
                edge.Kill();
                await edge.WaitForExitAsync(CancellationToken.None);
            }
        }

        Expect.Ok(await platform.UpAsync());
        await Eventually.TrueAsync(async () => (await platform.InstancesAsync(active.Label)).Count(i => i.State == "ready") == actor.Instances, "the instances are known again");
        Assert.Equal(instances, await PidsAsync(active));
        Assert.Equal(200, (await platform.GetAsync(actor.Host)).Status);
    }

    [Fact]
    public async Task An_instance_that_is_killed_is_started_again_and_no_route_points_at_it_meanwhile()
    {
        using var actor = new Actor("revived") { Instances = 3 };
        var active = await platform.DeployAsync(actor.Write());
        var victim = (await platform.InstancesAsync(active.Label))[0];
        ProcessSignals.Send(victim.Pid!.Value, ProcessSignals.Kill);

        await Eventually.TrueAsync(async () => (await platform.InstancesAsync(active.Label)).Any(i => i.Id == victim.Id && i.State == "ready" && i.Pid != victim.Pid),
            "the instance runs again");
        await Eventually.TrueAsync(async () => (await RoutedAsync(actor)) == 3, "it takes traffic again");
        await using var load = platform.Load(actor.Host);
        await Eventually.TrueAsync(() => load.Sent > 300, "traffic flows");
        await load.StopWithoutFailureAsync("after kill -9 of an instance");
    }

    private Task MovesAsync(Actor actor) => Eventually.TrueAsync(
        async () => (await platform.Client.GetAsync<OperationStatusView[]>($"operations?subject={actor.Project}", Platform.Token)).Any(o => o is { Kind: "deploy", State: "running" }),
        "the deploy is accepted");

    private async Task<int> RoutedAsync(Actor actor) =>
        (await platform.Client.GetAsync<RoutingView>($"projects/{actor.Project}/routing", Platform.Token)).Routes.Single(r => r.Host == actor.Host).Targets.Count;

    private List<int> Pids() => [.. ((string[])["control", "agent", "edge"]).Select(r => platform.ProcessOf(r)!.Pid)];

    private async Task<List<(Guid, int?)>> PidsAsync(DeploymentView deployment) =>
        [.. (await platform.InstancesAsync(deployment.Label)).Select(i => (i.Id, i.Pid)).Order()];
}
