using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

public sealed class SelectorTests
{
    private readonly Stage _stage = new Stage().Add("x job=a", 1, 2, 3, 4).Add("x job=b", 10, null, 30);

    [Fact]
    public void A_selector_takes_the_newest_sample_of_the_lookback() =>
        Assert.Equal("x{job=\"a\"} 2; x{job=\"b\"} 10", _stage.At(15, "x"));

    [Fact]
    public void The_begin_of_the_lookback_is_excluded()
    {
        Assert.Equal("x{job=\"b\"} 30", _stage.At(319.999, "x{job=\"b\"}"));
        Assert.Equal("", _stage.At(320, "x{job=\"b\"}"));
    }

    [Fact]
    public void A_stale_marker_ends_a_series_until_its_next_sample()
    {
        var stage = new Stage().Add("y", 1, StaleMarker.Value, null, 4);
        Assert.Equal("y 1 . . 4", stage.From(0, 30, 10, "y"));
        Assert.Equal("{} 2", stage.At(30, "count_over_time(y[1m])"));
    }

    [Fact]
    public void Offsets_look_back_and_forward()
    {
        Assert.Equal("x{job=\"a\"} . 1 2 3", _stage.From(0, 30, 10, "x{job=\"a\"} offset 10s"));
        Assert.Equal("x{job=\"a\"} 2 3 4 4", _stage.From(0, 30, 10, "x{job=\"a\"} offset -10s"));
    }

    [Fact]
    public void A_pinned_selector_gives_the_same_at_every_step()
    {
        Assert.Equal("x{job=\"a\"} 3 3 3", _stage.From(0, 20, 10, "x{job=\"a\"} @ 20"));
        Assert.Equal("x{job=\"a\"} 2 2 2", _stage.From(0, 20, 10, "x{job=\"a\"} @ 20 offset 10s"));
        Assert.Equal("x{job=\"a\"} 2 2 2", _stage.From(10, 30, 10, "x{job=\"a\"} @ start()"));
        Assert.Equal("x{job=\"a\"} 4 4 4", _stage.From(10, 30, 10, "x{job=\"a\"} @ end()"));
        Assert.Equal("{job=\"a\"} 2 3 4", _stage.From(0, 20, 10, "x{job=\"a\"} @ 0 + ignoring() x{job=\"a\"}"));
    }

    [Fact]
    public void A_range_excludes_its_begin()
    {
        Assert.Equal("{job=\"a\"} 1 2 2 2", _stage.From(0, 30, 10, "count_over_time(x{job=\"a\"}[20s])"));
        Assert.Equal("x{job=\"a\"} 3@20 4@30", _stage.At(30, "x{job=\"a\"}[20s]"));
    }

    [Fact]
    public void A_range_may_be_pinned_while_its_parameter_varies() =>
        Assert.Equal("{job=\"a\"} 1 2.5 4", _stage.From(0, 20, 10, "quantile_over_time(scalar(vector(time() / 20)), x{job=\"a\"}[1m] @ 30)"));

    [Fact]
    public void Timestamp_tells_when_the_sample_was_taken()
    {
        Assert.Equal("{job=\"a\"} 10; {job=\"b\"} 0", _stage.At(15, "timestamp(x)"));
        Assert.Equal("{job=\"a\"} 15; {job=\"b\"} 15", _stage.At(15, "timestamp(x + 0)"));
        Assert.Equal("{job=\"a\"} 0 0 0", _stage.From(0, 20, 10, "timestamp((x{job=\"a\"} @ 5))"));
    }

    [Fact]
    public void Histograms_are_selected_like_floats()
    {
        var stage = new Stage().Add("h", Stage.Histogram(1, 2, 1), Stage.Histogram(3, 4, 3));
        Assert.Equal("h {count:3, sum:4, (0.5,1]:3}", stage.At(12, "h"));
        Assert.Equal("h {count:1, sum:2, (0.5,1]:1}@0 {count:3, sum:4, (0.5,1]:3}@10", stage.At(12, "h[1m]"));
        Assert.Equal("{} 2", stage.At(12, "count_over_time(h[1m])"));
    }

    [Fact]
    public void A_range_query_gives_series_in_the_order_of_their_labels_and_a_scalar_as_one_series()
    {
        Assert.Equal("x{job=\"a\"} 1 2; x{job=\"b\"} 10 10", _stage.From(0, 10, 10, "sort_desc(x)"));
        Assert.Equal("{} 1 1", _stage.From(0, 10, 10, "1"));
    }

    [Fact]
    public void A_range_query_of_a_range_is_refused()
    {
        Assert.Equal("BadData: invalid expression type \"range vector\" for range query, must be Scalar or instant Vector", _stage.From(0, 10, 10, "x[5m]"));
        Assert.Equal("BadData: invalid expression type \"string\" for range query, must be Scalar or instant Vector", _stage.From(0, 10, 10, "'a'"));
    }

    [Fact]
    public void Scalars_and_texts_are_answers_too()
    {
        Assert.Equal("7", _stage.At(0, "1 + 2 * 3"));
        Assert.Equal("a", _stage.At(0, "('a')"));
    }
}
