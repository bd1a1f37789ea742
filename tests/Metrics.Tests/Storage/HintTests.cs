using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>What histograms that are read back say of the sample before them: the same as scripts of PromQL, wherever they lie.</summary>
public sealed class HintTests
{
    private const int Minute = 60_000;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_series_has_the_hints_of_scripts_in_the_head_and_in_blocks(int seed)
    {
        using var fixture = new StoreFixture();
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        var random = new Random(seed);
        var expected = new List<CounterResetHint>();
        FloatHistogram? before = null;
        var count = 1.0;
        var schema = 0;
        for (var i = 0; i < 700; i++)
        {
            if (random.Next(30) == 0)
            {
                fixture.Add(Named("h"), Start + i * Minute, i);
                before = null;
                continue;
            }
            count = random.Next(25) == 0 ? 1 : count + random.Next(5);
            schema = random.Next(40) == 0 ? random.Next(3) : schema;
            // A reset that is stated where nothing fell is not kept for ever: chunks are written anew.
            var hint = random.Next(50) == 0 && (CounterResetHint)random.Next(4) is var stated && (stated != CounterResetHint.CounterReset || before?.Count > count) ? stated : CounterResetHint.Unknown;
            var sum = random.Next(40) == 0 ? StaleMarker.Value : i;
            var length = random.Next(20) == 0 ? 2 : 1;
            var histogram = new FloatHistogram
            {
                Schema = schema, ResetHint = hint, Count = count, Sum = sum,
                PositiveSpans = [new(0, (uint)length)], PositiveBuckets = length == 1 ? [count] : [count, 0],
            };
            Assert.Equal(1, fixture.Add(Named("h"), Start + i * Minute, histogram).Stored);
            expected.Add(histogram.HintAfter(before));
            before = histogram;
        }
        Assert.Equal([CounterResetHint.Unknown, CounterResetHint.NotCounterReset, CounterResetHint.Gauge], expected.Distinct().Order());
        Check();
        fixture.Store.WriteCheckpoint();
        fixture.Reopen();
        Check();
        fixture.Store.CutHead();
        Check();
        fixture.Store.CompactBlocks();
        fixture.Reopen();
        Check();

        void Check() => Assert.Equal(expected, Hints(fixture));
    }

    [Fact]
    public void Where_a_sample_was_deleted_or_came_late_nothing_is_known()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(1) });
        foreach (var i in (int[])[0, 1, 2, 3, 4, 6, 7])
            fixture.Add(Named("h"), Start + i * Minute, new FloatHistogram { Count = i + 1, ZeroCount = i + 1 });
        Assert.Equal("U N N N N N N", Text());
        fixture.Add(Named("h"), Start + 5 * Minute, new FloatHistogram { Count = 2, ZeroCount = 2, ResetHint = CounterResetHint.NotCounterReset });
        Assert.Equal("U N N N N U U N", Text());
        fixture.Store.Delete([], Start + 2 * Minute, Start + 2 * Minute);
        Assert.Equal("U N U N U U N", Text());

        string Text() => string.Join(' ', Hints(fixture).Select(h => h.ToString()[0]));
    }

    private static List<CounterResetHint> Hints(StoreFixture fixture) =>
        [.. Assert.Single(fixture.Read(long.MinValue, long.MaxValue)).Samples.Histograms.ToArray().Where(h => h is not null).Select(h => h!.ResetHint)];
}
