using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>One call that succeeds in a <see cref="Town"/>.</summary>
internal sealed record Call(string Method, string Pattern, string Path, string? Body = null)
{
    public string Name => $"{Method} {Pattern}";
}

/// <summary>A control plane with nodes, a project that was deployed twice, a secret, tokens, and an operation that is stuck.</summary>
internal sealed class Town : IAsyncDisposable
{
    public const string Manifest = """
        system: acme
        services:
          web:
            package: out
            run: ./server
            instances: 1
            health:
              readiness: /ready
            secrets:
              DB_URL: db
        """;

    public const string DatabaseManifest = """
        system: acme
        databases:
          main:
            memory: 300Mi
        services:
          web:
            run: ./server
            databases:
              DATABASE_URL: main
        """;

    public const string Secret = "p4ssw0rd-marker";

    private Town(ControlHost host, NodesOverHttp nodes) => (Host, Nodes) = (host, nodes);

    public ControlHost Host { get; }

    public NodesOverHttp Nodes { get; }

    public string Digest { get; private set; } = "";

    public DeploymentView Current { get; private set; } = null!;

    /// <summary>What production pointed at before; it runs on.</summary>
    public DeploymentView Earlier { get; private set; } = null!;

    /// <summary>A time of maintenance of the organization, long without an end.</summary>
    public Guid Maintenance { get; private set; }

    /// <summary>A certificate that was imported.</summary>
    public Guid Certificate { get; private set; }

    public Guid Idle { get; private set; }

    /// <summary>The operation that took the backup of the database <c>acme/main</c>.</summary>
    public Guid Backup { get; private set; }

    public Guid Stuck { get; private set; }

    public Guid Token { get; private set; }

    public string TokenValue { get; private set; } = "";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<Town> BuildAsync(Secret? connection = null, Action<WebApplicationBuilder>? change = null)
    {
        OperationDefinition<string>? stuck = null;
        var host = await ControlHost.StartAsync(connection: connection, change: change, map: app =>
        {
            stuck = GetsStuck();
            ((Operations)app.Services.GetService(typeof(Operations))!).Register(stuck);
        });
        var town = new Town(host, await NodesOverHttp.StartAsync(host));
        await host.PostAsync("/api/v1/projects", """{"name":"web","org":"acme","github_repo":"acme/web"}""");
        (await host.SendAsync("PUT", "/api/v1/secrets/acme/db", host.Admin, $$"""{"value":"{{Secret}}"}""")).Ok(200);
        town.Digest = await town.UploadAsync("one");
        town.Earlier = await town.DeployAsync();
        town.Current = await town.DeployAsync();
        town.Idle = await town.Nodes.HelloAsync("w2", NodeRole.Worker);
        // Nothing runs on it, so nothing may be placed there.
        (await host.PostAsync($"/api/v1/nodes/{town.Idle}/drain", null)).Ok(202);
        town.Maintenance = (await host.PostAsync("/api/v1/maintenance", """{"org":"acme"}""")).Ok(201).As<MaintenanceView>().Id;
        town.Certificate = (await host.PostAsync("/api/v1/edge/certificates", ImportOf("*.example.org"))).Ok(201).As<CertificateView>().Id!.Value;
        await town.LoopAsync("certificates");
        var database = (await host.PostAsync("/api/v1/databases", """{"org":"acme","name":"main","standbys":1}""")).Ok(202).As<DatabaseChangeView>();
        Assert.Equal("succeeded", (await town.EndAsync(database.Operation!.Value)).Outcome);
        town.Backup = (await host.PostAsync("/api/v1/databases/acme/main/backup", null)).Ok(202).As<DatabaseChangeView>().Operation!.Value;
        Assert.Equal("succeeded", (await town.EndAsync(town.Backup)).Outcome);
        var created = (await host.PostAsync("/api/v1/tokens", """{"name":"ci","role":"viewer"}""")).Ok(201).As<NewTokenView>();
        (town.Token, town.TokenValue) = (created.Token.Id, created.Value);
        town.Stuck = await town.StickAsync(stuck!);
        return town;
    }

    /// <summary>The calls that change something, in an order in which all of them succeed.</summary>
    public IReadOnlyList<Call> Changes => [
        new("POST", "/api/v1/projects", "/api/v1/projects", """{"name":"shop","org":"acme"}"""),
        new("PATCH", "/api/v1/projects/{org}/{project}", "/api/v1/projects/acme/web", """{"branch":"main"}"""),
        new("POST", "/api/v1/projects/{org}/{project}/domains", "/api/v1/projects/acme/web/domains", """{"host":"www.example.org"}"""),
        new("POST", "/api/v1/projects/{org}/{project}/domains/{host}/check", "/api/v1/projects/acme/web/domains/www.example.org/check"),
        new("DELETE", "/api/v1/projects/{org}/{project}/domains/{host}", "/api/v1/projects/acme/web/domains/www.example.org"),
        new("POST", "/api/v1/projects/{org}/{project}/pause", "/api/v1/projects/acme/web/pause"),
        new("POST", "/api/v1/projects/{org}/{project}/close", "/api/v1/projects/acme/web/close", """{"message":"Back at noon"}"""),
        new("POST", "/api/v1/projects/{org}/{project}/resume", "/api/v1/projects/acme/web/resume"),
        new("PUT", "/api/v1/projects/{org}/{project}/split", "/api/v1/projects/acme/web/split", $$$"""{"shares":{"{{{Earlier.Label}}}":10}}"""),
        new("DELETE", "/api/v1/projects/{org}/{project}/split", "/api/v1/projects/acme/web/split"),
        new("POST", "/api/v1/deployments/{label}/drain", $"/api/v1/deployments/{Earlier.Label}/drain"),
        new("POST", "/api/v1/deployments/{label}/undrain", $"/api/v1/deployments/{Earlier.Label}/undrain"),
        new("POST", "/api/v1/edge/nodes/{id:guid}/drain", $"/api/v1/edge/nodes/{Idle}/drain"),
        new("POST", "/api/v1/edge/nodes/{id:guid}/undrain", $"/api/v1/edge/nodes/{Idle}/undrain"),
        new("POST", "/api/v1/maintenance", "/api/v1/maintenance", """{"org":"acme","message":"Back at noon"}"""),
        new("DELETE", "/api/v1/maintenance/{id:guid}", $"/api/v1/maintenance/{Maintenance}"),
        new("POST", "/api/v1/edge/certificates", "/api/v1/edge/certificates", ImportOf("shop.example.org")),
        new("POST", "/api/v1/edge/certificates/{certificate}/renew", "/api/v1/edge/certificates/web-acme.localhost/renew"),
        new("DELETE", "/api/v1/edge/certificates/{certificate}", $"/api/v1/edge/certificates/{Certificate}"),
        new("PUT", "/api/v1/edge/certificate-authority", "/api/v1/edge/certificate-authority", """{"kind":"development"}"""),
        new("POST", "/api/v1/databases", "/api/v1/databases", """{"org":"acme","name":"orders","memory":"128Mi"}"""),
        new("POST", "/api/v1/databases/apply", "/api/v1/databases/apply", JsonSerializer.Serialize(new { manifest = DatabaseManifest })),
        new("PATCH", "/api/v1/databases/{org}/{name}", "/api/v1/databases/acme/main", """{"memory":"512Mi"}"""),
        Database("backup", """{"reason":"before the upgrade"}"""), Database("dump", null), Database("verify", null), Database("drill", null),
        Database("restore", """{"as":"copy"}"""), Database("switchover", null), Database("failover", null), Database("standby/remove", null),
        Database("standby", null), Database("rotate", null), Database("upkeep", """{"work":"vacuum"}"""), Database("cancel", $$"""{"operation":"{{Backup}}"}"""), Database("retention", null),
        new("PUT", "/api/v1/databases/{org}/{name}/schedules", "/api/v1/databases/acme/main/schedules", """[{"does":"backup","cron":"0 2 * * *"}]"""),
        Database("remove", """{"confirm":"main"}"""),
        new("POST", "/api/v1/projects/{org}/{project}/rollback", "/api/v1/projects/acme/web/rollback"),
        new("POST", "/api/v1/projects/{org}/{project}/promote", "/api/v1/projects/acme/web/promote", """{"from":"production","to":"staging"}"""),
        new("POST", "/api/v1/deployments", "/api/v1/deployments", DeployBody()),
        new("POST", "/api/v1/projects/{org}/{project}/restart", "/api/v1/projects/acme/web/restart"),
        new("POST", "/api/v1/projects/{org}/{project}/stop", "/api/v1/projects/acme/web/stop"),
        new("POST", "/api/v1/operations/{id:guid}/resume", $"/api/v1/operations/{Stuck}/resume"),
        new("PUT", "/api/v1/artifacts/{digest}", $"/api/v1/artifacts/{DigestOf("two")}", "two"),
        new("PUT", "/api/v1/secrets/{org}/{name}", "/api/v1/secrets/acme/other", """{"value":"x"}"""),
        new("DELETE", "/api/v1/secrets/{org}/{name}", "/api/v1/secrets/acme/other"),
        new("POST", "/api/v1/tokens", "/api/v1/tokens", """{"name":"cd","role":"deployer"}"""),
        new("DELETE", "/api/v1/tokens/{id:guid}", $"/api/v1/tokens/{Token}"),
        new("POST", "/api/v1/regions", "/api/v1/regions", """{"code":"eu-north","name":"EU North"}"""),
        new("POST", "/api/v1/nodes/{id:guid}/enable", $"/api/v1/nodes/{Idle}/enable"),
        new("POST", "/api/v1/nodes/{id:guid}/drain", $"/api/v1/nodes/{Idle}/drain"),
        new("DELETE", "/api/v1/nodes/{id:guid}", $"/api/v1/nodes/{Idle}"),
        new("POST", "/api/v1/store/backup", "/api/v1/store/backup", JsonSerializer.Serialize(new { file = Host.Folder["copy/store.db"] })),
    ];

    private static Call Database(string tail, string? body) => new("POST", "/api/v1/databases/{org}/{name}/" + tail, "/api/v1/databases/acme/main/" + tail, body);

    /// <summary>The calls that only look.</summary>
    public IReadOnlyList<Call> Looks => [.. Looking()];

    /// <summary>A request that imports a certificate for these names.</summary>
    public static string ImportOf(params string[] names)
    {
        var made = DevelopmentAuthority.New(TimeProvider.System, "example.org").Issue(names).Value!;
        return JsonSerializer.Serialize(new { chain = made.Chain, key = made.Key.Reveal() });
    }

    public static string DigestOf(string text) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    public Task<Answer> SendAsync(Call call, string token, params (string, string)[] headers) => Host.SendAsync(call.Method, call.Path, token, call.Body, headers);

    public async Task<string> UploadAsync(string text)
    {
        (await Host.SendAsync("PUT", $"/api/v1/artifacts/{DigestOf(text)}", Host.Admin, new ByteArrayContent(Encoding.UTF8.GetBytes(text)))).Ok(201);
        return DigestOf(text);
    }

    public string DeployBody(string org = "acme") => JsonSerializer.Serialize(new { org, manifest = Manifest, artifact = Digest, commit_sha = "abc1234" });

    public async Task<DeploymentView> DeployAsync()
    {
        var begun = (await Host.PostAsync("/api/v1/deployments", DeployBody())).Ok(202).As<DeploymentView>();
        var ended = await EndAsync(begun.Operation);
        Assert.True(ended.Outcome == "succeeded", $"{ended.Outcome} {ended.Why}");
        return (await Host.GetAsync($"/api/v1/deployments/{begun.Label}")).Ok(200).As<DeploymentView>();
    }

    /// <summary>Waits until nothing moves.</summary>
    public Task QuietAsync() => Eventually.TrueAsync(async () =>
        (await Host.GetAsync("/api/v1/operations")).As<OperationStatusView[]>().All(o => o.State is "ended" or "stuck"), "every operation ended");

    public async Task<OperationStatusView> EndAsync(Guid operation)
    {
        OperationStatusView? seen = null;
        await Eventually.TrueAsync(async () =>
            (seen = (await Host.GetAsync($"/api/v1/operations/{operation}")).As<OperationStatusView>()).State is "ended" or "stuck", "the operation ended");
        return seen!;
    }

    /// <summary>Runs one of the control plane's loops once.</summary>
    public Task<string> LoopAsync(string name) =>
        ((IEnumerable<ILoop>)Host.App.Services.GetService(typeof(IEnumerable<ILoop>))!).Single(l => l.Name == name).RunAsync(Ct);

    public async ValueTask DisposeAsync()
    {
        await Nodes.DisposeAsync();
        await Host.DisposeAsync();
    }

    private IEnumerable<Call> Looking()
    {
        foreach (var path in (string[])["status", "regions", "nodes", "routes", "projects", "deployments", "instances", "operations", "whoami", "tokens", "audit", "edge", "edge/breakers", "edge/limits", "edge/routes", "maintenance", "edge/certificates", "edge/certificate-authority", "edge/development-authority", "databases"])
            yield return new("GET", $"/api/v1/{path}", $"/api/v1/{path}");
        yield return new("GET", "/api/v1/nodes/{id:guid}", $"/api/v1/nodes/{Nodes.Worker}");
        foreach (var tail in (string[])["", "/routing", "/health", "/domains", "/deployments", "/deployments/current", "/split"])
            yield return new("GET", "/api/v1/projects/{org}/{project}" + tail, "/api/v1/projects/acme/web" + tail);
        foreach (var tail in (string[])["", "/instances", "/metrics"])
            yield return new("GET", "/api/v1/deployments/{label}" + tail, $"/api/v1/deployments/{Current.Label}{tail}");
        foreach (var tail in (string[])["", "/events"])
            yield return new("GET", "/api/v1/operations/{id:guid}" + tail, $"/api/v1/operations/{Current.Operation}{tail}");
        foreach (var tail in (string[])["", "/connection", "/backups", "/drills", "/schedules", "/retention", "/health", "/statements", "/tables"])
            yield return new("GET", "/api/v1/databases/{org}/{name}" + tail, "/api/v1/databases/acme/main" + tail);
        yield return Database("restore/plan", null);
        yield return new("GET", "/api/v1/edge/certificates/{certificate}", "/api/v1/edge/certificates/web-acme.localhost");
        yield return new("GET", "/api/v1/secrets/{org}", "/api/v1/secrets/acme");
        yield return new("GET", "/api/v1/artifacts/{digest}", $"/api/v1/artifacts/{Digest}");
        yield return new("HEAD", "/api/v1/artifacts/{digest}", $"/api/v1/artifacts/{Digest}");
        yield return new("GET", "/api/v1/deployments/{label}/logs", $"/api/v1/deployments/{Current.Label}/logs?tail=1");
    }

    private async Task<Guid> StickAsync(OperationDefinition<string> definition)
    {
        var options = new BeginOptions { Subject = "acme/web", Summary = "gets stuck", Actor = Actor.Platform("test") };
        var begun = await Host.Store.WriteAsync((db, cancel) => Host.Get<Operations>().BeginAsync(db, definition, "plan", options, cancel), Ct);
        var id = ((BeginResult.Begun)begun).Operation.Id;
        Assert.Equal("stuck", (await EndAsync(id)).State);
        return id;
    }

    private static OperationDefinition<string> GetsStuck()
    {
        static Task<StepEnd> Fails(StepContext<string> step, CancellationToken cancellation) => Task.FromResult(StepEnd.Failed("it cannot"));
        return new OperationDefinition<string>
        {
            Kind = "test-stuck",
            Steps = [new("first", (_, _) => Task.FromResult(StepEnd.Done), Undo.By<string>(Fails)), new("second", Fails, Undo.None<string>("nothing was done"))],
        };
    }
}
