using Groundcrew.Bench;
using Groundcrew.Bench.Metrics;

// metrics-bench CREW [figures] [options]: see bench/README.md.
using var run = new BenchRun("bench/metrics");
if (await run.ReadAsync(() => new Options(args)) is not { } options)
    return BenchRun.NotUnderstood;
if (options.Figures.Contains(Options.Differential))
    return await Differential.RunAsync(options, run.Stop);
run.Results["rounds"] = options.Rounds;
return await run.ToEndAsync(options.Out, async () =>
{
    using var stage = new Stage(options);
    var versions = new Dictionary<string, string>(StringComparer.Ordinal);
    foreach (var side in options.Sides)
        await using (var server = stage.Open(side))
            versions[side] = await server.VersionAsync();
    run.Results["versions"] = versions;
    foreach (var figure in Options.AllFigures.Where(options.Wants))
    {
        var findings = new Findings(figure, CrewServer.SideName, "prometheus", "victoria");
        await run.TakeAsync(figure, findings, () => figure switch
        {
            "ingest" => new Ingest(options, stage, findings, run.Stop).RunAsync(),
            "queries" => new Queries(options, stage, findings, run.Stop).RunAsync(),
            _ => new Scrape(options, stage, findings, run.Stop).RunAsync(),
        });
    }
});
