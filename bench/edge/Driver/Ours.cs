using System.Diagnostics;
using System.Globalization;
using Groundcrew.Bedrock;
using Groundcrew.Bench.Deploy;
using Groundcrew.Edge;

namespace Groundcrew.Bench.Edge;

/// <summary>
/// The platform's edge alone, with the table on its disk and no control plane. Everything that it has is on: metrics, the
/// access record in its file, a breaker, and a rate limit that lets everything through.
/// </summary>
internal sealed class Ours(Stage stage, Doors doors, int statusPort, int controlPort, bool inline) : Proxy(SideName, stage, doors)
{
    public const string SideName = "groundcrew";

    private const string Region = "local";

    /// <summary>One port for both versions: the first bytes tell which.</summary>
    public override Uri? Http2 => Http;

    /// <summary>Whose tables it takes.</summary>
    public Guid Platform { get; } = Guid.NewGuid();

    public static RoutePolicy Policy { get; } = new() { Rates = [new RateLimit("everybody", 1_000_000, TimeSpan.FromSeconds(1))] };

    private string StateFolder => Path.Combine(Folder, "edge");

    private string TokenFile => PathOf("node.token");

    public override Task<string> VersionAsync() => Tools.RunAsync(Stage.Crew, ["--version"]);

    /// <summary>What is served when nobody says otherwise.</summary>
    public RouteTable Table(long generation) => new(generation, Platform,
    [
        Route("127.0.0.1", "/", Stage.BackendPorts), Route("127.0.0.1", "/upload", Stage.SinkPorts), Route("127.0.0.1", "/ws", Stage.SinkPorts),
        Route("localhost", "/", Stage.BackendPorts),
    ]);

    public static Route Route(string host, string path, IEnumerable<int> ports, string project = "web") =>
        new(host, "bench", project, "production", $"{project}-bench-0000001", [.. ports.Select(p => new Target(InstanceAt(p), $"127.0.0.1:{p}", Region))])
        {
            Path = path,
            Policy = Policy,
        };

    /// <summary>Ends it, gives it another table and a token with which it dials the control plane, and starts it again.</summary>
    public async Task RestartAsync(RouteTable table, string token, CancellationToken cancellation)
    {
        await DisposeAsync();
        Keep(table);
        await File.WriteAllTextAsync(TokenFile, token, cancellation);
        await StartAsync(cancellation);
    }

    /// <summary>The sum of a metric's series, as the status door says it.</summary>
    public async Task<double> MetricAsync(string name, CancellationToken cancellation)
    {
        var text = await Stage.Client.GetStringAsync($"http://127.0.0.1:{statusPort}/metrics", cancellation);
        var values = text.Split('\n')
            .Where(l => l.StartsWith(name, StringComparison.Ordinal) && l.Length > name.Length && l[name.Length] is ' ' or '{')
            .Select(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture)).ToList();
        return values.Count > 0 ? values.Sum() : throw new InvalidDataException($"The edge has no metric {name}.");
    }

    protected override Task<Process> SpawnAsync()
    {
        if (!File.Exists(Path.Combine(StateFolder, "routes.json")))
            Keep(Table(1));
        var variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = inline ? "1" : "0" };
        return Task.FromResult(Tools.Start(Stage.Crew, Log,
        [
            "serve", "--role", "edge", "--data", Folder, "--edge-port", $"{Ports.Http}", "--edge-https-port", $"{Ports.Tls}", "--edge-status-port", $"{statusPort}",
            "--control-port", $"{controlPort}", "--control", $"http://127.0.0.1:{controlPort}",
        ], variables));
    }

    /// <summary>The edge's own code writes the file, so that it has today's format whatever that is.</summary>
    private void Keep(RouteTable table)
    {
        if (Directory.Exists(StateFolder))
            Directory.Delete(StateFolder, recursive: true);
        Directory.CreateDirectory(StateFolder);
        var outcome = new EdgeTable(new EdgeOptions { StateFolder = StateFolder }, DurableFiles.Real, new MetricRegistry(), new NoSignals(), TimeProvider.System).Apply(table);
        if (outcome is not ApplyOutcome.Applied)
            throw new InvalidDataException($"The edge does not take the table: {outcome}");
        var (id, certificates) = (Guid.NewGuid(), new EdgeCertificates(new EdgeOptions { StateFolder = StateFolder }, DurableFiles.Real, new MetricRegistry(), new NoSignals(), TimeProvider.System));
        outcome = certificates.Apply(
            new CertificateSet(1, Platform, [new CertificateReference(id, ["localhost"])]),
            new Dictionary<Guid, KeyedCertificate> { [id] = new(File.ReadAllText(Stage.Certificate), new Secret(File.ReadAllText(Stage.Key))) });
        if (outcome is not ApplyOutcome.Applied || certificates.State.Problem is not null)
            throw new InvalidDataException($"The edge does not take the certificate: {outcome} {certificates.State.Problem}");
    }

    /// <summary>One instance a port, the same in every table.</summary>
    private static Guid InstanceAt(int port) => new(port, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);

    private sealed class NoSignals : ISignals
    {
        public void Raise(Signal signal) => throw new InvalidOperationException(signal.Message);
    }
}
