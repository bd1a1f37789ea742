using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Groundcrew.Bench.Edge;

// edge-bench CREW [figures] [options]: see bench/README.md. edge-bench backend PORT…: the process behind /upload and /ws.
using var stop = new CancellationTokenSource();
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
if (args is ["backend", .. var ports])
    return await Sink.RunAsync([.. ports.Select(int.Parse)], stop.Token);

Options options;
try
{
    options = Options.Parse(args);
}
catch (Exception e) when (e is ArgumentException or FormatException or IndexOutOfRangeException)
{
    await Console.Error.WriteLineAsync($"bench/edge: {e.Message}");
    return 64;
}
var results = new Dictionary<string, object>(StringComparer.Ordinal)
{
    ["at"] = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
    ["machine"] = $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 30)} GiB, {RuntimeInformation.OSDescription}",
    ["rounds"] = options.Rounds,
    ["seconds"] = options.Seconds,
    ["inline"] = options.Inline,
};
var errors = 0;
try
{
    await using var stage = await Stage.OpenAsync(options, stop.Token);
    results["load1"] = double.Parse((await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0], CultureInfo.InvariantCulture);
    results["versions"] = await stage.VersionsAsync();
    foreach (var name in Options.AllFigures.Where(options.Wants))
    {
        var findings = new Findings(name, Ours.SideName, "nginx", "haproxy");
        await Console.Error.WriteLineAsync($"{name}…");
        try
        {
            await MeasureAsync(name, stage, findings);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or HttpRequestException or SocketException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            findings.Fail("all", e.Message); // The other figures may still be taken.
        }
        await findings.PrintAsync(Console.Error);
        results[name] = findings.Report();
        errors += findings.Errors.Count;
    }
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 130;
}
catch (Exception e) when (e is IOException or InvalidDataException or HttpRequestException)
{
    await Console.Error.WriteLineAsync($"bench/edge: nothing was measured: {e.Message}");
    return 70;
}
results["errors"] = errors;
var text = JsonSerializer.Serialize(results, new JsonSerializerOptions(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
if (options.Out is { } file)
    await File.WriteAllTextAsync(file, text + "\n");
else
    await Console.Out.WriteLineAsync(text);
return errors == 0 ? 0 : 1;

Task MeasureAsync(string name, Stage stage, Findings findings) => name switch
{
    "http1" => new Throughput(options, stage, findings, stop.Token).Http1Async(),
    "large" => new Throughput(options, stage, findings, stop.Token).LargeAsync(),
    "http2" => new Throughput(options, stage, findings, stop.Token).Http2Async(),
    "tls" => new Throughput(options, stage, findings, stop.Token).TlsAsync(),
    "latency" => new Latency(options, stage, findings, stop.Token).RunAsync(),
    "allocations" => new Allocations(options, stage, findings, stop.Token).RunAsync(),
    "websockets" => new WebSockets(options, stage, findings, stop.Token).RunAsync(),
    "swaps" => new Swaps(options, stage, findings, stop.Token).RunAsync(),
    _ => throw new ArgumentOutOfRangeException(nameof(name), name, "There is no such figure."),
};

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}
