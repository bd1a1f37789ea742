using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Deploys;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Postgres;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;

namespace Groundcrew.Daemon.Tests;

/// <summary>A worker and an edge that speak the link over HTTP: what is told to run is ready at once, tables are served at once.</summary>
internal sealed class NodesOverHttp : IAsyncDisposable
{
    private readonly ControlHost _host;
    private readonly string _token;
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    private readonly TempFolder _folder = new();

    private NodesOverHttp(ControlHost host, string token)
    {
        (_host, _token) = (host, token);
        Table = new EdgeTable(new EdgeOptions { StateFolder = _folder.Path }, DurableFiles.Real, new MetricRegistry(), new SeenSignals(), TimeProvider.System);
    }

    public Guid Worker { get; private set; }

    public Guid Edge { get; private set; }

    /// <summary>The databases of the worker, which are there by word alone.</summary>
    public DatabasesByWord Databases { get; } = new();

    /// <summary>What the edge serves; no traffic comes there.</summary>
    public EdgeTable Table { get; }

    /// <summary>Whether instances pass their check.</summary>
    public bool IsReady { get; set; } = true;

    /// <summary>The output of every instance, in lines of JSON.</summary>
    public byte[] Output { get; set; } = [];

    /// <summary>The set of certificates that the edge was given last; null when none.</summary>
    public CertificateSet? Certificates { get; private set; }

    public static async Task<NodesOverHttp> StartAsync(ControlHost host)
    {
        var nodes = new NodesOverHttp(host, await host.TokenAsync(Role.Node));
        nodes.Worker = await nodes.HelloAsync("w1", NodeRole.Worker);
        nodes.Edge = await nodes.HelloAsync("e1", NodeRole.Edge);
        nodes._running = Task.WhenAll(nodes.ServeAsync(nodes.Worker, nodes.OfWorkerAsync), nodes.ServeAsync(nodes.Edge, t => Task.FromResult(nodes.OfEdge(t))));
        return nodes;
    }

    public async Task<Guid> HelloAsync(string hostname, NodeRole role)
    {
        var hello = new LinkHello(hostname, role, "local", new NodeCapacity(64_000, 64L << 30), "test");
        return (await PostAsync("/link/v1/hello", hello)).Ok(200).As<LinkWelcome>().NodeId;
    }

    public Task<Answer> PostAsync<T>(string path, T body) => _host.SendAsync("POST", path, _token, JsonSerializer.Serialize(body, Json.Options));

    /// <summary>An edge of another version: it takes tables, and knows no question.</summary>
    public async Task AddOlderEdgeAsync(string hostname) => _running = Task.WhenAll(_running, ServeAsync(await HelloAsync(hostname, NodeRole.Edge), t => Task.FromResult(OfEdge(t))));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
        _folder.Dispose();
    }

    private async Task ServeAsync(Guid node, Func<NodeTask, Task<TaskReport>> report)
    {
        var after = 0L;
        while (!_stop.IsCancellationRequested)
        {
            var answer = await _host.GetAsync($"/link/v1/nodes/{node}/tasks?after={after}&wait=200ms", _token);
            if (answer.Status != 200)
                continue;
            var told = answer.As<LinkTasks>();
            after = told.Revision;
            foreach (var asked in told.Streams)
                await _host.SendAsync("POST", $"/link/v1/streams/{asked.Id}", _token, new ByteArrayContent(await SaysAsync(node, asked)));
            if (told.Tasks.Count == 0)
                continue;
            var reports = new List<TaskReport>();
            foreach (var task in told.Tasks)
                reports.Add(await report(task));
            (await PostAsync($"/link/v1/nodes/{node}/reports", new LinkReports(reports))).Ok(204);
        }
    }

    private async Task<TaskReport> OfWorkerAsync(NodeTask task) =>
        task.Kind is ClusterSpec.TaskKind or ClusterJob.TaskKind ? await Databases.AnswerAsync(task) : OfInstance(task);

    private TaskReport OfInstance(NodeTask task)
    {
        var told = task.Payload.Deserialize<InstanceTask>(Json.Options)!;
        var state = told.Desire == InstanceDesire.Stop ? InstanceState.Stopped : IsReady ? InstanceState.Ready : InstanceState.Starting;
        return Report(task, new InstanceStatus(state, TimeProvider.System.GetUtcNow(), "127.0.0.1:20000", 4711, 0, null, "test"));
    }

    private async Task<byte[]> SaysAsync(Guid node, StreamRequest asked)
    {
        using var answer = new MemoryStream();
        if (asked.Kind == ScrapeQuestion.Kind)
        {
            // What a node would show; the control plane's own metrics stand for it.
            using var relay = new ScrapeRelay(_host.Address, TimeProvider.System);
            await relay.WriteAsync(asked.Payload, answer, CancellationToken.None);
            return answer.ToArray();
        }
        if (asked.Kind == ServerQuestion.Kind)
            return JsonSerializer.SerializeToUtf8Bytes(new ServerAnswer(null, DatabasesByWord.Look(asked.Payload.Deserialize<ServerQuestion>(Json.Options)!.What)), Json.Options);
        if (node == Edge && asked.Kind == EdgeQuestion.Kind)
            await new EdgeAspects(Table).WriteAsync(asked.Payload, answer, CancellationToken.None);
        return node == Worker ? Output : answer.ToArray();
    }

    private TaskReport OfEdge(NodeTask task)
    {
        if (task.Kind == CertificatesReport.Kind)
        {
            Certificates = task.Payload.Deserialize<CertificateSet>(Json.Options)!;
            return Report(task, new CertificatesReport(Certificates.Generation, Certificates.Certificates.Count, null));
        }
        var table = task.Payload.Deserialize<RouteTable>(Json.Options)!;
        var outcome = Table.Apply(table);
        return Report(task, new EdgeReport(table.Generation, [], outcome is ApplyOutcome.RefusedProblems refused ? string.Join("; ", refused.Problems) : null));
    }

    private static TaskReport Report<T>(NodeTask task, T status) => new(task.Key, task.Generation, JsonSerializer.SerializeToElement(status, Json.Options));
}
