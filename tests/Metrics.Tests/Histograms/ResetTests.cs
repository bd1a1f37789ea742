using Xunit;
using static Groundcrew.Metrics.Tests.Histograms.HistogramBench;

namespace Groundcrew.Metrics.Tests.Histograms;

public sealed class ResetTests
{
    [Fact]
    public void A_count_that_fell_is_a_reset_and_one_that_grew_is_none()
    {
        Assert.True(Of(0, 0, 1, 1).DetectReset(Of(0, 0, 1, 2)));
        Assert.True(Of(0, 0, 2, 1).DetectReset(Of(0, 0, 1, 2)));
        Assert.False(Of(0, 0, 1, 3).DetectReset(Of(0, 0, 1, 2)));
        Assert.True(Of(0, 5, 9).DetectReset(Of(0, 0, 1, 2)));
        Assert.False(Of(0, 1, 2, 3).DetectReset(Of(0, 0, 0, 2)));
        Assert.False(Of(0, 0, 1).DetectReset(new()));
    }

    [Fact]
    public void A_finer_layout_is_a_reset_and_a_coarser_one_is_compared_in_it()
    {
        Assert.True(Of(1, 1, 5, 5).DetectReset(Of(0, 1, 1)));
        Assert.False(Of(0, 1, 3).DetectReset(Of(1, 1, 1, 2)));
        Assert.True(Of(0, 1, 3, 9).DetectReset(Of(1, 1, 2, 2)));
    }

    [Fact]
    public void A_zero_bucket_that_grew_takes_in_what_it_covers()
    {
        var before = Of(0, 0, 2, 4);
        FloatHistogram Now(double zeroCount, double threshold) => new() { ZeroThreshold = threshold, ZeroCount = zeroCount, Count = 9, PositiveSpans = [new(1, 1)], PositiveBuckets = [4] };
        Assert.False(Now(2, 1).DetectReset(before));
        Assert.True(Now(1, 1).DetectReset(before));
        Assert.True(Now(9, 0.75).DetectReset(before));
        Assert.True(before.DetectReset(Now(0, 1)));
    }

    [Theory]
    [InlineData(CounterResetHint.CounterReset, true)]
    [InlineData(CounterResetHint.NotCounterReset, false)]
    public void A_hint_decides_alone(CounterResetHint hint, bool reset)
    {
        foreach (var count in (double[])[1, 9])
        {
            var now = Of(0, 0, count);
            now.ResetHint = hint;
            Assert.Equal(reset, now.DetectReset(Of(0, 0, 5)));
        }
    }

    [Fact]
    public void Custom_buckets_are_compared_in_their_common_bounds()
    {
        Assert.False(Custom([1, 2], 1, 1, 1).DetectReset(Custom([2], 2, 1)));
        Assert.True(Custom([1, 2], 1, 0, 5).DetectReset(Custom([2], 2, 1)));
        Assert.True(Custom([1], 9).DetectReset(Of(0, 0, 1)));
        Assert.True(Of(0, 0, 9).DetectReset(Custom([1], 1)));
    }
}
