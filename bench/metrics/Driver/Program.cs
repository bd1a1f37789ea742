using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Groundcrew.Bench.Edge;
using Groundcrew.Bench.Metrics;

// metrics-bench CREW [figures] [options]: see bench/README.md.
using var stop = new CancellationTokenSource();
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
Options options;
try
{
    options = Options.Parse(args);
}
catch (Exception e) when (e is ArgumentException or FormatException or IndexOutOfRangeException)
{
    await Console.Error.WriteLineAsync($"bench/metrics: {e.Message}");
    return 64;
}
if (options.Figures.Contains(Options.Differential))
    return await Differential.RunAsync(options, stop.Token);
var results = new Dictionary<string, object>(StringComparer.Ordinal)
{
    ["at"] = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
    ["machine"] = $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 30)} GiB, {RuntimeInformation.OSDescription}",
    ["rounds"] = options.Rounds,
};
var errors = 0;
try
{
    using var stage = new Stage(options);
    var versions = new Dictionary<string, string>(StringComparer.Ordinal);
    foreach (var side in options.Sides)
        await using (var server = stage.Open(side))
            versions[side] = await server.VersionAsync();
    results["versions"] = versions;
    foreach (var name in Options.AllFigures.Where(options.Wants))
    {
        var findings = new Findings(name, CrewServer.SideName, "prometheus", "victoria");
        await Console.Error.WriteLineAsync($"{name}…");
        try
        {
            await MeasureAsync(name, stage, findings);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or HttpRequestException || (e is OperationCanceledException && !stop.IsCancellationRequested))
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
    await Console.Error.WriteLineAsync($"bench/metrics: nothing was measured: {e.Message}");
    return 70;
}
results["errors"] = errors;
var text = JsonSerializer.Serialize(results, new JsonSerializerOptions(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals });
if (options.Out is { } file)
    await File.WriteAllTextAsync(file, text + "\n");
else
    await Console.Out.WriteLineAsync(text);
return errors == 0 ? 0 : 1;

Task MeasureAsync(string name, Stage stage, Findings findings) => name switch
{
    "ingest" => new Ingest(options, stage, findings, stop.Token).RunAsync(),
    "queries" => new Queries(options, stage, findings, stop.Token).RunAsync(),
    "scrape" => new Scrape(options, stage, findings, stop.Token).RunAsync(),
    _ => throw new ArgumentOutOfRangeException(nameof(name), name, "There is no such figure."),
};

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}
