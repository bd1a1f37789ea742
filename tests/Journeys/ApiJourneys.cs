using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Roles;
using Groundcrew.Daemon.Settings;
using Groundcrew.Deploys;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>The shape of the API (design 8): the same for every list, every change and every refusal.</summary>
public sealed class ApiJourneys(Platform platform) : IClassFixture<Platform>
{
    [Fact]
    public async Task Lists_are_bare_arrays_in_pages_that_name_the_next()
    {
        foreach (var list in (string[])["projects", "deployments", "instances", "nodes", "regions", "routes", "operations", "tokens", "audit"])
            Assert.Equal(JsonValueKind.Array, (await platform.Http.GetFromJsonAsync<JsonElement>(Relative(list), Platform.Token)).ValueKind);

        for (var i = 0; i < 5; i++)
            Assert.Equal(HttpStatusCode.Created, (await PostAsync("projects", $$"""{"org": "paged", "name": "p{{i}}"}""")).StatusCode);
        foreach (var list in (string[])["projects", "audit"])
        {
            var (seen, pages) = (new List<string>(), 0);
            for (var next = $"{list}?limit=2"; next is not null; pages++)
            {
                using var response = await platform.Http.GetAsync(Relative(next), Platform.Token);
                var page = (await response.Content.ReadFromJsonAsync<JsonArray>(Platform.Token))!;
                Assert.InRange(page.Count, 1, 2);
                seen.AddRange(page.Select(p => p!.ToJsonString()));
                next = response.Headers.TryGetValues("Link", out var links) ? Next(links.Single()) : null;
            }
            var whole = await platform.Http.GetFromJsonAsync<JsonArray>(Relative($"{list}?limit=1000"), Platform.Token);
            Assert.Equal(whole!.Select(p => p!.ToJsonString()), seen);
            Assert.True(pages > 1);
        }
        Console.WriteLine("journey: pages");
    }

    [Fact]
    public async Task A_refusal_names_every_problem_with_its_path_and_fix()
    {
        var refused = await PostAsync("projects", """{"org": "No Org", "name": "", "resources": {"vcpu": -1, "memory": 0}}""");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        var problem = await Platform.ProblemAsync(refused);
        Assert.Equal(("bad-input", 400), (problem.Code, problem.Status));
        Assert.Equal(["name", "org", "resources.memory", "resources.vcpu"], problem.Problems.Select(p => p.Path).Order());
        Assert.All(problem.Problems, p => Assert.False(string.IsNullOrWhiteSpace(p.Fix)));

        foreach (var (status, code, response) in ((int, string, HttpResponseMessage)[])
            [
                (400, "bad-input", await PostAsync("projects", """{"nome": "x"}""")),
                (400, "bad-input", await PostAsync("projects", "{")),
                (404, "not-found", await platform.Http.GetAsync(Relative("projects/acme/none"), Platform.Token)),
                (404, "not-found", await platform.Http.GetAsync(Relative("nothing/here"), Platform.Token)),
                (405, "bad-input", await platform.Http.DeleteAsync(Relative("projects"), Platform.Token)),
                (404, "not-found", await PostAsync("projects/acme/none/rollback", "")),
            ])
        {
            var told = await Platform.ProblemAsync(response);
            Assert.Equal((status, code), ((int)response.StatusCode, told.Code));
        }
        Console.WriteLine("journey: problems");
    }

    [Fact]
    public async Task A_POST_with_a_key_is_done_once_and_answered_each_time()
    {
        var body = """{"org": "keyed", "name": "once"}""";
        var first = await PostAsync("projects", body, "key-1");
        var again = await PostAsync("projects", body, "key-1");
        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.Created), (first.StatusCode, again.StatusCode));
        Assert.Equal(await first.Content.ReadAsStringAsync(Platform.Token), await again.Content.ReadAsStringAsync(Platform.Token));
        Assert.False(first.Headers.Contains("Idempotency-Replayed"));
        Assert.True(again.Headers.Contains("Idempotency-Replayed"));

        var other = await PostAsync("projects", """{"org": "keyed", "name": "other"}""", "key-1");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "idempotency-key-reused"), (other.StatusCode, (await Platform.ProblemAsync(other)).Code));
        var taken = await PostAsync("projects", body, "key-2");
        Assert.Equal((HttpStatusCode.Conflict, "conflict"), (taken.StatusCode, (await Platform.ProblemAsync(taken)).Code));
        Console.WriteLine("journey: idempotency keys");
    }

    [Fact]
    public async Task Settings_are_changed_only_by_those_who_read_the_last_ones()
    {
        await PostAsync("projects", """{"org": "tagged", "name": "settings"}""");
        var read = await platform.Http.GetAsync(Relative("projects/tagged/settings"), Platform.Token);
        var tag = read.Headers.ETag!.ToString();
        var changed = await PatchAsync(tag, """{"branch": "main"}""");
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.NotEqual(tag, changed.Headers.ETag!.ToString());

        var late = await PatchAsync(tag, """{"branch": "late"}""");
        Assert.Equal((HttpStatusCode.PreconditionFailed, "changed"), (late.StatusCode, (await Platform.ProblemAsync(late)).Code));
        Assert.Equal("main", (await platform.Client.GetAsync<ProjectView>("projects/tagged/settings", Platform.Token)).Branch);
        Assert.Equal(HttpStatusCode.OK, (await PatchAsync(null, """{"branch": "free"}""")).StatusCode);
        Console.WriteLine("journey: ETag and If-Match");
    }

    [Fact]
    public async Task Every_route_is_described_and_every_description_is_a_route()
    {
        using var http = platform.HttpAs(null);
        var document = await http.GetFromJsonAsync<JsonObject>(new Uri($"http://127.0.0.1:{platform.ControlPort}/openapi/v1.json"), Platform.Token);
        var described = document!["paths"]!.AsObject().Where(p => p.Key.StartsWith("/api/v1/", StringComparison.Ordinal))
            .SelectMany(p => p.Value!.AsObject().Select(o => $"{o.Key.ToUpperInvariant()} {p.Key}")).Order(StringComparer.Ordinal);
        Assert.Equal(await MappedAsync(), described);
        Console.WriteLine("journey: OpenAPI");
    }

    [Fact]
    public async Task Every_role_says_how_it_is_on_the_paths_that_the_guides_ask()
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        foreach (var port in (int[])[platform.ControlPort, platform.AgentPort, platform.EdgeStatusPort])
            foreach (var path in (string[])["/health", "/health/live", "/health/ready", "/ready", "/metrics"])
            {
                using var response = await http.GetAsync(new Uri($"http://127.0.0.1:{port}{path}"), Platform.Token);
                Assert.True(response.IsSuccessStatusCode, $"{port}{path} answers {response.StatusCode}");
            }
        Console.WriteLine("journey: health paths");
    }

    /// <summary>The routes of the control plane, as the program maps them.</summary>
    private static async Task<List<string>> MappedAsync()
    {
        using var folder = new TempFolder();
        var opened = await Store.OpenAsync(new StoreOptions { Folder = folder["control"] }, [new FleetTables(), new DeploysTables(), new DatabasesTables()], TimeProvider.System, Platform.Token);
        await using var store = opened.Value!;
        var settings = new RoleSettings(folder.Path, new PlatformFile(), new Uri("http://127.0.0.1:1"), "here", null, "127.0.0.1");
        var builder = RoleHost.Builder(settings, "control", 1);
        ControlRole.Add(builder.Services, settings, store, SealedBox.Open(folder["seal.key"], DurableFiles.Real), folder.Path);
        await using var app = builder.Build();
        ControlRole.Map(app, store);
        return
        [
            .. ((IEndpointRouteBuilder)app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
                .Where(e => e.RoutePattern.RawText!.StartsWith("/api/v1/", StringComparison.Ordinal))
                .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => $"{m} {Plain(e.RoutePattern.RawText!)}"))
                .Order(StringComparer.Ordinal),
        ];
    }

    /// <summary>Without constraints and the slash at the end, as the document writes paths.</summary>
    private static string Plain(string pattern) => string.Join('/', pattern.TrimEnd('/').Split('/').Select(p => p.StartsWith('{') ? $"{p.Split(':')[0].TrimEnd('}')}}}" : p));

    private static string Next(string link)
    {
        Assert.EndsWith("; rel=\"next\"", link, StringComparison.Ordinal);
        return link[(link.IndexOf('<') + 1)..link.IndexOf('>')];
    }

    private async Task<HttpResponseMessage> PostAsync(string path, string body, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Relative(path)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return await platform.Http.SendAsync(request, Platform.Token);
    }

    private async Task<HttpResponseMessage> PatchAsync(string? match, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Patch, Relative("projects/tagged/settings")) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (match is not null)
            request.Headers.Add("If-Match", match);
        return await platform.Http.SendAsync(request, Platform.Token);
    }

    private static Uri Relative(string path) => new(path, UriKind.Relative);
}
