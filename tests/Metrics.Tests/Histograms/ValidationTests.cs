using Xunit;

namespace Groundcrew.Metrics.Tests.Histograms;

public sealed class ValidationTests
{
    public static TheoryData<FloatHistogram, string> Broken => new()
    {
        { new() { Schema = 9 }, "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema 9" },
        { new() { PositiveSpans = [new(0, 1), new(-1, 1)], PositiveBuckets = [1, 1] }, "positive side: span number 2 with offset -1: histogram has a span whose offset is negative" },
        { new() { PositiveSpans = [new(0, 3)], PositiveBuckets = [1] }, "positive side: spans need 3 buckets, have 1 buckets: histogram spans specify different number of buckets than provided" },
        { new() { NegativeSpans = [new(0, 1)], NegativeBuckets = [] }, "negative side: spans need 1 buckets, have 0 buckets: histogram spans specify different number of buckets than provided" },
        { new() { NegativeSpans = [new(0, 1)], NegativeBuckets = [-1.5] }, "negative side: bucket number 1 has observation count of -1.5: histogram has a bucket whose observation count is negative" },
        { new() { PositiveSpans = [new(0, 1)], PositiveBuckets = [-1] }, "positive side: bucket number 1 has observation count of -1: histogram has a bucket whose observation count is negative" },
        { new() { ZeroCount = -1 }, "zero bucket has observation count of -1: histogram has a bucket whose observation count is negative" },
        { new() { Count = -1 }, "observation count is  -1: histogram's observation count is negative" },
        { new() { CustomValues = [1] }, "histogram with exponential schema must not have custom bounds" },
        { new() { Schema = -53, CustomValues = [1, 1] }, "custom buckets: previous bound is 1.000000 and current is 1.000000: histogram custom bounds must be in strictly increasing order" },
        { new() { Schema = -53, CustomValues = [1, double.PositiveInfinity] }, "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite" },
        { new() { Schema = -53, CustomValues = [1, double.NaN] }, "custom buckets: histogram custom bounds must not be NaN" },
        { new() { Schema = -53, PositiveSpans = [new(-1, 1)], PositiveBuckets = [1] }, "custom buckets: span number 1 with offset -1: histogram has a span whose offset is negative" },
        { new() { Schema = -53, CustomValues = [1], PositiveSpans = [new(0, 3)], PositiveBuckets = [1, 1, 1] }, "custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: histogram custom bounds are too few" },
        { new() { Schema = -53, ZeroCount = 1 }, "custom buckets: must have zero count of 0" },
        { new() { Schema = -53, ZeroThreshold = 1 }, "custom buckets: must have zero threshold of 0" },
        { new() { Schema = -53, NegativeSpans = [new(0, 0)] }, "custom buckets: must not have negative spans" },
        { new() { Schema = -53, NegativeBuckets = [1] }, "custom buckets: must not have negative buckets" },
    };

    [Theory]
    [MemberData(nameof(Broken), DisableDiscoveryEnumeration = true)]
    public void What_contradicts_itself_is_named(FloatHistogram histogram, string problem) => Assert.Equal(problem, histogram.Validate());

    [Fact]
    public void What_is_right_in_itself_has_no_problem()
    {
        Assert.Null(new FloatHistogram().Validate());
        Assert.Null(new FloatHistogram { Sum = StaleMarker.Value }.Validate());
        Assert.Null(HistogramBench.Custom([1, 2], 1, 2, 3).Validate());
        Assert.Null(new FloatHistogram { Schema = -53, CustomValues = [double.NegativeInfinity, 1] }.Validate());
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
            Assert.Null(HistogramBench.Random(random).Validate());
    }
}
