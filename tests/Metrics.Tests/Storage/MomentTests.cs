using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>All selections of a reader see the store as it was when the reader opened.</summary>
public sealed class MomentTests
{
    [Fact]
    public void A_reader_sees_nothing_that_was_committed_after_it_opened()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(1) });
        for (var i = 0; i < 10; i++)
            Round(fixture, i);
        fixture.Add(Named("a"), Start + 500, 0.5);
        using var first = fixture.Store.OpenReader();
        var seen = Text(first);
        Round(fixture, 10);
        fixture.Add(Named("new"), Start, 1);
        fixture.Add(Named("a"), Start + 700, 0.7);
        using var second = fixture.Store.OpenReader();
        var seenLater = Text(second);
        for (var i = 11; i < 400; i++)
            Round(fixture, i);
        fixture.Add(Named("b"), Start + 800, 0.8);
        Assert.Equal(seen, Text(first));
        Assert.Equal(seenLater, Text(second));
        Assert.NotEqual(seen, seenLater);
        using var third = fixture.Store.OpenReader();
        Assert.Contains("399", Text(third), StringComparison.Ordinal);
        Assert.Contains("new", Text(second), StringComparison.Ordinal);
        Assert.DoesNotContain("new", seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_selections_of_one_reader_agree_while_commits_go_on()
    {
        using var fixture = new StoreFixture();
        var commits = 0;
        using var end = new CancellationTokenSource();
        var writer = Task.Run(() =>
        {
            for (var i = 0; !end.IsCancellationRequested && i < 20_000; i++, Interlocked.Increment(ref commits))
                fixture.Add(Named("x", ("i", $"{i % 7}")), Start + i, i);
        }, TestContext.Current.CancellationToken);
        for (var i = 0; i < 300; i++)
        {
            using var reader = fixture.Store.OpenReader();
            var before = Volatile.Read(ref commits);
            var seen = Text(reader);
            SpinWait.SpinUntil(() => writer.IsCompleted || Volatile.Read(ref commits) > before);
            Assert.Equal(seen, Text(reader));
        }
        await end.CancelAsync();
        await writer;
    }

    [Fact]
    public void What_came_later_is_kept_only_while_a_reader_is_open()
    {
        using var head = new Head();
        var series = new HeadSeries(Named("x"));
        Assert.False(head.Later.BeginLocked(1));
        var (first, second) = (head.Later.Open(), 0L);
        for (var i = 0; i < 100; i++)
        {
            Assert.True(head.Later.BeginLocked(1));
            head.Later.NoteLocked(series);
            if (i == 80)
                second = head.Later.Open();
        }
        Assert.Equal(100, head.Later.Count);
        head.Later.Close(first);
        Assert.True(head.Later.BeginLocked(0));
        Assert.Equal(19, head.Later.Count);
        head.Later.Close(second);
        Assert.False(head.Later.BeginLocked(0));
        Assert.Equal(0, head.Later.Count);
    }

    private static void Round(StoreFixture fixture, int i)
    {
        fixture.Add(Named("a"), Start + i * 1000, i);
        fixture.Add(Named("b"), Start + i * 1000, i * 0.1);
        fixture.Add(Named("h"), Start + i * 1000, new FloatHistogram { Count = i + 1, ZeroCount = i + 1 });
        if (i % 5 == 0)
            fixture.Add(Named("mixed"), Start + i * 1000, i);
        else
            fixture.Add(Named("mixed"), Start + i * 1000, new FloatHistogram { Count = i + 1, ZeroCount = i + 1 });
    }

    private static string Text(IMetricReader reader)
    {
        var samples = new SampleBuffer();
        return string.Join('\n', reader.Select(long.MinValue, long.MaxValue, []).Select(s =>
        {
            samples.Clear();
            s.Read(long.MinValue, long.MaxValue, samples);
            return $"{s.Labels} {string.Join(' ', samples.Times.ToArray().Zip(samples.Values.ToArray()))}";
        }));
    }
}
