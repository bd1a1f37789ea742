using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>What stands between a target and its scrape: certificates, credentials, redirects, lists of targets behind addresses.</summary>
public sealed class TransportTests
{
    [Theory]
    [InlineData("", false)]
    [InlineData("insecure_skip_verify: true", true)]
    [InlineData("ca_file: 'CA', server_name: scrape.test", true)]
    [InlineData("ca_file: 'CA'", false)]
    [InlineData("ca_file: 'CA', server_name: other.test", false)]
    [InlineData("ca_file: 'CA.missing', server_name: scrape.test", false)]
    public async Task A_target_behind_TLS_is_trusted_as_the_job_says(string tls, bool up)
    {
        using var folder = new TempFolder();
        using var served = Certificate(folder["ca.pem"]);
        using var listener = new TcpListener(IPAddress.Loopback, FreePort.Next());
        listener.Start();
        var serving = ServeAsync(listener, served, []);

        var health = await ScrapeAsync($"scheme: https, tls_config: {{{tls.Replace("CA", folder["ca.pem"], StringComparison.Ordinal)}}}, static_configs: [{{targets: ['{listener.LocalEndpoint}']}}]");

        Assert.Equal(up ? TargetHealth.Up : TargetHealth.Down, health.Health);
        Assert.Equal(up, health.LastError.Length == 0);
        listener.Stop();
        await serving;
    }

    [Theory]
    [InlineData("server_name: scrape.test, insecure_skip_verify: true", "127.0.0.1", "scrape.test")]
    [InlineData("server_name: scrape.test, insecure_skip_verify: true", "localhost", "scrape.test")]
    [InlineData("server_name: other.test, ca_file: 'CA'", "localhost", "other.test")]
    [InlineData("insecure_skip_verify: true", "localhost", "localhost")]
    [InlineData("insecure_skip_verify: true", "127.0.0.1", "")]
    public async Task The_server_is_asked_for_by_the_name_of_the_settings(string tls, string host, string sent)
    {
        using var folder = new TempFolder();
        using var served = Certificate(folder["ca.pem"]);
        using var listener = new TcpListener(IPAddress.Loopback, FreePort.Next());
        listener.Start();
        var heard = new List<string>();
        var serving = ServeAsync(listener, served, heard);

        foreach (var version in (string[])["", ", enable_http2: false"])
            await ScrapeAsync(
                $"scheme: https, tls_config: {{{tls.Replace("CA", folder["ca.pem"], StringComparison.Ordinal)}}}, static_configs: [{{targets: ['{host}:{((IPEndPoint)listener.LocalEndpoint).Port}']}}]{version}");

        listener.Stop();
        await serving;
        Assert.Equal([sent, sent], heard);
    }

    [Fact]
    public async Task A_target_without_TLS_may_redirect_to_one_with_it_and_the_name_is_sent_there()
    {
        using var folder = new TempFolder();
        using var served = Certificate(folder["ca.pem"]);
        using var listener = new TcpListener(IPAddress.Loopback, FreePort.Next());
        listener.Start();
        var heard = new List<string>();
        var serving = ServeAsync(listener, served, heard);
        await using var plain = new TinyTarget();
        plain.Answer = (stream, _, stop) => stream.WriteAsync(TinyTarget.Http("", status: "302 Found", more: $"Location: https://{listener.LocalEndpoint}/\r\n"), stop).AsTask();

        var health = await ScrapeAsync($"tls_config: {{ca_file: '{folder["ca.pem"]}', server_name: scrape.test}}, static_configs: [{{targets: ['{plain.Address}']}}]");

        listener.Stop();
        await serving;
        Assert.Equal(("", "scrape.test"), (health.LastError, Assert.Single(heard)));
    }

    [Fact]
    public async Task Credentials_are_read_when_they_are_needed_and_do_not_follow_to_another_address()
    {
        using var folder = new TempFolder();
        await using var other = new TinyTarget("x 1\n");
        await using var target = new TinyTarget();
        target.Answer = (stream, _, stop) => stream.WriteAsync(TinyTarget.Http("", status: "302 Found", more: $"Location: http://{other.Address}/elsewhere\r\n"), stop).AsTask();
        File.WriteAllText(folder["token"], "first\n");
        var job = $"authorization: {{credentials_file: '{folder["token"]}'}}, static_configs: [{{targets: ['{target.Address}']}}]";

        Assert.Equal("", (await ScrapeAsync(job)).LastError);
        File.WriteAllText(folder["token"], "second\n");
        Assert.Equal("", (await ScrapeAsync(job)).LastError);

        Assert.Contains("Authorization: Bearer first\r\n", target.Requests[0], StringComparison.Ordinal);
        Assert.Contains("Authorization: Bearer second\r\n", target.Requests[1], StringComparison.Ordinal);
        Assert.Equal(2, other.Requests.Count);
        Assert.All(other.Requests, r => Assert.DoesNotContain("Authorization", r, StringComparison.OrdinalIgnoreCase));
        Assert.All(other.Requests, r => Assert.StartsWith("GET /elsewhere ", r, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Targets_behind_an_address_are_scraped_and_a_list_that_fails_changes_nothing()
    {
        await using var target = new TinyTarget("x 1\n");
        await using var list = new TinyTarget();
        var answer = $"[{{\"targets\": [\"{target.Address}\"], \"labels\": {{\"zone\": \"a\"}}}}]";
        list.Answer = (stream, _, stop) => stream.WriteAsync(TinyTarget.Http(answer, "application/json"), stop).AsTask();
        var clock = new ManualClock();
        var registry = new MetricRegistry();
        await using var scraper = new Scraper(new MemorySink(), new(), registry, clock);
        scraper.Apply(Good($"http_sd_configs: [{{url: 'http://{list.Address}/targets', refresh_interval: 30s, basic_auth: {{username: u, password: p}}}}]"));
        await Eventually.TrueAsync(() => scraper.Targets.Count == 1, "the list");
        Assert.Equal(("a", $"http://{list.Address}/targets"), (scraper.Targets[0].Labels.Get("zone"), scraper.Targets[0].DiscoveredLabels.Get("__meta_url")));
        Assert.Contains("Authorization: Basic dTpw\r\n", list.Requests[0], StringComparison.Ordinal);

        answer = "{";
        await Eventually.TrueAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return !registry.WriteText().Contains("prometheus_sd_http_failures_total 0", StringComparison.Ordinal);
            },
            "the damaged list");
        Assert.Single(scraper.Targets);
    }

    private static PrometheusConfig Good(string job)
    {
        var judged = PrometheusConfig.Parse($"global: {{scrape_interval: 15s}}\nscrape_configs: [{{job_name: j, {job}}}]");
        return judged.Value ?? throw new InvalidOperationException(string.Join('\n', judged.Problems));
    }

    private static async Task<TargetStatus> ScrapeAsync(string job)
    {
        var clock = new ManualClock();
        await using var scraper = new Scraper(new MemorySink(), new(), new(), clock);
        scraper.Apply(Good(job));
        await Eventually.TrueAsync(() => scraper.Targets[0].NextScrape is not null, "it waits");
        clock.Advance(scraper.Targets[0].NextScrape!.Value - clock.GetUtcNow());
        await Eventually.TrueAsync(() => scraper.Targets[0].Health != TargetHealth.Unknown, "a scrape");
        return scraper.Targets[0];
    }

    /// <summary>A certificate of <c>scrape.test</c> that signed itself; a file tells those who shall trust it.</summary>
    private static X509Certificate2 Certificate(string file)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=scrape.test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("scrape.test");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        File.WriteAllText(file, certificate.ExportCertificatePem());
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }

    /// <summary>Answers every request, one connection after the other, and notes the names that were asked for.</summary>
    private static async Task ServeAsync(TcpListener listener, X509Certificate2 certificate, List<string> heard)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                await using var stream = new SslStream(client.GetStream());
                try
                {
                    await stream.AuthenticateAsServerAsync(
                        (_, hello, _, _) =>
                        {
                            heard.Add(hello.ServerName);
                            return ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificate = certificate, ApplicationProtocols = [SslApplicationProtocol.Http11] });
                        },
                        null);
                    var asked = await stream.ReadAsync(new byte[16 * 1024]);
                    if (asked > 0)
                        await stream.WriteAsync(TinyTarget.Http("x 1\n"));
                }
                catch (Exception e) when (e is IOException or AuthenticationException)
                {
                    // The other side did not trust us.
                }
            }
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException)
        {
            // The listener is closed (an ObjectDisposedException is an InvalidOperationException, too).
        }
    }
}
