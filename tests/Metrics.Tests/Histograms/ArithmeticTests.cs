using Xunit;
using static Groundcrew.Metrics.Tests.Histograms.HistogramBench;

namespace Groundcrew.Metrics.Tests.Histograms;

public sealed class ArithmeticTests
{
    [Fact]
    public void Buckets_that_only_one_has_stand_in_the_sum()
    {
        var sum = Of(0, -1, 1, 2);

        Assert.Equal(HistogramRemarks.None, sum.Add(Of(0, 3, 5)));

        Assert.Equal("{count:8, sum:16, (0.25,0.5]:1, (0.5,1]:2, (4,8]:5}", sum.ToString());
        Assert.Equal([new(-1, 2), new(2, 1)], sum.PositiveSpans);
    }

    [Fact]
    public void The_lower_schema_is_that_of_the_sum()
    {
        // Schema 1 has two buckets where schema 0 has one: indexes 1 and 2 become 1, 3 and 4 become 2.
        var sum = Of(1, 1, 1, 2, 3, 4);
        sum.Add(Of(0, 1, 10, 20));

        Assert.Equal(0, sum.Schema);
        Assert.Equal([13.0, 27.0], sum.PositiveBuckets);
        var other = Of(0, 1, 10, 20);
        var fine = Of(1, 1, 1, 2, 3, 4);
        other.Sub(fine);
        Assert.Equal([7.0, 13.0], other.PositiveBuckets);
        Assert.Equal(1, fine.Schema);
    }

    [Fact]
    public void The_wider_zero_bucket_swallows_what_lies_in_it()
    {
        // (0.5,1] is in the wider zero bucket, (1,2] is not.
        var narrow = Of(0, 0, 3, 4);
        var wide = new FloatHistogram { ZeroThreshold = 1, ZeroCount = 2, Count = 2 };

        narrow.Add(wide);

        Assert.Equal(1, narrow.ZeroThreshold);
        Assert.Equal(5, narrow.ZeroCount);
        Assert.Equal("{count:9, sum:14, [-1,1]:5, (1,2]:4}", narrow.ToString());
    }

    [Fact]
    public void A_zero_threshold_inside_a_populated_bucket_moves_to_its_end()
    {
        var narrow = Of(0, 0, 3, 4);
        var wide = new FloatHistogram { ZeroThreshold = 1.5, ZeroCount = 2, Count = 2 };

        narrow.Add(wide);

        Assert.Equal(2, narrow.ZeroThreshold);
        Assert.Equal(9, narrow.ZeroCount);
        Assert.Empty(narrow.PositiveBuckets);
    }

    [Fact]
    public void Custom_buckets_with_other_bounds_meet_in_the_common_ones()
    {
        var one = Custom([1, 2, 5], 1, 2, 3, 4);
        var other = Custom([2, 3, 5], 10, 20, 30, 40);

        Assert.Equal(HistogramRemarks.BoundsReconciled, one.Add(other));

        Assert.Equal([2.0, 5.0], one.CustomValues);
        Assert.Equal([13.0, 53.0, 44.0], one.PositiveBuckets);
        Assert.Equal([2.0, 3.0, 5.0], other.CustomValues);
    }

    [Fact]
    public void Custom_buckets_without_a_common_bound_leave_the_last_bucket_only()
    {
        var one = Custom([1], 1, 2);
        one.Sub(Custom([3], 5, 6));

        Assert.Empty(one.CustomValues);
        Assert.Equal("{count:-8, sum:-24, [-Inf,+Inf]:-8}", one.ToString());
    }

    [Fact]
    public void Custom_and_exponential_buckets_do_not_mix()
    {
        var one = Of(0, 0, 1);

        Assert.Equal(HistogramRemarks.Incompatible, one.Add(Custom([1], 1)));
        Assert.Equal("{count:1, sum:2, (0.5,1]:1}", one.ToString());
    }

    [Theory]
    [InlineData(CounterResetHint.Unknown, CounterResetHint.CounterReset, CounterResetHint.Unknown, HistogramRemarks.None)]
    [InlineData(CounterResetHint.CounterReset, CounterResetHint.CounterReset, CounterResetHint.CounterReset, HistogramRemarks.None)]
    [InlineData(CounterResetHint.CounterReset, CounterResetHint.NotCounterReset, CounterResetHint.Unknown, HistogramRemarks.ResetCollision)]
    [InlineData(CounterResetHint.NotCounterReset, CounterResetHint.Unknown, CounterResetHint.Unknown, HistogramRemarks.None)]
    [InlineData(CounterResetHint.Gauge, CounterResetHint.CounterReset, CounterResetHint.Gauge, HistogramRemarks.None)]
    [InlineData(CounterResetHint.CounterReset, CounterResetHint.Gauge, CounterResetHint.Gauge, HistogramRemarks.None)]
    public void The_hint_of_a_sum_is_what_both_agree_on(CounterResetHint one, CounterResetHint other, CounterResetHint sum, HistogramRemarks remarks)
    {
        var histogram = Of(0, 0, 1);
        histogram.ResetHint = one;
        var added = Of(0, 0, 1);
        added.ResetHint = other;

        Assert.Equal(remarks, histogram.Add(added));
        Assert.Equal(sum, histogram.ResetHint);
    }

    [Fact]
    public void Multiplying_and_dividing_keep_the_layout_and_a_negative_factor_makes_a_gauge()
    {
        var histogram = Of(0, 0, 1, 2);
        histogram.Multiply(3);
        Assert.Equal("{count:9, sum:18, (0.5,1]:3, (1,2]:6}", histogram.ToString());
        histogram.Divide(-3);
        Assert.Equal("{count:-3, sum:-6, (0.5,1]:-1, (1,2]:-2}", histogram.ToString());
        Assert.Equal(CounterResetHint.Gauge, histogram.ResetHint);
        histogram.Divide(0);
        Assert.Equal("{count:-Inf, sum:-Inf, [-0,0]:NaN}", histogram.ToString());
    }

    [Fact]
    public void Adding_and_taking_away_again_gives_what_was_there()
    {
        var random = new Random(4711);
        for (var round = 0; round < 500; round++)
        {
            // What is swallowed by a wider zero bucket does not come out again: that has tests of its own.
            FloatHistogram one = Random(random), other = Random(random, one.ZeroThreshold);
            var before = other.Copy();
            var sum = one.Copy();
            sum.Add(other);
            Assert.True(before.ContentEquals(other));
            Assert.Equal(one.Count + other.Count, Total(sum));

            sum.Sub(other);
            sum.Compact();
            var expected = one.CopyToSchema(Math.Min(one.Schema, other.Schema));
            expected.Compact();
            Assert.True(expected.ContentEquals(sum), $"round {round}: {expected} and {sum}");
        }
    }

    [Fact]
    public void A_lower_resolution_has_the_same_counts_altogether()
    {
        var random = new Random(99);
        for (var round = 0; round < 200; round++)
        {
            var histogram = Random(random);
            var reduced = histogram.CopyToSchema(histogram.Schema - random.Next(3));
            Assert.Equal(Total(histogram), Total(reduced));
            Assert.Equal(histogram.Sum, reduced.Sum);
        }
    }

    [Fact]
    public void A_sum_of_many_equals_one_addition_after_the_other()
    {
        var random = new Random(7);
        for (var round = 0; round < 100; round++)
        {
            var histograms = Enumerable.Range(0, 6).Select(_ => Random(random)).ToArray();
            var plain = histograms[0].Copy();
            var sum = new HistogramSum(histograms[0]);
            foreach (var histogram in histograms[1..])
            {
                plain.Add(histogram);
                Assert.True(sum.Add(histogram));
            }
            plain.Compact();
            var total = sum.Total();
            total.Compact();
            Assert.True(plain.ContentEquals(total), $"round {round}: {plain} and {total}");
        }
    }

    [Fact]
    public void A_sum_keeps_what_single_additions_round_away()
    {
        var sum = new HistogramSum(Of(0, 0, 1e100));
        sum.Add(Of(0, 1, 1));
        sum.Add(Of(0, 0, 1));
        sum.Add(Of(0, 0, -1e100));

        var total = sum.Total();
        Assert.Equal([1.0, 1.0], total.PositiveBuckets);
        Assert.Equal(2, total.Count);
    }

    [Fact]
    public void A_mean_is_found_even_where_the_sum_overflows()
    {
        var mean = new HistogramSum(Of(0, 0, 8e307), ofMean: true);
        mean.Add(Of(0, 0, 8e307));
        mean.Add(Of(0, 0, 8e307));

        Assert.Equal(8e307, mean.Total().PositiveBuckets[0], 1e295);
        var small = new HistogramSum(Of(0, 0, 1), ofMean: true);
        small.Add(Of(0, 0, 2));
        Assert.Equal([1.5], small.Total().PositiveBuckets);
    }

    private static double Total(FloatHistogram histogram) => histogram.ZeroCount + histogram.PositiveBuckets.Sum() + histogram.NegativeBuckets.Sum();
}
