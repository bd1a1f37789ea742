using System.Text.Json;
using Groundcrew.Bench;
using Groundcrew.Bench.Deploy;

// deploy-bench CREW SERVICE-FOLDER [figures] [options]: see bench/README.md.
using var run = new BenchRun("bench/deploy");
if (await run.ReadAsync(() => new Options(args)) is not { } options)
    return BenchRun.NotUnderstood;
run.Results["rate"] = options.Rate;
return await run.ToEndAsync(options.Out, async () =>
{
    foreach (var figure in Options.AllFigures.Where(options.Wants))
    {
        await Console.Error.WriteLineAsync($"{figure}…");
        var result = figure switch
        {
            "deploys" => await new DeployFigures(options, run.Stop).DeploysAsync(),
            "crashes" => await new DeployFigures(options, run.Stop).CrashesAsync(),
            "peer" => await new PeerFigures(options, run.Stop).RunAsync(),
            _ => await new IdleFigures(options, run.Stop).RunAsync(),
        };
        run.Results[figure] = result;
        Table(figure, result);
    }
});

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
