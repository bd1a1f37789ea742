using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Groundcrew.Bench.Deploy;

// deploy-bench CREW SERVICE-FOLDER [figures] [options]: see bench/README.md.
var options = Options.Parse(args);
using var stop = new CancellationTokenSource();
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);

var results = new Dictionary<string, object>(StringComparer.Ordinal)
{
    ["at"] = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
    ["machine"] = $"{Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 30)} GiB, {RuntimeInformation.OSDescription}",
    ["rate"] = options.Rate,
};
foreach (var figure in options.Figures.Count > 0 ? options.Figures : ["deploys", "crashes", "peer", "idle"])
{
    await Console.Error.WriteLineAsync($"{figure}…");
    var result = figure switch
    {
        "deploys" => await new DeployFigures(options, stop.Token).DeploysAsync(),
        "crashes" => await new DeployFigures(options, stop.Token).CrashesAsync(),
        "peer" => await new PeerFigures(options, stop.Token).RunAsync(),
        _ => await new IdleFigures(options, stop.Token).RunAsync(),
    };
    results[figure] = result;
    Table(figure, result);
}
var text = JsonSerializer.Serialize(results, JsonSerializerOptions.Web);
if (options.Out is { } file)
    await File.WriteAllTextAsync(file, text + "\n");
else
    await Console.Out.WriteLineAsync(text);

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}

static void Table(string name, Dictionary<string, object> rows)
{
    foreach (var (key, value) in rows)
    {
        if (value is Dictionary<string, object> inner && !inner.ContainsKey("median"))
            Table($"{name}.{key}", inner);
        else
            Console.Error.WriteLine($"  {name + "." + key,-52} {(value is string or int or double ? value : JsonSerializer.Serialize(value))}");
    }
}
