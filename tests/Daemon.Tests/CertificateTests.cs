using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Groundcrew.Contract;
using Groundcrew.Edge;
using Groundcrew.Edge.Acme;
using Groundcrew.Edge.Tests;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Certificates through the doors: shown, imported, renewed and removed; given with their keys to edges alone.</summary>
public sealed class CertificateTests : IAsyncLifetime
{
    private const string Host = "web-acme.localhost";

    private Town _town = null!;

    private ControlHost Control => _town.Host;

    public async ValueTask InitializeAsync() => _town = await Town.BuildAsync();

    public ValueTask DisposeAsync() => _town.DisposeAsync();

    [Fact]
    public async Task Every_host_is_listed_with_its_certificate_and_its_edges()
    {
        await Eventually.TrueAsync(async () => (await ListAsync()).All(c => c.EdgesServing == 1), "the edge serves the set");
        var all = await ListAsync();
        Assert.Equal(["*.example.org", Host], all.Select(c => c.Name).Where(n => n == Host || n.StartsWith('*')));
        var made = await ShowAsync(Host);
        Assert.Equal(("valid", "development", "CN=Groundcrew development authority", 1), (made.State, made.Source, made.Issuer, made.Edges));
        Assert.Equal((64, null), (made.Fingerprint!.Length, made.Problem));
        Assert.True(made.NotBefore < made.MadeAt && made.MadeAt < made.NextAttempt && made.NextAttempt < made.NotAfter);
        Assert.Equal(made.Id, (await ShowAsync(made.Id.ToString()!)).Id);
        Assert.Equal(_town.Certificate, (await ShowAsync("any.example.org")).Id);
        (await Control.GetAsync("/api/v1/edge/certificates/none.test")).IsProblem(404, ProblemCodes.NotFound);
        var page = await Control.GetAsync("/api/v1/edge/certificates?limit=1");
        Assert.Equal("*.example.org", Assert.Single(page.As<CertificateView[]>()).Name);
        Assert.Equal(all[1].Name, (await Control.GetAsync(page.Header("Link")!.Split('>')[0][1..])).As<CertificateView[]>()[0].Name);
        var root = (await Control.GetAsync("/api/v1/edge/development-authority")).Ok(200);
        Assert.Equal("application/x-pem-file", root.ContentType);
        using var read = X509Certificate2.CreateFromPem(root.Text);
        Assert.Equal(made.Issuer, read.Subject);
    }

    [Fact]
    public async Task An_import_is_judged_whole_and_is_taken_once_for_a_key()
    {
        var nothing = (await Control.PostAsync("/api/v1/edge/certificates", "{}")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["chain", "key"], nothing.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        using var one = JsonDocument.Parse(Town.ImportOf("one.example.org"));
        using var two = JsonDocument.Parse(Town.ImportOf("two.example.org"));
        var mixed = JsonSerializer.Serialize(new { chain = one.RootElement.GetProperty("chain").GetString(), key = two.RootElement.GetProperty("key").GetString() });
        Assert.Equal("key-mismatch", Assert.Single((await Control.PostAsync("/api/v1/edge/certificates", mixed)).IsProblem(400, ProblemCodes.BadInput).Problems).Code);
        var body = one.RootElement.GetRawText();
        var first = (await Control.PostAsync("/api/v1/edge/certificates", body, ("Idempotency-Key", "c"))).Ok(201);
        var again = (await Control.PostAsync("/api/v1/edge/certificates", body, ("Idempotency-Key", "c"))).Ok(201);
        Assert.Equal((first.Text, "true", $"/api/v1/edge/certificates/{first.As<CertificateView>().Id}"), (again.Text, again.Header("Idempotency-Replayed"), first.Header("Location")));
        (await Control.PostAsync("/api/v1/edge/certificates", body)).IsProblem(409, ProblemCodes.Conflict);
        (await Control.PostAsync("/api/v1/edge/certificates", body.TrimEnd('}') + ",\"replace\":true}")).Ok(201);
        var key = one.RootElement.GetProperty("key").GetString()!.Split('\n')[1];
        Assert.DoesNotContain(Control.Log.Records, r => r.Text.Contains(key, StringComparison.Ordinal));
        Assert.DoesNotContain(key, (await Control.GetAsync("/api/v1/audit?limit=1000")).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(key, first.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_platform_makes_is_renewed_and_what_was_imported_is_removed()
    {
        var before = await ShowAsync(Host);
        Assert.Equal("renewing", (await Control.PostAsync($"/api/v1/edge/certificates/{Host}/renew", null)).Ok(202).As<CertificateView>().State);
        await _town.LoopAsync("certificates");
        Assert.NotEqual(before.Id, (await ShowAsync(Host)).Id);
        (await Control.PostAsync("/api/v1/edge/certificates/any.example.org/renew", null)).IsProblem(409, ProblemCodes.Conflict);
        (await Control.PostAsync("/api/v1/edge/certificates/none.test/renew", null)).IsProblem(404, ProblemCodes.NotFound);
        (await DeleteAsync((await ShowAsync(Host)).Id!.Value)).IsProblem(409, ProblemCodes.Conflict);
        (await DeleteAsync(_town.Certificate)).Ok(200);
        (await DeleteAsync(_town.Certificate)).IsProblem(404, ProblemCodes.NotFound);
    }

    [Fact]
    public async Task Who_makes_certificates_is_set_by_an_admin_and_no_key_is_shown()
    {
        var start = (await Control.GetAsync("/api/v1/edge/certificate-authority")).Ok(200).As<CertificateAuthorityView>();
        Assert.Equal(("development", null), (start.Kind, start.SetAt));
        const string Path = "/api/v1/edge/certificate-authority", Mac = "c2VjcmV0LW1hYy1rZXk";
        var bad = (await Control.SendAsync("PUT", Path, Control.Admin, """{"kind":"acme","directory":"http://example.org","challenge":"dns-01"}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["challenge", "directory", "termsAgreed"], bad.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var set = (await Control.SendAsync("PUT", Path, Control.Admin,
            $$"""{"kind":"acme","directory":"letsencrypt-staging","contacts":["ops@example.org"],"termsAgreed":true,"externalKeyId":"kid","externalKey":"{{Mac}}"}""")).Ok(200);
        Assert.Equal(("acme", "http-01", "kid"), (set.As<CertificateAuthorityView>().Kind, set.As<CertificateAuthorityView>().Challenge, set.As<CertificateAuthorityView>().ExternalKeyId));
        Assert.Equal(["mailto:ops@example.org"], set.As<CertificateAuthorityView>().Contacts);
        var shown = (await Control.GetAsync(Path)).Ok(200);
        Assert.DoesNotContain(Mac, set.Text + shown.Text + (await Control.GetAsync("/api/v1/audit")).Text, StringComparison.Ordinal);
        (await Control.SendAsync("PUT", Path, await Control.TokenAsync(Role.OnCall), """{"kind":"none"}""")).IsProblem(403, ProblemCodes.Forbidden);
    }

    [Fact]
    public async Task Keys_are_given_to_edges_alone_and_only_those_that_they_were_named()
    {
        var id = (await ShowAsync(Host)).Id!.Value;
        (await AskAsync(_town.Nodes.Worker, id)).IsProblem(404, ProblemCodes.NotFound);
        (await AskAsync(Guid.Empty, id)).IsProblem(404, ProblemCodes.NotFound);
        (await AskAsync(_town.Nodes.Edge, [.. Enumerable.Repeat(id, CertificatesQuestion.MaxIds + 1)])).IsProblem(400, ProblemCodes.BadInput);
        var given = (await AskAsync(_town.Nodes.Edge, id, Guid.Empty)).Ok(200);
        Assert.Equal("no-store", given.Header("Cache-Control"));
        var material = Assert.Single(given.As<CertificateMaterial[]>());
        using var certificate = X509Certificate2.CreateFromPem(material.Chain, material.Key.Reveal());
        Assert.Equal((id, true), (material.Id, certificate.MatchesHostname(Host)));
        (await Control.SendAsync("POST", $"/link/v1/nodes/{_town.Nodes.Edge}/certificates", Control.Admin, $$"""{"ids":["{{id}}"]}""")).IsProblem(403, ProblemCodes.Forbidden);
    }

    private async Task<CertificateView[]> ListAsync() => (await Control.GetAsync("/api/v1/edge/certificates")).Ok(200).As<CertificateView[]>();

    private async Task<CertificateView> ShowAsync(string hostOrId) => (await Control.GetAsync($"/api/v1/edge/certificates/{hostOrId}")).Ok(200).As<CertificateView>();

    private Task<Answer> DeleteAsync(Guid id) => Control.SendAsync("DELETE", $"/api/v1/edge/certificates/{id}", Control.Admin, (string?)null);

    private Task<Answer> AskAsync(Guid node, params Guid[] ids) => _town.Nodes.PostAsync($"/link/v1/nodes/{node}/certificates", new CertificatesQuestion(ids));
}

/// <summary>The whole way with a real authority: a host of the table, its proof on an edge's sockets, and the set with the certificate.</summary>
public sealed class RealAuthorityTests(Pebble pebble) : IClassFixture<Pebble>
{
    [Theory]
    [InlineData("http-01")]
    [InlineData("tls-alpn-01")]
    public async Task A_custom_domain_gets_its_certificate_and_a_new_one_when_asked(string challenge)
    {
        await using var town = await Town.BuildAsync();
        // An edge's ports, which show what its table holds at that moment.
        ChallengeAnswer? Shown(Func<ChallengeAnswer, bool> isIt) => town.Nodes.Table.Current!.Challenges.FirstOrDefault(isIt);
        await using var ports = await ChallengePorts.StartAsync(
            pebble, (at, path) => Shown(c => c.Host == at && AcmeChallenge.HttpPrefix + c.Token == path)?.Answer,
            name => Shown(c => c.Host == name) is { } c ? TlsAlpnChallenge.Certificate(c.Host, c.Answer, TimeProvider.System) : null);
        var host = $"{challenge}.acme.test";
        (await town.Host.PostAsync("/api/v1/projects/acme/web/domains", $$"""{"host":"{{host}}"}""")).Ok(201);
        var wanted = JsonSerializer.Serialize(new { kind = "acme", directory = pebble.Directory, contacts = new[] { "ops@example.org" }, termsAgreed = true, challenge, roots = pebble.Roots });
        (await town.Host.SendAsync("PUT", "/api/v1/edge/certificate-authority", town.Host.Admin, wanted)).Ok(200);

        await town.LoopAsync("certificates");
        var first = await ShowAsync(town, host);
        Assert.True(first is { State: "valid", Source: "acme" }, $"{first}");
        Assert.StartsWith("CN=Pebble", first.Issuer, StringComparison.Ordinal);
        Assert.Equal([host], first.Names);
        Assert.Empty((await town.Host.Get<Deploys.Routes>().CurrentAsync(TestContext.Current.CancellationToken)).Challenges);
        await Eventually.TrueAsync(() => town.Nodes.Certificates?.Certificates.Any(c => c.Id == first.Id) == true, "the edge is named the certificate");
        await TrustsAsync(town, first.Id!.Value, host);

        (await town.Host.PostAsync($"/api/v1/edge/certificates/{host}/renew", null)).Ok(202);
        await town.LoopAsync("certificates");
        var second = await ShowAsync(town, host);
        Assert.Equal(("valid", false), (second.State, second.Id == first.Id));
    }

    private async Task TrustsAsync(Town town, Guid id, string host)
    {
        var answer = (await town.Nodes.PostAsync($"/link/v1/nodes/{town.Nodes.Edge}/certificates", new CertificatesQuestion([id]))).Ok(200);
        var material = Assert.Single(answer.As<CertificateMaterial[]>());
        using var certificate = X509Certificate2.CreateFromPem(material.Chain, material.Key.Reveal());
        Assert.True(certificate.MatchesHostname(host));
        using var root = await pebble.RootAsync();
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.Add(root);
        chain.ChainPolicy.ExtraStore.ImportFromPem(material.Chain);
        Assert.True(chain.Build(certificate), string.Join("; ", chain.ChainStatus.Select(s => s.StatusInformation)));
    }

    private static async Task<CertificateView> ShowAsync(Town town, string host) =>
        (await town.Host.GetAsync($"/api/v1/edge/certificates/{host}")).Ok(200).As<CertificateView>();
}
