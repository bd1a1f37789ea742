using Groundcrew.Contract.Manifest;
using Xunit;

namespace Groundcrew.Contract.Tests.Manifest;

public sealed class ManifestCorpusTests(ITestOutputHelper output)
{
    /// <summary>How many cases there are. It only grows: a bug becomes a case first.</summary>
    private const int RecordedCases = 112;

    [Fact]
    public void Every_case_reads_as_recorded()
    {
        Assert.All(ManifestCase.All, one => Golden.Check(one.FilePath, one.Run()));
        output.WriteLine($"{ManifestCase.All.Count} manifest cases ran.");
        Assert.True(ManifestCase.All.Count >= RecordedCases, $"{ManifestCase.All.Count} cases ran; {RecordedCases} are recorded.");
    }

    [Fact]
    public void Every_problem_code_has_a_case()
    {
        var seen = ManifestCase.All.SelectMany(one => one.Codes).Distinct().Order(StringComparer.Ordinal);
        Assert.Equal(ProblemKinds.All.Select(kind => kind.Code), seen);
    }

    [Fact]
    public void Every_problem_names_a_line_and_a_fix()
    {
        Assert.All(ManifestCase.All.Where(one => !one.IsGood).SelectMany(one => ManifestReader.Read(one.Yaml, "crew.yaml").Problems), problem =>
        {
            Assert.InRange(problem.Line ?? 0, 1, 400);
            Assert.EndsWith(".", problem.Message);
            Assert.True(problem.Fix.Length > 0 && problem.Fix[^1] is '.' or '?', problem.ToString());
        });
    }

    [Fact]
    public void The_canonical_form_reads_as_the_same_manifest()
    {
        Assert.All(ManifestCase.All.Where(one => one.IsGood), one =>
        {
            var again = ManifestReader.Read(one.Expected, one.Name);
            Assert.Empty(again.Problems);
            Assert.Equal(one.Expected.TrimEnd('\n'), ManifestWriter.ToJson(again.Value!));
        });
    }

    [Fact]
    public void A_refused_value_that_may_be_a_secret_is_not_repeated()
    {
        var judged = ManifestReader.Read("system: acme\nservices:\n  web:\n    run: ./web\n    secrets: { DB_PASSWORD: \"Tr0ub4dor&3\" }\n", "crew.yaml");
        var problem = Assert.Single(judged.Problems);
        Assert.DoesNotContain("Tr0ub4dor", problem.ToString(), StringComparison.Ordinal);
    }
}
