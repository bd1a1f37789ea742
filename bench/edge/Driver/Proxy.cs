using System.Diagnostics;
using System.Net;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Edge;

/// <summary>Where a proxy listens. All of it on 127.0.0.1.</summary>
/// <param name="Http">HTTP/1.1 without TLS.</param>
/// <param name="Http2">HTTP/2 with prior knowledge.</param>
/// <param name="Tls">TLS with HTTP/2 and HTTP/1.1.</param>
internal sealed record Doors(int Http, int Http2, int Tls);

/// <summary>A program under test, with its files in a folder of its own. Started and ended here, and nothing else is.</summary>
internal abstract class Proxy(string name, Stage stage, Doors doors) : IAsyncDisposable
{
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan EndsWithin = TimeSpan.FromSeconds(15);
    private Process? _process;
    private bool _isWarm;

    public string Name => name;

    public Uri Http => new($"http://127.0.0.1:{doors.Http}/");

    public IPEndPoint Door => new(IPAddress.Loopback, doors.Http);

    /// <summary>Where HTTP/2 without TLS is spoken; null where it cannot be, for the reason in <see cref="WhyNoHttp2"/>.</summary>
    public virtual Uri? Http2 => new($"http://127.0.0.1:{doors.Http2}/");

    public virtual string WhyNoHttp2 => "";

    /// <summary>Where TLS is spoken; null where it cannot be, for the reason in <see cref="WhyNoTls"/>.</summary>
    public virtual Uri? Tls => new($"https://localhost:{doors.Tls}/");

    public virtual string WhyNoTls => "";

    /// <summary>What <c>--version</c> or its like says.</summary>
    public abstract Task<string> VersionAsync();

    protected Stage Stage => stage;

    protected Doors Ports => doors;

    protected string Folder { get; } = Directory.CreateDirectory(Path.Combine(stage.Folder, name)).FullName;

    protected string Log => Path.Combine(Folder, "output.log");

    protected static IReadOnlyDictionary<string, string> NoVariables { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public async Task StartAsync(CancellationToken cancellation)
    {
        _process = await SpawnAsync();
        _isWarm = false;
        var started = Stopwatch.GetTimestamp();
        while (!await stage.AnswersAsync(Http, cancellation))
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(started) > StartsWithin)
                throw new IOException($"{name} did not start: {string.Join('\n', File.ReadLines(Log).TakeLast(5))}");
            await Tools.PauseAsync(50, cancellation);
        }
    }

    /// <summary>Loads a fresh process for a while: what it compiles and opens at first belongs to no figure but memory.</summary>
    public async Task WarmAsync(int connections, int seconds)
    {
        if (!_isWarm)
            await new Wrk(stage).GetAsync(Http, connections, seconds);
        _isWarm = true;
    }

    /// <summary>Ends it and starts it anew, so that its memory holds nothing of what it did before.</summary>
    public async Task RestartAsync(CancellationToken cancellation)
    {
        await DisposeAsync();
        await StartAsync(cancellation);
    }

    /// <summary>Kilobytes of its processes together: <c>Pss</c> counts shared pages once, <c>Rss</c> in each.</summary>
    public long Kilobytes(string what) => Family().Sum(pid => Tools.Kilobytes(pid, what));

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        if (!_process.HasExited)
            Tools.Signal(_process.Id, "TERM");
        using var patience = new CancellationTokenSource(EndsWithin);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        _process.Dispose();
        _process = null;
    }

    /// <summary>Writes its configuration and starts it, with its output in <see cref="Log"/>.</summary>
    protected abstract Task<Process> SpawnAsync();

    protected string PathOf(string file) => Path.Combine(Folder, file);

    protected static string Lines(IEnumerable<string> lines) => string.Join('\n', lines);

    /// <summary>The process and what it started: nginx works in children.</summary>
    private IEnumerable<int> Family()
    {
        List<int> found = [_process!.Id];
        var parents = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(n => int.TryParse(n, out _))
            .Select(n => (Pid: int.Parse(n!), Parent: ParentOf(n!))).ToList();
        for (var i = 0; i < found.Count; i++)
            found.AddRange(parents.Where(p => p.Parent == found[i]).Select(p => p.Pid));
        return found;
    }

    private static int ParentOf(string pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 4)..].Split(' ')[0]);
        }
        catch (IOException)
        {
            return 0; // It ended while we looked.
        }
    }
}
