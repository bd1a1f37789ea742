using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>A project whose first version serves well while all kinds of bad ones are deployed after it.</summary>
public sealed class ServingPlatform : Platform
{
    public Actor Actor { get; } = new("steady") { RollbackWindow = "10m" };

    public DeploymentView Active { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Active = await DeployAsync(Actor.Write());
    }

    /// <summary>Deploys what the actor is told to be; the version before must serve on, by the same processes.</summary>
    public async Task<Ran> RefusedAsync(int code, string journey, Action<Actor> change)
    {
        var before = (await InstancesAsync(Active.Label)).Select(i => (i.Id, i.Pid)).Order().ToList();
        await using var load = Load(Actor.Host);
        change(Actor);
        Ran ran;
        try
        {
            ran = Expect.Code(code, await CrewAsync("deploy", Actor.Write()));
        }
        finally
        {
            (Actor.Mode, Actor.Deadline, Actor.More, Actor.Version) = (Mode.Well, "60s", "", "1");
        }
        Assert.Equal(Active.Label, (await CurrentAsync(Actor.Project)).Label);
        Assert.Equal(before, (await InstancesAsync(Active.Label)).Select(i => (i.Id, i.Pid)).Order());
        Assert.Contains("\"version\":\"1\"", (await GetAsync(Actor.Host)).Body, StringComparison.Ordinal);
        await load.StopWithoutFailureAsync(journey);
        return ran;
    }
}

/// <summary>
/// What can be wrong with a version: each has one clear end, and the version before serves on, untouched (invariants 1
/// and 2; U-02, U-20).
/// </summary>
public sealed class BadVersionJourneys(ServingPlatform platform) : IClassFixture<ServingPlatform>
{
    [Fact]
    public async Task An_unknown_key_is_refused_with_its_line_and_path()
    {
        var ran = await platform.RefusedAsync(3, "an unknown key", a => a.More = "instancs: 3");
        Assert.Contains("instancs", ran.Error, StringComparison.Ordinal);
        Assert.Contains("instances", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_problem_is_told_at_once()
    {
        var ran = await platform.RefusedAsync(3, "three problems at once", a => a.More = "instancs: 3\n    keepVersions: none\n    domains: [not a domain]");
        Assert.Contains("instancs", ran.Error, StringComparison.Ordinal);
        Assert.Contains("keepVersions", ran.Error, StringComparison.Ordinal);
        Assert.Contains("not a domain", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_services_with_one_name_are_refused()
    {
        var ran = await platform.RefusedAsync(3, "two services with one name", a => a.More = $"keepVersions: 3\n  {a.Name}:\n    package: actor.js\n    run: node actor.js");
        Assert.Contains("second time", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_too_long_for_a_host_name_are_refused()
    {
        using var actor = new Actor(new string('n', 40), new string('o', 40));
        var ran = Expect.Code(3, await platform.CrewAsync("deploy", actor.Write()));
        Assert.Contains("63", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_exits_at_once_ends_the_deploy_with_its_last_words()
    {
        var ran = await platform.RefusedAsync(1, "a program that exits at once", a => a.Mode = Mode.Exits);
        Assert.Contains("code 3", ran.All, StringComparison.Ordinal);
        Assert.Contains("there is nothing to do", ran.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_never_listens_ends_the_deploy_at_its_deadline()
    {
        var ran = await platform.RefusedAsync(1, "a program that never listens", a => (a.Mode, a.Deadline) = (Mode.Deaf, "3s"));
        Assert.Contains("not all instances were ready within 3s", ran.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_answers_500_never_gets_traffic()
    {
        var ran = await platform.RefusedAsync(1, "a program that answers 500", a => (a.Mode, a.Deadline) = (Mode.Broken, "3s"));
        Assert.Contains("500", ran.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_goes_to_the_background_is_told_to_stay_and_leaves_nothing()
    {
        var before = NodeProcesses();
        var ran = await platform.RefusedAsync(1, "a program that forks", a => a.Mode = Mode.Forks);
        Assert.Contains("went to the background", ran.All, StringComparison.Ordinal);
        await Eventually.TrueAsync(() => NodeProcesses() == before, "no process is left of it");
    }

    [Fact]
    public async Task A_failed_version_can_be_read_afterwards()
    {
        await platform.RefusedAsync(1, "a failed version is remembered", a => (a.Mode, a.Version) = (Mode.Exits, "bad"));
        var failed = (await platform.Client.GetAsync<DeploymentView[]>($"projects/{platform.Actor.Project}/deployments?limit=1", Platform.Token))[0];
        Assert.Equal("failed", failed.Status);
        Assert.Contains("code 3", failed.Why, StringComparison.Ordinal);
        var operation = await platform.Client.GetAsync<OperationStatusView>($"operations/{failed.Operation}", Platform.Token);
        Assert.Equal("rolledBack", operation.Outcome);
        Assert.Contains("there is nothing to do", Expect.Ok(await platform.CrewAsync("logs", failed.Label)).Out, StringComparison.Ordinal);
        var again = await platform.Http.PostAsync(new Uri($"projects/{platform.Actor.Project}/rollback", UriKind.Relative),
            new StringContent($$"""{"to": "{{failed.Label}}"}""", System.Text.Encoding.UTF8, "application/json"), Platform.Token);
        Assert.Equal("nothing-to-roll-back", (await Platform.ProblemAsync(again)).Code);
    }

    [Fact]
    public async Task A_health_check_that_flaps_takes_the_instance_out_and_in_without_a_failed_request()
    {
        using var actor = new Actor("flaps") { Instances = 3 };
        var active = await platform.DeployAsync(actor.Write());
        var sick = (await platform.InstancesAsync(active.Label))[0];
        await using var load = platform.Load(actor.Host);
        for (var flap = 0; flap < 3; flap++)
        {
            actor.Mark($"sick-{sick.Id}");
            await Eventually.TrueAsync(async () => await TargetsAsync(actor) is { Count: 2 } left && !left.Contains(sick.Address!), "the sick instance left the route");
            actor.Unmark($"sick-{sick.Id}");
            await Eventually.TrueAsync(async () => (await TargetsAsync(actor)).Count == 3, "it is back");
        }
        var after = (await platform.InstancesAsync(active.Label)).Single(i => i.Id == sick.Id);
        Assert.Equal((sick.Pid, 0), (after.Pid, after.Restarts));
        await load.StopWithoutFailureAsync("a health check that flaps");
    }

    [Fact]
    public async Task A_program_that_ignores_SIGTERM_is_killed_after_its_drain_time()
    {
        using var actor = new Actor("stubborn") { Mode = Mode.Stubborn };
        var first = await platform.DeployAsync(actor.Write());
        var pids = (await platform.InstancesAsync(first.Label)).Select(i => ProcessIdentity.Of(i.Pid!.Value)!).ToList();
        await using var load = platform.Load(actor.Host);
        (actor.Mode, actor.Version) = (Mode.Well, "2");
        await platform.DeployAsync(actor.Write());
        await Eventually.TrueAsync(() => pids.All(p => !p.IsAlive()), "the stubborn processes are gone");
        await Eventually.TrueAsync(async () => (await platform.Client.GetAsync<DeploymentView>($"deployments/{first.Label}", Platform.Token)).Status == "stopped", "it counts as stopped");
        var logs = Expect.Ok(await platform.CrewAsync("logs", first.Label)).Out;
        Assert.Contains("did not end within 3s of SIGTERM and was killed", logs, StringComparison.Ordinal);
        await load.StopWithoutFailureAsync("a program that ignores SIGTERM");
    }

    private async Task<IReadOnlyList<string>> TargetsAsync(Actor actor) =>
        (await platform.Client.GetAsync<RoutingView>($"projects/{actor.Project}/routing", Platform.Token)).Routes.Single(r => r.Host == actor.Host).Targets;

    /// <summary>Processes of this platform's instances, wherever they went.</summary>
    private int NodeProcesses()
    {
        var folder = $"INSTANCE_DIR={platform.Data}/";
        return Directory.EnumerateDirectories("/proc").Count(p => int.TryParse(Path.GetFileName(p), out var pid) && ProcessIdentity.Of(pid) is not null && EnvironmentOf(p).Contains(folder, StringComparison.Ordinal));
    }

    private static string EnvironmentOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "environ"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
