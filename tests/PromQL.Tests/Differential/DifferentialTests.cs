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
