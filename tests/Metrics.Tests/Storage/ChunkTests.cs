using Xunit;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>What goes into a chunk comes out of it, bit for bit.</summary>
public sealed class ChunkTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Bits_of_the_head_are_read_as_they_were_written(int seed)
    {
        var (times, values) = Series(new(seed), 500);
        var slot = new byte[SlotPool.PayloadBytes + 8];
        var at = 0;
        while (at < times.Length)
        {
            var state = new XorState();
            var first = at++;
            XorChunk.Begin(ref state, times[first], Bits(values[first]));
            while (at < times.Length && XorChunk.TryAppend(slot.AsSpan(0, SlotPool.PayloadBytes), ref state, times[at], Bits(values[at])))
                at++;
            Assert.Equal(at - first, state.Count);
            var (readTimes, readValues) = (new long[state.Count], new double[state.Count]);
            XorChunk.Decode(slot, state.Count, times[first], Bits(values[first]), readTimes, readValues);
            Assert.Equal(times[first..at], readTimes);
            Assert.Equal(values[first..at].Select(Bits), readValues.Select(Bits));
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Columns_of_blocks_are_read_as_they_were_written(int seed)
    {
        var random = new Random(seed);
        var (times, values) = Series(random, 1 + random.Next(ColumnChunk.MaxCount));
        var bytes = new ByteWriter();
        new ColumnChunk().Write(bytes, times, values);
        var length = bytes.Length;
        bytes.Int64(-1);
        var count = ColumnChunk.Count(bytes.Written, out var at);
        Assert.Equal(times.Length, count);
        var (readTimes, readValues) = (new long[count], new double[count]);
        ColumnChunk.Read(bytes.Written, at, readTimes, readValues);
        Assert.Equal(times, readTimes);
        Assert.Equal(values.Select(Bits), readValues.Select(Bits));
        Assert.InRange(length, 1, (count * 18) + 64);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Histograms_are_read_as_they_were_written(int seed)
    {
        var random = new Random(seed);
        var written = Histograms.Random(random, 100, whole: seed % 2 == 0);
        HistogramChunk? chunk = null;
        var read = new SampleBuffer();
        for (var i = 0; i <= written.Count; i++)
        {
            if (i < written.Count && chunk is not null && chunk.TryAppend(i * 1000 + seed, written[i]))
                continue;
            if (chunk is not null)
            {
                var bytes = new ByteWriter();
                chunk.WriteTo(bytes, chunk.View);
                var reader = new ByteReader(bytes.Written);
                HistogramChunk.Decode(ref reader, long.MinValue, long.MaxValue, read);
                Assert.True(reader.IsAtEnd);
            }
            if (i < written.Count)
                chunk = new(i * 1000 + seed, written[i], CounterResetHint.Unknown);
        }
        Assert.Equal(written.Count, read.Count);
        for (var i = 0; i < written.Count; i++)
        {
            Assert.Equal(i * 1000 + seed, read.Times[i]);
            Assert.True(HistogramLayout.SameSample(written[i], read.Histograms[i]!), $"histogram {i}");
        }
    }

    [Fact]
    public void A_counter_that_begins_anew_begins_a_chunk_that_says_nothing_of_the_one_before()
    {
        var first = new FloatHistogram { Count = 5, Sum = 1, PositiveSpans = [new(0, 1)], PositiveBuckets = [5] };
        var second = new FloatHistogram { Count = 3, Sum = 1, PositiveSpans = [new(0, 1)], PositiveBuckets = [3] };
        var chunk = new HistogramChunk(0, first, CounterResetHint.Unknown);
        Assert.False(chunk.TryAppend(1, second));
        Assert.Equal(CounterResetHint.Unknown, second.HintAfter(first));
    }

    [Fact]
    public void A_steady_counter_takes_less_than_a_byte_and_a_constant_nearly_nothing()
    {
        var times = Enumerable.Range(0, 480).Select(i => 1_767_225_600_000 + i * 15_000L).ToArray();
        Assert.InRange(Size(times, [.. times.Select((_, i) => 1e6 + i * 50.0)]), 1, 60);
        Assert.InRange(Size(times, [.. times.Select(_ => 0.25)]), 1, 30);
    }

    private static int Size(long[] times, double[] values)
    {
        var bytes = new ByteWriter();
        new ColumnChunk().Write(bytes, times, values);
        return bytes.Length;
    }

    private static long Bits(double value) => BitConverter.DoubleToInt64Bits(value);

    /// <summary>Times and values of many kinds: steady and jittery, whole, decimal, random bits, special ones.</summary>
    private static (long[] Times, double[] Values) Series(Random random, int count)
    {
        var (times, values) = (new long[count], new double[count]);
        var time = random.NextInt64(-1L << 40, 1L << 41);
        var (jitter, kind) = (random.Next(4), random.Next(7));
        double value = 0;
        for (var i = 0; i < count; i++)
        {
            time += jitter switch { 0 => 15_000, 1 => 15_000 + random.Next(-9, 10), 2 => random.Next(1, 100_000), _ => random.Next(10) == 0 ? random.NextInt64(1, 1L << 31) : 60_000 };
            value = kind switch
            {
                0 => value,
                1 => value + random.Next(1000),
                2 => Math.Round(random.NextDouble() * 100, 3),
                3 => BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)),
                4 => random.NextDouble(),
                5 => value + 50,
                _ => random.Next(8) switch { 0 => -0.0, 1 => StaleMarker.Value, 2 => double.NaN, 3 => double.PositiveInfinity, 4 => 1e15 + random.Next(), 5 => -1e-9, _ => value },
            };
            (times[i], values[i]) = (time, value);
            if (kind != 6 && random.Next(60) == 0)
                values[i] = StaleMarker.Value;
        }
        return (times, values);
    }
}

/// <summary>Histograms for tests.</summary>
internal static class Histograms
{
    public static List<FloatHistogram> Random(Random random, int count, bool whole)
    {
        var made = new List<FloatHistogram>();
        var buckets = 5;
        var counts = new double[20];
        for (var i = 0; i < count; i++)
        {
            if (random.Next(25) == 0)
                buckets = 1 + random.Next(15);
            for (var b = 0; b < 20; b++)
                counts[b] += random.Next(4) == 0 ? 0 : whole ? random.Next(100) : random.NextDouble();
            made.Add(new()
            {
                Schema = 3, ZeroThreshold = 1e-128, ZeroCount = counts[19], Count = counts.Sum(), Sum = random.NextDouble() * 1000,
                PositiveSpans = [new(-3, 1), new(2, (uint)buckets - 1)], PositiveBuckets = counts[..buckets],
                NegativeSpans = [new(1, 2)], NegativeBuckets = counts[15..17],
            });
        }
        return made;
    }
}
