using Groundcrew.Bedrock;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>What came of a comparison.</summary>
internal sealed record ComparisonReport(int Asked, int Answered, IReadOnlyList<string> Differences);

/// <summary>Asks both; see <see cref="RandomData"/> and <see cref="RandomQueries"/>.</summary>
internal static class Comparison
{
    public static async Task<ComparisonReport> RunAsync(string folder, int port, int seed, int queries, CancellationToken cancellation)
    {
        await using var real = await RealPrometheus.StartAsync(folder, port, cancellation);
        // Not older than what a fresh Prometheus takes, and the same for all runs within an hour but for the hour itself.
        var end = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 60_000 * 60_000;
        var start = end - ((long)RandomData.Count * RandomData.Interval);
        var data = RandomData.Of(seed, start);
        var request = WriteRequest.Encode(data);
        await real.WriteAsync(request, cancellation);
        // Ours is the whole way as well: the same request through the receiver into a store on the disk.
        var metrics = new MetricRegistry();
        await using var ours = MetricStore.Open(new StoreOptions { Folder = Path.Combine(folder, "ours") }, TimeProvider.System, metrics, new NoSignals());
        var taken = new RemoteWriteReceiver(ours, metrics).Receive(request, "application/x-protobuf", "snappy");
        if (taken.Status / 100 != 2)
            throw new InvalidDataException($"Our receiver refused the samples: {taken.Status} {taken.Message}");
        var engine = new QueryEngine(new EngineOptions(), TimeProvider.System);

        var (answered, differences) = (0, new List<string>());
        var next = new RandomQueries(seed, start, end);
        var moments = new Random(seed);
        for (var i = 0; i < queries; i++)
        {
            var query = next.Next();
            var time = (moments.NextInt64(start, end) / 1000 * 1000) + 777;
            var isRange = moments.Next(2) == 0;
            var (until, step) = (time + 600_000, 37_000L);
            using var answer = isRange ? await real.RangeAsync(query, time, until, step, cancellation) : await real.InstantAsync(query, time, cancellation);
            var theirs = Answer.Of(answer);
            var mine = Answer.Of(isRange ? engine.Range(ours, query, time, until, step, cancellation) : engine.Instant(ours, query, time, cancellation));
            if (theirs.Error is null && theirs.Series.Count > 0)
                answered++;
            if (Answer.Difference(mine, theirs) is { } difference)
                differences.Add($"{query}\n    at {time}{(isRange ? $" to {until} step {step}" : "")}: {difference}");
        }
        return new(queries, answered, differences);
    }
}

/// <summary>Nobody is told; a comparison has nothing to report on its store.</summary>
internal sealed class NoSignals : ISignals
{
    public void Raise(Signal signal)
    {
        // What goes wrong with the store shows as answers that differ.
    }
}
