using Groundcrew.PromQL.Evaluation;
using Groundcrew.PromQL.Tests.Evaluation;
using Xunit;

namespace Groundcrew.PromQL.Tests.Functions;

public sealed class VectorFunctionTests
{
    private static readonly Stage Data = new Stage()
        .Add("v a=1", -2.5)
        .Add("v a=2", 1.5)
        .Add("v a=10", double.NaN)
        .Add("one", 7, 8)
        .Add("two x=b2 y=z", 1)
        .Add("two x=b10 y=z", 2)
        .Add("two x=b1", 3)
        .Add("h", Stage.Histogram(4, 10, 1, 3))
        .Add("src src=source-value-10 dst=original", 0)
        .Add("src src=source-value-20 dst=other", 1)
        // 29 February 2024, 23:59:58 and half a second; and a moment before 1970.
        .Add("t a=leap", 1709251198.5)
        .Add("t a=old", -86401);

    [Theory]
    [InlineData("abs(v)", "{a=\"1\"} 2.5; {a=\"10\"} NaN; {a=\"2\"} 1.5")]
    [InlineData("ceil(v)", "{a=\"1\"} -2; {a=\"10\"} NaN; {a=\"2\"} 2")]
    [InlineData("floor(v)", "{a=\"1\"} -3; {a=\"10\"} NaN; {a=\"2\"} 1")]
    [InlineData("sgn(v)", "{a=\"1\"} -1; {a=\"10\"} NaN; {a=\"2\"} 1")]
    [InlineData("exp(one)", "{} 1096.633158428")]
    [InlineData("ln(one)", "{} 1.945910149")]
    [InlineData("ln(vector(0))", "{} -Infinity")]
    [InlineData("ln(vector(-1))", "{} NaN")]
    [InlineData("log2(vector(8))", "{} 3")]
    [InlineData("log10(vector(1000))", "{} 3")]
    [InlineData("sqrt(vector(9))", "{} 3")]
    [InlineData("sqrt(vector(-9))", "{} NaN")]
    [InlineData("deg(vector(pi()))", "{} 180")]
    [InlineData("rad(vector(180)) - pi()", "{} 0")]
    [InlineData("sin(vector(pi()/2))", "{} 1")]
    [InlineData("acosh(vector(0))", "{} NaN")]
    [InlineData("atanh(vector(1))", "{} Infinity")]
    [InlineData("tanh(vector(0.5))", "{} 0.462117157")]
    [InlineData("abs(h)", "")]
    [InlineData("round(v)", "{a=\"1\"} -2; {a=\"10\"} NaN; {a=\"2\"} 2")]
    [InlineData("round(v, 5)", "{a=\"1\"} 0; {a=\"10\"} NaN; {a=\"2\"} 0")]
    [InlineData("round(vector(2.56), 0.1)", "{} 2.6")]
    [InlineData("round(h)", "")]
    [InlineData("clamp(v, -1, 1)", "{a=\"1\"} -1; {a=\"10\"} NaN; {a=\"2\"} 1")]
    [InlineData("clamp(v, 1, -1)", "")]
    [InlineData("clamp(v, NaN, 1)", "{a=\"1\"} NaN; {a=\"10\"} NaN; {a=\"2\"} NaN")]
    [InlineData("clamp_min(v, 0)", "{a=\"1\"} 0; {a=\"10\"} NaN; {a=\"2\"} 1.5")]
    [InlineData("clamp_max(v, 0)", "{a=\"1\"} -2.5; {a=\"10\"} NaN; {a=\"2\"} 0")]
    [InlineData("pi()", "3.141592654")]
    [InlineData("time()", "5")]
    [InlineData("vector(3)", "{} 3")]
    [InlineData("scalar(one)", "7")]
    [InlineData("scalar(v)", "NaN")]
    [InlineData("scalar(gone)", "NaN")]
    [InlineData("scalar(h)", "NaN")]
    [InlineData("scalar({__name__=~'one|h'})", "7")]
    [InlineData("absent(gone)", "{} 1")]
    [InlineData("absent(gone{a='b', c=~'d', e!='f', g='h', g='i'})", "{a=\"b\"} 1")]
    [InlineData("absent((gone{a='b'}))", "{a=\"b\"} 1")]
    [InlineData("absent(sum(gone{a='b'}))", "{} 1")]
    [InlineData("absent(one)", "")]
    [InlineData("absent(h)", "")]
    [InlineData("histogram_count(h)", "{} 4")]
    [InlineData("histogram_sum(h)", "{} 10")]
    [InlineData("histogram_avg(h)", "{} 2.5")]
    [InlineData("histogram_count(one)", "")]
    [InlineData("min_of(3, time())", "3")]
    [InlineData("max_of(3, time())", "5")]
    [InlineData("max_of(NaN, 3)", "NaN")]
    [InlineData("max_of(NaN, Inf)", "Infinity")]
    [InlineData("start()", "5")]
    [InlineData("range() + step()", "0")]
    public void What_is_asked_of_all_floats(string query, string expected) => Assert.Equal(expected, Data.At(5, query));

    [Theory]
    [InlineData("minute(t)", "{a=\"leap\"} 59; {a=\"old\"} 59")]
    [InlineData("hour(t)", "{a=\"leap\"} 23; {a=\"old\"} 23")]
    [InlineData("day_of_month(t)", "{a=\"leap\"} 29; {a=\"old\"} 30")]
    [InlineData("day_of_week(t)", "{a=\"leap\"} 4; {a=\"old\"} 2")]
    [InlineData("day_of_year(t)", "{a=\"leap\"} 60; {a=\"old\"} 364")]
    [InlineData("days_in_month(t)", "{a=\"leap\"} 29; {a=\"old\"} 31")]
    [InlineData("month(t)", "{a=\"leap\"} 2; {a=\"old\"} 12")]
    [InlineData("year(t)", "{a=\"leap\"} 2024; {a=\"old\"} 1969")]
    [InlineData("year()", "{} 1970")]
    [InlineData("hour(h)", "")]
    public void Dates_are_those_of_the_calendar(string query, string expected) => Assert.Equal(expected, Data.At(5, query));

    [Fact]
    public void The_calendar_is_that_of_the_library_on_every_day_of_four_centuries()
    {
        for (var day = new DateTime(1900, 1, 1, 12, 30, 15, DateTimeKind.Utc); day.Year < 2301; day = day.AddDays(1))
        {
            var moment = CalendarMoment.Of(new DateTimeOffset(day).ToUnixTimeSeconds());
            Assert.Equal((day.Year, day.Month, day.Day, (int)day.DayOfWeek, day.DayOfYear), ((int)moment.Year, moment.Month, moment.Day, moment.DayOfWeek, moment.DayOfYear));
            Assert.Equal((DateTime.DaysInMonth(day.Year, day.Month), 45_015), (moment.DaysInMonth, moment.SecondOfDay));
        }
    }

    [Theory]
    [InlineData("sort(v)", "v{a=\"1\"} -2.5; v{a=\"2\"} 1.5; v{a=\"10\"} NaN")]
    [InlineData("sort_desc(v)", "v{a=\"2\"} 1.5; v{a=\"1\"} -2.5; v{a=\"10\"} NaN")]
    [InlineData("sort(h)", "")]
    [InlineData("sort_by_label(v, 'a')", "v{a=\"1\"} -2.5; v{a=\"2\"} 1.5; v{a=\"10\"} NaN")]
    [InlineData("sort_by_label_desc(v, 'a')", "v{a=\"10\"} NaN; v{a=\"2\"} 1.5; v{a=\"1\"} -2.5")]
    [InlineData("sort_by_label(two, 'y', 'x')", "two{x=\"b1\"} 3; two{x=\"b2\", y=\"z\"} 1; two{x=\"b10\", y=\"z\"} 2")]
    [InlineData("sort_by_label_desc(two, 'y')", "two{x=\"b2\", y=\"z\"} 1; two{x=\"b10\", y=\"z\"} 2; two{x=\"b1\"} 3")]
    public void What_is_sorted_comes_in_order(string query, string expected) => Assert.Equal(expected, Data.InOrder(5, query));

    [Theory]
    [InlineData("a2", "a10", -1)]
    [InlineData("a", "a1", -1)]
    [InlineData("", "a", -1)]
    [InlineData("10", "9", 1)]
    [InlineData("a10b", "a10a", 1)]
    [InlineData("1.2.10", "1.2.9", 1)]
    [InlineData("x99999999999999999999", "x1", 1)]
    [InlineData("same7", "same7", 0)]
    public void Numbers_inside_labels_are_ordered_as_numbers(string one, string other, int order)
    {
        Assert.Equal(order, Math.Sign(NaturalOrder.Compare(one, other)));
        Assert.Equal(-order, Math.Sign(NaturalOrder.Compare(other, one)));
    }

    [Theory]
    [InlineData("label_replace(src, 'dst', 'value-$1', 'src', 'source-value-(.*)')", "src{dst=\"value-10\", src=\"source-value-10\"} 0; src{dst=\"value-20\", src=\"source-value-20\"} 1")]
    [InlineData("label_replace(src, 'dst', '$1$$${n}x$2', 'src', '(?P<n>source)-value-10')", "src{dst=\"other\", src=\"source-value-20\"} 1; src{dst=\"source$sourcex\", src=\"source-value-10\"} 0")]
    [InlineData("label_replace(src, 'dst', 'x', 'src', 'value-10')", "src{dst=\"original\", src=\"source-value-10\"} 0; src{dst=\"other\", src=\"source-value-20\"} 1")]
    [InlineData("label_replace(src, 'dst', '', 'dst', '.*')", "src{src=\"source-value-10\"} 0; src{src=\"source-value-20\"} 1")]
    [InlineData("label_replace(src, 'new', 'n', 'gone', '')", "src{dst=\"original\", new=\"n\", src=\"source-value-10\"} 0; src{dst=\"other\", new=\"n\", src=\"source-value-20\"} 1")]
    [InlineData("label_replace(src, '__name__', '$1', 'src', '(.*)-10')", "source-value{dst=\"original\", src=\"source-value-10\"} 0; src{dst=\"other\", src=\"source-value-20\"} 1")]
    [InlineData("label_replace(src, 'src', '', 'src', '.*') * 0", "{dst=\"original\"} 0; {dst=\"other\"} 0")]
    [InlineData("label_replace(label_replace(src, 'src', '', '', ''), 'dst', '', '', '')", "Execution: vector cannot contain metrics with the same labelset")]
    [InlineData("label_replace(src, 'dst', 'x', 'src', '(.*')", "Execution: invalid regular expression in label_replace(): (.*")]
    [InlineData("label_replace(src, '', 'x', 'src', '(.*)')", "Execution: invalid destination label name in label_replace(): ")]
    [InlineData("label_join(src, 'dst', '-', 'src', 'dst', 'gone')", "src{dst=\"source-value-10-original-\", src=\"source-value-10\"} 0; src{dst=\"source-value-20-other-\", src=\"source-value-20\"} 1")]
    [InlineData("label_join(src, 'dst', '')", "src{src=\"source-value-10\"} 0; src{src=\"source-value-20\"} 1")]
    [InlineData("label_join(src, 'a b', '', 'dst')", "src{\"a b\"=\"original\", dst=\"original\", src=\"source-value-10\"} 0; src{\"a b\"=\"other\", dst=\"other\", src=\"source-value-20\"} 1")]
    [InlineData("label_join(src, '', '', 'dst')", "Execution: invalid destination label name in label_join(): ")]
    [InlineData("label_join(src, 'dst', '', '')", "Execution: invalid source label name in label_join(): ")]
    public void Labels_are_rewritten(string query, string expected) =>
        Assert.Equal(expected, Data.At(5, query).Replace("{\"source-value\", ", "source-value{"));

    [Fact]
    public void Scalars_may_change_with_each_step()
    {
        Assert.Equal("{} 5 8", Data.From(5, 15, 10, "clamp_max(one, 2.5 + time() * 0.5)"));
        Assert.Equal("{} 0 10", Data.From(0, 10, 10, "vector(time())"));
        Assert.Equal("{} 0 10", Data.From(0, 10, 10, "vector(start() + time())"));
        Assert.Equal("{} 20 20", Data.From(0, 10, 10, "vector(range() + step())"));
        Assert.Equal("one 7 8", Data.From(5, 15, 10, "sort_desc(one)"));
    }

    [Fact]
    public void A_name_is_dropped_at_the_end_when_that_was_asked_for()
    {
        Data.Options = Data.Options with { DelayedNameRemoval = true };
        try
        {
            Assert.Equal("{a=\"2\"} 2", Data.At(5, "ceil(v{a='2'})"));
            Assert.Equal("v-kept{a=\"2\"} 2", Data.At(5, "label_replace(ceil(v{a='2'}), '__name__', '$1-kept', '__name__', '(.*)')").Replace("{\"v-kept\", ", "v-kept{"));
        }
        finally
        {
            Data.Options = Data.Options with { DelayedNameRemoval = false };
        }
    }
}
