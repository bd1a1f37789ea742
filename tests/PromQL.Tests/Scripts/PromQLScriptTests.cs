using Xunit;

namespace Groundcrew.PromQL.Tests.Scripts;

public sealed class PromQLScriptTests
{
    private const string Loaded = "load 1m\n  m{a=\"1\"} 0+60x10\n  m{a=\"2\"} 0+120x10\n  h {{count:2 buckets:[2]}}x10\n\n";

    [Theory]
    [InlineData("eval instant at 5m m\n  m{a=\"1\"} 300\n  m{a=\"2\"} 601", "{__name__=\"m\", a=\"2\"} has another value")]
    [InlineData("eval instant at 5m m\n  m{a=\"1\"} 300", "unexpected series {__name__=\"m\", a=\"2\"}")]
    [InlineData("eval instant at 5m m{a=\"1\"}\n  m{a=\"1\"} 300\n  m{a=\"3\"} 1", "expected series {__name__=\"m\", a=\"3\"} is missing")]
    [InlineData("eval instant at 5m m{a=\"1\"}\n  m{a=\"1\"} {{count:2}}", "{__name__=\"m\", a=\"1\"} has another value")]
    [InlineData("eval instant at 5m h\n  h {{count:2 buckets:[1 1]}}", "{__name__=\"h\"} has another value")]
    [InlineData("eval instant at 5m h\n  h {{count:2 buckets:[2] counter_reset_hint:gauge}}", "{__name__=\"h\"} has another value")]
    [InlineData("eval instant at 5m 1 + 1\n  3", "another scalar")]
    [InlineData("eval instant at 5m 1 + 1\n  {} 2", "a value of another type")]
    [InlineData("eval instant at 5m \"a\"\n  expect string \"b\"", "another string")]
    [InlineData("eval instant at 5m sort(m)\n  expect ordered\n  m{a=\"2\"} 600\n  m{a=\"1\"} 300", "{__name__=\"m\", a=\"1\"} stands at position 1 instead of 2")]
    [InlineData("eval instant at 5m m\n  expect fail", "the query should have failed")]
    [InlineData("eval instant at 5m m + on () m", "the query failed: found duplicate series for the match group {} on the right hand-side of the operation")]
    [InlineData("eval instant at 5m m + on () m\n  expect fail msg: another", "instead of \"another\"")]
    [InlineData("eval instant at 5m max(m)\n  expect warn\n  {} 600", "no warning, expected any")]
    [InlineData("eval instant at 5m quantile(2, m)\n  expect no_warn\n  {} Inf", "unexpected warning \"PromQL warning: quantile value should be between 0 and 1, got 2")]
    [InlineData("eval instant at 5m max(h)\n  expect info msg: another", "expected \"another\"")]
    [InlineData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} 0 60", "{__name__=\"m\", a=\"1\"}: 3 points instead of 2")]
    [InlineData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} 0 60 121", "{__name__=\"m\", a=\"1\"}: another value at 120s")]
    [InlineData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} _ 0 60 120", "{__name__=\"m\", a=\"1\"}: a point at 0s instead of 60s")]
    public void What_is_not_as_expected_fails_with_the_reason(string eval, string reason)
    {
        var report = Run(Loaded + eval);
        Assert.Equal((0, 1), (report.Passed, report.Failed));
        var failed = Assert.Single(report.Evals);
        Assert.Equal(6, failed.Line);
        Assert.Contains(reason, failed.Failure, StringComparison.Ordinal);
        Assert.NotNull(failed.Expected);
    }

    [Theory]
    [InlineData("load", 1, "invalid command \"load\"")]
    [InlineData("\nevaluate x", 2, "invalid command \"evaluate x\"")]
    [InlineData("load 0s\n  x 1", 1, "the step must be more than 0")]
    [InlineData("load 1m\n  x 1+2", 2, "unexpected \"1+2\" in series values")]
    [InlineData("load 1m\n  x{a=~\"b\"} 1", 2, "a series has labels with '=' only")]
    [InlineData("load 1m\n  x{a=b} 1", 2, "unexpected identifier \"b\" in label matching, expected string")]
    [InlineData("load 1m\n  x {{foo:1}}", 2, "bad histogram descriptor found: \"foo\"")]
    [InlineData("load 1m\n  x 1x99999999999", 2, "invalid repetition in series values: 99999999999")]
    [InlineData("eval instant at never x", 1, "not a valid duration string: \"never\"")]
    [InlineData("eval instant at 0 x\n  expect fail regex:(", 2, "error parsing regexp: missing closing ): `.*(?:().*`")]
    public void A_line_that_cannot_be_read_is_named(string script, int line, string message)
    {
        var report = Run(script);
        Assert.Equal((line, message), report.Problem);
        Assert.Equal(1, report.Failed);
    }

    [Fact]
    public void What_came_before_a_wrong_line_was_run()
    {
        var report = Run("eval instant at 0 1\n  1\n\nnonsense\n");
        Assert.Equal((1, 1), (report.Passed, report.Failed));
        Assert.Equal(4, report.Problem?.Line);
    }

    /// <summary>On a store where the answer at other times differs, the query with its selectors pinned must still agree.</summary>
    [Theory]
    [InlineData("m{a=\"1\"} offset 1m", "{__name__=\"m\", a=\"1\"} 240")]
    [InlineData("rate(m{a=\"1\"}[2m])", "{a=\"1\"} 1")]
    [InlineData("sum_over_time(m{a=\"1\"}[2m:1m])", "{a=\"1\"} 540")]
    [InlineData("sum_over_time(vector(time())[2m:1m])", "{} 540")]
    [InlineData("timestamp(m{a=\"1\"})", "{a=\"1\"} 300")]
    [InlineData("m{a=\"1\"} @ start()", "{__name__=\"m\", a=\"1\"} 300")]
    public void The_variants_of_a_query_agree(string query, string expected) =>
        Assert.Equal(1, Run($"{Loaded}eval instant at 5m {query}\n  {expected}").Passed);

    private static ScriptReport Run(string text) => PromQLScript.Run(text, "test", TimeProvider.System, cancellation: TestContext.Current.CancellationToken);
}
