using Xunit;
using static Groundcrew.Metrics.Tests.Histograms.HistogramBench;

namespace Groundcrew.Metrics.Tests.Histograms;

public sealed class ReadingTests
{
    private static readonly FloatHistogram Both = new()
    {
        Schema = 1,
        ZeroThreshold = 0.25,
        ZeroCount = 7,
        Count = 17,
        Sum = -2.5,
        PositiveSpans = [new(-1, 2), new(1, 1)],
        PositiveBuckets = [1, 0, 3],
        NegativeSpans = [new(0, 1), new(2, 2)],
        NegativeBuckets = [1, 2, 3],
    };

    [Fact]
    public void A_histogram_is_printed_from_its_lowest_bucket_to_its_highest_without_empty_ones() =>
        Assert.Equal(
            "{count:17, sum:-2.5, [-4,-2.8284271247461903):3, [-2.8284271247461903,-2):2, [-1,-0.7071067811865476):1, [-0.25,0.25]:7, (0.5,0.7071067811865476]:1, (1.4142135623730951,2]:3}",
            Both.ToString());

    [Fact]
    public void Buckets_come_in_both_directions()
    {
        var up = new List<HistogramBucket>();
        foreach (var bucket in Both.Buckets)
            up.Add(bucket);
        var down = new List<HistogramBucket>();
        foreach (var bucket in Both.BucketsDescending)
            down.Add(bucket);

        Assert.Equal([3, 2, 1, 7, 1, 0, 3], up.Select(b => b.Count));
        Assert.Equal(up.AsEnumerable().Reverse(), down);
    }

    [Fact]
    public void A_bucket_that_reaches_into_the_zero_bucket_begins_at_its_end()
    {
        var histogram = Of(0, 0, 3);
        (histogram.ZeroThreshold, histogram.ZeroCount) = (0.75, 1);

        var bounds = new List<(double, double)>();
        foreach (var bucket in histogram.Buckets)
            bounds.Add((bucket.Lower, bucket.Upper));
        Assert.Equal([(-0.75, 0.75), (0.75, 1)], bounds);
    }

    [Fact]
    public void Custom_buckets_begin_at_minus_infinity_and_end_at_infinity()
    {
        Assert.Equal("{count:6, sum:18, [-Inf,1]:1, (1,2.5]:2, (2.5,+Inf]:3}", Custom([1, 2.5], 1, 2, 3).ToString());
    }

    [Theory]
    [InlineData(0, 1024, double.MaxValue)]
    [InlineData(0, 1025, double.PositiveInfinity)]
    [InlineData(-2, 256, double.MaxValue)]
    [InlineData(-4, 1, 65536)]
    [InlineData(-4, 0, 1)]
    [InlineData(3, 8, 2)]
    [InlineData(3, 1, 1.0905077326652577)]
    [InlineData(8, -256, 0.5)]
    public void Bounds_grow_by_the_schema(int schema, int index, double upper) => Assert.Equal(upper, BucketBounds.Exponential(index, schema));

    [Fact]
    public void Compacting_cuts_empty_buckets_and_joins_spans_that_are_near()
    {
        FloatHistogram Make() => new() { PositiveSpans = [new(-2, 3), new(0, 2), new(1, 1), new(4, 1)], PositiveBuckets = [0, 1, 0, 0, 2, 3, 4] };
        var tight = Make();
        tight.Compact();
        Assert.Equal([new(-1, 1), new(2, 1), new(1, 1), new(4, 1)], tight.PositiveSpans);
        Assert.Equal([1.0, 2, 3, 4], tight.PositiveBuckets);
        var loose = Make();
        loose.Compact(2);
        Assert.Equal([new(-1, 6), new(4, 1)], loose.PositiveSpans);
        Assert.Equal([1.0, 0, 0, 2, 0, 3, 4], loose.PositiveBuckets);
        var whole = Make();
        whole.Compact(int.MaxValue);
        Assert.Equal([new(-1, 11)], whole.PositiveSpans);
    }

    [Fact]
    public void Equality_is_of_the_data_and_not_of_the_cut_of_the_spans()
    {
        var one = new FloatHistogram { PositiveSpans = [new(0, 2)], PositiveBuckets = [1, double.NaN] };
        var cut = new FloatHistogram { PositiveSpans = [new(0, 1), new(0, 0), new(0, 1)], PositiveBuckets = [1, double.NaN], ResetHint = CounterResetHint.Gauge };
        var moved = new FloatHistogram { PositiveSpans = [new(0, 1), new(1, 1)], PositiveBuckets = [1, double.NaN] };

        Assert.True(one.ContentEquals(cut));
        Assert.False(one.ContentEquals(moved));
        Assert.False(one.ContentEquals(new() { PositiveSpans = [new(0, 2)], PositiveBuckets = [1, 2] }));
        Assert.False(Custom([1], 1).ContentEquals(Custom([2], 1)));
    }

    [Fact]
    public void Its_size_is_that_of_its_parts() => Assert.Equal(168 + (8 * (2 + 2 + 3 + 3)), Both.SizeInBytes);

    [Fact]
    public void A_stale_marker_is_known_by_its_sum()
    {
        Assert.True(new FloatHistogram { Sum = StaleMarker.Value }.IsStale);
        Assert.False(new FloatHistogram { Sum = double.NaN }.IsStale);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-0.0, "-0")]
    [InlineData(100000, "100000")]
    [InlineData(1000000, "1e+06")]
    [InlineData(1234567, "1.234567e+06")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00001234, "1.234e-05")]
    [InlineData(-12.5, "-12.5")]
    [InlineData(1e300, "1e+300")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(0.1, "0.1")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    [InlineData(double.NaN, "NaN")]
    public void Floats_are_written_as_Go_writes_them(double value, string text) => Assert.Equal(text, FloatText.General(value));

    [Theory]
    [InlineData(10, "10")]
    [InlineData(5.5, "5.5")]
    [InlineData(7, "7")]
    [InlineData(123, "1.2e+02")]
    [InlineData(0.012345, "0.012")]
    [InlineData(0.00001, "1e-05")]
    public void Floats_may_be_rounded_to_two_digits(double value, string text) => Assert.Equal(text, FloatText.TwoDigits(value));

    [Theory]
    [InlineData(1, "1.0")]
    [InlineData(0, "0.0")]
    [InlineData(0.5, "0.5")]
    [InlineData(1e6, "1e+06")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    public void Whole_floats_have_a_point_in_labels(double value, string text) => Assert.Equal(text, FloatText.OpenMetrics(value));
}
