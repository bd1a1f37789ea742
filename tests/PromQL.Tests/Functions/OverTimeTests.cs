using Groundcrew.PromQL.Tests.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests.Functions;

/// <summary>Samples stand every 10 s from 0 on; all is asked at 60 s.</summary>
public sealed class OverTimeTests
{
    private static readonly Stage Data = new Stage()
        .Add("m", 4, 1, 3, 3, 2, 8, 5)
        .Add("one", null, null, null, null, null, null, 7)
        .Add("nans", double.NaN, 1, double.NaN, 3, null, null, double.NaN)
        .Add("infs", double.PositiveInfinity, 1, double.NegativeInfinity)
        .Add("huge", 1e308, 1e308, 1e308, 1e308)
        .Add("rounding", 1e100, 1, -1e100, 1)
        .Add("small", 1, 1, 1, 1 + 1e-9)
        .Add("const", 3, 3, 3, 3, 3, 3, 3)
        .Add("line", 1, 3, 5, 7, 9, 11, 13)
        .Add("allinf", double.PositiveInfinity, double.PositiveInfinity)
        .Add("counter", 1, 5, 2, 2, double.NaN, double.NaN, 0)
        .Add("mixed", 1, null, 3).Add("mixed", null, Stage.Histogram(1, 2, 1))
        .Add("h", Stage.Histogram(1, 2, 1), Stage.Histogram(3, 5, 1, 2), Stage.Histogram(3, 5, 1, 2));

    [Theory]
    [InlineData("avg_over_time(m[2m])", "{} 3.714285714")]
    [InlineData("avg_over_time(nans[2m])", "{} NaN")]
    [InlineData("avg_over_time(infs[2m])", "{} NaN")]
    [InlineData("avg_over_time(allinf[2m])", "{} Infinity")]
    [InlineData("avg_over_time(rounding[2m])", "{} 0.5")]
    [InlineData("avg_over_time(huge[2m]) / 1e308", "{} 1")]
    [InlineData("sum_over_time(m[2m])", "{} 26")]
    [InlineData("sum_over_time(rounding[2m])", "{} 2")]
    [InlineData("sum_over_time(huge[2m])", "{} Infinity")]
    [InlineData("min_over_time(m[2m])", "{} 1")]
    [InlineData("min_over_time(nans[2m])", "{} 1")]
    [InlineData("max_over_time(nans[2m])", "{} 3")]
    [InlineData("max_over_time(nans[5s])", "{} NaN")]
    [InlineData("max_over_time(m[2m])", "{} 8")]
    [InlineData("count_over_time(m[2m])", "{} 7")]
    [InlineData("count_over_time(mixed[2m])", "{} 3")]
    [InlineData("last_over_time(m[2m])", "m 5")]
    [InlineData("first_over_time(m[2m])", "m 4")]
    [InlineData("first_over_time(m[35s])", "m 3")]
    [InlineData("last_over_time(h[2m])", "h {count:3, sum:5, (0.5,1]:1, (1,2]:2}")]
    [InlineData("present_over_time(m[2m])", "{} 1")]
    [InlineData("present_over_time(gone[2m])", "")]
    [InlineData("absent_over_time(gone{a=\"b\"}[2m])", "{a=\"b\"} 1")]
    [InlineData("stdvar_over_time(m[2m])", "{} 4.489795918")]
    [InlineData("stddev_over_time(m[2m])", "{} 2.118913853")]
    [InlineData("stdvar_over_time(one[2m])", "{} 0")]
    [InlineData("stdvar_over_time(const[2m])", "{} 0")]
    // Sorted: 1 2 3 3 4 5 8.
    [InlineData("quantile_over_time(0.5, m[2m])", "{} 3")]
    [InlineData("quantile_over_time(0.25, m[2m])", "{} 2.5")]
    [InlineData("quantile_over_time(0, m[2m])", "{} 1")]
    [InlineData("quantile_over_time(1, m[2m])", "{} 8")]
    [InlineData("quantile_over_time(-1, m[2m])", "{} -Infinity")]
    [InlineData("quantile_over_time(2, m[2m])", "{} Infinity")]
    [InlineData("quantile_over_time(NaN, m[2m])", "{} NaN")]
    [InlineData("quantile_over_time(1, nans[2m])", "{} 3")]
    [InlineData("quantile_over_time(0, nans[2m])", "{} NaN")]
    // Distances from 3: 2 1 0 0 1 2 5.
    [InlineData("mad_over_time(m[2m])", "{} 1")]
    [InlineData("ts_of_first_over_time(m[35s])", "{} 30")]
    [InlineData("ts_of_last_over_time(m[2m])", "{} 60")]
    [InlineData("ts_of_max_over_time(m[2m])", "{} 50")]
    [InlineData("ts_of_min_over_time(m[2m])", "{} 10")]
    [InlineData("ts_of_min_over_time(const[2m])", "{} 60")]
    [InlineData("changes(counter[2m])", "{} 4")]
    [InlineData("resets(counter[2m])", "{} 1")]
    [InlineData("changes(one[2m])", "{} 0")]
    [InlineData("changes(mixed[2m])", "{} 2")]
    [InlineData("resets(mixed[2m])", "{} 2")]
    [InlineData("changes(h[2m])", "{} 1")]
    [InlineData("resets(h[2m])", "{} 0")]
    [InlineData("deriv(line[2m])", "{} 0.2")]
    [InlineData("deriv(const[2m])", "{} 0")]
    [InlineData("deriv(allinf[2m])", "{} NaN")]
    [InlineData("deriv(one[2m])", "")]
    [InlineData("predict_linear(line[2m], 100)", "{} 33")]
    [InlineData("predict_linear(line[2m] offset 10s, 100)", "{} 33")]
    [InlineData("predict_linear(const[2m], 100)", "{} 3")]
    [InlineData("double_exponential_smoothing(line[2m], 0.5, 0.5)", "{} 13")]
    [InlineData("double_exponential_smoothing(m[2m], 0.5, 0.1)", "{} 3.032984375")]
    [InlineData("double_exponential_smoothing(one[2m], 0.5, 0.5)", "")]
    [InlineData("double_exponential_smoothing(m[2m], 0, 0.5)", "Execution: invalid smoothing factor. Expected: 0 < sf < 1, got: 0.000000")]
    [InlineData("double_exponential_smoothing(m[2m], 0.5, 1)", "Execution: invalid trend factor. Expected: 0 < tf < 1, got: 1.000000")]
    [InlineData("sum_over_time(h[2m])", "{} {count:7, sum:12, (0.5,1]:3, (1,2]:4}")]
    [InlineData("avg_over_time(h[2m]) * 3", "{} {count:7, sum:12, (0.5,1]:3, (1,2]:4}")]
    [InlineData("sum_over_time(mixed[2m])", "")]
    [InlineData("max_over_time(mixed[2m])", "{} 3")]
    [InlineData("max_over_time(h[2m])", "")]
    public void What_is_asked_at_the_end(string query, string expected) => Assert.Equal(expected, Data.At(60, query));

    [Theory]
    [InlineData("sum_over_time(mixed[2m])", "PromQL warning: encountered a mix of histograms and floats for metric name \"mixed\"")]
    [InlineData("avg_over_time(mixed[2m])", "PromQL warning: encountered a mix of histograms and floats for metric name \"mixed\"")]
    [InlineData("max_over_time(mixed[2m])", "PromQL info: ignored histograms in a range containing both floats and histograms for metric name \"mixed\"")]
    [InlineData("deriv(mixed[2m])", "PromQL info: ignored histograms in a range containing both floats and histograms for metric name \"mixed\"")]
    [InlineData("max_over_time(h[2m])", "")]
    [InlineData("count_over_time(mixed[2m])", "")]
    [InlineData("quantile_over_time(1.1, m[2m])", "PromQL warning: quantile value should be between 0 and 1, got 1.1")]
    [InlineData("quantile_over_time(NaN, m[2m])", "PromQL warning: quantile value should be between 0 and 1, got NaN")]
    [InlineData("quantile_over_time(1.1, h[2m])", "")]
    public void What_is_remarked(string query, string expected) => Assert.Equal(expected, Data.RemarksAt(60, query));

    [Fact]
    public void Hints_that_contradict_each_other_are_remarked_when_histograms_are_added_up()
    {
        var (one, other) = (Stage.Histogram(1, 1, 1), Stage.Histogram(2, 2, 2));
        (one.ResetHint, other.ResetHint) = (Metrics.CounterResetHint.CounterReset, Metrics.CounterResetHint.NotCounterReset);
        var metrics = new Stage().Add("h", one, other);

        Assert.Equal("PromQL warning: conflicting counter resets during histogram aggregation", metrics.RemarksAt(10, "sum_over_time(h[1m])"));
        Assert.Equal("PromQL warning: conflicting counter resets during histogram aggregation", metrics.RemarksAt(10, "avg_over_time(h[1m])"));
    }

    [Fact]
    public void Kinds_of_buckets_do_not_mix_in_a_sum()
    {
        var metrics = new Stage().Add("h", Stage.Histogram(1, 1, 1), Stage.Custom(1, 1, [5], 1));

        Assert.Equal("", metrics.At(10, "sum_over_time(h[1m])"));
        Assert.Equal("PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name \"h\"", metrics.RemarksAt(10, "avg_over_time(h[1m])"));
    }

    [Fact]
    public void The_scalar_of_each_step_counts_for_that_step() =>
        Assert.Equal("{} 1 3 8", Data.From(40, 60, 10, "quantile_over_time(scalar(vector((time() - 40) / 20)), m[2m])"));
}
