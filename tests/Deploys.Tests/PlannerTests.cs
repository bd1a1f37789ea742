using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>The pure planners: repair, routes, retention, labels.</summary>
public sealed class PlannerTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly ServiceSettings Two = new() { InstancesPerRegion = 2 };

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 500)];

    [Fact]
    public void Nothing_is_repaired_where_every_node_is_up()
    {
        var (a, b) = (Node("a"), Node("b"));
        Assert.True(Plan([Ready(a), Ready(b)], [a, b]).IsEmpty);
    }

    [Fact]
    public void A_draining_node_is_left_only_when_replacements_are_ready()
    {
        var (a, b) = (Node("a", NodeState.Draining), Node("b"));
        var old = Ready(a);
        var start = Plan([old, Ready(b)], [a, b]);
        Assert.Equal((1, 0), (start.Start.Count, start.End.Count));
        Assert.Equal(b.Id, start.Start[0].NodeId);
        var starting = Ready(b) with { Status = Status(InstanceState.Starting) };
        Assert.True(Plan([old, Ready(b), starting], [a, b]).IsEmpty);
        Assert.Equal([old.Id], Plan([old, Ready(b), Ready(b)], [a, b]).End);
    }

    [Fact]
    public void A_dead_node_is_given_up_when_replacements_are_ready()
    {
        var (a, b) = (Node("a") with { LastSeen = Now - TimeSpan.FromHours(1) }, Node("b"));
        var old = Ready(a);
        Assert.Single(Plan([old, Ready(b)], [a, b]).Start);
        var plan = Plan([old, Ready(b), Ready(b)], [a, b]);
        Assert.Equal([old.Id], plan.Abandon);
        Assert.Empty(plan.End);
    }

    [Fact]
    public void A_drained_instance_is_there_and_does_not_serve()
    {
        var (a, b) = (Node("a", NodeState.Draining), Node("b"));
        var (leaving, drained, serving) = (Ready(a), Ready(b), Ready(b));
        // Nothing is started in its place, and nothing that serves leaves because of it.
        var plan = Plan([leaving, drained, serving], [a, b], drained.Id);
        Assert.True(plan.IsEmpty);
        Assert.Contains("undrain", plan.Waiting, StringComparison.Ordinal);
        Assert.Equal([leaving.Id], Plan([leaving, drained, serving], [a, b]).End);
        // What serves nothing is missed by nobody.
        Assert.Equal([leaving.Id], Plan([leaving, drained, serving], [a, b], drained.Id, leaving.Id).End);
        Assert.Equal([leaving.Id], Plan([leaving, drained, serving, Ready(b)], [a, b], drained.Id).End);
    }

    [Fact]
    public void A_replacement_is_started_on_no_node_that_is_drained_at_the_edges()
    {
        var (a, b, c) = (Node("a", NodeState.Draining), Node("b"), Node("c"));
        RepairPlan Plan(params Guid[] nodes) =>
            RepairPlan.For(Two, [Ready(a), Ready(b)], [a, b, c], DrainsOf([], nodes), _ => false, () => Ids.New(TimeProvider.System));
        Assert.Equal(c.Id, Assert.Single(Plan(b.Id).Start).NodeId);
        Assert.Empty(Plan(b.Id, c.Id).Start);
    }

    [Fact]
    public void Where_nothing_can_take_the_instances_they_stay_and_it_is_said()
    {
        var a = Node("a", NodeState.Draining);
        var plan = Plan([Ready(a), Ready(a)], [a]);
        Assert.True(plan.IsEmpty);
        Assert.Contains("local", plan.Waiting, StringComparison.Ordinal);
    }

    [Fact]
    public void A_region_that_is_asked_for_by_name_needs_a_node()
    {
        Judged<IReadOnlyList<Placed>> Choose(Dictionary<string, int> named) =>
            Placement.Choose([Node("a")], region => named.GetValueOrDefault(region, 1), named.Keys, new ResourceLimits(null, null), Guid.NewGuid);

        var problem = Assert.Single(Choose(new() { ["local"] = 2, ["mars"] = 1 }).Problems);
        Assert.Equal(("no-node", "regions.mars"), (problem.Code, problem.Path));
        Assert.Equal(2, Choose(new() { ["local"] = 2, ["mars"] = 0 }).Value!.Count);
    }

    [Fact]
    public void What_left_the_table_before_a_crash_is_ended()
    {
        var a = Node("a");
        var withdrawn = Ready(a) with { Phase = InstancePhase.Withdrawn };
        Assert.Equal([withdrawn.Id], Plan([Ready(a), Ready(a), withdrawn], [a]).End);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_repair_never_ends_the_last_healthy_copies(int seed)
    {
        var random = new Random(seed);
        var nodes = Enumerable.Range(0, random.Next(1, 6))
            .Select(i => Node($"n{i}", random.Next(3) == 0 ? NodeState.Draining : NodeState.Ready, random.Next(2) == 0 ? "local" : "far")
                with
            { LastSeen = random.Next(3) == 0 ? Now - TimeSpan.FromHours(1) : Now }).ToList();
        var instances = Enumerable.Range(0, random.Next(0, 9)).Select(_ =>
        {
            var state = (InstanceState)random.Next(0, 9);
            return Ready(nodes[random.Next(nodes.Count)]) with { Status = Status(state), Phase = (InstancePhase)random.Next(0, 3) };
        }).ToList();
        var drained = instances.Where(_ => random.Next(5) == 0).Select(i => i.Id).ToHashSet();
        var plan = Plan(instances, nodes, [.. drained]);
        var ended = plan.End.Concat(plan.Abandon).ToHashSet();
        Assert.Equal(plan.End.Count + plan.Abandon.Count, ended.Count);
        foreach (var region in instances.Where(i => i.TakesTraffic).GroupBy(i => i.Region))
        {
            if (region.Any(i => ended.Contains(i.Id)))
                Assert.True(region.Count(i => !ended.Contains(i.Id)) >= 2, $"seed {seed}: region {region.Key} keeps too few");
            if (region.Any(i => ended.Contains(i.Id) && !drained.Contains(i.Id)))
                Assert.True(region.Count(i => !ended.Contains(i.Id) && !drained.Contains(i.Id)) >= 2, $"seed {seed}: region {region.Key} is left with too few that serve");
        }
        Assert.All(plan.Start, p => Assert.True(nodes.Single(n => n.Id == p.NodeId) is { State: NodeState.Ready } n && n.LastSeen == Now));
        Assert.All(plan.Abandon, id => Assert.NotEqual(Now, nodes.Single(n => n.Id == instances.Single(i => i.Id == id).NodeId).LastSeen));
    }

    [Fact]
    public void The_table_has_a_host_for_each_running_deployment_environment_and_domain_in_order()
    {
        var project = Ids.New(TimeProvider.System);
        var (one, two, none) = (Row("web-1111111-acme", project), Row("web-2222222-acme", project), Row("web-3333333-acme", project));
        var (a, b) = (new Target(Ids.New(TimeProvider.System), "127.0.0.1:1", "local"), new Target(Ids.New(TimeProvider.System), "127.0.0.1:2", "local"));
        var routes = RouteTables.Compute(
            new Dictionary<string, IReadOnlyList<Target>> { [one.Label] = [a], [two.Label] = [b] },
            [Environment(project, "production", "web-acme", one.Label), Environment(project, "staging", "web-staging-acme", none.Label)],
            new[] { one, two, none }.ToDictionary(d => d.Label),
            [Domain("shop.example.org", project),
                Domain("other.example.org", Ids.New(TimeProvider.System))],
            [], label => $"{label}.localhost");
        Assert.Equal(
            ["shop.example.org=web-1111111-acme x1", "web-1111111-acme.localhost=web-1111111-acme x1", "web-2222222-acme.localhost=web-2222222-acme x1",
                "web-acme.localhost=web-1111111-acme x1", "web-staging-acme.localhost=web-3333333-acme x0"],
            routes.Select(r => $"{r.Host}={r.Deployment} x{r.Targets.Count}"));
        Assert.Empty(RouteTables.Compute(new Dictionary<string, IReadOnlyList<Target>>(), [], new Dictionary<string, DeploymentRow>(), [], [], l => l));
    }

    [Fact]
    public void Every_route_of_a_deployment_carries_its_policy()
    {
        var project = Ids.New(TimeProvider.System);
        var policy = new RoutePolicy { Rates = [new RateLimit("reads", 5, TimeSpan.FromMinutes(1))], MaxBodyBytes = 20, Breaker = new BreakerPolicy { Failures = 7 } };
        var limited = Row("web-1111111-acme", project);
        limited.Settings = JsonSerializer.Serialize(new ServiceSettings { Edge = policy }, Json.Options);
        var before = Row("web-2222222-acme", project);
        var routes = RouteTables.Compute(
            new Dictionary<string, IReadOnlyList<Target>> { [limited.Label] = [], [before.Label] = [] },
            [Environment(project, "production", "web-acme", limited.Label), Environment(project, "staging", "web-staging-acme", before.Label)],
            new[] { limited, before }.ToDictionary(d => d.Label),
            [Domain("shop.example.org", project)], [], label => label);
        Assert.Equal(5, routes.Count);
        var expected = JsonSerializer.Serialize(policy, Json.Options);
        Assert.All(routes, r => Assert.Equal(r.Deployment == limited.Label ? expected : "null", JsonSerializer.Serialize(r.Policy, Json.Options)));
        Assert.Equal(3, routes.Count(r => r.Policy is not null));
    }

    [Theory]
    [InlineData("acme", "web", "production", "web-acme")]
    [InlineData("acme", "web", "pr-12", "web-pr-12-acme")]
    public void An_environment_has_a_host_label(string org, string project, string environment, string label) =>
        Assert.Equal(label, HostLabels.OfEnvironment(org, project, environment));

    [Fact]
    public void A_deployment_label_is_a_DNS_label_with_a_random_middle() =>
        Assert.Matches("^web-[0-9a-z]{7}-acme$", HostLabels.NewDeployment("acme", "web"));

    [Fact]
    public void Artifacts_of_the_newest_superseded_versions_and_of_everything_that_runs_are_kept()
    {
        var project = Ids.New(TimeProvider.System);
        KeptVersion Version(int n, DeploymentStatus status, string artifact, string environment = "production") =>
            new($"d{n}", project, environment, artifact, status, Now, status == DeploymentStatus.Failed ? null : Now + TimeSpan.FromHours(n));
        KeptVersion[] versions =
        [
            Version(1, DeploymentStatus.Stopped, "a1"), Version(2, DeploymentStatus.Stopped, "a2"), Version(3, DeploymentStatus.Stopped, "a3"),
            Version(4, DeploymentStatus.Stopped, "shared"), Version(5, DeploymentStatus.Inactive, "a5"), Version(6, DeploymentStatus.Active, "a6"),
            Version(7, DeploymentStatus.Failed, "a7"), Version(8, DeploymentStatus.Stopped, "has-instances"), Version(9, DeploymentStatus.Stopped, "a1", "staging"),
            Version(0, DeploymentStatus.Stopped, "a0"), Version(10, DeploymentStatus.Deploying, "a10"),
        ];
        var artifacts = new[] { "a0", "a1", "a2", "a3", "shared", "a5", "a6", "a7", "has-instances", "a10", "never" }.Select(d => new ArtifactInfo(d, 1, Now)).ToList();
        IReadOnlyList<string> After(TimeSpan time) =>
            ArtifactRetention.Unneeded(artifacts, versions, new HashSet<string> { "d8" }, (_, environment) => environment == "production" ? 2 : 1, Now + time);
        // Of production: d8 and d4 are the newest two that were superseded; staging keeps a1.
        Assert.Empty(After(TimeSpan.FromMinutes(59)));
        Assert.Equal(["a0", "a2", "a3"], After(TimeSpan.FromHours(2)));
        Assert.Equal(["a0", "a2", "a3", "a7", "never"], After(TimeSpan.FromDays(8)));
    }

    private static RepairPlan Plan(IReadOnlyList<InstanceInfo> instances, IReadOnlyList<NodeInfo> workers, params Guid[] drained) =>
        RepairPlan.For(Two, instances, workers, DrainsOf(drained, []), n => n.LastSeen < Now, () => Ids.New(TimeProvider.System));

    private static Drains.Drained DrainsOf(IEnumerable<Guid> drained, IEnumerable<Guid> nodes) => new(
        [.. drained.Select(id => new DrainRow { Id = Ids.New(TimeProvider.System), Deployment = "d", InstanceId = id, Since = Now, Actor = "ann" })],
        [.. nodes.Select(id => new NodeDrainRow { NodeId = id, Since = Now, Actor = "ann" })]);

    private static NodeInfo Node(string name, NodeState state = NodeState.Ready, string region = "local") =>
        new(Ids.New(TimeProvider.System), name, NodeRole.Worker, region, state, new NodeCapacity(8000, 8L << 30), "1", Now, 0, 0, 0);

    private static InstanceInfo Ready(NodeInfo node) =>
        new(Ids.New(TimeProvider.System), "d", "acme", "web", node.Id, node.Region, InstancePhase.Serving, Now, Status(InstanceState.Ready));

    private static InstanceStatus Status(InstanceState state) => new(state, Now, "127.0.0.1:1", 1, 0, null, null);

    private static DeploymentRow Row(string label, Guid project) => new()
    {
        Id = Ids.New(TimeProvider.System), Label = label, ProjectId = project, Org = "acme", Project = "web", Environment = "production", Status = DeploymentStatus.Active,
        Settings = "{}", Actor = "ann", Operation = Ids.New(TimeProvider.System), CreatedAt = Now,
    };

    private static DomainRow Domain(string host, Guid project) => new()
    {
        Host = host, ProjectId = project, Environment = "production", Token = "t", State = DomainState.Verified, LedHere = true, CreatedAt = Now, AskedAt = Now, NextLookAt = Now, Looks = 1,
    };

    private static EnvironmentRow Environment(Guid project, string name, string host, string? current) =>
        new() { ProjectId = project, Name = name, HostLabel = host, Current = current, Generation = 1 };
}
