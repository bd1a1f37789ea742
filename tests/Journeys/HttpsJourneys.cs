using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Edge;
using Groundcrew.Edge.Tests;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>A service has HTTPS from its first deploy, and what happens to its certificates costs no request (U-18, ZW-36..38).</summary>
public sealed class HttpsJourneys(Platform platform) : IClassFixture<Platform>
{
    [Fact]
    public async Task A_service_has_https_and_keeps_it_while_certificates_are_made_anew_imported_and_the_edge_is_replaced()
    {
        using var folder = new TempFolder();
        using var actor = new Actor("secure");
        await platform.DeployAsync(actor.Write());
        Expect.Ok(await platform.CrewAsync("edge", "certs", "trust", "--out", folder["ca.pem"]));
        using var root = X509CertificateLoader.LoadCertificateFromFile(folder["ca.pem"]);
        await Eventually.TrueAsync(async () => (await ShowAsync(actor.Host)) is { State: "valid" }, "the host has a certificate");
        var first = await ServedAsync(actor.Host, root);

        await using var visitors = SecureVisitors.Start(platform.EdgeHttpsPort, actor.Host, root);
        Expect.Ok(await platform.CrewAsync("edge", "certs", "renew", actor.Host));
        var second = await ServedAsync(actor.Host, root);
        Assert.NotEqual(first, second);

        Expect.Ok(await platform.CrewAsync("edge", "restart"));
        Assert.Equal(second, await ServedAsync(actor.Host, root));

        await platform.KillAsync("control", "agent");
        Assert.Equal(((HttpStatusCode?)HttpStatusCode.OK, second), await SecureVisitors.LookAsync(platform.EdgeHttpsPort, actor.Host, root));
        await platform.ReadyAsync();
        await visitors.StopWithoutFailureAsync("certificates made anew, edge replaced, control plane and agent killed");

        var brought = Brought(actor.Host, folder);
        Expect.Ok(await platform.CrewAsync("edge", "certs", "import", folder["brought.pem"], "--key", folder["brought.key"]));
        using var own = X509CertificateLoader.LoadCertificateFromFile(folder["brought-root.pem"]);
        Assert.Equal(brought, await ServedAsync(actor.Host, own));
    }

    private async Task<CertificateView> ShowAsync(string host) => await platform.Client.GetAsync<CertificateView>($"edge/certificates/{host}", Platform.Token);

    /// <summary>What the edge serves once it serves what the control plane has.</summary>
    private async Task<string> ServedAsync(string host, X509Certificate2 root)
    {
        var wanted = (await ShowAsync(host)).Fingerprint;
        await Eventually.TrueAsync(async () => await SecureVisitors.LookAsync(platform.EdgeHttpsPort, host, root) is (HttpStatusCode.OK, var shown) && shown == wanted, "the edge serves it");
        return wanted!;
    }

    /// <summary>A certificate of another authority; its fingerprint.</summary>
    private static string Brought(string host, TempFolder folder)
    {
        var authority = DevelopmentAuthority.New(TimeProvider.System);
        var issued = authority.Issue(host).Value!;
        DurableFiles.Real.Replace(folder["brought.pem"], issued.Chain);
        DurableFiles.Real.Replace(folder["brought.key"], issued.Key.Reveal());
        DurableFiles.Real.Replace(folder["brought-root.pem"], authority.Certificate);
        using var certificate = X509Certificate2.CreateFromPem(issued.Chain);
        return certificate.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256).ToLowerInvariant();
    }
}

/// <summary>The same with a public authority, which a real one (Pebble) plays: RFC 8555 from the command line to the handshake.</summary>
public sealed class PublicAuthorityJourneys(ExamplePlatform platform) : IClassFixture<ExamplePlatform>
{
    [Fact]
    public async Task A_service_gets_the_certificate_of_an_authority_that_looks_at_the_edge()
    {
        await using var pebble = new Pebble { HttpPort = platform.EdgePort, TlsPort = platform.EdgeHttpsPort };
        await pebble.InitializeAsync();
        using var folder = new TempFolder();
        using var actor = new Actor("public");
        await platform.DeployAsync(actor.Write());
        var host = $"public-acme.{ExamplePlatform.BaseDomain}";
        Assert.Equal("missing", (await ShowAsync(host)).State);

        DurableFiles.Real.Replace(folder["roots.pem"], pebble.Roots);
        foreach (var challenge in (string[])["http-01", "tls-alpn-01"])
        {
            Expect.Ok(await platform.CrewAsync("edge", "certs", "authority", "set", $"{pebble.Directory}", "--email", "ops@example.org", "--agree-to-terms", "--challenge", challenge, "--roots", folder["roots.pem"]));
            await Eventually.TrueAsync(async () => (await ShowAsync(host)) is { State: "valid", Source: "acme" }, "the authority issued it");
            Expect.Ok(await platform.CrewAsync("edge", "certs", "renew", host));
            using var root = await pebble.RootAsync();
            var wanted = (await ShowAsync(host)).Fingerprint;
            await Eventually.TrueAsync(async () => await SecureVisitors.LookAsync(platform.EdgeHttpsPort, host, root) is (HttpStatusCode.OK, var shown) && shown == wanted, "the edge serves it");
        }
        var listed = Expect.Ok(await platform.CrewAsync("edge", "certs", "--json"));
        Assert.Contains(JsonSerializer.Deserialize<CertificateView[]>(listed.Out, Json.Options)!, c => c is { State: "valid", Source: "acme" } && c.Names.SequenceEqual([host]));
        Console.WriteLine("journey: certificates of a real authority by http-01 and tls-alpn-01, served by the edge");
    }

    private async Task<CertificateView> ShowAsync(string host) => await platform.Client.GetAsync<CertificateView>($"edge/certificates/{host}", Platform.Token);
}

/// <summary>A platform with a base domain that is no machine's own.</summary>
public sealed class ExamplePlatform : Platform
{
    public const string BaseDomain = "apps.example.test";

    protected override IReadOnlyList<string> Options => ["--base-domain", BaseDomain];
}
