using Groundcrew.Metrics;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>The same samples and the same queries for the real Prometheus and for us.</summary>
public sealed class DifferentialTests
{
    private const int Queries = 1500;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Random_queries_over_random_data_have_the_answers_of_Prometheus(int seed)
    {
        using var folder = new TempFolder();
        var report = await Comparison.RunAsync(folder.Path, FreePort.Next(), seed, Queries, TestContext.Current.CancellationToken);

        Assert.True(report.Answered > Queries / 2, $"Only {report.Answered} of {Queries} queries had an answer: the comparison says little.");
        Assert.True(report.Differences.Count == 0, string.Join('\n', report.Differences.Take(20)) + $"\n{report.Differences.Count} of {report.Asked}");
    }
}

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
        var ours = new MemoryMetrics();
        foreach (var (labels, samples) in data)
            foreach (var (time, value) in samples)
                ours.Add(labels, time, value);
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
