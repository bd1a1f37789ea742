using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Samples go into the head, are read from it, and are there again after a restart.</summary>
public sealed class HeadTests
{
    [Fact]
    public void What_was_committed_is_read_and_is_there_again_after_a_restart()
    {
        using var fixture = new StoreFixture();
        var up = Named("up", ("job", "api"));
        fixture.Clock.Advance(TimeSpan.FromHours(5));
        for (var i = 0; i < 1000; i++)
            Assert.Equal(1, fixture.Add(up, Start + i * 15_000 + i % 7, i * 0.1).Stored);
        var before = fixture.Floats(up);
        Assert.Equal(1000, before.Length);
        Assert.Equal(before[40..81], fixture.Floats(up, before[40].Time, before[80].Time));
        fixture.Reopen();
        Assert.Equal(before, fixture.Floats(up));
    }

    [Fact]
    public void Every_bit_of_a_value_survives()
    {
        using var fixture = new StoreFixture();
        var series = Named("odd");
        long[] bits =
        [
            0, BitConverter.DoubleToInt64Bits(-0.0), BitConverter.DoubleToInt64Bits(double.PositiveInfinity), BitConverter.DoubleToInt64Bits(double.NegativeInfinity),
            StaleMarker.Bits, 0x7FF8_0000_0000_0001, unchecked((long)0xFFF8_1234_5678_9ABC), 1, long.MaxValue, BitConverter.DoubleToInt64Bits(double.Epsilon),
            BitConverter.DoubleToInt64Bits(1e300), BitConverter.DoubleToInt64Bits(9007199254740993.0), BitConverter.DoubleToInt64Bits(-123456789), 0x7FF0_0000_0000_0001,
        ];
        for (var i = 0; i < bits.Length; i++)
            Assert.Equal(1, fixture.Add(series, Start + i, BitConverter.Int64BitsToDouble(bits[i])).Stored);
        Assert.Equal(bits, fixture.Floats(series).Select(s => BitConverter.DoubleToInt64Bits(s.Value)));
        fixture.Reopen();
        Assert.Equal(bits, fixture.Floats(series).Select(s => BitConverter.DoubleToInt64Bits(s.Value)));
    }

    [Fact]
    public void Each_refusal_has_its_own_name()
    {
        using var fixture = new StoreFixture(o => o with { MaxSeries = 2 });
        var (one, two, three) = (Named("one"), Named("two"), Named("three"));
        Assert.Equal(1, fixture.Add(one, Start, 1).NewSeries);
        Assert.Equal(1, fixture.Add(one, Start, 1).Stored);
        Assert.Equal(1, fixture.Add(one, Start, 2).RefusedFor(SampleRefusal.Duplicate));
        Assert.Equal(1, fixture.Add(one, Start - 1, 1).RefusedFor(SampleRefusal.OutOfOrder));
        Assert.Equal(1, fixture.Add(two, Start - 3_600_001, 1).RefusedFor(SampleRefusal.OutOfBounds));
        Assert.Equal(1, fixture.Add(one, Start + 600_001, 1).RefusedFor(SampleRefusal.TooNew));
        Assert.Equal(1, fixture.Add(two, Start, 1).NewSeries);
        var limited = fixture.Add(three, Start, 1);
        Assert.Equal((1, three), (limited.RefusedFor(SampleRefusal.SeriesLimit), limited.FirstRefused!.Value.Series));
        var invalid = fixture.Add(one, Start + 1, new FloatHistogram { PositiveBuckets = [1] });
        Assert.Equal(1, invalid.RefusedFor(SampleRefusal.InvalidHistogram));
        Assert.Equal("positive side: spans need 0 buckets, have 1 buckets: histogram spans specify different number of buckets than provided", invalid.HistogramProblem);
        Assert.Contains("prometheus_tsdb_out_of_order_samples_total 1\n", fixture.Metrics.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public void Within_a_window_samples_out_of_order_are_taken_once()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromMinutes(30) });
        var series = Named("late");
        fixture.Add(series, Start, 100);
        Assert.Equal(1, fixture.Add(series, Start - 60_000, 1).Stored);
        Assert.Equal(1, fixture.Add(series, Start - 60_000, 1).Stored);
        Assert.Equal(1, fixture.Add(series, Start - 60_000, 2).RefusedFor(SampleRefusal.Duplicate));
        Assert.Equal(1, fixture.Add(series, Start - 1_800_001, 2).RefusedFor(SampleRefusal.TooOld));
        Assert.Equal(1, fixture.Add(Named("new"), Start - 1_700_000, 7).Stored);
        fixture.Add(series, Start - 30_000, 2);
        (long, double)[] expected = [(Start - 60_000, 1), (Start - 30_000, 2), (Start, 100)];
        Assert.Equal(expected, fixture.Floats(series));
        fixture.Reopen();
        Assert.Equal(expected, fixture.Floats(series));
        Assert.Equal([(Start - 1_700_000, 7.0)], fixture.Floats(Named("new")));
    }

    [Fact]
    public void Two_handles_of_one_new_series_make_one_series()
    {
        using var fixture = new StoreFixture();
        var labels = Named("twice");
        var (a, b) = (fixture.Store.Resolve(labels.Packed), fixture.Store.Resolve(labels.Packed));
        var batch = new SampleBatch();
        batch.Add(a, Start, 1);
        batch.Add(b, Start + 1, 2);
        batch.Add(a, Start, 3);
        var result = fixture.Store.Commit(batch);
        Assert.Equal((2, 1, 1), (result.Stored, result.NewSeries, result.RefusedFor(SampleRefusal.OutOfOrder)));
        Assert.Equal(2, fixture.Floats(labels).Length);
    }

    [Fact]
    public void Appending_allocates_nothing_in_steady_state()
    {
        using var fixture = new StoreFixture();
        var handles = Enumerable.Range(0, 200).Select(i => fixture.Store.Resolve(Named("m", ("i", $"{i}")).Packed)).ToArray();
        var batch = new SampleBatch();
        var random = new Random(7);
        var (round, stored) = (0, 0);
        // The first rounds grow buffers; all chunks of this test fit into the first slab of memory.
        Append(10);
        Assert.Equal(0, Allocated.AtLeast(() => Append(80)));
        Assert.Equal(200 * (10 + 5 * 80), stored);

        void Append(int rounds)
        {
            for (var i = 0; i < rounds; i++)
            {
                batch.Clear();
                foreach (var handle in handles)
                    batch.Add(handle, Start + round * 1000, random.NextDouble());
                round++;
                stored += fixture.Store.Commit(batch).Stored;
            }
        }
    }

    [Fact]
    public void A_failed_write_stores_nothing_and_the_next_one_goes_on()
    {
        var isFull = false;
        using var fixture = new StoreFixture(files: new((step, path) =>
        {
            if (isFull && step == DurableStep.Write && path.EndsWith(".log", StringComparison.Ordinal))
                throw new IOException("No space left on device");
        }));
        var (old, young) = (Named("old"), Named("young"));
        fixture.Add(old, Start, 1);
        isFull = true;
        Assert.Contains("No space left", fixture.Add(young, Start, 1).Failure!, StringComparison.Ordinal);
        Assert.NotNull(fixture.Add(old, Start + 1, 2).Failure);
        Assert.Equal([(Start, 1.0)], fixture.Floats(old));
        Assert.Empty(fixture.Floats(young));
        isFull = false;
        Assert.Equal(1, fixture.Add(young, Start, 5).NewSeries);
        Assert.Equal(1, fixture.Add(old, Start + 1, 3).Stored);
        fixture.Reopen();
        Assert.Equal([(Start, 1.0), (Start + 1, 3.0)], fixture.Floats(old));
        Assert.Equal([(Start, 5.0)], fixture.Floats(young));
    }
}
