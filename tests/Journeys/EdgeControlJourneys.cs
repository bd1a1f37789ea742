using System.Globalization;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>A platform with a service in two versions: the second serves, the first is kept running.</summary>
public sealed class TwoVersionsPlatform : Platform
{
    public Actor Actor { get; } = new("steered") { RollbackWindow = "30m" };

    public DeploymentView First { get; private set; } = null!;

    public DeploymentView Second { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        First = await DeployAsync(Actor.Write());
        Actor.Version = "2";
        Second = await DeployAsync(Actor.Write());
    }

    /// <summary>An answer of the edge with its headers.</summary>
    public async Task<(int Status, string? RetryAfter, string Body)> AskAsync(string path)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Limit };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{EdgePort}{path}")) { Headers = { Host = Actor.Host } };
        using var response = await http.SendAsync(request, Token);
        return ((int)response.StatusCode, response.Headers.TryGetValues("Retry-After", out var after) ? after.Single() : null, await response.Content.ReadAsStringAsync(Token));
    }
}

/// <summary>What people lay over the traffic, seen by those who send it.</summary>
public sealed class EdgeControlJourneys(TwoVersionsPlatform platform) : IClassFixture<TwoVersionsPlatform>
{
    private string Project => platform.Actor.Project;

    [Fact]
    public async Task A_pause_of_two_seconds_fails_no_request()
    {
        await using var load = platform.Load(platform.Actor.Host);
        await Eventually.TrueAsync(() => load.Sent > 100, "traffic flows");
        Expect.Ok(await platform.CrewAsync("edge", "pause", Project));
        // Each connection has one request that waits now, so that nothing is sent any more.
        var sent = -1L;
        await Eventually.TrueAsync(async () =>
        {
            var before = sent;
            sent = load.Sent;
            await Task.Delay(TimeSpan.FromSeconds(2), Platform.Token);
            return sent == before;
        }, "every connection waits");
        var status = JsonSerializer.Deserialize<EdgesView>(Expect.Ok(await platform.CrewAsync("edge", "status", "--json")).Out, Json.Options)!;
        Assert.Equal("paused", Assert.Single(status.Holds).State);
        Expect.Ok(await platform.CrewAsync("edge", "resume", Project));
        await Eventually.TrueAsync(() => load.Sent > sent + 100, "traffic flows again");
        await load.StopWithoutFailureAsync("a pause of two seconds");
    }

    [Fact]
    public async Task Closed_traffic_is_told_why_and_comes_back()
    {
        Expect.Ok(await platform.CrewAsync("edge", "close", Project, "--message", "The till is being counted", "--yes"));
        var closed = await platform.AskAsync("/");
        Expect.Ok(await platform.CrewAsync("edge", "resume", Project));
        Assert.Equal(503, closed.Status);
        Assert.Contains("The till is being counted", closed.Body, StringComparison.Ordinal);
        Assert.Equal(200, (await platform.AskAsync("/")).Status);
    }

    [Fact]
    public async Task Maintenance_is_told_in_words_for_programs_with_a_time_and_health_is_exempt()
    {
        var begun = Expect.Ok(await platform.CrewAsync(
            "edge", "maintenance", "on", "--org", platform.Actor.Org, "--message", "Moving house", "--retry-after", "2m", "--exempt", "/public/*", "--yes", "--json"));
        var maintenance = JsonSerializer.Deserialize<MaintenanceView>(begun.Out, Json.Options)!;
        var (answer, health, exempt) = (await platform.AskAsync("/orders"), await platform.AskAsync("/health"), await platform.AskAsync("/public/page"));
        Expect.Ok(await platform.CrewAsync("edge", "maintenance", "off", maintenance.Id.ToString()));
        Assert.Equal((503, "120"), (answer.Status, answer.RetryAfter));
        var body = JsonDocument.Parse(answer.Body).RootElement;
        Assert.Equal(
            ("Service temporarily unavailable", "Moving house", 120),
            (body.GetProperty("error").GetString(), body.GetProperty("message").GetString(), body.GetProperty("retryAfter").GetInt32()));
        Assert.Equal((200, 200), (health.Status, exempt.Status));
        Assert.Equal(200, (await platform.AskAsync("/orders")).Status);
    }

    [Fact]
    public async Task Traffic_split_in_halves_meets_both_versions_and_one_again_after_it()
    {
        Expect.Ok(await platform.CrewAsync("edge", "split", Project, $"{platform.First.Label}=50"));
        var versions = new Dictionary<string, int> { ["1"] = 0, ["2"] = 0 };
        for (var i = 0; i < 200; i++)
            versions[JsonDocument.Parse((await platform.GetAsync(platform.Actor.Host)).Body).RootElement.GetProperty("version").GetString()!]++;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"journey: a split in halves: {versions["1"]} and {versions["2"]} of 200"));
        Expect.Ok(await platform.CrewAsync("edge", "split", Project, "--clear"));
        // Of 200 fair draws fewer than 50 come once in more than ten to the twelfth.
        Assert.All(versions.Values, count => Assert.InRange(count, 50, 150));
        for (var i = 0; i < 20; i++)
            Assert.Contains("\"version\":\"2\"", (await platform.GetAsync(platform.Actor.Host)).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_only_the_edge_knows_is_told_over_its_link()
    {
        var breakers = JsonSerializer.Deserialize<EdgeBreakersView>(Expect.Ok(await platform.CrewAsync("edge", "breakers", Project, "--json")).Out, Json.Options)!;
        Assert.Empty(breakers.Unanswered);
        Assert.Contains(breakers.Breakers, b => b.Instance is null && b.State == "closed");
        Assert.Equal(4, breakers.Breakers.Count(b => b.Instance is not null));
        Expect.Ok(await platform.CrewAsync("edge", "limits", Project));
        var routes = JsonSerializer.Deserialize<EdgeRoutesView>(Expect.Ok(await platform.CrewAsync("edge", "routes", platform.Actor.Host, "--json")).Out, Json.Options)!;
        Assert.Equal(2, Assert.Single(Assert.Single(routes.Edges).Routes).Deployments[0].Targets.Count(t => t.State == "ready"));
    }

    [Fact]
    public async Task Instances_are_drained_under_traffic_and_the_last_ones_by_force_only()
    {
        var ids = (await platform.InstancesAsync(platform.Second.Label)).Select(i => i.Id).ToList();
        await using var load = platform.Load(platform.Actor.Host);
        Expect.Ok(await platform.CrewAsync("edge", "drain", platform.Second.Label, "--instance", ids[0].ToString()));
        Expect.Code(8, await platform.CrewAsync("edge", "drain", platform.Second.Label));
        for (var i = 0; i < 20; i++)
            Assert.DoesNotContain(ids[0].ToString(), (await platform.GetAsync(platform.Actor.Host)).Body, StringComparison.Ordinal);
        Expect.Ok(await platform.CrewAsync("edge", "undrain", platform.Second.Label, "--instance", ids[0].ToString()));
        await load.StopWithoutFailureAsync("an instance drained and given back");
    }
}
