using System.Text.Json;
using Groundcrew.Contract;
using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Repeated requests are answered once, and long lists come in pages.</summary>
public sealed class RepeatTests : IAsyncLifetime
{
    private const string Web = """{"name":"web","org":"acme"}""";
    private Town _town = null!;

    private ControlHost Host => _town.Host;

    public async ValueTask InitializeAsync() => _town = await Town.BuildAsync();

    public ValueTask DisposeAsync() => _town.DisposeAsync();

    [Fact]
    public async Task The_same_key_gets_the_same_answer_again()
    {
        const string body = """{"name":"shop","org":"acme"}""";
        var first = (await Host.PostAsync("/api/v1/projects", body, ("Idempotency-Key", "k"))).Ok(201);
        var again = (await Host.PostAsync("/api/v1/projects", body, ("Idempotency-Key", "k"))).Ok(201);
        Assert.Equal((first.Text, first.ContentType, first.Header("Location")), (again.Text, again.ContentType, again.Header("Location")));
        Assert.Equal((null, "true"), (first.Header("Idempotency-Replayed"), again.Header("Idempotency-Replayed")));
        Assert.NotNull(again.Header("Location"));
        (await Host.PostAsync("/api/v1/projects", body)).IsProblem(409, ProblemCodes.Conflict);
    }

    [Fact]
    public async Task The_same_key_with_another_request_is_refused()
    {
        (await Host.PostAsync("/api/v1/projects", """{"name":"one","org":"acme"}""", ("Idempotency-Key", "k"))).Ok(201);
        (await Host.PostAsync("/api/v1/projects", """{"name":"two","org":"acme"}""", ("Idempotency-Key", "k"))).IsProblem(422, ProblemCodes.KeyReused);
        (await Host.PostAsync("/api/v1/regions", """{"name":"one","org":"acme"}""", ("Idempotency-Key", "k"))).IsProblem(422, ProblemCodes.KeyReused);
        // Another actor's key is another key.
        (await Host.SendAsync("POST", "/api/v1/projects", await Host.TokenAsync(Role.Deployer), """{"name":"two","org":"acme"}""", ("Idempotency-Key", "k"))).Ok(201);
    }

    [Fact]
    public async Task Twins_that_come_together_are_done_once()
    {
        const string body = """{"name":"twin","role":"viewer"}""";
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Host.PostAsync("/api/v1/tokens", body, ("Idempotency-Key", "twins"))));
        Assert.Single(answers.Select(a => a.Ok(201).Text).Distinct());
        Assert.Equal(7, answers.Count(a => a.Header("Idempotency-Replayed") == "true"));
        Assert.Single((await Host.GetAsync("/api/v1/tokens")).As<Contract.TokenView[]>(), t => t.Name == "twin");
    }

    [Fact]
    public async Task A_deployment_with_the_same_key_is_the_same_deployment()
    {
        var body = _town.DeployBody();
        var first = (await Host.PostAsync("/api/v1/deployments", body, ("Idempotency-Key", "d"))).Ok(202);
        var again = (await Host.PostAsync("/api/v1/deployments", body, ("Idempotency-Key", "d"))).Ok(202);
        Assert.Equal(first.As<DeploymentView>().Label, again.As<DeploymentView>().Label);
        Assert.Equal(($"/api/v1/operations/{first.As<DeploymentView>().Operation}", "true"), (again.Header("Location"), again.Header("Idempotency-Replayed")));
        await _town.QuietAsync();
        Assert.Equal(3, (await Host.GetAsync("/api/v1/deployments")).As<DeploymentView[]>().Length);
    }

    [Fact]
    public async Task Without_a_key_or_with_an_endless_one_nothing_is_kept()
    {
        (await Host.PostAsync("/api/v1/tokens", """{"name":"same","role":"viewer"}""")).Ok(201);
        (await Host.PostAsync("/api/v1/tokens", """{"name":"same","role":"viewer"}""")).Ok(201);
        Assert.Equal(2, (await Host.GetAsync("/api/v1/tokens")).As<Contract.TokenView[]>().Count(t => t.Name == "same"));
        (await Host.PostAsync("/api/v1/projects", Web, ("Idempotency-Key", new string('k', 201)))).IsProblem(400, ProblemCodes.BadInput);
    }

    [Fact]
    public async Task One_operation_at_a_time_moves_an_environment()
    {
        _town.Nodes.IsReady = false;
        (await Host.PostAsync("/api/v1/deployments", _town.DeployBody())).Ok(202);
        (await Host.PostAsync("/api/v1/deployments", _town.DeployBody())).IsProblem(409, ProblemCodes.OperationInProgress);
    }

    [Fact]
    public async Task Lists_are_bare_arrays_in_pages_that_lose_and_repeat_nothing()
    {
        // A name that sorts before the slash: pages once lost what lay behind such an organization.
        foreach (var (org, name) in ((string, string)[])[("acme", "a"), ("acme", "z"), ("acme-b", "m"), ("acme-b", "x"), ("acmf", "a")])
            (await Host.PostAsync("/api/v1/projects", JsonSerializer.Serialize(new { org, name }))).Ok(201);
        Assert.Equal(6, (await PagesAsync("/api/v1/projects?limit=2", "id")).Count);
        Assert.Equal(2, (await PagesAsync("/api/v1/deployments?limit=1&org=acme", "id")).Count);
        Assert.Equal(2, (await PagesAsync("/api/v1/projects/acme/web/deployments?limit=1", "id")).Count);
        // Two deploys, a stop, and what the database of the town began.
        Assert.True((await PagesAsync("/api/v1/operations?limit=1", "id")).Count >= 5);
        Assert.True((await PagesAsync("/api/v1/audit?limit=3", "at")).Count > 8);
    }

    private async Task<IReadOnlyList<string>> PagesAsync(string first, string key)
    {
        var seen = new List<string>();
        for (string? next = first; next is not null;)
        {
            var page = (await Host.GetAsync(next)).Ok(200);
            Assert.Equal(JsonValueKind.Array, page.Json.ValueKind);
            seen.AddRange(page.Json.EnumerateArray().Select(i => i.GetProperty(key).ToString()));
            var link = page.Header("Link");
            Assert.True(link is null || link.EndsWith(">; rel=\"next\"", StringComparison.Ordinal), link);
            next = link?[1..link.IndexOf('>', StringComparison.Ordinal)];
            Assert.True(seen.Count < 1000, "the pages have an end");
        }
        Assert.Equal(seen.Count, seen.Distinct().Count());
        var whole = (await Host.GetAsync(first.Replace("limit=", "limit=100", StringComparison.Ordinal))).Json.EnumerateArray().Select(i => i.GetProperty(key).ToString());
        Assert.Equal(whole, seen);
        return seen;
    }
}
