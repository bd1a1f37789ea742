using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.PromQL.Tests.Scripts;

/// <summary>
/// Our own scripts, in the format of Prometheus': a finding becomes a case there first. Where a checkout has scripts that
/// Prometheus tests its own engine with in <c>../shared/promqltest</c>, they run too.
/// </summary>
public sealed class CorpusTests
{
    private const int OwnCases = 670;
    private const int CasesOfPrometheus = 300;

    [Fact]
    public void All_scripts_pass()
    {
        Pass(Path.Combine(AppContext.BaseDirectory, "corpus"), OwnCases);
        var beside = Path.Combine(Checkout.Root, "..", "shared", "promqltest");
        if (Directory.Exists(beside))
            Pass(beside, CasesOfPrometheus);
    }

    private static void Pass(string folder, int atLeast)
    {
        var reports = Directory.GetFiles(folder, "*.test", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(file => PromQLScript.Run(File.ReadAllText(file), Path.GetFileName(file), TimeProvider.System, cancellation: TestContext.Current.CancellationToken)).ToList();
        Assert.True(reports.All(r => r.Failed == 0), string.Join('\n', reports.SelectMany(Failures)));
        Assert.True(reports.Sum(r => r.Passed) >= atLeast, $"Only {reports.Sum(r => r.Passed)} cases in {folder}: some are gone.");
    }

    private static IEnumerable<string> Failures(ScriptReport report) =>
    [
        .. report.Problem is { } problem ? [$"{report.Name}:{problem.Line}: {problem.Message}"] : Array.Empty<string>(),
        .. report.Evals.Where(e => !e.Passed).Select(e => $"{report.Name}:{e.Line}: {e.Query}\n  {e.Failure}\n  expected {e.Expected}\n  actual   {e.Actual}"),
    ];
}
