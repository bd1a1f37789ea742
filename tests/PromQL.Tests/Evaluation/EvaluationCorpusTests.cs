using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

/// <summary>Cases of our own in the format of test scripts: each also as a range query and pinned.</summary>
public sealed class EvaluationCorpusTests
{
    private const int Cases = 64;

    [Fact]
    public void Every_case_of_the_corpus_is_answered_as_it_says()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "corpus", "evaluation.test");
        var report = PromQLScript.Run(File.ReadAllText(file), "evaluation.test", TimeProvider.System, cancellation: TestContext.Current.CancellationToken);
        Assert.Empty(report.Evals.Where(e => !e.Passed).Select(e => $"{e.Line}: {e.Query}: {e.Failure}; expected {e.Expected}, actual {e.Actual}"));
        Assert.Null(report.Problem);
        Assert.True(report.Passed >= Cases, $"Only {report.Passed} cases are left of {Cases}.");
    }
}
