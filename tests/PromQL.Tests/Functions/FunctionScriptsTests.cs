using Groundcrew.PromQL.Tests.Scripts;
using Xunit;

namespace Groundcrew.PromQL.Tests.Functions;

/// <summary>Our own scripts, in the format in which Prometheus tests itself.</summary>
public sealed class FunctionScriptsTests
{
    [Theory]
    [InlineData("fractions.test", 25)]
    [InlineData("floats.test", 67)]
    [InlineData("names.test", 13)]
    [InlineData("trim.test", 19)]
    [InlineData("native_histograms.test", 42)]
    public void A_script_passes_whole(string name, int evals)
    {
        var text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "corpus", "functions", name));
        var report = PromQLScript.Run(text, name, TimeProvider.System, cancellation: TestContext.Current.CancellationToken);

        Assert.True(report.Failed == 0, string.Join('\n', SharedScriptsTests.Failures(report)));
        Assert.True(report.Passed >= evals, $"{report.Passed} of at least {evals} evaluations ran.");
    }
}
