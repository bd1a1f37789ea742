using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Edge.Acme;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>Handshakes of real clients: who gets which certificate, and who gets none.</summary>
public sealed class TlsPortTests : IDisposable
{
    private const string Host = "app.example.org";
    private readonly TempFolder _folder = new();
    private readonly TempFolder _files = new();
    private readonly TestAuthority _authority = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        _files.Dispose();
    }

    [Fact]
    public async Task Curl_trusts_what_it_is_shown_and_speaks_either_version_of_HTTP()
    {
        await using var instance = await Instance.StartAsync(c => c.Response.WriteAsync($"{c.Request.Headers["X-Forwarded-Proto"]} {c.Request.Headers["X-Forwarded-For"]}"));
        await using var edge = await EdgeAsync(instance);

        Assert.Equal("https 127.0.0.1|200 1.1\n", await CurlAsync(edge, "--http1.1", "-w", "|%{http_code} %{http_version}\\n", Url(edge, Host)));
        Assert.Equal("https 127.0.0.1|200 2\n", await CurlAsync(edge, "--http2", "-w", "|%{http_code} %{http_version}\\n", Url(edge, Host)));
        Assert.Equal("https 127.0.0.1|200 2\n", await CurlAsync(edge, "--tlsv1.2", "--tls-max", "1.2", "-w", "|%{http_code} %{http_version}\\n", Url(edge, "wild.example.org")));
        Assert.Equal((2, 1), (edge.Metric(Handshakes("served", "1.3")), edge.Metric(Handshakes("served", "1.2"))));
    }

    [Fact]
    public async Task A_host_of_another_script_is_found_by_either_version_of_HTTP()
    {
        const string host = "xn--bcher-kva.example.org";
        await using var instance = await Instance.SayingAsync("Bücher");
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        edge.Table.Apply(Of(1, Route(host, instance.Target)));
        edge.Certificates.Serve(1, _authority.Issue(host), host);
        File.WriteAllText(_files["root.pem"], _authority.Root);
        Assert.Equal("Bücher", await CurlAsync(edge, "--http1.1", Url(edge, host)));
        Assert.Equal("Bücher", await CurlAsync(edge, "--http2", Url(edge, host)));
    }

    [Fact]
    public async Task Who_names_no_host_or_one_that_is_not_here_is_refused_with_an_alert()
    {
        await using var edge = await EdgeAsync(null);

        Assert.Contains("unrecognized name", await SayAsync(edge, "-noservername"), StringComparison.Ordinal);
        Assert.Contains("unrecognized name", await SayAsync(edge, "-servername", "other.example.com"), StringComparison.Ordinal);
        Assert.Contains("unrecognized name", await SayAsync(edge, "-servername", "other.example.com", "-tls1_2"), StringComparison.Ordinal);
        Assert.Contains("protocol version", await SayAsync(edge, "-servername", Host, "-tls1_1"), StringComparison.Ordinal);
        Assert.Contains("no application protocol", await SayAsync(edge, "-servername", Host, "-alpn", "acme-tls/1"), StringComparison.Ordinal);
        using (var plain = await Client.OpenAsync(edge.TlsPort))
        {
            await plain.SendAsync("GET / HTTP/1.1\r\nHost: app.example.org\r\n\r\n");
            await Assert.ThrowsAsync<IOException>(() => plain.UntilAsync("HTTP"));
        }
        await Eventually.TrueAsync(() => (edge.Metric(Handshakes("no-name", "none")), edge.Metric(Handshakes("unknown-name", "none"))) == (1, 2), "who was refused is counted");
        await Eventually.TrueAsync(() => edge.Metric(Handshakes("failed", "none")) >= 2, "who could not agree is counted");
        Assert.Equal((0, 0), (edge.Metric(Handshakes("served", "1.3")), edge.Metric(Handshakes("served", "1.2"))));
    }

    [Fact]
    public async Task A_client_that_says_nothing_is_cut_off()
    {
        var clock = new ManualClock();
        await using var edge = await EdgeHost.StartAsync(_folder.Path, clock: clock);
        using var silent = await Client.OpenAsync(edge.TlsPort);
        // The server's own timer ends the handshake; ours tells why it ended.
        await Eventually.TrueAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return edge.Metric(Handshakes("timeout", "none")) == 1;
        }, "the handshake timed out");
    }

    [Theory]
    [InlineData("-tls1_2", "Reused, TLSv1.2")]
    [InlineData("-tls1_3", "Reused, TLSv1.3")]
    public async Task A_session_is_resumed(string version, string words)
    {
        await using var instance = await Instance.SayingAsync("hello");
        await using var edge = await EdgeAsync(instance);

        var first = await SayAsync(edge, "-servername", Host, version, "-ign_eof", "-sess_out", _files["session"]);
        Assert.Contains("hello", first, StringComparison.Ordinal);
        Assert.DoesNotContain("unexpected eof", first, StringComparison.Ordinal);
        Assert.DoesNotContain("Reused", first, StringComparison.Ordinal);
        Assert.Contains(words, await SayAsync(edge, "-servername", Host, version, "-ign_eof", "-sess_in", _files["session"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_word_of_the_responder_is_stapled_where_a_certificate_names_one()
    {
        var port = FreePort.Next();
        await using var edge = await EdgeHost.StartAsync(_folder.Path);
        var certificate = _authority.Issue(new Uri($"http://127.0.0.1:{port}/"), withRoot: true, Host);
        using var responder = await Responder.StartAsync(_files, _authority, certificate, port);
        edge.Certificates.Serve(1, certificate, Host);

        try
        {
            await Eventually.TrueAsync(
                async () => (await SayAsync(edge, "-servername", Host, "-status")).Contains("OCSP Response Status: successful", StringComparison.Ordinal), "a status is stapled");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {responder.Said}", e);
        }
        Assert.Contains("Cert Status: good", await SayAsync(edge, "-servername", Host, "-status"), StringComparison.Ordinal);

        edge.Certificates.Serve(2, _authority.Issue(Host), Host);
        Assert.Contains("OCSP response: no response sent", await SayAsync(edge, "-servername", Host, "-status"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Certificates_are_replaced_under_load_and_nobody_notices()
    {
        await using var instance = await Instance.SayingAsync("ok");
        await using var edge = await EdgeAsync(instance);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        using var stop = new CancellationTokenSource();
        using var kept = TlsClients.At(edge.TlsPort, s => { lock (seen) seen.Add(s); });
        Assert.Equal("ok", await kept.GetStringAsync(new Uri($"https://{Host}/"), Stop));
        var before = Assert.Single(seen);
        var answered = 0;
        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                using var fresh = TlsClients.At(edge.TlsPort);
                for (var i = 0; i < 3; i++)
                    Assert.Equal("ok", await fresh.GetStringAsync(new Uri($"https://{Host}/{i}"), Stop));
                Interlocked.Increment(ref answered);
            }
        }, Stop)).ToList();
        for (var generation = 2; generation < 30; generation++)
        {
            var at = Volatile.Read(ref answered);
            edge.Certificates.Serve(generation, _authority.Issue(Host), Host);
            await Eventually.TrueAsync(() => Volatile.Read(ref answered) > at || load.Any(l => l.IsCompleted), "the load goes on");
        }
        await stop.CancelAsync();
        await Task.WhenAll(load);

        // The connection from before is the same, and a new one sees the newest certificate.
        Assert.Equal("ok", await kept.GetStringAsync(new Uri($"https://{Host}/"), Stop));
        Assert.Equal([before], seen);
        var now = "";
        await using var again = await TlsClients.OpenAsync(edge.TlsPort, Host, s => now = s);
        Assert.Equal(edge.Certificates.Current.Find(Host)!.Info.Serial, now);
        Assert.Contains("ok", await CurlAsync(edge, Url(edge, Host)), StringComparison.Ordinal);
        Assert.Equal(0, edge.Metric(Handshakes("failed", "none")));
    }

    [Fact]
    public async Task An_authority_is_shown_its_answer_and_everybody_else_the_usual_certificate()
    {
        await using var instance = await Instance.SayingAsync("hello");
        await using var edge = await EdgeAsync(instance);
        edge.Table.Apply(Of(2, Route(Host, instance.Target)) with { Challenges = [new ChallengeAnswer(Host, "token", "token.thumb"), new ChallengeAnswer("new.example.net", "other", "other.thumb")] });
        var expected = TlsAlpnChallenge.Certificate(Host, "token.thumb", TimeProvider.System).Extensions.Single(e => e.Oid!.Value == TlsAlpnChallenge.IdentifierOid);

        await using (var tls = await TlsClients.OpenAsync(edge.TlsPort, Host, null, TlsAlpnChallenge.Protocol))
        {
            using var shown = X509CertificateLoader.LoadCertificate(tls.RemoteCertificate!.GetRawCertData());
            Assert.Equal(expected.RawData, shown.Extensions.Single(e => e.Oid!.Value == TlsAlpnChallenge.IdentifierOid).RawData);
            Assert.Equal(TlsAlpnChallenge.Protocol, tls.NegotiatedApplicationProtocol);
            // Such a connection carries no request.
            Assert.Equal(0, await AskAsync(tls));
        }
        Assert.Contains("hello", await SayAsync(edge, "-servername", Host, "-ign_eof"), StringComparison.Ordinal);
        Assert.Contains("hello", await CurlAsync(edge, Url(edge, Host)), StringComparison.Ordinal);
        // A host that has no certificate yet has its first one asked for so.
        Assert.Contains("acme-tls-alpn-01", await SayAsync(edge, "-servername", "new.example.net", "-alpn", "acme-tls/1"), StringComparison.Ordinal);
        Assert.Contains("unrecognized name", await SayAsync(edge, "-servername", "new.example.net"), StringComparison.Ordinal);
        Assert.Contains("unrecognized name", await SayAsync(edge, "-servername", "wild.example.org", "-alpn", "acme-tls/1"), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => edge.Metric(Handshakes("challenge", "1.3")) == 2, "both were counted");
        Assert.Equal(2, edge.Metric(Handshakes("served", "1.3")));
    }

    [Fact]
    public async Task A_hello_that_comes_byte_by_byte_is_read_while_an_authority_is_awaited()
    {
        await using var instance = await Instance.SayingAsync("hello");
        await using var edge = await EdgeAsync(instance);
        edge.Table.Apply(Of(2, Route(Host, instance.Target)) with { Challenges = [new ChallengeAnswer("new.example.org", "other", "other.thumb")] });
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, edge.TlsPort, Stop);
        await using var tls = new SslStream(new Dribble(socket));
#pragma warning disable CA5359 // Not what this is about.
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = Host, RemoteCertificateValidationCallback = (_, _, _, _) => true }, Stop);
#pragma warning restore CA5359
        Assert.Equal(SslProtocols.Tls13, tls.SslProtocol);
    }

    [Fact]
    public async Task The_status_door_tells_the_certificates_and_no_key()
    {
        await using var edge = await EdgeAsync(null);
        var text = await edge.Status.GetStringAsync(new Uri("/certificates", UriKind.Relative), Stop);
        Assert.Contains("\"*.example.org\"", text, StringComparison.Ordinal);
        Assert.Contains(edge.Certificates.Current.Find(Host)!.Info.Fingerprint, text, StringComparison.Ordinal);
        Assert.DoesNotContain("KEY", text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("1 certificates serve", await edge.Status.GetStringAsync(new Uri("/health", UriKind.Relative), Stop), StringComparison.Ordinal);
    }

    private static string Handshakes(string result, string version) => $"groundcrew_edge_tls_handshakes_total{{result=\"{result}\",version=\"{version}\"}}";

    private static string Url(EdgeHost edge, string host) => $"https://{host}:{edge.TlsPort}/";

    /// <summary>How much comes back; nothing when the connection ends.</summary>
    private static async Task<int> AskAsync(SslStream tls)
    {
        try
        {
            await tls.WriteAsync("GET / HTTP/1.1\r\nHost: app.example.org\r\n\r\n"u8.ToArray(), Stop);
            return await tls.ReadAsync(new byte[100], Stop).AsTask().WaitAsync(Eventually.Limit, Stop);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>An edge with one certificate for the host and an asterisk beside it.</summary>
    private async Task<EdgeHost> EdgeAsync(Instance? instance)
    {
        var edge = await EdgeHost.StartAsync(_folder.Path);
        var target = instance?.Target ?? Dead();
        edge.Table.Apply(Of(1, Route(Host, target), Route("wild.example.org", target)));
        edge.Certificates.Serve(1, _authority.Issue(Host, "*.example.org"), Host, "*.example.org");
        File.WriteAllText(_files["root.pem"], _authority.Root);
        return edge;
    }

    private Task<string> CurlAsync(EdgeHost edge, params string[] words) => Programs.SayAsync(
        "", "curl", ["-sS", "--cacert", _files["root.pem"], "--connect-to", $"::127.0.0.1:{edge.TlsPort}", .. words]);

    /// <summary>What s_client says; its request asks for the connection's end.</summary>
    private static Task<string> SayAsync(EdgeHost edge, params string[] words) => Programs.SayAsync(
        $"GET / HTTP/1.1\r\nHost: {Host}\r\nConnection: close\r\n\r\n", "openssl", ["s_client", "-connect", $"127.0.0.1:{edge.TlsPort}", .. words]);

    /// <summary>openssl's own responder.</summary>
    private sealed class Responder : IDisposable
    {
        private readonly System.Diagnostics.Process _process;
        private readonly System.Collections.Concurrent.ConcurrentQueue<string?> _said = [];

        private Responder(System.Diagnostics.Process process)
        {
            _process = process;
            process.ErrorDataReceived += (_, e) => _said.Enqueue(e.Data);
            process.BeginErrorReadLine();
        }

        public string Said => string.Join('\n', _said);

        public static async Task<Responder> StartAsync(TempFolder files, TestAuthority authority, KeyedCertificate certificate, int port)
        {
            using var own = X509Certificate2.CreateFromPem(certificate.Chain);
            File.WriteAllText(files["signer.pem"], authority.Signer.Certificate);
            File.WriteAllText(files["signer.key"], authority.Signer.Key);
            File.WriteAllText(files["index.txt"], $"V\t{own.NotAfter.ToUniversalTime().ToString("yyMMddHHmmss", CultureInfo.InvariantCulture)}Z\t\t{own.SerialNumber}\tunknown\t/CN={Host}\n");
            var start = new System.Diagnostics.ProcessStartInfo("openssl") { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
            foreach (var word in (string[])["ocsp", "-index", files["index.txt"], "-port", $"{port}", "-rsigner", files["signer.pem"], "-rkey", files["signer.key"], "-CA", files["signer.pem"], "-nmin", "5"])
                start.ArgumentList.Add(word);
            var responder = new Responder(System.Diagnostics.Process.Start(start)!);
            await Eventually.TrueAsync(() => responder.Said.Contains("waiting for OCSP client connections", StringComparison.Ordinal), "the responder listens");
            return responder;
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    /// <summary>Sends every byte by itself.</summary>
    private sealed class Dribble(Socket socket) : NetworkStream(socket, ownsSocket: true)
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (var i = 0; i < buffer.Length; i++)
                await base.WriteAsync(buffer.Slice(i, 1), cancellationToken);
        }
    }
}
