using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

public sealed class LimitTests
{
    private const string TooMany = "Execution: query processing would load too many samples into memory in query execution";

    private static Stage NewStage(long limit) => new Stage { Options = new() { MaxSamples = limit } }
        .Add("x i=1", 1, 2, 3, 4, 5).Add("x i=2", 1, 2, 3, 4, 5);

    [Theory]
    [InlineData("x", 10, 9)]
    [InlineData("sum(x)", 10, 9)]
    [InlineData("sum_over_time(x[20s])", 12, 9)]
    [InlineData("x + x", 20, 19)]
    [InlineData("x @ 40", 10, 9)]
    [InlineData("sum_over_time(x[50s:10s])", 23, 11)]
    public void As_many_samples_as_allowed_may_be_held_at_a_time(string query, long enough, long tooFew)
    {
        Assert.DoesNotContain("Execution", NewStage(enough).From(0, 40, 10, query), StringComparison.Ordinal);
        Assert.Equal(TooMany, NewStage(tooFew).From(0, 40, 10, query));
    }

    [Fact]
    public void A_window_counts_with_all_that_is_in_it()
    {
        Assert.Equal("{i=\"1\"} 15; {i=\"2\"} 15", NewStage(7).At(40, "sum_over_time(x[1m])"));
        Assert.Equal(TooMany, NewStage(4).At(40, "sum_over_time(x[1m])"));
        Assert.Equal(TooMany, NewStage(9).At(40, "x[1m]"));
    }

    [Fact]
    public void A_histogram_counts_by_its_size()
    {
        var stage = new Stage { Options = new() { MaxSamples = 11 } }.Add("h", Stage.Histogram(1, 1));
        Assert.NotEqual(TooMany, stage.At(0, "h"));
        stage.Options = new() { MaxSamples = 10 };
        Assert.Equal(TooMany, stage.At(0, "h"));
    }

    [Fact]
    public void A_query_ends_when_its_time_is_over()
    {
        var stage = new Stage { Options = new() { Timeout = TimeSpan.FromSeconds(5) } };
        var source = new Slow(() => stage.Clock.Advance(TimeSpan.FromSeconds(3)));
        var engine = new QueryEngine(stage.Options, stage.Clock);
        Assert.Null(engine.Instant(source, "x", 0, TestContext.Current.CancellationToken).Error);
        Assert.Equal(new QueryError(QueryErrorKind.Timeout, "query timed out in expression evaluation"), engine.Instant(source, "x + x", 0, TestContext.Current.CancellationToken).Error);
    }

    [Fact]
    public void A_cancelled_query_ends()
    {
        using var cancelled = new CancellationTokenSource();
        var source = new Slow(cancelled.Cancel);
        var engine = new QueryEngine(new(), new Groundcrew.Tests.Support.ManualClock());
        Assert.Equal(new QueryError(QueryErrorKind.Canceled, "query was canceled in expression evaluation"), engine.Instant(source, "x", 0, cancelled.Token).Error);
    }

    [Fact]
    public void What_is_experimental_needs_the_option()
    {
        var stage = new Stage { Options = new() };
        Assert.Equal("BadData: 1:5: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions", stage.At(0, "sum(limitk(1, x))"));
        Assert.Equal("BadData: 1:1: parse error: function \"mad_over_time\" is not enabled", stage.At(0, "mad_over_time(x[5m])"));
    }

    /// <summary>A source with one series in whose reading something else happens.</summary>
    private sealed class Slow(Action meanwhile) : IMetricSource, IMetricReader
    {
        public IMetricReader OpenReader() => this;

        public IReadOnlyList<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default)
        {
            meanwhile();
            return [new One()];
        }

        public IReadOnlyList<string> LabelNames(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) => [];

        public IReadOnlyList<string> LabelValues(string name, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) => [];

        public void Dispose()
        {
        }

        private sealed class One : StoredSeries
        {
            public override Labels Labels { get; } = Labels.Of((Labels.MetricName, "x"));

            public override void Read(long from, long to, SampleBuffer into) => into.Add(to, 1);
        }
    }
}
