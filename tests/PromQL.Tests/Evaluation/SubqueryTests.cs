using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

public sealed class SubqueryTests
{
    private readonly Stage _stage = new Stage().Add("x", 1, 2, 3, 4, 5, 6, 7);

    [Theory]
    [InlineData("x[30s:10s]", "x 5@40 6@50 7@60")]
    [InlineData("x[30s:20s]", "x 5@40 7@60")]
    [InlineData("x[30s:10s] offset 5s", "x 4@30 5@40 6@50")]
    [InlineData("x[20s:10s] @ 30", "x 3@20 4@30")]
    [InlineData("(x[20s:10s] @ 30 offset 10s)", "x 2@10 3@20")]
    [InlineData("sum_over_time(x[30s:10s])", "{} 18")]
    [InlineData("max_over_time(sum_over_time(x[20s:10s])[30s:10s])", "{} 13")]
    [InlineData("sum_over_time((x > 5)[1m:10s])", "{} 13")]
    [InlineData("sum_over_time((x @ 20)[30s:10s])", "{} 9")]
    [InlineData("last_over_time(x[30s:10s])", "x 7")]
    [InlineData("count_over_time(vector(1)[2m:])", "{} 2")]
    [InlineData("sum_over_time(x[10s:1m] offset 1s)", "")]
    public void A_subquery_has_steps_of_its_own(string query, string answer) => Assert.Equal(answer, _stage.At(60, query));

    [Fact]
    public void The_window_slides_over_the_result_of_a_subquery() =>
        Assert.Equal("{} 1 3 5 7 9", _stage.From(0, 40, 10, "sum_over_time(x[20s:10s])"));

    [Fact]
    public void Steps_are_aligned_to_multiples_of_the_interval() =>
        Assert.Equal("x 5@40 6@50", _stage.At(57, "x[20s:10s]"));

    [Fact]
    public void A_negative_begin_is_aligned_too() =>
        Assert.Equal("{} 3", _stage.At(10, "sum_over_time(x[55s:10s])"));

    [Fact]
    public void A_pinned_subquery_serves_every_step() =>
        Assert.Equal("{} 6 6 6", _stage.From(0, 20, 10, "sum_over_time(x[30s:10s] @ 20)"));
}
