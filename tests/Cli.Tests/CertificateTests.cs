using Groundcrew.Contract;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary><c>crew edge certs</c>: what is shown, what is asked of the control plane, and how it ends.</summary>
public sealed class CertificateTests
{
    private const string Host = "shop.example.org";
    private static readonly Guid First = new("019c0000-0000-7000-8000-0000000000a1"), Second = new("019c0000-0000-7000-8000-0000000000a2");

    private static CertificateView Certificate(string name, string state, string source, double days, Guid? id = null, string? problem = null) => new(
        name, state, problem, source == "imported" ? null : Crew.Now.AddDays(days - 30), 1, 2)
    {
        Id = id ?? First, Names = [name], Source = source, Issuer = "CN=Issuer", Serial = "4711", Fingerprint = new string('a', 64), NotBefore = Crew.Now.AddDays(days - 90),
        NotAfter = Crew.Now.AddDays(days), MadeAt = Crew.Now.AddDays(days - 90), Actor = source == "imported" ? "ann" : "platform",
    };

    private static CertificateView Missing(string problem) => new(Host, "missing", problem, null, 0, 2) { Names = [Host] };

    [Fact]
    public async Task The_list_begins_with_what_ends_first()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge/certificates", new[]
        {
            Certificate("*.example.org", "expiring", "imported", 12, problem: "It ends soon. Import a newer one."),
            Certificate("web-acme.localhost", "valid", "development", 80) with { EdgesServing = 2 },
            Missing("Nobody makes certificates."),
            Certificate("api.example.org", "expired", "acme", -2, problem: "CAA forbids it"),
        });
        await ShowsAsync(control, "edge-certs", "edge", "certs");
        Assert.Equal("GET edge/certificates?limit=1000", control.Asked.Last().Line);
    }

    [Fact]
    public async Task One_is_shown_with_all_that_is_known()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says($"GET edge/certificates/{Host}", Certificate(Host, "failing", "acme", 20, problem: "CAA forbids it"));
        await ShowsAsync(control, "edge-certs-show", "edge", "certs", "show", Host);
    }

    [Fact]
    public async Task Nothing_yet_says_what_comes_next()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge/certificates", Array.Empty<CertificateView>());
        using var crew = new Crew(control);
        var none = await crew.AsScriptAsync("edge", "certs");
        none.Ends(ExitCode.Ok);
        Assert.Contains("crew edge certs authority", none.Error, StringComparison.Ordinal);
        Assert.Equal("[]", (await crew.AsScriptAsync("edge", "certs", "list", "--json")).Out.Trim());
    }

    [Fact]
    public async Task Files_are_imported_and_what_is_missing_is_said()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("POST edge/certificates", Certificate("*.example.org", "valid", "imported", 90), 201);
        using var crew = new Crew(control);
        var (chain, key) = (crew.Write("chain.pem", "the chain"), crew.Write("key.pem", "the key"));
        var imported = await crew.AsScriptAsync("edge", "certs", "import", chain, "--key", key, "--replace");
        imported.Ends(ExitCode.Ok);
        Assert.Contains("*.example.org until 2026-06-02", imported.Out, StringComparison.Ordinal);
        Assert.Equal("""{"chain":"the chain","key":"the key","replace":true}""", control.Asked.Last().Body);
        Assert.NotNull(control.Asked.Last().Key);
        (await crew.AsScriptAsync("edge", "certs", "import", chain)).Ends(ExitCode.Usage);
        (await crew.AsScriptAsync("edge", "certs", "import", chain, "--key", key + ".none")).Ends(ExitCode.Failed);
        (await crew.AsScriptAsync("edge", "certs", "import", crew.Write("long.pem", new string('x', 300_001)), "--key", key)).Ends(ExitCode.Refused);
    }

    [Fact]
    public async Task A_renewal_is_followed_to_its_end()
    {
        await using var control = await FakeControl.StartAsync();
        var looks = 0;
        control.Does($"GET edge/certificates/{Host}", http => FakeControl.AnswerAsync(http, ++looks switch
        {
            1 => Certificate(Host, "valid", "acme", 20),
            2 => Certificate(Host, "renewing", "acme", 20) with { NextAttempt = Crew.Now },
            _ => Certificate(Host, "valid", "acme", 90, Second),
        })).Says($"POST edge/certificates/{Host}/renew", Certificate(Host, "renewing", "acme", 20), 202);
        using var crew = new Crew(control);
        var renewed = await crew.AsScriptAsync("edge", "certs", "renew", Host);
        renewed.Ends(ExitCode.Ok);
        Assert.Contains($"{Host} has a new certificate until 2026-06-02", renewed.Out, StringComparison.Ordinal);
        Assert.Equal(3, looks);
        var asked = await crew.AsScriptAsync("edge", "certs", "renew", Host, "--wait", "false");
        asked.Ends(ExitCode.Ok);
        Assert.Contains($"crew edge certs show {Host}", asked.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_renewal_that_fails_or_has_to_wait_says_why()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says($"POST edge/certificates/{Host}/renew", Certificate(Host, "renewing", "acme", 20), 202);
        using var crew = new Crew(control);
        control.Says($"GET edge/certificates/{Host}", Certificate(Host, "failing", "acme", 20, problem: "CAA forbids it"));
        var failed = await crew.AsScriptAsync("edge", "certs", "renew", Host);
        failed.Ends(ExitCode.Failed);
        Assert.Contains("CAA forbids it", failed.Error, StringComparison.Ordinal);
        control.Says($"GET edge/certificates/{Host}", Certificate(Host, "renewing", "acme", 20, problem: "too many orders") with { NextAttempt = Crew.Now.AddHours(2) });
        var limited = await crew.AsScriptAsync("edge", "certs", "renew", Host);
        limited.Ends(ExitCode.Failed);
        Assert.Contains("may not be asked", limited.Error, StringComparison.Ordinal);
        Assert.Contains("too many orders", limited.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_import_is_removed_when_that_is_confirmed()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says("GET edge/certificates/shop.example.org", Certificate("*.example.org", "valid", "imported", 20)).Says($"DELETE edge/certificates/{First}", Certificate("*.example.org", "valid", "imported", 20));
        using var crew = new Crew(control);
        (await crew.AsScriptAsync("edge", "certs", "remove", Host)).Ends(ExitCode.Usage);
        var removed = await crew.AsScriptAsync("edge", "certs", "remove", Host, "--yes");
        removed.Ends(ExitCode.Ok);
        Assert.Contains("*.example.org is forgotten", removed.Out, StringComparison.Ordinal);
        control.Says("GET edge/certificates/shop.example.org", Missing("Nobody makes certificates."));
        (await crew.AsScriptAsync("edge", "certs", "remove", Host, "--yes")).Ends(ExitCode.NotFound);
    }

    [Fact]
    public async Task Who_makes_certificates_is_shown_and_set()
    {
        await using var control = await FakeControl.StartAsync();
        var acme = new CertificateAuthorityView("acme", "https://ca.internal/acme/directory", ["mailto:ops@example.org"], "http-01", "PEM", "kid", Crew.Now.AddDays(-3), "ann");
        control.Says("GET edge/certificate-authority", acme).Says("PUT edge/certificate-authority", acme);
        await ShowsAsync(control, "edge-certs-authority", "edge", "certs", "authority");
        using var crew = new Crew(control);
        (await crew.AsScriptAsync("edge", "certs", "authority", "set", "letsencrypt", "--email", "ops@example.org", "--agree-to-terms")).Ends(ExitCode.Ok);
        Assert.Equal("""{"kind":"acme","directory":"letsencrypt","contacts":["ops@example.org"],"termsAgreed":true}""", control.Asked.Last().Body);
        (await crew.AsScriptAsync("edge", "certs", "authority", "set", "https://ca.internal/dir", "--agree-to-terms", "--challenge", "tls-alpn-01", "--roots", crew.Write("ca.pem", "the roots"),
            "--eab-key-id", "kid", "--eab-key-file", crew.Write("mac", "the-mac\n"))).Ends(ExitCode.Ok);
        Assert.Equal("""{"kind":"acme","directory":"https://ca.internal/dir","termsAgreed":true,"challenge":"tls-alpn-01","roots":"the roots","externalKeyId":"kid","externalKey":"the-mac"}""", control.Asked.Last().Body);
        control.Says("PUT edge/certificate-authority", new CertificateAuthorityView("none", null, [], null, null, null, Crew.Now, "ann"));
        var none = await crew.AsScriptAsync("edge", "certs", "authority", "set", "none");
        none.Ends(ExitCode.Ok);
        Assert.Equal("""{"kind":"none"}""", control.Asked.Last().Body);
        Assert.Contains("only imported ones serve", none.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_development_authority_goes_to_stdout_or_a_file_and_how_to_trust_it_to_stderr()
    {
        const string Pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n";
        await using var control = await FakeControl.StartAsync();
        control.Does("GET edge/development-authority", http => Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(http.Response, Pem));
        using var crew = new Crew(control);
        var shown = await crew.AsScriptAsync("edge", "certs", "trust");
        shown.Ends(ExitCode.Ok);
        Assert.Equal(Pem, shown.Out);
        Assert.Contains("curl --cacert groundcrew.pem", shown.Error, StringComparison.Ordinal);
        var file = Path.Combine(crew.Work, "ca.pem");
        var written = await crew.AsScriptAsync("edge", "certs", "trust", "--out", file);
        written.Ends(ExitCode.Ok);
        Assert.Equal(("", Pem), (written.Out, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)));
        Assert.Contains($"curl --cacert {file}", written.Error, StringComparison.Ordinal);
        Assert.Equal(Pem, (await crew.AsScriptAsync("edge", "certs", "trust", "--json")).Json().GetProperty("certificate").GetString());
    }

    private static async Task ShowsAsync(FakeControl control, string name, params string[] args)
    {
        using var crew = new Crew(control);
        var ran = await crew.AsPersonAsync([.. args, "--no-color"]);
        Assert.All(ran.Out.Split('\n'), l => Assert.True(l.Length <= 80, l));
        Golden.Screen(name, $"{ran.Out}{ran.Error}exit {ran.Code}\n");
        (await crew.AsScriptAsync([.. args, "--json"])).Json();
    }
}
