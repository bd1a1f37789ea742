using Xunit;

namespace Groundcrew.PromQL.Tests.Scripts;

/// <summary>Scripts that Prometheus tests its own engine with, where a checkout has them beside it.</summary>
public sealed class SharedScriptsTests
{
    [Fact]
    public void The_scripts_of_Prometheus_beside_the_repository_pass_when_they_are_there()
    {
        var folder = Root() is { } root ? Path.Combine(root, "..", "shared", "promqltest") : "";
        if (!Directory.Exists(folder))
            Assert.Skip("There are no scripts beside the repository.");
        var reports = Directory.GetFiles(folder, "*.test").Order(StringComparer.Ordinal)
            .Select(file => PromQLScript.Run(File.ReadAllText(file), Path.GetFileName(file), TimeProvider.System, cancellation: TestContext.Current.CancellationToken)).ToList();

        Assert.True(reports.All(r => r.Failed == 0), string.Join('\n', reports.SelectMany(Failures)));
        Assert.True(reports.Sum(r => r.Passed) > 300);
    }

    internal static IEnumerable<string> Failures(ScriptReport report) =>
    [
        .. report.Problem is { } problem ? [$"{report.Name}:{problem.Line}: {problem.Message}"] : Array.Empty<string>(),
        .. report.Evals.Where(e => !e.Passed).Select(e => $"{report.Name}:{e.Line}: {e.Query}\n  {e.Failure}\n  expected {e.Expected}\n  actual   {e.Actual}"),
    ];

    private static string? Root()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "Groundcrew.slnx")))
                return folder;
        return null;
    }
}
