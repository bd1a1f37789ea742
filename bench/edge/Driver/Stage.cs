using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>Everything that stands while the figures are taken: backends, certificates, and the proxies in front of them.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private const int Backends = 3;
    private const int Versions = 2;
    private const int Sinks = 4;
    private readonly Options _options;
    private readonly List<Process> _behind = [];

    private Stage(Options options)
    {
        _options = options;
        Folder = Directory.CreateTempSubdirectory("edge-bench-").FullName;
        var ports = new Queue<int>(Tools.FreePorts(Backends + Versions + Sinks + 2 + (3 * Options.AllSides.Length)));
        int[] Take(int count) => [.. Enumerable.Range(0, count).Select(_ => ports.Dequeue())];
        BackendPorts = Take(Backends);
        VersionPorts = Take(Versions);
        SinkPorts = Take(Sinks);
        ControlPort = ports.Dequeue();
        var statusPort = ports.Dequeue();
        var doors = Options.AllSides.ToDictionary(s => s, _ => new Doors(ports.Dequeue(), ports.Dequeue(), ports.Dequeue()), StringComparer.Ordinal);
        Proxies = [.. options.Sides.Select(Proxy (side) => side switch
        {
            "nginx" => new Nginx(this, doors[side]),
            "haproxy" => new HaProxy(this, doors[side]),
            "caddy" => new Caddy(this, doors[side]),
            _ => new Ours(this, doors[side], statusPort, ControlPort, options.Inline),
        })];
    }

    public string Folder { get; }

    public string Crew => _options.Crew;

    /// <summary>Small answers at <c>/</c>, one of a mebibyte at <c>/large</c>.</summary>
    public int[] BackendPorts { get; }

    /// <summary>The first answers <c>v1</c> at <c>/</c>, the second <c>v2</c>.</summary>
    public int[] VersionPorts { get; }

    /// <summary>Uploads and WebSockets.</summary>
    public int[] SinkPorts { get; }

    /// <summary>Where our edge looks for its control plane. Nobody is there but in <c>swaps</c>.</summary>
    public int ControlPort { get; }

    public IReadOnlyList<Proxy> Proxies { get; }

    public Ours? Ours => Proxies.OfType<Ours>().FirstOrDefault();

    public string Certificate => Path.Combine(Folder, "certificate.pem");

    public string Key => Path.Combine(Folder, "key.pem");

    public string CertificateAndKey => Path.Combine(Folder, "both.pem");

    /// <summary>How many connections fit into a process that holds two files for each.</summary>
    public int MaxConnections { get; } = (OpenFiles() - 200) / 2;

    /// <summary>Asks what stands here; no proxy of the environment is used and every certificate is believed.</summary>
#pragma warning disable MA0039, CA5359 // It only ever speaks to the programs that were started here, with a certificate that was made here.
    public HttpClient Client { get; } = new(new SocketsHttpHandler
    {
        UseProxy = false,
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
    })
    {
        Timeout = TimeSpan.FromSeconds(10),
    };
#pragma warning restore MA0039, CA5359

    public static async Task<Stage> OpenAsync(Options options, CancellationToken cancellation)
    {
        var stage = new Stage(options);
        try
        {
            stage.MakeCertificate();
            await stage.StartBehindAsync(cancellation);
            foreach (var proxy in stage.Proxies)
            {
                await proxy.StartAsync(cancellation);
                await new Correctness(stage, proxy).ProveAsync(cancellation);
            }
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public async Task<Dictionary<string, string>> VersionsAsync()
    {
        var versions = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var proxy in Proxies)
            versions[proxy.Name] = await proxy.VersionAsync();
        return versions;
    }

    public async Task<bool> AnswersAsync(Uri address, CancellationToken cancellation)
    {
        try
        {
            using var answer = await Client.GetAsync(address, cancellation);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false; // Not there yet.
        }
    }

    /// <summary>What every nginx here begins with. As root its workers stay root: the folder is private.</summary>
    public static string NginxHead(string folder) => $$"""
        daemon off;
        {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
        worker_processes auto;
        worker_rlimit_nofile {{OpenFiles()}};
        pid {{folder}}/nginx.pid;
        error_log {{folder}}/error.log warn;
        events {
            worker_connections {{OpenFiles()}};
        }
        """;

    public static string NginxTemporary(string folder) => string.Join(' ', ((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(k => $"{k}_temp_path {folder}/{k};"));

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in Proxies)
            await proxy.DisposeAsync();
        foreach (var process in _behind)
        {
            if (!process.HasExited)
                Tools.Signal(process.Id, "TERM");
            await process.WaitForExitAsync();
            process.Dispose();
        }
        Client.Dispose();
        if (_options.Keep)
            await Console.Error.WriteLineAsync($"kept: {Folder}");
        else
            Directory.Delete(Folder, recursive: true);
    }

    private async Task StartBehindAsync(CancellationToken cancellation)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder, "backend")).FullName;
        var www = Directory.CreateDirectory(Path.Combine(folder, "www")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(www, "large"), Correctness.Large, cancellation);
        await File.WriteAllTextAsync(Path.Combine(folder, "nginx.conf"), $$"""
            {{NginxHead(folder)}}
            http {
                {{NginxTemporary(folder)}}
                access_log off;
                keepalive_requests 1000000000;
                keepalive_timeout 1h;
                sendfile on;
                tcp_nopush on;
                default_type text/plain;
                server {
            {{string.Join('\n', BackendPorts.Select(p => $"        listen 127.0.0.1:{p} backlog=4096;"))}}
                    root {{www}};
                    location = / {
                        return 200 "{{Correctness.Small}}";
                    }
                }
            {{string.Join('\n', VersionPorts.Select((p, i) => $"    server {{ listen 127.0.0.1:{p} backlog=4096; location / {{ return 200 v{i + 1}; }} }}"))}}
            }

            """, cancellation);
        _behind.Add(Tools.Start("nginx", Path.Combine(folder, "output.log"), ["-p", folder, "-e", Path.Combine(folder, "error.log"), "-c", Path.Combine(folder, "nginx.conf")]));
        var self = Path.Combine(AppContext.BaseDirectory, "edge-bench.dll");
        _behind.Add(Tools.Start("dotnet", Path.Combine(Folder, "sink.log"), [self, "backend", .. SinkPorts.Select(p => $"{p}")]));
        foreach (var port in (int[])[.. BackendPorts, .. VersionPorts, .. SinkPorts])
            await AwaitAsync(port, cancellation);
    }

    private async Task AwaitAsync(int port, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await AnswersAsync(new Uri($"http://127.0.0.1:{port}/"), cancellation))
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(15))
                throw new IOException($"Nothing answers on the backend's port {port}; see the logs below {Folder} (--keep leaves it).");
            await Tools.PauseAsync(50, cancellation);
        }
    }

    private void MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(2));
        File.WriteAllText(Certificate, certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(CertificateAndKey, File.ReadAllText(Certificate) + File.ReadAllText(Key));
    }

    /// <summary>How many files a process may open, which the programs started here inherit.</summary>
    private static int OpenFiles()
    {
        var limit = File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[4];
        return limit == "unlimited" ? 1 << 17 : Math.Min(1 << 17, int.Parse(limit));
    }
}
