using Xunit;

namespace Groundcrew.PromQL.Tests.Evaluation;

public sealed class OperatorTests
{
    private readonly Stage _stage = new Stage()
        .Add("x a=1 b=1", 1.0, 2.0).Add("x a=1 b=2", 3.0, 4.0).Add("x a=2 b=1", 5.0, 6.0)
        .Add("y a=1", 10.0, 20.0).Add("y a=3", 30.0, 40.0)
        .Add("z a=1 b=1 c=q", 100.0).Add("z a=1 b=2 c=r", 200.0);

    [Theory]
    [InlineData("1 - 2 ^ 3 % 5", "-2")]
    [InlineData("-7 % 4", "-3")]
    [InlineData("1 > bool 2", "0")]
    [InlineData("1 atan2 1", "0.785398163")]
    [InlineData("1 / 0", "Infinity")]
    [InlineData("0 / 0", "NaN")]
    [InlineData("y * 2", "{a=\"1\"} 20; {a=\"3\"} 60")]
    [InlineData("2 - y", "{a=\"1\"} -8; {a=\"3\"} -28")]
    [InlineData("y > 20", "y{a=\"3\"} 30")]
    [InlineData("20 < y", "y{a=\"3\"} 30")]
    [InlineData("y >= bool 30", "{a=\"1\"} 0; {a=\"3\"} 1")]
    [InlineData("-y", "{a=\"1\"} -10; {a=\"3\"} -30")]
    [InlineData("+y", "y{a=\"1\"} 10; y{a=\"3\"} 30")]
    public void Scalars_meet_scalars_and_vectors(string query, string answer) => Assert.Equal(answer, _stage.At(0, query));

    [Theory]
    [InlineData("x + ignoring(c) z", "{a=\"1\", b=\"1\"} 101; {a=\"1\", b=\"2\"} 203")]
    [InlineData("x + on(a, b) z", "{a=\"1\", b=\"1\"} 101; {a=\"1\", b=\"2\"} 203")]
    [InlineData("x < ignoring(c) z", "x{a=\"1\", b=\"1\"} 1; x{a=\"1\", b=\"2\"} 3")]
    [InlineData("x < on(a, b) z", "{a=\"1\", b=\"1\"} 1; {a=\"1\", b=\"2\"} 3")]
    [InlineData("x > bool ignoring(c) z", "{a=\"1\", b=\"1\"} 0; {a=\"1\", b=\"2\"} 0")]
    [InlineData("x * on(a) group_left y", "{a=\"1\", b=\"1\"} 10; {a=\"1\", b=\"2\"} 30")]
    [InlineData("y - on(a) group_right x", "{a=\"1\", b=\"1\"} 9; {a=\"1\", b=\"2\"} 7")]
    [InlineData("x * on(a, b) group_left(c) z", "{a=\"1\", b=\"1\", c=\"q\"} 100; {a=\"1\", b=\"2\", c=\"r\"} 600")]
    [InlineData("x + y", "")]
    [InlineData("y > on(a) group_right x", "x{a=\"1\", b=\"1\"} 10; x{a=\"1\", b=\"2\"} 10")]
    [InlineData("x + x", "{a=\"1\", b=\"1\"} 2; {a=\"1\", b=\"2\"} 6; {a=\"2\", b=\"1\"} 10")]
    public void Vectors_meet_by_their_labels(string query, string answer) => Assert.Equal(answer, _stage.At(0, query));

    [Theory]
    [InlineData("y and on(a) x", "y{a=\"1\"} 10")]
    [InlineData("y unless on(a) x", "y{a=\"3\"} 30")]
    [InlineData("y or on(a) x", "x{a=\"2\", b=\"1\"} 5; y{a=\"1\"} 10; y{a=\"3\"} 30")]
    [InlineData("y and nothing", "")]
    [InlineData("y unless nothing", "y{a=\"1\"} 10; y{a=\"3\"} 30")]
    [InlineData("nothing or y", "y{a=\"1\"} 10; y{a=\"3\"} 30")]
    [InlineData("vector(1) or on() y", "{} 1")]
    public void Sets_are_joined_by_their_labels(string query, string answer) => Assert.Equal(answer, _stage.At(0, query));

    [Theory]
    [InlineData("y + on(a) x", "Execution: found duplicate series for the match group {a=\"1\"} on the right hand-side of the operation: [{__name__=\"x\", a=\"1\", b=\"2\"}, {__name__=\"x\", a=\"1\", b=\"1\"}];many-to-many matching not allowed: matching labels must be unique on one side")]
    [InlineData("x * on(a) group_right y{a=\"1\"}", "Execution: found duplicate series for the match group {a=\"1\"} on the left hand-side of the operation: [{__name__=\"x\", a=\"1\", b=\"2\"}, {__name__=\"x\", a=\"1\", b=\"1\"}];many-to-many matching not allowed: matching labels must be unique on one side")]
    [InlineData("x + on(a) y", "Execution: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    [InlineData("x{b=\"1\"} + on() group_left(a) y{a=\"1\"}", "Execution: multiple matches for labels: grouping labels must ensure unique matches")]
    [InlineData("{__name__=~\"x|y\", a=\"1\", b=~\"1|\"} == bool 1", "{a=\"1\"} 0; {a=\"1\", b=\"1\"} 1")]
    [InlineData("abs({__name__=~\"z|x\", b=\"2\"} and on() y)", "{a=\"1\", b=\"2\"} 3; {a=\"1\", b=\"2\", c=\"r\"} 200")]
    public void What_may_be_there_only_once_is_checked(string query, string answer) => Assert.Equal(answer, _stage.At(0, query));

    [Fact]
    public void Two_series_of_one_group_may_follow_each_other()
    {
        var stage = new Stage().Add("l", 1, 1).Add("r i=1", 10.0, Metrics.StaleMarker.Value).Add("r i=2", null, 20.0);
        Assert.Equal("{} 11 21", stage.From(0, 10, 10, "l + on() r"));
        Assert.Equal("l{i=\"1\"} 1 .; l{i=\"2\"} . 1", stage.From(0, 10, 10, "l < on() group_left(i) r"));
    }

    [Fact]
    public void The_same_labels_twice_at_one_step_are_refused()
    {
        var stage = new Stage().Add("p", 1, 1).Add("q", 1.0, Metrics.StaleMarker.Value);
        const string duplicate = "Execution: vector cannot contain metrics with the same labelset";
        Assert.Equal(duplicate, stage.At(0, "-{__name__=~'p|q'}"));
        Assert.Equal(duplicate, stage.At(0, "{__name__=~'p|q'} + 1"));
        Assert.Equal(duplicate, stage.From(0, 10, 10, "abs({__name__=~'p|q'})"));
        Assert.Equal("{} 1", stage.At(10, "-(-{__name__=~'p|q'})"));
    }

    [Fact]
    public void Samples_of_one_label_set_that_follow_each_other_become_one_series()
    {
        var stage = new Stage().Add("p", 1.0, Metrics.StaleMarker.Value).Add("q", null, 2.0);
        Assert.Equal("{} 2 3", stage.From(0, 10, 10, "1 + {__name__=~'p|q'}"));
        Assert.Equal("p 1 .; q . 2", stage.From(0, 10, 10, "p or q"));
        // A sign looks at whole series, as in Prometheus: these two were told apart by their names alone.
        Assert.Equal("Execution: vector cannot contain metrics with the same labelset", stage.From(0, 10, 10, "-{__name__=~'p|q'}"));
    }

    [Fact]
    public void Histograms_calculate_with_histograms_and_numbers()
    {
        var stage = new Stage().Add("h a=1", Stage.Histogram(4, 8, 1, 3)).Add("g a=1", Stage.Histogram(2, 2, 2)).Add("f a=1", 2.0);
        Assert.Equal("{a=\"1\"} {count:6, sum:10, (0.5,1]:3, (1,2]:3}", stage.At(0, "h + g"));
        Assert.Equal("{a=\"1\"} {count:2, sum:6, (0.5,1]:-1, (1,2]:3}", stage.At(0, "h - g"));
        Assert.Equal("{a=\"1\"} {count:8, sum:16, (0.5,1]:2, (1,2]:6}", stage.At(0, "h * f"));
        Assert.Equal("{a=\"1\"} {count:8, sum:16, (0.5,1]:2, (1,2]:6}", stage.At(0, "2 * h"));
        Assert.Equal("{a=\"1\"} {count:2, sum:4, (0.5,1]:0.5, (1,2]:1.5}", stage.At(0, "h / 2"));
        Assert.Equal("{a=\"1\"} {count:-4, sum:-8, (0.5,1]:-1, (1,2]:-3}", stage.At(0, "-h"));
        Assert.Equal("", stage.At(0, "h == g"));
        Assert.Equal("{a=\"1\"} 1", stage.At(0, "h != bool g"));
        Assert.Equal("h{a=\"1\"} {count:4, sum:8, (0.5,1]:1, (1,2]:3}", stage.At(0, "h == h"));
    }

    [Theory]
    [InlineData("h + f", "PromQL info: incompatible sample types encountered for binary operator \"+\": histogram + float")]
    [InlineData("f / h", "PromQL info: incompatible sample types encountered for binary operator \"/\": float / histogram")]
    [InlineData("h > bool h", "PromQL info: incompatible sample types encountered for binary operator \">\": histogram > histogram")]
    [InlineData("h ^ 2", "PromQL info: incompatible sample types encountered for binary operator \"^\": histogram ^ float")]
    [InlineData("h + n", "PromQL warning: incompatible bucket layout encountered for binary operator +")]
    [InlineData("n + m", "PromQL info: mismatched custom buckets were reconciled during addition")]
    [InlineData("h * f", "")]
    public void Kinds_that_do_not_fit_give_nothing_and_a_remark(string query, string remark)
    {
        var stage = new Stage().Add("h", Stage.Histogram(4, 8, 4)).Add("f", 2.0)
            .Add("n", Stage.Custom(3, 3, [1, 2], 1, 1, 1)).Add("m", Stage.Custom(3, 3, [1, 3], 1, 1, 1));
        Assert.Equal(remark, stage.RemarksAt(0, query));
    }
}
