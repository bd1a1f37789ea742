using Groundcrew.PromQL.Tests.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests.Functions;

public sealed class HistogramFunctionTests
{
    private const string FixedMonotonicity =
        "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

    private const string At5Seconds = ", from buckets 2 to 2, with a max diff of 1, over 1 samples from 1970-01-01T00:00:05Z to 1970-01-01T00:00:05Z";

    private static Stage Classic(string name, params (string Le, double Count)[] buckets)
    {
        var stage = new Stage();
        foreach (var (le, count) in buckets)
            stage.Add($"{name} le={le}", count);
        return stage;
    }

    [Theory]
    // 1 in (0,1], 3 in (1,2], 4 in (2,4], 2 above.
    [InlineData("0", "0")]
    [InlineData("0.05", "0.5")]
    [InlineData("0.1", "1")]
    [InlineData("0.4", "2")]
    [InlineData("0.6", "3")]
    [InlineData("0.8", "4")]
    [InlineData("0.99", "4")]
    [InlineData("1", "4")]
    [InlineData("-0.1", "-Infinity")]
    [InlineData("1.1", "Infinity")]
    [InlineData("NaN", "NaN")]
    public void A_quantile_of_classic_buckets_is_interpolated(string quantile, string value) =>
        Assert.Equal($"{{}} {value}", Classic("b_bucket", ("1", 1), ("2", 4), ("4", 8), ("+Inf", 10)).At(5, $"histogram_quantile({quantile}, b_bucket)"));

    [Fact]
    public void The_lowest_bucket_below_zero_has_no_begin()
    {
        var metrics = Classic("b", ("-2", 4), ("2", 8), ("+Inf", 8));
        Assert.Equal("{} -2", metrics.At(5, "histogram_quantile(0.25, b)"));
        Assert.Equal("{} 0", metrics.At(5, "histogram_quantile(0.75, b)"));
    }

    [Fact]
    public void Without_an_infinite_bucket_or_without_observations_there_is_no_quantile()
    {
        Assert.Equal("{} NaN", Classic("b", ("1", 1), ("2", 4)).At(5, "histogram_quantile(0.5, b)"));
        Assert.Equal("{} NaN", Classic("b", ("+Inf", 4)).At(5, "histogram_quantile(0.5, b)"));
        Assert.Equal("{} NaN", Classic("b", ("1", 0), ("+Inf", 0)).At(5, "histogram_quantile(0.5, b)"));
    }

    [Fact]
    public void Bounds_that_are_none_are_remarked_and_left_out()
    {
        var metrics = Classic("b", ("1", 1), ("2", 4), ("+Inf", 4), ("x", 9)).Add("b", 3);
        Assert.Equal("{} 1.333333333", metrics.At(5, "histogram_quantile(0.5, b)"));
        Assert.Equal(
            "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\"; PromQL warning: bucket label \"le\" is missing or has a malformed value of \"x\"",
            metrics.RemarksAt(5, "histogram_quantile(0.5, b)"));
        metrics.Options = metrics.Options with { DelayedNameRemoval = true };
        Assert.Contains("malformed value of \"x\" for metric name \"b\"", metrics.RemarksAt(5, "histogram_quantile(0.5, b)"), StringComparison.Ordinal);
    }

    [Fact]
    public void Counts_that_fall_are_forced_not_to_and_small_differences_are_silent()
    {
        var metrics = Classic("b", ("1", 2), ("2", 1), ("+Inf", 4));
        Assert.Equal("{} 1", metrics.At(5, "histogram_quantile(0.5, b)"));
        Assert.Equal(FixedMonotonicity + At5Seconds, metrics.RemarksAt(5, "histogram_quantile(0.5, b)"));
        metrics.Options = metrics.Options with { DelayedNameRemoval = true };
        Assert.Equal(FixedMonotonicity + " for metric name \"b\"" + At5Seconds, metrics.RemarksAt(5, "histogram_quantile(0.5, b)"));

        Assert.Equal("", Classic("b", ("1", 2), ("2", 2 - 1e-13), ("+Inf", 4)).RemarksAt(5, "histogram_quantile(0.5, b)"));
    }

    [Fact]
    public void What_was_forced_at_several_steps_is_summed_up_in_one_remark()
    {
        var metrics = new Stage().Add("b le=1", 2, 9, 2).Add("b le=2", 1, 1, 5).Add("b le=4", 2, 5, 5).Add("b le=+Inf", 4, 9, 4);
        var result = new QueryEngine(metrics.Options, metrics.Clock).Range(metrics.Metrics, "histogram_quantile(0.5, b)", 0, 20_000, 10_000, TestContext.Current.CancellationToken);

        Assert.Equal(
            FixedMonotonicity + ", from buckets 2 to +Inf, with a max diff of 8, over 3 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:20Z",
            Assert.Single(result.Annotations.Infos).Text);
    }

    [Fact]
    public void Bounds_written_differently_are_one_bucket() =>
        Assert.Equal("{} 1", Classic("b", ("1", 1), ("1.0", 1), ("+Inf", 2), ("Inf", 2)).At(5, "histogram_quantile(0.5, b)"));

    [Fact]
    public void Groups_of_series_are_histograms_of_their_own()
    {
        var metrics = new Stage().Add("b le=1 x=a", 1).Add("b le=+Inf x=a", 1).Add("b le=2 x=b", 4).Add("b le=+Inf x=b", 4);
        Assert.Equal("{x=\"a\"} 0.5; {x=\"b\"} 1", metrics.At(5, "histogram_quantile(0.5, b)"));
        Assert.Equal("{x=\"a\"} 0.25; {x=\"b\"} 1", metrics.At(5, "histogram_fraction(0.25, 0.5, b) * on(x) group_left() (label_replace(vector(1), 'x', 'a', '', '') or label_replace(vector(8), 'x', 'b', '', ''))"));
    }

    [Theory]
    // Schema 0: 1 in (0.5,1], 3 in (1,2], 4 in (2,4].
    [InlineData("histogram_quantile(0.125, h)", "1")]
    // A third of (1,2] is 2^(1/3).
    [InlineData("histogram_quantile(0.25, h)", "1.25992105")]
    [InlineData("histogram_quantile(0.5, h)", "2")]
    [InlineData("histogram_quantile(0.75, h)", "2.828427125")]
    [InlineData("histogram_quantile(1, h)", "4")]
    [InlineData("histogram_quantile(0, h)", "0.5")]
    [InlineData("histogram_quantile(-1, h)", "-Infinity")]
    [InlineData("histogram_quantile(NaN, h)", "NaN")]
    [InlineData("histogram_fraction(1, 2, h)", "0.375")]
    [InlineData("histogram_fraction(-Inf, +Inf, h)", "1")]
    [InlineData("histogram_fraction(1, 1.414213562373095, h)", "0.1875")]
    [InlineData("histogram_fraction(2, 1, h)", "0")]
    [InlineData("histogram_fraction(NaN, 1, h)", "NaN")]
    public void Native_histograms_are_interpolated_on_the_logarithm(string query, string value) =>
        Assert.Equal($"{{}} {value}", new Stage().Add("h", Stage.Histogram(8, 20, 1, 3, 4)).At(5, query));

    [Theory]
    // 2 in (-2,-1], 4 around zero, 2 in (1,2].
    [InlineData("histogram_quantile(0.125, h)", "-1.414213562")]
    [InlineData("histogram_quantile(0.5, h)", "0")]
    [InlineData("histogram_quantile(0.625, h)", "0.25")]
    [InlineData("histogram_quantile(0.875, h)", "1.414213562")]
    [InlineData("histogram_fraction(-0.25, 0.5, h)", "0.375")]
    [InlineData("histogram_fraction(-1.414213562373095, 0, h)", "0.375")]
    // Geometric middles: -1.414, 0, 1.414; mean 0: (2 * 2 + 2 * 2) / 8.
    [InlineData("histogram_stdvar(h)", "1")]
    [InlineData("histogram_stddev(h)", "1")]
    public void Negative_buckets_mirror_positive_ones_and_the_zero_bucket_is_even(string query, string value)
    {
        var histogram = Stage.Histogram(8, 0, 2);
        (histogram.PositiveSpans, histogram.NegativeSpans, histogram.NegativeBuckets) = ([new(1, 1)], [new(1, 1)], [2]);
        (histogram.ZeroThreshold, histogram.ZeroCount) = (0.5, 4);

        Assert.Equal($"{{}} {value}", new Stage().Add("h", histogram).At(5, query));
    }

    [Fact]
    public void A_zero_bucket_beside_positive_buckets_only_begins_at_zero()
    {
        var histogram = Stage.Histogram(4, 0, 2);
        (histogram.PositiveSpans, histogram.ZeroThreshold, histogram.ZeroCount) = ([new(1, 1)], 0.5, 2);
        var metrics = new Stage().Add("h", histogram);

        Assert.Equal("{} 0.25", metrics.At(5, "histogram_quantile(0.25, h)"));
        Assert.Equal("{} 0.25", metrics.At(5, "histogram_fraction(-0.5, 0.25, h)"));
    }

    [Theory]
    // 4 in (0,5], 4 in (5,10], 2 above.
    [InlineData("histogram_quantile(0.25, h)", "3.125")]
    [InlineData("histogram_quantile(0.75, h)", "9.375")]
    [InlineData("histogram_quantile(1, h)", "10")]
    [InlineData("histogram_fraction(-Inf, 5, h)", "0.4")]
    [InlineData("histogram_fraction(2.5, 7.5, h)", "0.4")]
    [InlineData("histogram_avg(h)", "5")]
    public void Custom_buckets_are_interpolated_evenly(string query, string value) =>
        Assert.Equal($"{{}} {value}", new Stage().Add("h", Stage.Custom(10, 50, [5, 10], 4, 4, 2)).At(5, query));

    [Fact]
    public void Observations_of_NaN_are_remarked()
    {
        var metrics = new Stage().Add("h", Stage.Histogram(8, double.NaN, 2, 2));

        Assert.Equal("{} 1", metrics.At(5, "histogram_quantile(0.25, h)"));
        Assert.Equal("PromQL info: input to histogram_quantile has NaN observations, result is skewed higher", metrics.RemarksAt(5, "histogram_quantile(0.25, h)"));
        Assert.Equal("{} NaN", metrics.At(5, "histogram_quantile(0.9, h)"));
        Assert.Equal("PromQL info: input to histogram_quantile has NaN observations, result is NaN", metrics.RemarksAt(5, "histogram_quantile(0.9, h)"));
        Assert.Equal("{} 0.5", metrics.At(5, "histogram_fraction(-Inf, +Inf, h)"));
        Assert.Equal("PromQL info: input to histogram_fraction has NaN observations, which are excluded from all fractions", metrics.RemarksAt(5, "histogram_fraction(0, 1, h)"));
    }

    [Fact]
    public void A_classic_and_a_native_histogram_of_the_same_labels_cancel_each_other()
    {
        var metrics = Classic("b", ("1", 1), ("+Inf", 1)).Add("b", Stage.Histogram(1, 1, 1)).Add("b x=y", Stage.Histogram(1, 1, 1));

        Assert.Equal("{x=\"y\"} 1", metrics.At(5, "histogram_quantile(1, b)"));
        Assert.Equal("PromQL warning: vector contains a mix of classic and native histograms", metrics.RemarksAt(5, "histogram_quantile(1, b)"));
    }

    [Fact]
    public void A_quantile_outside_of_zero_to_one_is_remarked()
    {
        Assert.Equal("PromQL warning: quantile value should be between 0 and 1, got 1.5", new Stage().Add("h", Stage.Histogram(1, 1, 1)).RemarksAt(5, "histogram_quantile(1.5, h)"));
        Assert.Equal("PromQL warning: quantile value should be between 0 and 1, got -Inf", new Stage().RemarksAt(5, "histogram_quantile(-Inf, gone)"));
    }

    [Fact]
    public void Several_quantiles_are_told_apart_by_a_label()
    {
        var metrics = new Stage().Add("h", Stage.Histogram(8, 20, 1, 3, 4)).Add("b le=2", 4).Add("b le=+Inf", 4);

        Assert.Equal("{q=\"0.5\"} 2; {q=\"1.0\"} 4", metrics.At(5, "histogram_quantiles(h, 'q', 0.5, 1)"));
        Assert.Equal("{q=\"0.5\"} 1; {q=\"0.75\"} 1.5", metrics.At(5, "histogram_quantiles(b, 'q', 0.5, 0.75)"));
    }

    [Fact]
    public void Buckets_may_come_and_go_from_step_to_step()
    {
        var metrics = new Stage().Add("b le=1", 1, null, 3).Add("b le=2", 1, 2, 4).Add("b le=+Inf", 1, 2, 4);
        metrics.Options = metrics.Options with { Lookback = TimeSpan.FromSeconds(5) };

        Assert.Equal("{} 1 2 2", metrics.From(0, 20, 10, "histogram_quantile(1, b)"));
    }
}
