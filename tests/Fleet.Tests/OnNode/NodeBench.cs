using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.Tests.OnNode;

/// <summary>A node with a folder of its own, real programs, and sources of memory.</summary>
internal sealed class NodeBench : IArtifactSource, ISecretSource, IAsyncDisposable
{
    public const string Server =
        """
        import http.server, os, signal, sys, threading
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        class H(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                f = os.path.join(os.environ['INSTANCE_DIR'], self.path.strip('/'))
                code = int(open(f).read()) if os.path.exists(f) else 200
                self.send_response(code); self.end_headers()
            def log_message(self, *a): pass
        print('listening', flush=True)
        http.server.ThreadingHTTPServer((os.environ['HOST'], int(os.environ['PORT'])), H).serve_forever()
        """;

    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, byte[]> _artifacts = [];
    private readonly List<Guid> _seen = [];

    public MetricRegistry Metrics { get; private set; } = new();

    public SeenLog Log { get; } = new();

    public Dictionary<string, Secret> Values { get; } = [];

    public bool IsControlPlaneDead { get; set; }

    public int Fetches;

    public InstanceHost Host { get; private set; } = null!;

    public string StateFolder => _folder.Path;

    public InstanceHostOptions Options { get; set; } = new() { StateFolder = "" };

    public TimeProvider Clock { get; set; } = TimeProvider.System;

    public static async Task<NodeBench> StartAsync(Func<InstanceHostOptions, InstanceHostOptions>? change = null)
    {
        var bench = new NodeBench();
        var options = new InstanceHostOptions { StateFolder = bench.StateFolder, SearchPath = Environment.GetEnvironmentVariable("PATH")! };
        bench.Options = change is null ? options : change(options);
        await bench.StartHostAsync();
        return bench;
    }

    public async Task StartHostAsync(DurableFiles? files = null)
    {
        Metrics = new MetricRegistry();
        Host = new InstanceHost(Options with { Files = files ?? DurableFiles.Real }, this, this, Metrics, Clock, Log);
        await Host.StartAsync();
    }

    /// <summary>The agent dies and comes back.</summary>
    public async Task RestartAsync(DurableFiles? files = null)
    {
        await Host.DisposeAsync();
        await StartHostAsync(files);
    }

    public string Add(params (string Name, string Content)[] files) => Add(Pack(files));

    public string Add(byte[] archive)
    {
        var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(archive));
        _artifacts[digest] = archive;
        return digest;
    }

    public void Replace(string digest, byte[] archive) => _artifacts[digest] = archive;

    public static byte[] Pack(params (string Name, string Content)[] files) => Pack(tar =>
    {
        foreach (var (name, content) in files)
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
            {
                DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)),
                Mode = (UnixFileMode)0b111_101_101,
            });
    });

    public static byte[] Pack(Action<TarWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var zip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zip))
            write(tar);
        return bytes.ToArray();
    }

    public InstanceSpec Shell(string line, string? digest = null) => Spec(new RunCommand(line, null), digest);

    public InstanceSpec Python(string program) => Spec(new RunCommand(null, ["python3", "-u", "main.py"]), Add(("main.py", program)));

    public InstanceSpec Spec(RunCommand run, string? digest = null)
    {
        var id = Ids.New(TimeProvider.System);
        _seen.Add(id);
        return new InstanceSpec
        {
            InstanceId = id, Org = "acme", Project = "web", Environment = "production", Deployment = "web-abc1234-acme", Region = "eu",
            Artifact = digest ?? Add(("readme", "nothing")), Run = run, Variables = new Dictionary<string, string>(), SecretVariables = [],
            Limits = new ResourceLimits(null, null), Drain = TimeSpan.FromSeconds(10),
        };
    }

    public void Run(InstanceSpec spec, long generation = 1) => Give(spec, InstanceDesire.Run, generation);

    public void Stop(InstanceSpec spec, long generation = 2) => Give(spec, InstanceDesire.Stop, generation);

    public static NodeTask Task(InstanceSpec spec, InstanceDesire desire, long generation) =>
        new(spec.InstanceId.ToString(), InstanceTask.Kind, generation, JsonSerializer.SerializeToElement(new InstanceTask(spec, desire), Json.Options));

    public InstanceView? View(InstanceSpec spec) => Host.Snapshot().FirstOrDefault(v => v.InstanceId == spec.InstanceId);

    public InstanceStatus Status(InstanceSpec spec) => View(spec)!.Status;

    public async Task<InstanceStatus> SeenAsync(InstanceSpec spec, InstanceState state, Func<InstanceStatus, bool>? also = null)
    {
        InstanceStatus? status = null;
        try
        {
            await Eventually.TrueAsync(() => (status = View(spec)?.Status) is { } s && s.State == state && (also is null || also(s)), $"{state}");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; now {status}; log: {string.Join("\n", Log.All)}", e);
        }
        return status!;
    }

    public async Task<List<LogLine>> LinesAsync(InstanceSpec spec, int? tail = null, DateTimeOffset? since = null)
    {
        using var output = new MemoryStream();
        await Host.WriteAsync(JsonSerializer.SerializeToElement(new LogsQuestion(spec.InstanceId, tail, since, false), Json.Options), output, CancellationToken.None);
        return Read(output.ToArray());
    }

    public static List<LogLine> Read(byte[] bytes) =>
        [.. Encoding.UTF8.GetString(bytes).Split('\n').Where(l => l.Trim().Length > 0).Select(l => JsonSerializer.Deserialize<LogLine>(l, Json.Options)!)];

    public string Scratch(InstanceSpec spec, string name) => Path.Combine(StateFolder, "instances", spec.InstanceId.ToString(), "scratch", name);

    public string RecordFile(InstanceSpec spec) => Path.Combine(StateFolder, "instances", spec.InstanceId.ToString(), "record.json");

    /// <summary>Every process of the machine that carries the instance's marker.</summary>
    public static List<int> ProcessesOf(InstanceSpec spec) =>
        [.. ProcessTable.All().Where(p => ProcessTable.InstanceOf(p.Pid) == spec.InstanceId).Select(p => p.Pid)];

    public Task<Stream> OpenAsync(string digest, CancellationToken cancellation)
    {
        Interlocked.Increment(ref Fetches);
        return IsControlPlaneDead || !_artifacts.TryGetValue(digest, out var bytes)
            ? throw new IOException("The control plane is dead.")
            : System.Threading.Tasks.Task.FromResult<Stream>(new MemoryStream(bytes));
    }

    public Task<IReadOnlyDictionary<string, Secret>> AskAsync(Guid instanceId, CancellationToken cancellation) => IsControlPlaneDead
        ? throw new IOException("The control plane is dead.")
        : System.Threading.Tasks.Task.FromResult<IReadOnlyDictionary<string, Secret>>(Values);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        var groups = ControlGroups.Find(Options.ControlGroups, await File.ReadAllTextAsync("/proc/self/cgroup"));
        foreach (var id in _seen)
        {
            // One that was spawned a moment ago carries no marker yet and is in no group: it is looked for again.
            await Eventually.TrueAsync(async () =>
            {
                await RunningProcess.KillAllAsync(id, 0, groups, TimeProvider.System, CancellationToken.None);
                return groups.Remove(id);
            }, "the control group goes away");
        }
        _folder.Dispose();
    }

    private void Give(InstanceSpec spec, InstanceDesire desire, long generation) => Host.Apply([Task(spec, desire, generation)]);
}

/// <summary>Keeps what was logged.</summary>
internal sealed class SeenLog : ILogger<InstanceHost>, ILogger<NodeLink>
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> All
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
            _lines.Add($"{logLevel} {formatter(state, exception)} {exception}");
    }
}
