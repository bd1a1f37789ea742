using System.Net;
using System.Text.Json.Nodes;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>What a manifest says of the edge, from the file to the answer that a client gets.</summary>
public sealed class EdgeLimitJourneys(Platform platform) : IClassFixture<Platform>
{
    [Fact]
    public async Task Beyond_its_limit_a_client_is_told_when_to_come_again_and_a_rollback_takes_the_limit_away()
    {
        using var actor = new Actor("limited") { RollbackWindow = "10m" };
        var free = await platform.DeployAsync(actor.Write());
        actor.More = "edge: {limits: [{name: visits, requests: 5, per: 1m, by: address}]}";
        var limited = await platform.DeployAsync(actor.Write());

        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Limit };
        for (var i = 0; i < 5; i++)
            using (var answer = await AskAsync(http, actor.Host))
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using (var beyond = await AskAsync(http, actor.Host))
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, beyond.StatusCode);
            // One comes back every twelve seconds.
            Assert.InRange(beyond.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 12);
            Assert.Equal("5", beyond.Headers.GetValues("X-RateLimit-Limit").Single());
        }
        await Eventually.TrueAsync(() => Records().Any(r => (string?)r["event"] == "RATE_LIMIT_EXCEEDED"), "the access log tells of the limit");
        var record = Records().First(r => (string?)r["event"] == "RATE_LIMIT_EXCEEDED");
        Assert.Equal((429, "rate-limited", "visits", "limited"), ((int)record["status"]!, (string?)record["outcome"], (string?)record["limit"], (string?)record["project"]));

        // The version before never had a limit: going back to it goes back to that too.
        Expect.Ok(await platform.CrewAsync("rollback", actor.Project));
        Assert.Equal(free.Label, (await platform.CurrentAsync(actor.Project)).Label);
        for (var i = 0; i < 10; i++)
            Assert.Equal(200, (await platform.GetAsync(actor.Host)).Status);
        Assert.NotEqual(free.Label, limited.Label);
        Console.WriteLine("journey: a limit of the manifest at the edge");
    }

    [Fact]
    public async Task What_the_edge_cannot_do_is_refused_with_line_path_and_fix()
    {
        using var actor = new Actor("wrong") { More = "edge: {maxBody: 20, retries: {budget: 20}, path: /}" };
        var ran = await platform.CrewAsync("deploy", actor.Write());
        Assert.NotEqual(0, ran.Code);
        Assert.All(["services.wrong.edge.maxBody", "services.wrong.edge.retries.budget", "services.wrong.edge.path", "Write the unit: 20%."],
            text => Assert.Contains(text, ran.All, StringComparison.Ordinal));
    }

    private async Task<HttpResponseMessage> AskAsync(HttpClient http, string host)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{platform.EdgePort}/")) { Headers = { Host = host } };
        return await http.SendAsync(request, Platform.Token);
    }

    /// <summary>What the edge wrote of its requests, a little after them; the last line may be half there.</summary>
    private IReadOnlyList<JsonNode> Records()
    {
        var path = Path.Combine(platform.Data, "edge", "access.log");
        if (!File.Exists(path))
            return [];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        return [.. reader.ReadToEnd().Split('\n')[..^1].Where(line => line.Length > 0).Select(line => JsonNode.Parse(line)!)];
    }
}
