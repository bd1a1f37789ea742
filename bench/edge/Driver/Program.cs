using System.Globalization;
using Groundcrew.Bench;
using Groundcrew.Bench.Edge;

// edge-bench CREW [figures] [options]: see bench/README.md. edge-bench backend PORT…: the process behind /upload and /ws.
using var run = new BenchRun("bench/edge");
if (args is ["backend", .. var ports])
    return await Sink.RunAsync([.. ports.Select(int.Parse)], run.Stop);

if (await run.ReadAsync(() => new Options(args)) is not { } options)
    return BenchRun.NotUnderstood;
run.Results["rounds"] = options.Rounds;
run.Results["seconds"] = options.Seconds;
run.Results["inline"] = options.Inline;
return await run.ToEndAsync(options.Out, async () =>
{
    await using var stage = await Stage.OpenAsync(options, run.Stop);
    run.Results["load1"] = double.Parse((await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0], CultureInfo.InvariantCulture);
    run.Results["versions"] = await stage.VersionsAsync();
    foreach (var figure in Options.AllFigures.Where(options.Wants))
    {
        var findings = new Findings(figure, Ours.SideName, "nginx", "haproxy");
        await run.TakeAsync(figure, findings, () => figure switch
        {
            "http1" => new Throughput(options, stage, findings, run.Stop).Http1Async(),
            "large" => new Throughput(options, stage, findings, run.Stop).LargeAsync(),
            "http2" => new Throughput(options, stage, findings, run.Stop).Http2Async(),
            "tls" => new Throughput(options, stage, findings, run.Stop).TlsAsync(),
            "latency" => new Latency(options, stage, findings, run.Stop).RunAsync(),
            "allocations" => new Allocations(options, stage, findings, run.Stop).RunAsync(),
            "websockets" => new WebSockets(options, stage, findings, run.Stop).RunAsync(),
            _ => new Swaps(options, stage, findings, run.Stop).RunAsync(),
        });
    }
});
