using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Groundcrew.Edge.Acme;
using Groundcrew.Tests.Support;
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

    public int HttpPort { get; init; } = FreePort.Next();

    public int TlsPort { get; init; } = FreePort.Next();

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
