using Groundcrew.Metrics;
using Groundcrew.PromQL.Tests.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests.Functions;

/// <summary>Samples stand every 10 s from 0 on.</summary>
public sealed class RateTests
{
    private static readonly Stage Data = new Stage()
        .Add("c_total", 0, 10, 20, 30, 40, 50, 60)
        .Add("reset_total", 10, 20, 5, 15, 0, 10, 20)
        .Add("late_total", null, null, null, null, 1, 11, 21)
        .Add("gappy_total", 100, null, null, null, null, 110, 120)
        .Add("one_total", null, null, null, null, null, null, 7)
        .Add("nan_total", 1, 2, double.NaN, 4, 5, 6, 7)
        .Add("gauge", 5, 3, 4, 2, 1, 0, -1)
        .Add("flat_total", 5, 5, 5, 5, 5, 5, 5);

    [Theory]
    // Seven samples would need a range that begins before 0; here six of them, from 10 to 60: nothing lies at the begin (excluded).
    [InlineData("increase(c_total[1m])", "{} 60")]
    [InlineData("rate(c_total[1m])", "{} 1")]
    // 40 between 20 and 60, and 10 s up to the begin of the range.
    [InlineData("increase(c_total[50s])", "{} 50")]
    // From 20 s on: 5, 15, 0 (a reset from 15), 10, 20: 30 in 40 s; the counter was zero 6.7 s before, nearer than the begin of the range.
    [InlineData("increase(reset_total[50s])", "{} 35")]
    // 1 at 40 s, 20 more in 20 s: 1 was reached from 0 in 1 s, so it counts from 39 s on.
    [InlineData("increase(late_total[1m])", "{} 21")]
    // 100 to 120 in the last 10 s of samples: 110, 120; the begin is further away than 1.1 distances, so half of one is added.
    [InlineData("increase(gappy_total[1m])", "{} 15")]
    [InlineData("increase(one_total[1m])", "")]
    [InlineData("increase(nan_total[1m])", "{} 6")]
    [InlineData("increase(flat_total[1m])", "{} 0")]
    // A gauge has no zero point and no resets.
    [InlineData("delta(gauge[1m])", "{} -4.8")]
    [InlineData("delta(c_total[1m])", "{} 60")]
    [InlineData("irate(c_total[1m])", "{} 1")]
    [InlineData("irate(reset_total[25s])", "{} 1")]
    [InlineData("idelta(gauge[1m])", "{} -1")]
    [InlineData("idelta(one_total[1m])", "")]
    [InlineData("rate(c_total[9s])", "")]
    [InlineData("rate(absent_total[1m])", "")]
    public void What_is_asked_at_the_end(string query, string expected) => Assert.Equal(expected, Data.At(60, query));

    [Fact]
    public void An_instant_rate_right_after_a_reset_counts_from_zero()
    {
        Assert.Equal("{} 0.5", Data.At(20, "irate(reset_total[1m])"));
        Assert.Equal("{} -15", Data.At(20, "idelta(reset_total[1m])"));
    }

    [Fact]
    public void The_begin_of_a_range_does_not_belong_to_it()
    {
        Assert.Equal("{} 1", Data.At(60, "count_over_time(c_total[10s])"));
        Assert.Equal("{} 2", Data.At(60, "count_over_time(c_total[10001ms])"));
        Assert.Equal("", Data.At(60, "increase(c_total[10s])"));
    }

    [Fact]
    public void A_metric_that_is_not_named_like_a_counter_is_remarked_once()
    {
        var metrics = new Stage().Add("requests", 1, 2, 3).Add("requests a=b", 1, 2, 3).Add("x_count", 1, 2).Add("x_sum", 1, 2).Add("x_bucket", 1, 2);

        Assert.Equal("PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"requests\"", metrics.RemarksAt(20, "rate({__name__=~'.+'}[1m])"));
        Assert.Equal("", metrics.RemarksAt(20, "delta(requests[1m])"));
        Assert.Equal("", metrics.RemarksAt(20, "irate(requests[1m])"));
        Assert.Equal("", metrics.RemarksAt(0, "rate(requests[1m])"));
    }

    [Fact]
    public void Histograms_have_rates_bucket_by_bucket()
    {
        // 8 more in 20 s; their count was zero 5 s before the first one.
        var metrics = new Stage().Add("h", Stage.Histogram(2, 4, 1, 1), Stage.Histogram(6, 8, 1, 5), Stage.Histogram(10, 12, 3, 7));

        Assert.Equal("{} {count:10, sum:10, (0.5,1]:2.5, (1,2]:7.5}", metrics.At(20, "increase(h[30s])"));
        Assert.Equal("{} {count:10, sum:10, (0.5,1]:2.5, (1,2]:7.5}", metrics.At(20, "rate(h[30s]) * 30"));
        Assert.Equal("{} {count:4, sum:4, (0.5,1]:2, (1,2]:2}", metrics.At(20, "irate(h[30s]) * 10"));
    }

    [Fact]
    public void A_histogram_after_a_reset_counts_whole()
    {
        var metrics = new Stage().Add("h", Stage.Histogram(0, 0), Stage.Histogram(6, 8, 1, 5), Stage.Histogram(3, 1, 3));

        Assert.Equal("{} {count:9, sum:9, (0.5,1]:4, (1,2]:5}", metrics.At(20, "increase(h[30s])"));
        Assert.Equal("{} {count:3, sum:1, (0.5,1]:3}", metrics.At(20, "irate(h[30s]) * 10"));
    }

    [Fact]
    public void Floats_and_histograms_do_not_mix()
    {
        var metrics = new Stage().Add("m_total", 1, 2).Add("m_total", null, null, Stage.Histogram(1, 1, 1));

        foreach (var function in (string[])["rate", "increase", "delta", "irate", "idelta"])
        {
            Assert.Equal("", metrics.At(20, $"{function}(m_total[1m])"));
            Assert.Equal("PromQL warning: encountered a mix of histograms and floats for metric name \"m_total\"", metrics.RemarksAt(20, $"{function}(m_total[1m])"));
        }
    }

    [Fact]
    public void Gauges_and_counters_are_told_apart_by_their_hint()
    {
        FloatHistogram Gauge(double count)
        {
            var histogram = Stage.Histogram(count, count, count);
            histogram.ResetHint = CounterResetHint.Gauge;
            return histogram;
        }
        var metrics = new Stage().Add("g", Gauge(5), Gauge(3)).Add("c", Stage.Histogram(1, 1, 1), Stage.Histogram(2, 2, 2));

        Assert.Equal("PromQL warning: this native histogram metric is not a counter: \"g\"", metrics.RemarksAt(10, "rate(g[1m])"));
        Assert.Equal("PromQL warning: this native histogram metric is not a counter: \"g\"", metrics.RemarksAt(10, "irate(g[1m])"));
        Assert.Equal("PromQL warning: this native histogram metric is not a gauge: \"c\"", metrics.RemarksAt(10, "delta(c[1m])"));
        Assert.Equal("PromQL warning: this native histogram metric is not a gauge: \"c\"", metrics.RemarksAt(10, "idelta(c[1m])"));
        Assert.Equal("", metrics.RemarksAt(10, "delta(g[1m])"));
        Assert.Equal("{} {count:-2, sum:-2, (0.5,1]:-2}", metrics.At(10, "idelta(g[1m])"));
    }

    [Fact]
    public void Exponential_and_custom_buckets_have_no_common_rate()
    {
        var metrics = new Stage().Add("h", Stage.Custom(1, 1, [5], 1), Stage.Histogram(2, 2, 2), Stage.Custom(3, 3, [5], 3));

        Assert.Equal("", metrics.At(20, "rate(h[1m])"));
        Assert.Equal("PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name \"h\"", metrics.RemarksAt(20, "rate(h[1m])"));
    }

    [Fact]
    public void Custom_bounds_that_change_are_brought_to_the_common_ones()
    {
        var metrics = new Stage().Add("h", Stage.Custom(3, 3, [5, 10], 1, 2), Stage.Custom(9, 9, [5, 20], 4, 5));

        Assert.Equal("{} {count:6, sum:6, [-Inf,5]:3, (5,+Inf]:3}", metrics.At(10, "irate(h[1m]) * 10"));
        Assert.Equal("PromQL info: mismatched custom buckets were reconciled during subtraction", metrics.RemarksAt(10, "irate(h[1m])"));
        Assert.Equal("PromQL info: mismatched custom buckets were reconciled during subtraction", metrics.RemarksAt(10, "rate(h[1m])"));
    }
}
