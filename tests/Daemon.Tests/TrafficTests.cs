using Groundcrew.Contract;
using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>What people lay over the traffic, through the doors: judged whole, confirmed by the edges, shown to who asks.</summary>
public sealed class TrafficTests : IAsyncLifetime
{
    private Town _town = null!;

    private ControlHost Host => _town.Host;

    public async ValueTask InitializeAsync() => _town = await Town.BuildAsync();

    public ValueTask DisposeAsync() => _town.DisposeAsync();

    [Fact]
    public async Task Traffic_is_paused_closed_and_resumed_with_the_edges_word()
    {
        var paused = (await Host.PostAsync("/api/v1/projects/acme/web/pause", """{"maxWait":"20s","maxWaiting":7}""")).Ok(200).As<HoldView>();
        Assert.Equal(("paused", "20s", 7, "production"), (paused.State, paused.MaxWait, paused.MaxWaiting, paused.Environment));
        Assert.True(paused.Confirmation is { Confirmed: true, Problem: null, Silent: [] });
        var closed = (await Host.PostAsync("/api/v1/projects/acme/web/close", """{"message":"Back at noon"}""")).Ok(200).As<HoldView>();
        Assert.Equal(("closed", "Back at noon", null), (closed.State, closed.Message, closed.MaxWait));
        Assert.True(closed.Confirmation!.Generation > paused.Confirmation!.Generation);
        var edges = (await Host.GetAsync("/api/v1/edge")).Ok(200).As<EdgesView>();
        var edge = Assert.Single(edges.Edges);
        Assert.Equal(("e1", "current", edges.Generation, edges.Generation), (edge.Hostname, edge.State, edge.Serving, edge.Expected));
        Assert.Equal("closed", Assert.Single(edges.Holds).State);
        Assert.Equal(_town.Maintenance, Assert.Single(edges.Maintenance).Id);
        Assert.Equal("open", (await Host.PostAsync("/api/v1/projects/acme/web/resume", null)).Ok(200).As<HoldView>().State);
        Assert.Equal("open", (await Host.PostAsync("/api/v1/projects/acme/web/resume", "{}")).Ok(200).As<HoldView>().State);
        Assert.Empty((await Host.GetAsync("/api/v1/edge")).As<EdgesView>().Holds);
    }

    [Fact]
    public async Task All_problems_come_at_once_and_nothing_changes()
    {
        var pause = (await Host.PostAsync("/api/v1/projects/acme/web/pause", """{"maxWait":"soon","maxWaiting":0}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["maxWait", "maxWaiting"], pause.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var split = (await Host.SendAsync("PUT", "/api/v1/projects/acme/web/split", Host.Admin, $$$"""{"shares":{"{{{_town.Current.Label}}}":60,"none":60}}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["shares", "shares.none", $"shares.{_town.Current.Label}"], split.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var maintenance = (await Host.PostAsync("/api/v1/maintenance", """{"org":"Bad!","retryAfter":"soon","until":"yesterday","exempt":["x"],"retryAfterIsRemaining":true}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["exempt[0]", "org", "retryAfter", "until"], maintenance.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var drain = (await Host.PostAsync($"/api/v1/deployments/{_town.Earlier.Label}/drain", """{"deadline":"1h"}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal("deadline", Assert.Single(drain.Problems).Path);
        (await Host.PostAsync("/api/v1/projects/acme/web/pause", """{"environment":"none"}""")).IsProblem(404, ProblemCodes.NotFound);
        (await Host.GetAsync("/api/v1/projects/acme/none/split")).IsProblem(404, ProblemCodes.NotFound);
        var edges = (await Host.GetAsync("/api/v1/edge")).As<EdgesView>();
        Assert.Equal((0, 0, 0, 1), (edges.Holds.Count, edges.Splits.Count, edges.Drains.Count, edges.Maintenance.Count));
    }

    [Fact]
    public async Task The_same_key_pauses_once()
    {
        var first = (await Host.PostAsync("/api/v1/projects/acme/web/pause", null, ("Idempotency-Key", "p"))).Ok(200);
        (await Host.PostAsync("/api/v1/projects/acme/web/resume", null, ("Idempotency-Key", "r"))).Ok(200);
        var again = (await Host.PostAsync("/api/v1/projects/acme/web/pause", null, ("Idempotency-Key", "p"))).Ok(200);
        Assert.Equal((first.Text, "true"), (again.Text, again.Header("Idempotency-Replayed")));
        Assert.Empty((await Host.GetAsync("/api/v1/edge")).As<EdgesView>().Holds);
    }

    [Fact]
    public async Task A_split_is_shown_and_ended()
    {
        var set = (await Host.SendAsync("PUT", "/api/v1/projects/acme/web/split", Host.Admin, $$$"""{"shares":{"{{{_town.Earlier.Label}}}":30}}""")).Ok(200).As<SplitView>();
        Assert.Equal((_town.Current.Label, 70, new ShareView(_town.Earlier.Label, 30, 1)), (set.Current, set.CurrentPercent, Assert.Single(set.Shares)));
        Assert.True(set.Confirmation!.Confirmed);
        var shown = (await Host.GetAsync("/api/v1/projects/acme/web/split?environment=production")).Ok(200).As<SplitView>();
        Assert.Equal((30, "admin-all", null), (Assert.Single(shown.Shares).Percent, shown.Actor, shown.Confirmation));
        Assert.Equal(70, Assert.Single((await Host.GetAsync("/api/v1/edge")).As<EdgesView>().Splits).CurrentPercent);
        var cleared = (await Host.SendAsync("DELETE", "/api/v1/projects/acme/web/split", Host.Admin, (string?)null)).Ok(200).As<SplitView>();
        Assert.Equal((100, 0, null), (cleared.CurrentPercent, cleared.Shares.Count, cleared.Since));
    }

    [Fact]
    public async Task The_last_targets_are_drained_by_force_only_and_come_back()
    {
        var path = $"/api/v1/deployments/{_town.Current.Label}";
        var refused = (await Host.PostAsync($"{path}/drain", null)).IsProblem(409, ProblemCodes.LastTargets);
        Assert.Contains("production", refused.Detail, StringComparison.Ordinal);
        var drained = (await Host.PostAsync($"{path}/drain", """{"force":true,"deadline":"20s"}""")).Ok(200).As<DrainView>();
        Assert.Equal((_town.Current.Label, "drained", 0, 0), (drained.Deployment, drained.State, drained.InFlight, drained.Upgraded));
        Assert.Empty((await Host.GetAsync("/api/v1/routes")).As<RouteView[]>().Single(r => r.Kind == "environment").Targets);
        Assert.Equal("drained", Assert.Single((await Host.GetAsync("/api/v1/edge")).As<EdgesView>().Drains).State);
        Assert.Equal("serving", (await Host.PostAsync($"{path}/undrain", null)).Ok(200).As<DrainView>().State);
        Assert.Single((await Host.GetAsync("/api/v1/routes")).As<RouteView[]>().Single(r => r.Kind == "environment").Targets);
    }

    [Fact]
    public async Task Maintenance_of_all_is_for_those_who_act_for_all()
    {
        const string all = """{"message":"Moving house","until":"30m","retryAfterIsRemaining":true,"exempt":["/status"]}""";
        var (deployer, onCall, platform) = (await Host.TokenAsync(Role.Deployer), await Host.TokenAsync(Role.OnCall, "acme"), await Host.TokenAsync(Role.OnCall));
        (await Host.SendAsync("POST", "/api/v1/maintenance", deployer, all)).IsProblem(403, ProblemCodes.Forbidden);
        (await Host.SendAsync("POST", "/api/v1/maintenance", onCall, all)).IsProblem(403, ProblemCodes.Forbidden);
        (await Host.SendAsync("POST", "/api/v1/maintenance", onCall, """{"org":"other"}""")).IsProblem(403, ProblemCodes.Forbidden);
        var begun = (await Host.SendAsync("POST", "/api/v1/maintenance", platform, all)).Ok(201);
        var view = begun.As<MaintenanceView>();
        Assert.Equal(($"/api/v1/maintenance/{view.Id}", null, "Moving house", true), (begun.Header("Location"), view.Org, view.Message, view.RetryAfterIsRemaining));
        Assert.Equal((TimeSpan.FromMinutes(30), true), (view.Until - view.Since, view.Confirmation!.Confirmed));
        Assert.Equal([_town.Maintenance, view.Id], (await Host.GetAsync("/api/v1/maintenance", onCall)).As<MaintenanceView[]>().Select(m => m.Id));
        var other = await Host.TokenAsync(Role.Admin, "other");
        Assert.Equal([view.Id], (await Host.GetAsync("/api/v1/maintenance", other)).As<MaintenanceView[]>().Select(m => m.Id));
        (await Host.SendAsync("DELETE", $"/api/v1/maintenance/{view.Id}", onCall, (string?)null)).IsProblem(403, ProblemCodes.Forbidden);
        (await Host.SendAsync("DELETE", $"/api/v1/maintenance/{_town.Maintenance}", other, (string?)null)).IsProblem(404, ProblemCodes.NotFound);
        (await Host.SendAsync("DELETE", $"/api/v1/maintenance/{_town.Maintenance}", onCall, (string?)null)).Ok(200);
        (await Host.SendAsync("DELETE", $"/api/v1/maintenance/{view.Id}", platform, (string?)null)).Ok(200);
        Assert.Equal("[]", (await Host.GetAsync("/api/v1/maintenance")).Text);
        var page = await Host.PostAsync("/api/v1/maintenance", """{"org":"one"}""");
        (await Host.PostAsync("/api/v1/maintenance", """{"org":"two"}""")).Ok(201);
        Assert.Contains($"cursor={page.As<MaintenanceView>().Id}", (await Host.GetAsync("/api/v1/maintenance?limit=1")).Header("Link"), StringComparison.Ordinal);
        Assert.Equal("two", Assert.Single((await Host.GetAsync($"/api/v1/maintenance?cursor={page.As<MaintenanceView>().Id}")).As<MaintenanceView[]>()).Org);
    }
}
