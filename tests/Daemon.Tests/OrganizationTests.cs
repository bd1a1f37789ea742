using Groundcrew.Contract;
using Groundcrew.Journal;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>A token of one organization sees and moves nothing of another, at any endpoint; and everything that changes is audited.</summary>
public sealed class OrganizationTests : IAsyncLifetime
{
    private Town _town = null!;

    private ControlHost Host => _town.Host;

    public async ValueTask InitializeAsync() => _town = await Town.BuildAsync();

    public ValueTask DisposeAsync() => _town.DisposeAsync();

    [Fact]
    public void The_town_knows_a_call_for_every_endpoint() =>
        Assert.Equal(
            Host.Endpoints.Where(e => e.Pattern.StartsWith("/api/v1/", StringComparison.Ordinal)).Select(e => $"{e.Method} {e.Pattern}").Order(StringComparer.Ordinal),
            _town.Looks.Concat(_town.Changes).Select(c => c.Name).Order(StringComparer.Ordinal));

    [Fact]
    public async Task Another_organization_is_hidden_at_every_endpoint()
    {
        var other = await Host.TokenAsync(Role.Admin, "other");
        string[] marks = ["acme", _town.Current.Label, _town.Current.Operation.ToString(), Town.Secret];
        // An artifact is known by its bytes: whoever can name the digest has them.
        foreach (var call in _town.Looks.Concat(_town.Changes).Where(c => !c.Pattern.Contains("/artifacts/", StringComparison.Ordinal)))
        {
            var answer = await _town.SendAsync(call, other);
            if (answer.Status is 403 or 404)
                continue;
            Assert.True(call.Method == "GET" && answer.Status == 200, $"{call.Name} answered {answer.Status} {answer.Text}");
            Assert.All(marks, mark => Assert.False(answer.Text.Contains(mark, StringComparison.Ordinal), $"{call.Name} shows {mark}: {answer.Text}"));
            Assert.DoesNotContain("acme", answer.Header("Link") ?? "", StringComparison.Ordinal);
        }
        Assert.Equal("[]", (await Host.GetAsync("/api/v1/deployments?org=acme", other)).Text);
        Assert.Equal("[]", (await Host.GetAsync("/api/v1/instances?org=acme", other)).Text);
        Assert.Equal("[]", (await Host.GetAsync("/api/v1/operations?subject=acme/web", other)).Text);
        Assert.Equal(["shop"], (await ListAfterAsync(other)).Select(p => p.Name));
    }

    [Fact]
    public async Task Its_own_organization_is_open_to_it()
    {
        var own = await Host.TokenAsync(Role.Admin, "acme");
        string[] ofThePlatform =
        [
            "/api/v1/edge", "/api/v1/status", "/api/v1/regions", "/api/v1/nodes", "/api/v1/nodes/{id:guid}", "/api/v1/tokens", "/api/v1/audit", "/api/v1/tokens/{id:guid}",
            "/api/v1/nodes/{id:guid}/drain", "/api/v1/nodes/{id:guid}/enable", "/api/v1/edge/nodes/{id:guid}/drain", "/api/v1/edge/nodes/{id:guid}/undrain", "/api/v1/store/backup",
            "/api/v1/edge/certificates", "/api/v1/edge/certificates/{certificate}", "/api/v1/edge/certificates/{certificate}/renew",
            "/api/v1/edge/certificate-authority", "/api/v1/edge/development-authority",
        ];
        foreach (var call in _town.Looks.Concat(_town.Changes))
        {
            await _town.QuietAsync();
            var answer = await _town.SendAsync(call, own);
            Assert.True(ofThePlatform.Contains(call.Pattern) ? answer.Status == 403 : answer.Status is >= 200 and < 300, $"{call.Name} answered {answer.Status} {answer.Text}");
        }
    }

    [Fact]
    public async Task Every_change_that_succeeds_is_audited_with_its_actor()
    {
        var ann = (await Host.PostAsync("/api/v1/tokens", """{"name":"ann","role":"admin"}""")).Ok(201).As<NewTokenView>().Value;
        foreach (var call in _town.Changes)
        {
            await _town.QuietAsync();
            var before = (await Host.GetAsync("/api/v1/audit?limit=1000")).As<AuditView[]>();
            var answer = await _town.SendAsync(call, ann);
            Assert.True(answer.Status is >= 200 and < 300, $"{call.Name} answered {answer.Status} {answer.Text}");
            var after = (await Host.GetAsync("/api/v1/audit?limit=1000")).As<AuditView[]>();
            Assert.True(after.Length == before.Length + 1, $"{call.Name} wrote {after.Length - before.Length} audit entries");
            Assert.Equal(("ann", "admin"), (after[0].Actor, after[0].Role));
        }
    }

    [Fact]
    public async Task No_secret_and_no_token_is_in_any_answer_log_or_file_of_the_store()
    {
        string[] marks = [Town.Secret, _town.TokenValue, Host.Admin];
        var answers = new List<(string What, string Text)>();
        foreach (var call in _town.Looks.Concat(_town.Changes))
        {
            await _town.QuietAsync();
            var answer = await _town.SendAsync(call, Host.Admin, ("Idempotency-Key", call.Name));
            answers.Add((call.Name, answer.Text + string.Join(' ', answer.Headers.Select(h => h.Value))));
        }
        foreach (var body in (string[])[$"{{\"value\":{{\"{Town.Secret}\":1}}}}", $$"""{"value":"{{Town.Secret}}\u0000"}""", $"{{\"value\":\"{Town.Secret}", $"{{\"value\":\"{Town.Secret}\",}}"])
            answers.Add(($"secret {body}", (await Host.SendAsync("PUT", "/api/v1/secrets/acme/bad", Host.Admin, body)).Text));
        answers.Add(("too long", (await Host.SendAsync("PUT", "/api/v1/secrets/acme/bad", Host.Admin, $$"""{"value":"{{Town.Secret + new string('x', 70_000)}}"}""")).Text));
        answers.AddRange(Host.Log.Records.Select(r => ("the log", r.Text)));
        var fresh = (await Host.PostAsync("/api/v1/tokens", """{"name":"kept","role":"viewer"}""", ("Idempotency-Key", "kept"))).Ok(201).As<NewTokenView>().Value;
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(Host.StoreFile)!, "store.db*"))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, System.Text.Encoding.Latin1);
            var bytes = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
            answers.Add((file, bytes));
            Assert.False(bytes.Contains(fresh, StringComparison.Ordinal), $"a new token is in {file}");
        }
        foreach (var (what, text) in answers)
            Assert.All(marks, mark => Assert.False(text.Contains(mark, StringComparison.Ordinal), $"{mark} is in {what}"));
        Assert.Equal(fresh, (await Host.PostAsync("/api/v1/tokens", """{"name":"kept","role":"viewer"}""", ("Idempotency-Key", "kept"))).Ok(201).As<NewTokenView>().Value);
    }

    private async Task<ProjectView[]> ListAfterAsync(string token)
    {
        (await Host.PostAsync("/api/v1/projects", """{"name":"shop","org":"other"}""")).Ok(201);
        // One page of its own, without a word of what lies between.
        var page = (await Host.GetAsync("/api/v1/projects?limit=1", token)).Ok(200);
        Assert.Null(page.Header("Link"));
        return page.As<ProjectView[]>();
    }
}
