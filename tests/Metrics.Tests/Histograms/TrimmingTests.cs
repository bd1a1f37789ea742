using Xunit;
using static Groundcrew.Metrics.Tests.Histograms.HistogramBench;

namespace Groundcrew.Metrics.Tests.Histograms;

public sealed class TrimmingTests
{
    [Fact]
    public void What_is_left_below_and_above_a_threshold_is_all_there_was()
    {
        var random = new Random(12);
        for (var round = 0; round < 200; round++)
        {
            var histogram = Random(random);
            var threshold = (random.NextDouble() * 20) - 10;
            FloatHistogram below = histogram.Copy(), above = histogram.Copy();
            below.Trim(threshold, keepBelow: true);
            above.Trim(threshold, keepBelow: false);

            Assert.Equal(histogram.Count, below.Count + above.Count, 1e-9);
            Assert.Null(below.Validate());
            Assert.Equal(histogram.Schema, above.Schema);
        }
    }

    [Fact]
    public void Where_nothing_is_taken_away_nothing_changes()
    {
        var histogram = Of(0, 0, 1, 0, 2);
        histogram.Trim(100, keepBelow: true);
        Assert.True(histogram.ContentEquals(Of(0, 0, 1, 0, 2)));
    }
}
