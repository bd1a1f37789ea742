using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

/// <summary>When the metric's name goes, at once or at the end of the query.</summary>
public sealed class NameTests
{
    private static Stage NewStage(bool late) => new Stage { Options = new() { Experimental = true, DelayedNameRemoval = late } }
        .Add("x_total i=1", 0, 10, 20).Add("y_total i=1", 0, 20, 40);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void In_the_end_it_is_gone_either_way(bool late)
    {
        var stage = NewStage(late);
        Assert.Equal("{i=\"1\"} 1", stage.At(20, "rate(x_total[20s])"));
        Assert.Equal("{i=\"1\"} 21", stage.At(20, "x_total + 1"));
        Assert.Equal("{i=\"1\"} 60", stage.At(20, "x_total + y_total"));
        Assert.Equal("{i=\"1\"} -20", stage.At(20, "-x_total"));
        Assert.Equal("x_total{i=\"1\"} 20", stage.At(20, "last_over_time(x_total[20s])"));
        Assert.Equal("{i=\"1\"} 20", stage.At(20, "timestamp(x_total)"));
        Assert.Equal("Execution: vector cannot contain metrics with the same labelset", stage.At(20, "rate({i=\"1\"}[20s])"));
        Assert.Equal("Execution: vector cannot contain metrics with the same labelset", stage.From(0, 20, 10, "rate({i=\"1\"}[20s])"));
    }

    [Fact]
    public void Removed_late_it_can_still_be_grouped_and_matched_by()
    {
        var stage = NewStage(late: true);
        Assert.Equal("{} 1; {} 2", NewStage(late: false).At(20, "sum by (__name__) (rate(x_total[20s])) or sum by (i) (rate(y_total[20s]))").Replace("{i=\"1\"}", "{}", StringComparison.Ordinal));
        Assert.Equal("Execution: vector cannot contain metrics with the same labelset", stage.At(20, "sum by (__name__) (rate({i=\"1\"}[20s]))"));
        Assert.Equal("{i=\"1\"} 3", stage.At(20, "sum by (i) (rate({i=\"1\"}[20s]))"));
        Assert.Equal("{i=\"1\", n=\"x_total\"} 1; {i=\"1\", n=\"y_total\"} 2", stage.At(20, "label_replace(rate({i=\"1\"}[20s]), 'n', '$1', '__name__', '(.+)')"));
        Assert.Equal("{i=\"1\"} 2", stage.At(20, "topk(1, rate({i=\"1\"}[20s]))"));
    }
}
