using Xunit;

namespace Groundcrew.Metrics.Tests;

public sealed class LabelsTests
{
    [Fact]
    public void Labels_stand_in_the_order_of_their_names_and_without_empty_values()
    {
        var labels = Labels.Of(("job", "api"), ("__name__", "up"), ("empty", ""), ("instance", "a\"b"));

        Assert.Equal("""{__name__="up", instance="a\"b", job="api"}""", labels.ToString());
        Assert.Equal("""up{instance="a\"b", job="api"}""", labels.ToSeriesText());
        Assert.Equal("api", labels.Get("job"));
        Assert.Equal("", labels.Get("empty"));
        Assert.Equal(3, labels.Count);
    }

    [Fact]
    public void Equal_sets_are_equal_whatever_the_order_they_were_given_in()
    {
        var one = Labels.Of(("a", "1"), ("b", "2"));
        var other = Labels.Of(("b", "2"), ("a", "1"));

        Assert.Equal(one, other);
        Assert.Equal(one.Hash, other.Hash);
        Assert.NotEqual(one, Labels.Of(("a", "1"), ("b", "3")));
        Assert.Equal(0, one.CompareTo(other));
    }

    [Fact]
    public void Sets_are_ordered_by_bytes_label_by_label()
    {
        Labels[] ordered =
        [
            Labels.Empty,
            Labels.Of(("a", "1")),
            Labels.Of(("a", "1"), ("b", "1")),
            Labels.Of(("a", "10")),
            Labels.Of(("a", "2")),
            Labels.Of(("b", "1")),
            Labels.Of(("b", "\uffff")),
            Labels.Of(("b", "\U0001F600")),
        ];

        Assert.Equal(ordered, ordered.Reverse().Order());
    }

    [Fact]
    public void Keeping_and_leaving_out_are_each_others_rest()
    {
        var labels = Labels.Of(("__name__", "x"), ("job", "api"), ("ünïcode", "ja"), ("long", new string('v', 300)));

        Assert.Equal(Labels.Of(("job", "api"), ("ünïcode", "ja")), labels.Keep("job", "ünïcode", "absent"));
        Assert.Equal(Labels.Of(("__name__", "x"), ("long", new string('v', 300))), labels.Without("job", "ünïcode", "absent"));
        Assert.Equal(new string('v', 300), labels.Get("long"));
    }

    [Fact]
    public void A_name_that_is_no_plain_one_stands_quoted() =>
        Assert.Equal("""{"http.requests", "service.name"="a"}""", Labels.Of(("__name__", "http.requests"), ("service.name", "a")).ToSeriesText());
}
