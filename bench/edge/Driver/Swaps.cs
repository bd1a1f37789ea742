using System.Diagnostics;
using Groundcrew.Bench.Deploy;
using Groundcrew.Edge;

namespace Groundcrew.Bench.Edge;

/// <summary>
/// One table after the other, as fast as the edge confirms them, under a steady load whose own route changes its targets
/// with every table: no request may fail, and the latency is compared with that of the same load and table in peace.
/// </summary>
internal sealed class Swaps(Options options, Stage stage, Findings findings, CancellationToken cancellation)
{
    private const int LoadConnections = 64;

    public async Task RunAsync()
    {
        if (stage.Ours is not { } ours)
            return;
        RouteTable[] tables = [TableOf(ours, 0), TableOf(ours, 1)];
        await using var plane = await FakeControlPlane.StartAsync(stage.ControlPort, ours.Platform, cancellation);
        await ours.RestartAsync(tables[0], "a-token-of-nobody", cancellation);
        var written = Array.ConvertAll(tables, FakeControlPlane.Write);
        // The first swaps compile what the later ones run.
        long generation = 1;
        for (; generation < 6; generation++)
            await plane.SwapAsync(generation + 1, written[generation % 2], cancellation);

        await LoadedAsync("while it warms", ours, async () => await Tools.PauseAsync(3000, cancellation));
        var peace = await LoadedAsync("in peace", ours, async () => await Tools.PauseAsync(2000 * options.Seconds, cancellation));
        List<double> times = [];
        var busy = await LoadedAsync("during swaps", ours, async () => generation = await SwapAsync(plane, written, generation, times));
        await plane.DisposeAsync();
        Report(peace, busy, times, written[0].Length);
        await ours.RestartAsync(ours.Table(1), "a-token-of-nobody", cancellation);
    }

    private async Task<long> SwapAsync(FakeControlPlane plane, byte[][] written, long generation, List<double> times)
    {
        var began = Stopwatch.GetTimestamp();
        while (times.Count < options.Swaps && Stopwatch.GetElapsedTime(began).TotalSeconds < options.SwapSeconds)
        {
            var started = Stopwatch.GetTimestamp();
            await plane.SwapAsync(generation + 1, written[generation % 2], cancellation);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            generation++;
            if (options.SwapPause > 0)
                await Tools.PauseAsync(options.SwapPause, cancellation);
        }
        return generation;
    }

    private async Task<Sample[]> LoadedAsync(string when, Ours ours, Func<Task> meanwhile)
    {
        await using var load = new Load(ours.Door, $"{ours.Door.Address}", options.Rate, LoadConnections);
        var (processor, started) = (await ours.MetricAsync("process_cpu_seconds_total", cancellation), Stopwatch.GetTimestamp());
        load.Start();
        await meanwhile();
        var samples = await load.StopAsync();
        var used = await ours.MetricAsync("process_cpu_seconds_total", cancellation) - processor;
        Add($"processors used {when}", used / Stopwatch.GetElapsedTime(started).TotalSeconds);
        return samples;
    }

    private void Report(Sample[] peace, Sample[] busy, List<double> times, int bytes)
    {
        var failed = peace.Concat(busy).Where(s => s.Failure != Failure.None).ToList();
        Add("routes", options.Routes);
        Add("bytes of a table", bytes);
        Add("swaps", times.Count);
        Add("requests during swaps", busy.Length);
        Add("failed requests", failed.Count);
        Add("answers of v1", busy.Count(s => s.Version == 1));
        Add("answers of v2", busy.Count(s => s.Version == 2));
        Add("ms a swap, median", Judgement.Median(times));
        Add("ms a swap, p99", Judgement.Quantile(times, 0.99));
        foreach (var q in (double[])[0.5, 0.99, 0.999])
        {
            var (before, during) = (QuantileOf(peace, q), QuantileOf(busy, q));
            Add($"p{q * 100:0.#} ms in peace", before);
            Add($"p{q * 100:0.#} ms during swaps", during);
            Add($"p{q * 100:0.#} during swaps / in peace", during / before);
        }
        foreach (var kind in failed.GroupBy(s => s.Failure))
            findings.Fail(Ours.SideName, $"{kind.Count()} requests failed: {kind.Key}");
        if (times.Count < options.Swaps)
            findings.Note(Ours.SideName, $"{times.Count} of {options.Swaps} swaps fitted into {options.SwapSeconds} s (--swap-seconds)");
        if (times.Count > 1 && (busy.All(s => s.Version != 1) || busy.All(s => s.Version != 2)))
            findings.Fail(Ours.SideName, "the swaps did not move the traffic");
    }

    private void Add(string measure, double value) => findings.Add(Ours.SideName, measure, value);

    private static double QuantileOf(Sample[] samples, double q) =>
        Judgement.Quantile(samples.Select(s => Judgement.Milliseconds(s.Begun, s.Ended)), q);

    /// <summary>The route under load, and others beside it that nobody asks for.</summary>
    private RouteTable TableOf(Ours ours, int version) => new(1, ours.Platform,
    [
        Ours.Route("127.0.0.1", "/", [stage.VersionPorts[version]]),
        .. Enumerable.Range(1, options.Routes - 1).Select(i => Ours.Route($"web{i}-bench.localhost", "/", stage.BackendPorts, $"web{i}")),
    ]);
}
