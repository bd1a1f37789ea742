using Xunit;

namespace Groundcrew.PromQL.Tests.Scripts;

/// <summary>Our own scripts, in the format of Prometheus': a finding becomes a case there first.</summary>
public sealed class CorpusTests
{
    private const int Cases = 670;

    [Fact]
    public void Our_own_scripts_pass()
    {
        var reports = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "corpus"), "*.test", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(file => PromQLScript.Run(File.ReadAllText(file), Path.GetFileName(file), TimeProvider.System, cancellation: TestContext.Current.CancellationToken)).ToList();

        Assert.True(reports.All(r => r.Failed == 0), string.Join('\n', reports.SelectMany(SharedScriptsTests.Failures)));
        Assert.True(reports.Sum(r => r.Passed) >= Cases, $"Only {reports.Sum(r => r.Passed)} cases: some are gone.");
    }
}
