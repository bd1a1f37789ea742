using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.PromQL.Tests.Syntax;

public sealed class QueryExplanationTests
{
    private const long Minute = 60_000;

    [Theory]
    [InlineData("foo", 95, 120, 5)]
    [InlineData("foo offset 10m", 85, 110, 5)]
    [InlineData("foo offset -10m", 105, 130, 5)]
    [InlineData("foo @ 600", 5, 10, 5)]
    [InlineData("foo @ start() offset 1m", 94, 99, 5)]
    [InlineData("foo @ end()", 115, 120, 5)]
    [InlineData("rate(foo[30m])", 70, 120, 30)]
    [InlineData("rate(foo[30m] @ 3600 offset 1m)", 29, 59, 30)]
    [InlineData("max_over_time(foo[20m:1m])", 75, 120, 5)]
    [InlineData("max_over_time(rate(foo[10m])[20m:1m] offset 5m)", 65, 115, 10)]
    [InlineData("max_over_time(max_over_time(foo[10m:1m] offset 1m)[20m:1m] @ end())", 84, 119, 5)]
    [InlineData("max_over_time(foo[20m:1m] @ start())", 75, 100, 5)]
    [InlineData("max_over_time((foo @ end())[20m:1m] @ start())", 115, 120, 5)]
    public void Each_selector_says_which_time_it_reads(string query, long from, long to, long window)
    {
        var reads = Assert.Single(Selectors(Explained(query))).Reads!;
        Assert.Equal((from * Minute, to * Minute, window * Minute), (reads.From, reads.To, reads.Window));
    }

    [Fact]
    public void Every_part_says_what_it_is_and_gives()
    {
        var whole = Explained("sum by (job) (rate(foo{job!=\"x\"}[5m])) > bool 1");
        Assert.Equal(("operator >", "instant vector", "sum by (job) (rate(foo{job!=\"x\"}[5m])) > bool 1"), (whole.Kind, whole.Type, whole.Text));
        Assert.Equal(["aggregation sum", "number"], whole.Parts.Select(p => p.Kind));
        var selector = Assert.Single(Selectors(whole));
        Assert.Equal(("range selector", "range vector"), (selector.Kind, selector.Type));
        Assert.Equal(["job!=\"x\"", "__name__=\"foo\""], selector.Reads!.Matchers);
        Assert.Null(selector.Reads.Series);
    }

    [Fact]
    public void A_source_tells_how_many_series_there_are_in_that_time()
    {
        var source = new MemoryMetrics();
        source.Add(Labels.Of(("__name__", "foo"), ("a", "1")), 95 * Minute, 1);
        source.Add(Labels.Of(("__name__", "foo"), ("a", "2")), (95 * Minute) + 1, 1);
        source.Add(Labels.Of(("__name__", "foo"), ("a", "3")), 120 * Minute, 1);
        source.Add(Labels.Of(("__name__", "foo"), ("a", "4")), 121 * Minute, 1);
        source.Add(Labels.Of(("__name__", "bar")), 120 * Minute, 1);

        var explained = QueryExplanation.Of(Parser.Parse("foo").Expr!, 100 * Minute, 120 * Minute, TimeSpan.FromMinutes(5), source);
        Assert.Equal(2, explained.Reads!.Series);
    }

    private static QueryExplanation Explained(string query) => QueryExplanation.Of(Parser.Parse(query).Expr!, 100 * Minute, 120 * Minute, TimeSpan.FromMinutes(5));

    private static IEnumerable<QueryExplanation> Selectors(QueryExplanation part) => part.Reads is not null ? [part] : part.Parts.SelectMany(Selectors);
}
