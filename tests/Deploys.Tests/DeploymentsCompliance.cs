using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>What asking for a rollout means, on every engine.</summary>
public abstract class DeploymentsCompliance(StoreSource source) : IAsyncLifetime
{
    private const string Host = "web-acme.localhost";

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected World World { get; private set; } = null!;

    protected StoreOptions Options { get; private set; } = null!;

    public async ValueTask InitializeAsync() => World = await World.NewAsync(Options = await source.NewAsync());

    public async ValueTask DisposeAsync()
    {
        await World.DisposeAsync();
        source.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_first_deploy_registers_its_project_serves_and_is_audited_with_its_actor()
    {
        var first = await World.DeployAsync();
        Assert.Equal((DeploymentStatus.Active, "ann"), (first.Status, first.Actor));
        Assert.Equal(first.Label, await World.CurrentAsync());
        Assert.Equal(2, (await World.TargetsAsync(Host)).Count);
        Assert.Equal(await World.TargetsAsync(Host), await World.TargetsAsync($"{first.Label}.localhost"));
        var entry = Assert.Single((await World.Plane.Get<Audit>().ListAsync(new AuditFilter(Action: "deployment.create"), 10, null, Ct)).Items);
        Assert.Equal((first.Label, "ann-id", "accepted"), (entry.Subject, entry.ActorId, entry.Outcome));
        Assert.Empty(World.Fleet.Violations);
    }

    [Fact]
    public async Task Of_two_deploys_at_once_one_moves_and_the_other_is_told_who_does()
    {
        World.Fleet.Behave = _ => Behaviour.NeverReady;
        var requests = new[] { await World.RequestAsync(), await World.RequestAsync() };
        var answers = await Task.WhenAll(requests.Select(r => Task.Run(() => World.Plane.Deployments.DeployAsync(r, World.Ann, null, Ct), Ct)));
        var accepted = Assert.Single(answers.OfType<RolloutAnswer.Accepted>());
        var busy = Assert.Single(answers.OfType<RolloutAnswer.Busy>());
        Assert.Equal(accepted.Deployment.Operation, busy.Holder.Id);
        Assert.Single(await World.Plane.Deployments.ListAsync(null, null, null, 10, null, Ct));
    }

    [Fact]
    public async Task A_failed_deploy_leaves_everything_as_it_was_also_what_can_be_rolled_back_to()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        var (before, targets) = (await World.ReadStateAsync(), await World.TargetsAsync(Host));
        World.Fleet.Behave = _ => Behaviour.Fails;
        var third = await World.DeployAsync();
        Assert.Equal(DeploymentStatus.Failed, third.Status);
        Assert.Contains("the archive cannot be unpacked", third.Why, StringComparison.Ordinal);
        Assert.Equal(before, await World.ReadStateAsync(third.Label));
        Assert.Equal(targets, await World.TargetsAsync(Host));
        World.Fleet.Behave = _ => Behaviour.Ready;
        Assert.Equal(first.Label, World.Accepted(await World.RollbackAsync()).Label);
    }

    [Fact]
    public async Task An_instance_that_crash_loops_ends_the_deploy_before_its_deadline()
    {
        World.Fleet.Behave = _ => Behaviour.CrashLoops;
        var deployment = await World.DeployAsync();
        Assert.Equal(DeploymentStatus.Failed, deployment.Status);
        Assert.Contains("exit code 1", deployment.Why, StringComparison.Ordinal);
        Assert.Null(await World.CurrentAsync());
        await World.SettleAsync();
        Assert.Empty(await World.InstancesAsync());
        Assert.All(World.Fleet.Workers, w => Assert.Empty(w.Running));
    }

    [Fact]
    public async Task A_node_that_says_nothing_fails_the_deploy_at_its_deadline()
    {
        World.Fleet.Behave = _ => Behaviour.Silent;
        var deployment = World.Accepted(await World.AskAsync());
        await World.StepAsync(TimeSpan.FromSeconds(61));
        var ended = await World.EndAsync(deployment);
        Assert.Contains("not all instances were ready within 1m", ended.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rollback_inside_the_window_starts_nothing()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        var running = World.Fleet.Workers.SelectMany(w => w.Of(first.Label)).ToHashSet();
        var back = await World.EndAsync(World.Accepted(await World.RollbackAsync()));
        Assert.Equal((DeploymentStatus.Active, first.Label), (back.Status, await World.CurrentAsync()));
        Assert.Equal(running, World.Fleet.Workers.SelectMany(w => w.Of(first.Label)).ToHashSet());
        Assert.Equal(running.Select(i => i.ToString()).Order(StringComparer.Ordinal), await World.TargetsAsync(Host));
    }

    [Fact]
    public async Task When_the_window_ends_the_superseded_is_drained_and_stopped_and_a_rollback_starts_it_again()
    {
        var first = await World.DeployAsync();
        var second = await World.DeployAsync();
        await World.StepAsync(TimeSpan.FromMinutes(10) - TimeSpan.FromSeconds(10));
        await World.Plane.LoopAsync("retire");
        Assert.Equal(DeploymentStatus.Inactive, (await World.Plane.Deployments.FindAsync(first.Label, Ct))!.Status);
        await World.StepAsync(TimeSpan.FromMinutes(1));
        await World.SettleAsync();
        Assert.Equal(DeploymentStatus.Stopped, (await World.Plane.Deployments.FindAsync(first.Label, Ct))!.Status);
        Assert.Empty(World.Fleet.Workers.SelectMany(w => w.Of(first.Label)));
        var back = await World.EndAsync(World.Accepted(await World.RollbackAsync(first.Label)));
        Assert.Equal(DeploymentStatus.Active, back.Status);
        Assert.Equal(2, World.Fleet.Workers.SelectMany(w => w.Of(first.Label)).Count());
        Assert.Equal(DeploymentStatus.Inactive, (await World.Plane.Deployments.FindAsync(second.Label, Ct))!.Status);
        Assert.Empty(World.Fleet.Violations);
    }

    [Fact]
    public async Task A_rollback_that_fails_leaves_its_target_running_for_as_long_as_it_would_have()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        var before = await World.ReadStateAsync();
        World.Fleet.Edges[0].Refuses = "its disk is full";
        // The table has to change, or the edge would have nothing to refuse.
        var back = await World.EndAsync(World.Accepted(await World.RollbackAsync()));
        Assert.Equal(DeploymentStatus.Inactive, back.Status);
        Assert.Contains("its disk is full", back.Why, StringComparison.Ordinal);
        Assert.Equal(before, await World.ReadStateAsync());
        World.Fleet.Edges[0].Refuses = null;
        await World.Fleet.Edges[0].ReportAsync();
        Assert.Equal(first.Label, back.Label);
    }

    [Fact]
    public async Task While_an_operation_moves_the_environment_nothing_of_it_is_retired_or_deployed()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        World.Fleet.Behave = _ => Behaviour.NeverReady;
        World.Accepted(await World.AskAsync(change: s => s with { ReadyDeadline = TimeSpan.FromHours(1) }));
        await World.StepAsync(TimeSpan.FromMinutes(11));
        await World.Plane.LoopAsync("retire");
        Assert.Equal(DeploymentStatus.Inactive, (await World.Plane.Deployments.FindAsync(first.Label, Ct))!.Status);
        Assert.IsType<RolloutAnswer.Busy>(await World.RollbackAsync());
        Assert.IsType<RolloutAnswer.Busy>(await World.AskAsync());
    }

    [Fact]
    public async Task What_is_current_again_is_not_retired()
    {
        var first = await World.DeployAsync();
        await World.DeployAsync();
        await World.EndAsync(World.Accepted(await World.RollbackAsync()));
        await World.StepAsync(TimeSpan.FromMinutes(11));
        await World.SettleAsync();
        Assert.Equal(first.Label, await World.CurrentAsync());
        Assert.Equal(2, (await World.TargetsAsync(Host)).Count);
    }

    [Fact]
    public async Task There_is_nothing_to_roll_back_to_before_a_second_version_served()
    {
        Assert.IsType<RolloutAnswer.NotFound>(await World.RollbackAsync());
        var first = await World.DeployAsync();
        Assert.IsType<RolloutAnswer.NothingToRollBack>(await World.RollbackAsync());
        Assert.IsType<RolloutAnswer.NothingToRollBack>(await World.RollbackAsync(first.Label));
        Assert.IsType<RolloutAnswer.NotFound>(await World.RollbackAsync("web-0000000-acme"));
        World.Fleet.Behave = _ => Behaviour.Fails;
        var failed = await World.DeployAsync();
        var refused = Assert.IsType<RolloutAnswer.NothingToRollBack>(await World.RollbackAsync(failed.Label));
        Assert.Contains("it failed", refused.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_promote_brings_the_same_artifact_to_the_other_environment_and_leaves_the_first()
    {
        var staged = await World.DeployAsync("staging");
        var request = new DeployRequest(World.Org, World.Project, World.Production, staged.Settings, staged.Manifest, staged.Service, staged.CommitSha, staged.CommitMessage);
        var promoted = await World.EndAsync(World.Accepted(await World.Plane.Deployments.PromoteAsync(request, "staging", World.Ann, null, Ct)));
        Assert.Equal((DeploymentStatus.Active, staged.Settings.Artifact), (promoted.Status, promoted.Settings.Artifact));
        Assert.Equal((staged.Label, promoted.Label), (await World.CurrentAsync("staging"), await World.CurrentAsync()));
        Assert.Equal("promote", (await World.Plane.Operations.FindAsync(promoted.Operation, Ct))!.Kind);
    }

    [Fact]
    public async Task An_image_is_accepted_as_data_and_ends_saying_that_no_node_runs_images()
    {
        var deployment = await World.DeployAsync(change: s => s with { Artifact = null, Run = null, Image = "registry.example.org/web:1" });
        Assert.Equal(DeploymentStatus.Failed, deployment.Status);
        Assert.Contains("no node can run images yet", deployment.Why, StringComparison.Ordinal);
        Assert.Empty(await World.InstancesAsync());
    }

    [Fact]
    public async Task What_is_missing_is_said_all_at_once_and_nothing_is_left_behind()
    {
        var missing = "sha256:" + new string('a', 64);
        var answer = await World.AskAsync(change: s => s with
        {
            Artifact = missing,
            Secrets = new Dictionary<string, string> { ["KEY"] = "key", ["TOKEN"] = "token" },
        });
        var refused = Assert.IsType<RolloutAnswer.Refused>(answer);
        Assert.Equal(["artifact", "secrets.KEY", "secrets.TOKEN"], refused.Problems.Select(p => p.Path));
        Assert.Null(await World.Plane.Projects.FindAsync(World.Org, World.Project, Ct));
        Assert.Empty(await World.Plane.Deployments.ListAsync(null, null, null, 10, null, Ct));
        Assert.Empty((await World.Plane.Operations.ListAsync(new OperationFilter(), 10, null, Ct)).Items);
        Assert.Empty((await World.Plane.Get<Audit>().ListAsync(new AuditFilter(), 10, null, Ct)).Items);
    }

    [Fact]
    public async Task The_same_key_gives_the_first_answer_again_whatever_changed_since()
    {
        var request = await World.RequestAsync();
        var first = World.Accepted(await World.Plane.Deployments.DeployAsync(request, World.Ann, "k1", Ct));
        Assert.Equal(first.Label, Assert.IsType<RolloutAnswer.Replayed>(await World.Plane.Deployments.DeployAsync(request, World.Ann, "k1", Ct)).Deployment.Label);
        await World.EndAsync(first);
        var second = await World.DeployAsync();
        var back = World.Accepted(await World.RollbackAsync(key: "k2"));
        await World.EndAsync(back);
        var again = Assert.IsType<RolloutAnswer.Replayed>(await World.RollbackAsync(key: "k2")).Deployment;
        Assert.Equal((first.Label, back.Operation), (again.Label, again.Operation));
        Assert.Equal(first.Operation, Assert.IsType<RolloutAnswer.Replayed>(await World.Plane.Deployments.DeployAsync(request, World.Ann, "k1", Ct)).Deployment.Operation);
        Assert.IsType<RolloutAnswer.KeyReused>(await World.RollbackAsync(second.Label, "k2"));
        Assert.Equal(2, (await World.Plane.Deployments.ListAsync(null, null, null, 10, null, Ct)).Count);
    }

    [Fact]
    public async Task A_domain_of_another_project_or_environment_refuses_the_deploy_and_stays_where_it_is()
    {
        var first = await World.DeployAsync(change: s => s with { Domains = ["shop.example.org"] });
        Assert.Equal(await World.TargetsAsync(Host), await World.TargetsAsync("shop.example.org"));
        var other = await World.Plane.Deployments.DeployAsync(
            await World.RequestAsync(project: "other", change: s => s with { Domains = ["Shop.Example.org.", "web.localhost", "nodots"] }), World.Ann, null, Ct);
        Assert.Equal(["taken", "bad-domain", "bad-domain"], Assert.IsType<RolloutAnswer.Refused>(other).Problems.Select(p => p.Code));
        Assert.Null(await World.Plane.Projects.FindAsync(World.Org, "other", Ct));
        var elsewhere = await World.Plane.Deployments.DeployAsync(
            await World.RequestAsync("staging", change: s => s with { Domains = ["shop.example.org"] }), World.Ann, null, Ct);
        Assert.Equal("taken", Assert.Single(Assert.IsType<RolloutAnswer.Refused>(elsewhere).Problems).Code);
        Assert.Equal(first.Label, (await World.Plane.Routes.CurrentAsync(Ct)).Routes.Single(r => r.Host == "shop.example.org").Deployment);
    }

    [Fact]
    public async Task Names_that_make_the_same_host_are_refused_for_the_second()
    {
        var first = await CreateAsync("c", "a-b");
        Assert.NotNull(first.Value);
        var second = await CreateAsync("b-c", "a");
        var problem = Assert.Single(second.Problems);
        Assert.Equal("taken", problem.Code);
        Assert.Contains("a-b-c", problem.Message, StringComparison.Ordinal);
        Assert.Null(await World.Plane.Projects.FindAsync("b-c", "a", Ct));
        Assert.Equal("label-too-long", Assert.Single((await CreateAsync(new string('o', 30), new string('p', 30))).Problems).Code);
    }

    [Fact]
    public async Task Pages_of_deployments_miss_none_that_were_asked_for_in_one_moment()
    {
        for (var i = 0; i < 5; i++)
            await World.DeployAsync($"env-{i}");
        var (seen, cursor) = (new List<string>(), (Guid?)null);
        while (true)
        {
            var page = await World.Plane.Deployments.ListAsync(null, null, null, 2, cursor, Ct);
            if (page.Count == 0)
                break;
            seen.AddRange(page.Select(d => d.Label));
            cursor = page[^1].Id;
        }
        Assert.Equal(5, seen.Distinct().Count());
    }

    private Task<Bedrock.Judged<ProjectInfo>> CreateAsync(string org, string name) =>
        World.Store.WriteAsync((db, cancel) => World.Plane.Projects.CreateAsync(db, org, name, new ProjectSettings(null, null, null, null, null), cancel), Ct);
}

public sealed class SqliteDeploymentsTests() : DeploymentsCompliance(new SqliteSource());

public sealed class PostgresDeploymentsTests(PostgresServer server) : DeploymentsCompliance(new PostgresSource(server));
