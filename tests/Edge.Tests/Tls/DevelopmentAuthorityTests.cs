using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>The authority of development machines.</summary>
public sealed class DevelopmentAuthorityTests
{
    private readonly DevelopmentAuthority _authority = DevelopmentAuthority.New(TimeProvider.System, "dev.example.test");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("localhost", "localhost")]
    [InlineData("web-a7x9k2m-acme.localhost", "web-a7x9k2m-acme.localhost")]
    [InlineData("*.acme.localhost", "web.acme.localhost")]
    [InlineData("*.dev.example.test", "web.dev.example.test")]
    public async Task A_client_that_trusts_it_shakes_hands_with_a_host_of_development(string name, string asked) =>
        Assert.Null(await ShakeAsync(_authority.Issue(name).Value!, asked));

    [Fact]
    public async Task A_client_that_trusts_it_refuses_another_host() =>
        Assert.NotNull(await ShakeAsync(_authority.Issue("one.localhost").Value!, "two.localhost"));

    [Fact]
    public async Task A_wildcard_of_localhost_itself_is_issued_but_clients_want_more_labels()
    {
        var issued = _authority.Issue("*.localhost", "localhost", "web.localhost").Value!;
        Assert.Null(await ShakeAsync(issued, "web.localhost"));
        Assert.NotNull(await ShakeAsync(issued, "other.localhost"));
    }

    [Theory]
    [InlineData("bank.example.org")]
    [InlineData("*.test")]
    [InlineData("dev.example.test.example.org")]
    public async Task What_a_thief_signs_with_its_key_is_refused_by_clients(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        var stolen = Sign(key, names);
        Assert.NotNull(await ShakeAsync(stolen, name.Replace("*", "x", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_a_thief_signs_for_an_address_is_refused_by_clients()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        Assert.NotNull(await ShakeAsync(Sign(key, names), "127.0.0.1"));
    }

    [Fact]
    public void Names_outside_of_development_are_refused_all_at_once()
    {
        var judged = _authority.Issue("web.localhost", "example.org", "Web.localhost", "", "notlocalhost", "a..localhost", "dev.example.test");
        Assert.Null(judged.Value);
        Assert.Equal(
            ["names[1] outside-development", "names[2] bad-host", "names[3] bad-host", "names[4] outside-development", "names[5] bad-host"],
            judged.Problems.Select(p => $"{p.Path} {p.Code}"));
        Assert.Equal("missing", Assert.Single(_authority.Issue().Problems).Code);
    }

    [Fact]
    public void A_certificate_is_good_for_ninety_days_by_the_clock_that_was_given()
    {
        var clock = new ManualClock();
        var authority = DevelopmentAuthority.New(clock);
        clock.Advance(TimeSpan.FromDays(100));

        var issued = authority.Issue("web.localhost").Value!;

        var info = CertificateJudge.Judge(issued.Chain, issued.Key, ["web.localhost"], clock.GetUtcNow()).Value!;
        Assert.Equal(clock.GetUtcNow().AddDays(90), info.NotAfter);
        Assert.Equal(clock.GetUtcNow().AddHours(-1), info.NotBefore);
        Assert.Equal("CN=Groundcrew development authority", info.Issuer);
        using var own = X509Certificate2.CreateFromPem(authority.Certificate);
        Assert.Equal(new DateTime(2036, 1, 1, 0, 0, 0, DateTimeKind.Utc), own.NotAfter.ToUniversalTime());
    }

    [Fact]
    public void One_that_was_kept_opens_again_and_signs()
    {
        var judged = DevelopmentAuthority.Open(_authority.Certificate, _authority.Key, TimeProvider.System, "dev.example.test");
        var issued = judged.Value!.Issue("web.dev.example.test").Value!;
        Assert.Empty(CertificateJudge.Judge(issued.Chain + _authority.Certificate, issued.Key, ["web.dev.example.test"], TimeProvider.System.GetUtcNow()).Problems);
    }

    [Fact]
    public void One_that_cannot_be_used_says_why()
    {
        var clock = new ManualClock();
        var old = DevelopmentAuthority.New(clock);
        var (certificate, key) = (_authority.Certificate, _authority.Key);
        Assert.Equal("other-domain", Code(DevelopmentAuthority.Open(certificate, key, TimeProvider.System)));
        Assert.Equal("unreadable", Code(DevelopmentAuthority.Open(certificate, old.Key, TimeProvider.System, "dev.example.test")));
        Assert.Equal("unreadable", Code(DevelopmentAuthority.Open("", key, TimeProvider.System, "dev.example.test")));
        Assert.Equal("unreadable", Code(DevelopmentAuthority.Open(certificate, new Secret("x"), TimeProvider.System, "dev.example.test")));
        clock.Advance(TimeSpan.FromDays(3650 - 80));
        Assert.Equal("expired", Code(DevelopmentAuthority.Open(old.Certificate, old.Key, clock)));
    }

    private static string Code(Judged<DevelopmentAuthority> judged) => Assert.Single(judged.Problems).Code;

    private KeyedCertificate Sign(ECDsa key, SubjectAlternativeNameBuilder names)
    {
        using var authority = X509Certificate2.CreateFromPem(_authority.Certificate, _authority.Key.Reveal());
        var request = new CertificateRequest("CN=stolen", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, new DateTimeOffset(authority.NotBefore), new DateTimeOffset(authority.NotAfter), [1, 2, 3]);
        return new KeyedCertificate(certificate.ExportCertificatePem(), new Secret(key.ExportPkcs8PrivateKeyPem()));
    }

    /// <summary>A real handshake with a client that trusts the authority; null when it was content.</summary>
    private async Task<string?> ShakeAsync(KeyedCertificate shown, string asked)
    {
        using var certificate = X509Certificate2.CreateFromPem(shown.Chain, shown.Key.Reveal());
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var near = new TcpClient();
        await near.ConnectAsync((IPEndPoint)listener.LocalEndpoint, Ct);
        using var far = await listener.AcceptTcpClientAsync(Ct);
        await using var server = new SslStream(far.GetStream());
        await using var client = new SslStream(near.GetStream());
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(_authority.Certificate);
        var serving = server.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, Ct);
        string? refusal = null;
        try
        {
            await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = asked, CertificateChainPolicy = trust }, Ct);
        }
        catch (AuthenticationException e)
        {
            refusal = e.Message;
        }
        near.Close();
        await Task.WhenAny(serving);
        return refusal;
    }
}
