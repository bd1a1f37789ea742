using System.Diagnostics;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Metrics;

/// <summary>
/// What taking samples costs: many active series, the same requests for every side, then what they weigh in memory, and how long
/// a start takes after <c>kill -9</c> with everything still in the write log.
/// </summary>
internal sealed class Ingest(Options options, Stage stage, Findings findings, CancellationToken stop)
{
    public async Task RunAsync()
    {
        for (var round = 0; round < options.Rounds; round++)
            foreach (var side in options.Sides)
            {
                try
                {
                    await MeasureAsync(side);
                }
                catch (Exception e) when (e is IOException or HttpRequestException)
                {
                    findings.Fail(side, e.Message);
                }
            }
    }

    private async Task MeasureAsync(string side)
    {
        await using var server = stage.Open(side);
        await server.StartAsync(stop);
        await Tools.PauseAsync(2000, stop);
        var empty = server.Memory();
        var stream = new WriteStream(World.Of(options.Series));
        var time = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (World.Interval * (options.Samples + 1));

        // The first sample of every series creates it: measured by itself.
        var (cpu, _) = await SendAsync(server, stream, time, 1);
        findings.Add(side, "CPU us per new series", cpu * 1e6 / stream.Series);
        var (cpuAll, seconds) = await SendAsync(server, stream, time + World.Interval, options.Samples - 1);
        var samples = (double)stream.Series * (options.Samples - 1);
        findings.Add(side, "CPU s per million samples", cpuAll / samples * 1e6);
        findings.Add(side, "samples/s", samples / seconds);
        await Tools.PauseAsync(5000, stop);
        findings.Add(side, "memory bytes per series", (server.Memory() - empty) / stream.Series);
        findings.Add(side, "memory MB, all", server.Memory() / 1e6);
        findings.Add(side, "memory MB, peak", server.Memory(peak: true) / 1e6);
        findings.Add(side, "disk bytes per sample, fresh", server.DiskBytes() / (samples + stream.Series));

        await server.KillAsync();
        var ready = await server.StartAsync(stop);
        findings.Add(side, "start after kill, s", ready);
        findings.Add(side, "start after kill, s per million", ready / (samples + stream.Series) * 1e6);
        findings.Add(side, "series that came back", await CountAsync(server));
    }

    /// <summary>Sends so many samples of each series; gives the server's processor seconds and the time that passed.</summary>
    private async Task<(double Cpu, double Seconds)> SendAsync(Server server, WriteStream stream, long time, int steps)
    {
        var (cpu, begun) = (server.CpuSeconds(), Stopwatch.GetTimestamp());
        for (var step = 0; step < steps; step++)
            await stream.SendAsync(server, time + (step * World.Interval), options.Connections, stop);
        return (server.CpuSeconds() - cpu, Stopwatch.GetElapsedTime(begun).TotalSeconds);
    }

    private async Task<double> CountAsync(Server server)
    {
        using var answer = await server.AskAsync("api/v1/query", stop, ("query", "sum(count by (__name__) ({job=\"node\"}))"));
        var result = answer.RootElement.GetProperty("data").GetProperty("result");
        return result.GetArrayLength() == 0 ? 0 : double.Parse(result[0].GetProperty("value")[1].GetString()!, System.Globalization.CultureInfo.InvariantCulture);
    }
}
