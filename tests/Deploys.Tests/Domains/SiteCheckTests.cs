using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>A host is asked as the public would, and nothing that is not public is ever reached by it (ZW-92).</summary>
public sealed class SiteCheckTests : IAsyncLifetime
{
    private const string Host = "shop.example.org";
    private static readonly IPAddress[] Here = [IPAddress.Loopback];
    private readonly int _port = FreePort.Next();
    private readonly int _plainPort = FreePort.Next();
    private readonly X509Certificate2 _authority = Authority();
    private readonly List<string> _asked = [];
    private WebApplication _site = null!;
    private X509Certificate2 _shown = null!;
    private int _status = 200;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _shown = Leaf(Host);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, _plainPort);
            k.Listen(IPAddress.Loopback, _port, l => l.UseHttps(h => h.ServerCertificateSelector = (_, _) => _shown));
        });
        _site = builder.Build();
        _site.Run(http =>
        {
            lock (_asked)
                _asked.Add($"{http.Request.Scheme} {http.Request.Method} {http.Request.Host}{http.Request.Path}");
            http.Response.StatusCode = _status;
            http.Response.Headers.Location = "https://elsewhere.example.org/";
            return http.Response.WriteAsync("nobody's business", http.RequestAborted);
        });
        await _site.StartAsync(Ct);
    }

    public async ValueTask DisposeAsync()
    {
        await _site.DisposeAsync();
        _authority.Dispose();
        _shown.Dispose();
    }

    [Theory]
    [InlineData(200)]
    [InlineData(302)]
    [InlineData(503)]
    public async Task The_status_and_the_end_of_the_certificate_are_told(int status)
    {
        _status = status;
        var answer = await AskAsync();
        Assert.Equal((status, null), (answer.Status, answer.Problem));
        Assert.Equal(new DateTimeOffset(_shown.NotAfter), answer.CertificateEndsAt);
        Assert.Equal(new SiteFinding(status, null, null), await AskAsync("http"));
        Assert.Equal([$"https GET {Host}/", $"http GET {Host}/"], _asked);
    }

    [Fact]
    public async Task A_certificate_that_no_browser_would_take_is_told_and_the_site_not_asked()
    {
        foreach (var (shown, words) in ((X509Certificate2, string)[])
            [(Leaf("www.example.org"), "other names"), (Leaf(Host, daysAgo: 30, days: 10), "not valid at this time"), (Leaf(Host, by: Authority()), "no authority that is trusted")])
        {
            _shown = shown;
            var answer = await AskAsync();
            Assert.Null(answer.Status);
            Assert.Contains(words, answer.Problem, StringComparison.Ordinal);
            Assert.NotNull(answer.CertificateEndsAt);
        }
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task Addresses_of_the_inside_are_not_connected_to_unless_they_are_the_edges()
    {
        var answer = await Check().AskAsync("https", Host, Here, [IPAddress.Parse("192.0.2.1")], Ct);
        Assert.Contains("not public", answer.Problem, StringComparison.Ordinal);
        Assert.Contains("no address", (await Check().AskAsync("https", Host, [], Here, Ct)).Problem, StringComparison.Ordinal);
        Assert.Empty(_asked);
        Assert.Equal(200, (await AskAsync()).Status);
    }

    [Fact]
    public async Task Nobody_there_and_no_TLS_are_told_apart()
    {
        Assert.Contains("nobody answers", (await AskAsync(port: FreePort.Next())).Problem, StringComparison.Ordinal);
        Assert.Contains("TLS", (await AskAsync(port: _plainPort)).Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2001:db8::1", false)]
    public void What_is_public(string address, bool expected) => Assert.Equal(expected, PublicAddress.Is(IPAddress.Parse(address)));

    private Task<SiteFinding> AskAsync(string scheme = "https", int? port = null) => Check(port).AskAsync(scheme, Host, Here, Here, Ct);

    private SiteCheck Check(int? port = null) => new(
        new DeploysOptions("apps.example.net", "") { Domains = new DomainOptions { HttpPort = _plainPort, HttpsPort = port ?? _port, Roots = _authority.ExportCertificatePem() } }, TimeProvider.System);

    private static X509Certificate2 Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Test {RandomNumberGenerator.GetHexString(8)}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddYears(-1), now.AddYears(1));
    }

    private X509Certificate2 Leaf(string name, int daysAgo = 1, int days = 50, X509Certificate2? by = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        var begins = TimeProvider.System.GetUtcNow().AddDays(-daysAgo);
        using var signed = request.Create(by ?? _authority, begins, begins.AddDays(days), RandomNumberGenerator.GetBytes(8));
        using var whole = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pfx), null);
    }
}
