using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

public sealed class AggregationTests
{
    private readonly Stage _stage = new Stage()
        .Add("x g=1 i=1", 1, 2, 3).Add("x g=1 i=2", 4.0, StaleMarker.Value, 6.0).Add("x g=2 i=1", 7, 8, 9).Add("k", 1, 2, 0);

    [Theory]
    [InlineData("sum(x)", "{} 12")]
    [InlineData("sum by (g) (x)", "{g=\"1\"} 5; {g=\"2\"} 7")]
    [InlineData("sum by (g, nothing) (x)", "{g=\"1\"} 5; {g=\"2\"} 7")]
    [InlineData("sum without (i) (x)", "{g=\"1\"} 5; {g=\"2\"} 7")]
    [InlineData("sum by (__name__) (x)", "x 12")]
    [InlineData("avg(x)", "{} 4")]
    [InlineData("count by (g) (x)", "{g=\"1\"} 2; {g=\"2\"} 1")]
    [InlineData("min(x)", "{} 1")]
    [InlineData("max by (i) (x)", "{i=\"1\"} 7; {i=\"2\"} 4")]
    [InlineData("group(x)", "{} 1")]
    [InlineData("stdvar(x)", "{} 6")]
    [InlineData("stddev(x)", "{} 2.449489743")]
    [InlineData("quantile(0.5, x)", "{} 4")]
    [InlineData("quantile(0.25, x)", "{} 2.5")]
    [InlineData("quantile(2, x)", "{} Infinity")]
    [InlineData("quantile(-1, x)", "{} -Infinity")]
    [InlineData("topk by (g) (1, x)", "x{g=\"1\", i=\"2\"} 4; x{g=\"2\", i=\"1\"} 7")]
    [InlineData("count_values('v', x)", "{v=\"1\"} 1; {v=\"4\"} 1; {v=\"7\"} 1")]
    [InlineData("count_values by (g) ('v', x * 0)", "{g=\"1\", v=\"0\"} 2; {g=\"2\", v=\"0\"} 1")]
    [InlineData("count_values without (i) ('g', x * 0)", "{g=\"0\"} 3")]
    [InlineData("count_values('v', x * 1e20)", "{v=\"100000000000000000000\"} 1; {v=\"400000000000000000000\"} 1; {v=\"700000000000000000000\"} 1")]
    [InlineData("limitk(2, x)", "x{g=\"1\", i=\"1\"} 1; x{g=\"1\", i=\"2\"} 4")]
    [InlineData("limit_ratio(1, x) == x", "x{g=\"1\", i=\"1\"} 1; x{g=\"1\", i=\"2\"} 4; x{g=\"2\", i=\"1\"} 7")]
    [InlineData("topk(0, x)", "")]
    [InlineData("sum(nothing)", "")]
    [InlineData("topk(scalar(nothing), x)", "Execution: Parameter value is NaN")]
    [InlineData("topk(1e30, x)", "Execution: Scalar value 1e+30 overflows int64")]
    [InlineData("limit_ratio(0/0, x)", "Execution: Ratio value is NaN")]
    public void Groups_are_aggregated(string query, string answer) => Assert.Equal(answer, _stage.At(0, query));

    [Fact]
    public void Ranks_stand_in_their_order_NaN_at_the_end()
    {
        _stage.Add("x g=3 i=9", double.NaN);
        Assert.Equal("x{g=\"2\", i=\"1\"} 7; x{g=\"1\", i=\"2\"} 4", _stage.InOrder(0, "topk(2, x)"));
        Assert.Equal("x{g=\"1\", i=\"1\"} 1; x{g=\"1\", i=\"2\"} 4; x{g=\"2\", i=\"1\"} 7; x{g=\"3\", i=\"9\"} NaN", _stage.InOrder(0, "bottomk(9, x)"));
    }

    [Fact]
    public void Groups_and_parameters_may_differ_from_step_to_step()
    {
        Assert.Equal("{g=\"1\"} 5 2 9; {g=\"2\"} 7 8 9", _stage.From(0, 20, 10, "sum by (g) (x)"));
        Assert.Equal("{g=\"1\"} 2 1 2; {g=\"2\"} 1 1 1", _stage.From(0, 20, 10, "count by (g) (x)"));
        Assert.Equal("x{g=\"1\", i=\"1\"} . 2 .; x{g=\"2\", i=\"1\"} 7 8 .", _stage.From(0, 20, 10, "topk(scalar(k), x)"));
        Assert.Equal("{} 7 8 3", _stage.From(0, 20, 10, "quantile(scalar(k > bool 0), x)"));
        Assert.Equal("{v=\"1\"} 1 . .; {v=\"2\"} . 1 .; {v=\"3\"} . . 1; {v=\"4\"} 1 . .; {v=\"6\"} . . 1; {v=\"7\"} 1 . .; {v=\"8\"} . 1 .; {v=\"9\"} . . 1",
            _stage.From(0, 20, 10, "count_values('v', x)"));
    }

    [Fact]
    public void Sums_lose_no_digits_and_means_do_not_overflow()
    {
        var stage = new Stage().Add("x i=1", 1.0).Add("x i=2", 1e100).Add("x i=3", 1.0).Add("x i=4", -1e100)
            .Add("y i=1", 1.7e308).Add("y i=2", 1.7e308).Add("y i=3", 1.7e308);
        Assert.Equal("{} 2", stage.At(0, "sum(x)"));
        Assert.Equal("{} 0.5", stage.At(0, "avg(x)"));
        Assert.Equal("{} 1", stage.At(0, "avg(y) == bool 1.7e308"));
        Assert.Equal("{} Infinity", stage.At(0, "sum(y)"));
    }

    [Fact]
    public void Histograms_are_summed_and_averaged()
    {
        var stage = new Stage().Add("h i=1", Stage.Histogram(4, 8, 1, 3)).Add("h i=2", Stage.Histogram(2, 2, 2)).Add("h i=3", 5.0);
        Assert.Equal("{} {count:6, sum:10, (0.5,1]:3, (1,2]:3}", stage.At(0, "sum(h{i!=\"3\"})"));
        Assert.Equal("{} {count:3, sum:5, (0.5,1]:1.5, (1,2]:1.5}", stage.At(0, "avg(h{i!=\"3\"})"));
        Assert.Equal("", stage.At(0, "sum(h)"));
        Assert.Equal("{} 3", stage.At(0, "count(h)"));
        Assert.Equal("{} 5", stage.At(0, "max(h)"));
        Assert.Equal("h{i=\"3\"} 5", stage.At(0, "topk(3, h)"));
        Assert.Equal("{v=\"5\"} 1; {v=\"{count:2, sum:2, (0.5,1]:2}\"} 1; {v=\"{count:4, sum:8, (0.5,1]:1, (1,2]:3}\"} 1", stage.At(0, "count_values('v', h)"));
    }

    [Theory]
    [InlineData("sum(h)", "PromQL warning: encountered a mix of histograms and floats for aggregation")]
    [InlineData("avg(h)", "PromQL warning: encountered a mix of histograms and floats for aggregation")]
    [InlineData("max(h)", "PromQL info: ignored histogram in max aggregation")]
    [InlineData("stddev(h)", "PromQL info: ignored histogram in stddev aggregation")]
    [InlineData("quantile(1.5, h)", "PromQL warning: quantile value should be between 0 and 1, got 1.5; PromQL info: ignored histogram in quantile aggregation")]
    [InlineData("topk(2, h)", "PromQL info: ignored histogram in topk aggregation")]
    [InlineData("sum({__name__=~'h|n', i=~'1|']})", "")]
    [InlineData("limit_ratio(-1.5, h)", "PromQL warning: ratio value should be between -1 and 1, got -1.5, capping to -1")]
    [InlineData("count(h)", "")]
    public void What_is_left_out_is_remarked(string query, string remark)
    {
        var stage = new Stage().Add("h i=1", Stage.Histogram(4, 8, 1, 3)).Add("h i=3", 5.0);
        Assert.Equal(remark, stage.RemarksAt(0, query));
    }

    [Fact]
    public void Kinds_of_buckets_do_not_mix()
    {
        var stage = new Stage().Add("h i=1", Stage.Histogram(4, 8, 4)).Add("h i=2", Stage.Custom(3, 3, [1, 2], 1, 1, 1));
        Assert.Equal("", stage.At(0, "sum(h)"));
        Assert.Equal("PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name \"h\"", stage.RemarksAt(0, "sum(h)"));
    }
}
