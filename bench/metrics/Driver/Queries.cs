using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Groundcrew.Bench.Deploy;

namespace Groundcrew.Bench.Metrics;

/// <summary>
/// A day of some hosts, written to every side, cut into blocks and compacted; then the bytes that a sample takes, and the time of
/// twenty queries of dashboards and alerts, whose answers must be the same.
/// </summary>
internal sealed class Queries(Options options, Stage stage, Findings findings, CancellationToken stop)
{
    private const long Day = 86_400_000;

    /// <summary>No range begins at a sample, neither of the query nor of a subquery: there Prometheus 3 leaves out what Prometheus 2 took in.</summary>
    private const long SampleOffset = 1_000;

    private const long BesideSamples = 5_000;

    /// <summary>Each with the minutes that it looks at and its step in seconds; 0 for one moment.</summary>
    private static readonly (string Name, string Query, int Minutes, int Step)[] All =
    [
        ("cpu by host", "100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])))", 60, 15),
        ("cpu by host, day", "100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])))", 1440, 120),
        ("cpu by mode, day", "sum by (mode) (rate(node_cpu_seconds_total[5m]))", 1440, 120),
        ("memory used", "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)", 360, 60),
        ("disk full first", "topk(5, 1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)", 0, 0),
        ("disk in four hours", "predict_linear(node_filesystem_avail_bytes{mountpoint=\"/\"}[6h], 4 * 3600) < 0", 0, 0),
        ("network, day", "sum by (device) (rate(node_network_receive_bytes_total[5m]))", 1440, 120),
        ("requests by status", "sum by (status) (rate(http_requests_total[5m]))", 360, 60),
        ("requests by status, day", "sum by (status) (rate(http_requests_total[5m]))", 1440, 120),
        ("error ratio", "sum by (handler) (rate(http_requests_total{status=~\"5..\"}[5m])) / sum by (handler) (rate(http_requests_total[5m]))", 360, 60),
        ("error ratio alert", "sum(rate(http_requests_total{status=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m])) > 0.01", 0, 0),
        ("p95", "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", 360, 60),
        ("p95 by handler, day", "histogram_quantile(0.95, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))", 1440, 120),
        ("p99 by host now", "histogram_quantile(0.99, sum by (le, instance) (rate(http_request_duration_seconds_bucket[5m])))", 0, 0),
        ("busiest hosts", "topk(5, sum by (instance) (rate(http_requests_total[5m])))", 360, 60),
        ("apdex join", "(sum by (instance) (rate(http_request_duration_seconds_bucket{le=\"0.1\"}[5m])) / sum by (instance) (rate(http_request_duration_seconds_count[5m])))", 360, 60),
        ("load by core", "node_load1 / on (instance) group_left () count by (instance) (node_cpu_seconds_total{mode=\"idle\"})", 360, 60),
        ("burn rate day", "sum(increase(http_requests_total{status=\"500\"}[1d])) / sum(increase(http_requests_total[1d]))", 0, 0),
        ("worst hour", "max_over_time(sum(rate(http_requests_total{status=\"500\"}[5m]))[6h:5m])", 0, 0),
        ("targets down", "count by (job) (up == 0) or vector(0)", 1440, 120),
        ("one host, all day", "rate(node_cpu_seconds_total{instance=\"host-0007.eu-west.example:9100\"}[5m])", 1440, 60),
    ];

    public async Task RunAsync()
    {
        var servers = options.Sides.Select(s => stage.Open(s)).ToList();
        try
        {
            foreach (var server in servers)
                await server.StartAsync(stop);
            var end = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / World.Interval * World.Interval + SampleOffset;
            await FillAsync(servers, end - Day - (4 * 3_600_000), end);
            await SettleAsync(servers);
            foreach (var one in All)
                await AskAsync(servers, one, end - BesideSamples);
        }
        finally
        {
            foreach (var server in servers)
                await server.DisposeAsync();
        }
    }

    private async Task FillAsync(List<Server> servers, long start, long end)
    {
        var stream = new WriteStream([.. Enumerable.Range(0, options.Hosts).SelectMany(World.OfHost)]);
        var cpu = servers.ConvertAll(s => s.CpuSeconds());
        var steps = (int)((end - start) / World.Interval);
        for (var step = 0; step <= steps; step++)
        {
            var requests = stream.Prepare(start + (step * World.Interval));
            foreach (var server in servers)
                await Parallel.ForEachAsync(requests, new ParallelOptions { MaxDegreeOfParallelism = options.Connections, CancellationToken = stop },
                    async (request, cancellation) => await server.PostAsync(request, cancellation));
            if (step % 500 == 0)
                await Console.Error.WriteLineAsync($"  a day written: {100 * step / steps} %");
        }
        for (var i = 0; i < servers.Count; i++)
            findings.Add(servers[i].Side, "fill: CPU s per million samples", (servers[i].CpuSeconds() - cpu[i]) / stream.Series / (steps + 1) * 1e6);
    }

    /// <summary>Waits until the sides have cut their blocks and rest.</summary>
    private async Task SettleAsync(List<Server> servers)
    {
        await Console.Error.WriteLineAsync("  waiting until blocks are cut and compacted");
        var calm = 0;
        for (var tries = 0; tries < 60 && calm < 15; tries++)
        {
            var before = servers.ConvertAll(s => s.CpuSeconds());
            await Tools.PauseAsync(5000, stop);
            calm = servers.Zip(before).All(s => s.First.CpuSeconds() - s.Second < 0.5) ? calm + 1 : 0;
        }
        foreach (var server in servers)
        {
            var (bytes, samples) = await server.SettledAsync(stop);
            findings.Add(server.Side, "disk bytes per sample, settled", samples == 0 ? double.NaN : bytes / samples);
            findings.Add(server.Side, "millions of samples in blocks", samples / 1e6);
            findings.Add(server.Side, "memory MB, settled", server.Memory() / 1e6);
        }
    }

    private async Task AskAsync(List<Server> servers, (string Name, string Query, int Minutes, int Step) one, long end)
    {
        var answers = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        var times = servers.ToDictionary(s => s.Side, _ => new List<double>(), StringComparer.Ordinal);
        for (var repeat = 0; repeat <= options.Repeats; repeat++)
            foreach (var server in servers)
            {
                var begun = Stopwatch.GetTimestamp();
                using var answer = one.Step == 0
                    ? await server.AskAsync("api/v1/query", stop, ("query", one.Query), ("time", Seconds(end)))
                    : await server.AskAsync("api/v1/query_range", stop, ("query", one.Query), ("start", Seconds(end - (one.Minutes * 60_000L))), ("end", Seconds(end)), ("step", one.Step.ToString(CultureInfo.InvariantCulture)));
                var milliseconds = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
                if (repeat > 0) // The first one warms up.
                    times[server.Side].Add(milliseconds);
                else
                    answers[server.Side] = answer.RootElement.Clone();
            }
        foreach (var (side, took) in times)
        {
            findings.Add(side, one.Name + " ms", Judgement.Median(took));
            findings.Add(side, one.Name + " p95", Judgement.Quantile(took, 0.95));
        }
        if (answers.TryGetValue("prometheus", out var theirs) && answers.TryGetValue(CrewServer.SideName, out var ours) && Comparing.Difference(ours, theirs) is { } difference)
            findings.Fail(CrewServer.SideName, $"{one.Name}: {difference}");
    }

    private static string Seconds(long milliseconds) => (milliseconds / 1000.0).ToString("0.###", CultureInfo.InvariantCulture);
}

/// <summary>Whether two answers of the API say the same.</summary>
internal static class Comparing
{
    public static string? Difference(JsonElement ours, JsonElement theirs)
    {
        if (ours.GetProperty("status").GetString() != "success" || theirs.GetProperty("status").GetString() != "success")
            return $"ours {ours}, theirs {theirs}"[..400];
        var mine = Series(ours);
        var other = Series(theirs);
        if (mine.Count != other.Count)
            return $"{mine.Count} series, in Prometheus {other.Count}";
        foreach (var (name, points) in mine)
        {
            if (!other.TryGetValue(name, out var there))
                return $"{name} is not there in Prometheus";
            if (points.Count != there.Count)
                return $"{name} has {points.Count} samples, in Prometheus {there.Count}";
            foreach (var ((time, value), (thatTime, thatValue)) in points.Zip(there))
                if (Math.Abs(time - thatTime) > 0.001 || Math.Abs(value - thatValue) > 1e-6 * Math.Max(1e-3, Math.Abs(thatValue)))
                    return string.Create(CultureInfo.InvariantCulture, $"{name} at {time}: {value}, in Prometheus {thatValue}");
        }
        return null;
    }

    private static Dictionary<string, List<(double Time, double Value)>> Series(JsonElement answer) =>
        answer.GetProperty("data").GetProperty("result").EnumerateArray().ToDictionary(
            s => string.Join(',', s.GetProperty("metric").EnumerateObject().Select(p => $"{p.Name}={p.Value}").Order(StringComparer.Ordinal)),
            s => s.TryGetProperty("values", out var values) ? values.EnumerateArray().Select(Point).ToList() : [Point(s.GetProperty("value"))],
            StringComparer.Ordinal);

    private static (double, double) Point(JsonElement pair) => (pair[0].GetDouble(), pair[1].GetString() switch
    {
        "NaN" => double.NaN,
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        var text => double.Parse(text!, CultureInfo.InvariantCulture),
    });
}
