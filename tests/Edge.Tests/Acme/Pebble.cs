using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Groundcrew.Edge.Acme;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>
/// A real authority: Pebble with its DNS server, which says that every name is on loopback. It refuses every fifth nonce.
/// Its own HTTPS certificate comes from a <see cref="DevelopmentAuthority"/>.
/// </summary>
public sealed class Pebble : IAsyncLifetime
{
    public const string ExternalKeyId = "kid-1";
    public const string ExternalKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

    private readonly TempFolder _folder = new();
    private readonly DevelopmentAuthority _authority = DevelopmentAuthority.New(TimeProvider.System);
    private readonly List<Process> _processes = [];
    private readonly ConcurrentQueue<string> _said = [];
    private readonly int _port = FreePort.Next();
    private readonly int _managementPort = FreePort.Next();

    public int HttpPort { get; } = FreePort.Next();

    public int TlsPort { get; } = FreePort.Next();

    public Uri Directory => new($"https://localhost:{_port}/dir");

    public bool WantsExternalAccount { get; init; }

    /// <summary>The authority that its servers are trusted by, PEM.</summary>
    public string Roots => _authority.Certificate;

    public async ValueTask InitializeAsync()
    {
        var certificate = _authority.Issue("localhost").Value!;
        await File.WriteAllTextAsync(_folder["cert.pem"], certificate.Chain);
        await File.WriteAllTextAsync(_folder["key.pem"], certificate.Key.Reveal());
        await File.WriteAllTextAsync(_folder["pebble.json"], Config());
        var dns = FreePort.Next();
        Start("pebble-challtestsrv", "-dns01", $"127.0.0.1:{dns}", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
            "-http01", "", "-https01", "", "-tlsalpn01", "", "-management", $"127.0.0.1:{FreePort.Next()}");
        Start("pebble", "-config", _folder["pebble.json"], "-dnsserver", $"127.0.0.1:{dns}");
        using var http = new HttpClient(AcmeClient.NewHandler(Roots));
        await Eventually.TrueAsync(() => AnswersAsync(http), "Pebble answers");
    }

    /// <summary>The root that it signs with, made new at each start.</summary>
    public async Task<X509Certificate2> RootAsync()
    {
        using var http = new HttpClient(AcmeClient.NewHandler(Roots));
        return X509Certificate2.CreateFromPem(await http.GetStringAsync(
            new Uri($"https://localhost:{_managementPort}/roots/0"), TestContext.Current.CancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited)
                process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        _folder.Dispose();
    }

    private string Config() => JsonSerializer.Serialize(new
    {
        pebble = new
        {
            listenAddress = $"127.0.0.1:{_port}",
            managementListenAddress = $"127.0.0.1:{_managementPort}",
            certificate = _folder["cert.pem"],
            privateKey = _folder["key.pem"],
            httpPort = HttpPort,
            tlsPort = TlsPort,
            ocspResponderURL = "",
            externalAccountBindingRequired = WantsExternalAccount,
            externalAccountMACKeys = new Dictionary<string, string>(StringComparer.Ordinal) { [ExternalKeyId] = ExternalKey },
        },
    });

    private async Task<bool> AnswersAsync(HttpClient http)
    {
        if (_processes.FirstOrDefault(p => p.HasExited) is { } ended)
            throw new InvalidOperationException($"{ended.StartInfo.FileName} ended with {ended.ExitCode}: {string.Join('\n', _said)}");
        try
        {
            using var response = await http.GetAsync(Directory);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            return false;
        }
    }

    private void Start(string program, params string[] words)
    {
        var start = new ProcessStartInfo(program, words)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.Path,
            Environment = { ["PEBBLE_VA_NOSLEEP"] = "1", ["PEBBLE_WFE_NONCEREJECT"] = "20", ["PEBBLE_AUTHZREUSE"] = "0" },
        };
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _processes.Add(process);
    }

    private void Keep(string? line)
    {
        if (line is not null && _said.Count < 200)
            _said.Enqueue(line);
    }
}

/// <summary>
/// An edge that shows answers to challenges on the ports where Pebble looks: plain HTTP by Kestrel, and handshakes of
/// <c>acme-tls/1</c> by a listener of its own.
/// </summary>
internal sealed class ChallengeEdge : IAcmeChallenges, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, AcmeChallenge> _byPath = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, X509Certificate2> _byName = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _ending = new();
    private readonly TcpListener _tls;
    private readonly WebApplication _http;
    private Task _serving = Task.CompletedTask;

    private ChallengeEdge(WebApplication http, TcpListener tls) => (_http, _tls) = (http, tls);

    /// <summary>Whether it publishes at all; an edge that does not is one that the authority cannot reach.</summary>
    public bool Silent { get; init; }

    /// <summary>What was published and not withdrawn.</summary>
    public int Shown => _byPath.Count + _byName.Count;

    public ConcurrentQueue<string> Published { get; } = [];

    public ConcurrentQueue<string> Withdrawn { get; } = [];

    public ConcurrentQueue<string> Handshakes { get; } = [];

    public static async Task<ChallengeEdge> StartAsync(Pebble pebble, bool silent = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, pebble.HttpPort));
        var edge = new ChallengeEdge(builder.Build(), new TcpListener(IPAddress.Loopback, pebble.TlsPort)) { Silent = silent };
        edge._http.Run(edge.AnswerAsync);
        await edge._http.StartAsync(TestContext.Current.CancellationToken);
        edge._tls.Start();
        edge._serving = edge.ServeTlsAsync();
        return edge;
    }

    public Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Published.Enqueue(challenge.Name);
        if (Silent)
            return Task.CompletedTask;
        if (challenge.Kind == AcmeChallengeKind.Http01)
            _byPath[challenge.HttpPath] = challenge;
        else
            _byName[challenge.Name] = TlsAlpnChallenge.Certificate(challenge.Name, challenge.KeyAuthorization, TimeProvider.System);
        return Task.CompletedTask;
    }

    public Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Withdrawn.Enqueue(challenge.Name);
        _byPath.TryRemove(challenge.HttpPath, out _);
        if (_byName.TryRemove(challenge.Name, out var certificate))
            certificate.Dispose();
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _tls.Dispose();
        await _serving;
        await _http.DisposeAsync();
        _ending.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (_byPath.TryGetValue(context.Request.Path, out var challenge) && context.Request.Host.Host == challenge.Name)
            await context.Response.WriteAsync(challenge.KeyAuthorization);
        else
            context.Response.StatusCode = StatusCodes.Status404NotFound;
    }

    private async Task ServeTlsAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _tls.AcceptTcpClientAsync(_ending.Token);
                await ShakeAsync(client);
            }
        }
        catch (OperationCanceledException)
        {
            // The test ends.
        }
    }

    private async Task ShakeAsync(TcpClient client)
    {
        await using var tls = new SslStream(client.GetStream());
        try
        {
            await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ApplicationProtocols = [TlsAlpnChallenge.Protocol],
                ServerCertificateSelectionCallback = (_, name) => _byName[name!],
            }, _ending.Token);
            Handshakes.Enqueue(tls.NegotiatedApplicationProtocol.ToString());
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException or KeyNotFoundException)
        {
            Handshakes.Enqueue(e.Message);
        }
    }
}
