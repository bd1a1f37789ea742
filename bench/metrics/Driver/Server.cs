using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Metrics;

/// <summary>A store of metrics as a process: what it is asked, and what it costs.</summary>
internal abstract class Server(string side, string folder, int port) : IAsyncDisposable
{
    private static readonly double TicksASecond = 100;
    private Process? _process;

    public string Side => side;

    public string Folder => folder;

    public int Port => port;

    protected string Log => Path.Combine(folder, "log");

    /// <summary>Where remote write and <c>/api/v1</c> stand.</summary>
    public abstract Uri Base { get; }

    public abstract Uri Write { get; }

    protected abstract Uri Ready { get; }

    protected abstract string DataFolder { get; }

    public HttpClient Client { get; } = new(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { Timeout = TimeSpan.FromMinutes(5) };

    public abstract Task<string> VersionAsync();

    protected abstract Process Spawn();

    /// <summary>Starts it (again) and gives the seconds until it was ready.</summary>
    public async Task<double> StartAsync(CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        var begun = Stopwatch.GetTimestamp();
        _process = Spawn();
        while (!await IsReadyAsync(cancellation))
        {
            if (_process.HasExited)
                throw new IOException($"{side} ended: {await File.ReadAllTextAsync(Log, cancellation)}");
            await Tools.PauseAsync(10, cancellation);
        }
        return Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    /// <summary>Ends it without a word of warning.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
            return;
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Seconds of processor time since its start.</summary>
    public double CpuSeconds()
    {
        var stat = File.ReadAllText($"/proc/{_process!.Id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksASecond;
    }

    /// <summary>Resident memory in bytes; <paramref name="peak"/> for the most that it ever was.</summary>
    public double Memory(bool peak = false)
    {
        var line = File.ReadLines($"/proc/{_process!.Id}/status").First(l => l.StartsWith(peak ? "VmHWM:" : "VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024.0;
    }

    /// <summary>What it has on disk of samples that are in their last form, and how many these are.</summary>
    public abstract Task<(double Bytes, double Samples)> SettledAsync(CancellationToken cancellation);

    /// <summary>The bytes below its data folder.</summary>
    public double DiskBytes() => Directory.EnumerateFiles(DataFolder, "*", SearchOption.AllDirectories).Sum(f => (double)new FileInfo(f).Length);

    public async Task<JsonDocument> AskAsync(string path, CancellationToken cancellation, params (string Name, string Value)[] form)
    {
        using var content = new FormUrlEncodedContent(form.Select(f => new KeyValuePair<string, string>(f.Name, f.Value)));
        using var answer = await Client.PostAsync(new Uri(Base, path), content, cancellation);
        return JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation));
    }

    public async Task PostAsync(ReadOnlyMemory<byte> request, CancellationToken cancellation)
    {
        using var content = new ReadOnlyMemoryContent(request);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        content.Headers.Add("X-Prometheus-Remote-Write-Version", "0.1.0");
        using var answer = await Client.PostAsync(Write, content, cancellation);
        if (!answer.IsSuccessStatusCode)
            throw new IOException($"{side} refused a write: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellation)}");
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Client.Dispose();
    }

    private async Task<bool> IsReadyAsync(CancellationToken cancellation)
    {
        try
        {
            using var answer = await Client.GetAsync(Ready, cancellation);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false; // It does not listen yet.
        }
    }

    /// <summary>Samples and bytes of folders with a <c>meta.json</c> that counts their samples, as Prometheus and we write blocks.</summary>
    protected static (double Bytes, double Samples) Blocks(string folder, Func<JsonElement, JsonElement> samplesOf)
    {
        var (bytes, samples) = (0.0, 0.0);
        foreach (var meta in Directory.EnumerateFiles(folder, "meta.json", SearchOption.AllDirectories))
        {
            using var document = JsonDocument.Parse(File.ReadAllText(meta));
            samples += samplesOf(document.RootElement).GetDouble();
            bytes += Directory.EnumerateFiles(Path.GetDirectoryName(meta)!, "*", SearchOption.AllDirectories).Sum(f => (double)new FileInfo(f).Length);
        }
        return (bytes, samples);
    }
}

/// <summary>The platform's control plane, whole: its API, its loops, and the store that takes the samples.</summary>
internal sealed class CrewServer(string crew, string folder, int port, string? scrapeConfig) : Server(SideName, folder, port)
{
    public const string SideName = "groundcrew";

    public override Uri Base => new($"http://127.0.0.1:{Port}/prometheus/");

    public override Uri Write => new(Base, "api/v1/write");

    protected override Uri Ready => new(Base, "-/ready");

    protected override string DataFolder => Path.Combine(Folder, "data", "control", "metrics");

    public override async Task<string> VersionAsync() => await Tools.RunAsync(crew, ["--version"]);

    // It does not scrape itself: samples of now would make those of yesterday, which the stream begins with, too old to take.
    protected override Process Spawn() => Tools.Start(crew, Log,
    [
        "serve", "--role", "control", "--data", Path.Combine(Folder, "data"), "--control-port", Port.ToString(CultureInfo.InvariantCulture), "--trust-loopback", "--no-own-targets",
        .. scrapeConfig is null ? [] : new[] { "--prometheus-config", scrapeConfig },
    ]);

    public override Task<(double Bytes, double Samples)> SettledAsync(CancellationToken cancellation) => Task.FromResult(Blocks(DataFolder, m => m.GetProperty("samples")));
}

/// <summary>Prometheus as Debian packages it, with its defaults.</summary>
internal sealed class PrometheusServer(string folder, int port, string? scrapeConfig) : Server("prometheus", folder, port)
{
    public override Uri Base => new($"http://127.0.0.1:{Port}/");

    public override Uri Write => new(Base, "api/v1/write");

    protected override Uri Ready => new(Base, "-/ready");

    protected override string DataFolder => Path.Combine(Folder, "data");

    public override async Task<string> VersionAsync() => (await Tools.RunAsync("/bin/sh", ["-c", "prometheus --version 2>&1"])).Split('\n')[0];

    protected override Process Spawn()
    {
        var config = scrapeConfig;
        if (config is null)
            File.WriteAllText(config = Path.Combine(Folder, "prometheus.yml"), "global:\n  scrape_interval: 15s\n");
        return Tools.Start("prometheus", Log,
        [
            "--config.file=" + config, "--storage.tsdb.path=" + DataFolder, $"--web.listen-address=127.0.0.1:{Port}",
            "--web.enable-remote-write-receiver", "--web.enable-admin-api",
        ]);
    }

    public override Task<(double Bytes, double Samples)> SettledAsync(CancellationToken cancellation) => Task.FromResult(Blocks(DataFolder, m => m.GetProperty("stats").GetProperty("numSamples")));
}

/// <summary>VictoriaMetrics as Debian packages it, single node; answers are not cached, because a cache answers no question twice.</summary>
internal sealed class VictoriaServer(string folder, int port, string? scrapeConfig) : Server("victoria", folder, port)
{
    public override Uri Base => new($"http://127.0.0.1:{Port}/");

    public override Uri Write => new(Base, "api/v1/write");

    protected override Uri Ready => new(Base, "health");

    protected override string DataFolder => Path.Combine(Folder, "data");

    public override async Task<string> VersionAsync() => (await Tools.RunAsync("/bin/sh", ["-c", "victoria-metrics --version 2>&1"])).Split('\n')[0];

    protected override Process Spawn() => Tools.Start("victoria-metrics", Log,
    [
        "-storageDataPath=" + DataFolder, $"-httpListenAddr=127.0.0.1:{Port}", "-retentionPeriod=1y", "-search.disableCache", "-search.latencyOffset=0s",
        .. scrapeConfig is null ? [] : new[] { "-promscrape.config=" + scrapeConfig },
    ]);

    public override async Task<(double Bytes, double Samples)> SettledAsync(CancellationToken cancellation)
    {
        using (var flushed = await Client.GetAsync(new Uri(Base, "internal/force_flush"), cancellation))
            flushed.EnsureSuccessStatusCode();
        using (var merged = await Client.GetAsync(new Uri(Base, "internal/force_merge"), cancellation))
            merged.EnsureSuccessStatusCode();
        var metrics = await Client.GetStringAsync(new Uri(Base, "metrics"), cancellation);
        var rows = metrics.Split('\n').Where(l => l.StartsWith("vm_rows{type=\"storage/", StringComparison.Ordinal))
            .Sum(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
        return (DiskBytes(), rows);
    }
}
