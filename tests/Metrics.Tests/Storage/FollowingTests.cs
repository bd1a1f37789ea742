using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Who follows the log gets every commit once and in order, over segments and restarts.</summary>
public sealed class FollowingTests
{
    [Fact]
    public void Everything_committed_is_read_once_over_segments_and_restarts()
    {
        using var fixture = new StoreFixture(o => o with { SegmentBytes = 2_000 });
        var read = new List<LoggedSample>();
        LogPosition position = default;
        for (var round = 0; round < 5; round++)
        {
            Fill(fixture, round * 100, 50);
            using (var reader = fixture.Store.OpenLog(position))
            {
                Fill(fixture, round * 100 + 50, 30);
                while (reader.Read(read, 7) > 0)
                    Assert.InRange(read.Count, 1, 2000);
                Fill(fixture, round * 100 + 80, 20);
                while (reader.Read(read, 1000) > 0)
                    position = reader.Position;
                Assert.Equal((fixture.Store.End, 0), (reader.Position, reader.Missed));
            }
            if (round == 2)
                fixture.Store.WriteCheckpoint();
            fixture.Reopen();
        }
        Assert.InRange(WriteLog.SegmentsIn(fixture.LogFolder).Count, 5, 100);
        Assert.Equal(Enumerable.Range(0, 500).SelectMany(i => Expected(i)), read.Select(s => (s.Series.ToSeriesText(), s.Time, s.Value)));
    }

    [Fact]
    public void Histograms_and_samples_out_of_order_are_followed_too()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(1) });
        var histogram = Histograms.Random(new(1), 1, whole: true)[0];
        fixture.Add(Named("h"), Start, histogram);
        fixture.Add(Named("f"), Start, 1);
        fixture.Add(Named("f"), Start - 5000, 2);
        using var reader = fixture.Store.OpenLog(default);
        var read = new List<LoggedSample>();
        Assert.Equal(3, reader.Read(read, 100));
        Assert.True(HistogramLayout.SameSample(histogram, read[0].Histogram!));
        Assert.Equal((Start - 5000, 2.0), (read[2].Time, read[2].Value));
    }

    [Fact]
    public void Samples_of_dropped_segments_are_counted_as_missed()
    {
        using var fixture = new StoreFixture(o => o with { SegmentBytes = 1_000 });
        Fill(fixture, 0, 10);
        using var reader = fixture.Store.OpenLog(default);
        var read = new List<LoggedSample>();
        reader.Read(read, 1);
        Fill(fixture, 10, 200);
        fixture.Store.WriteCheckpoint();
        fixture.Store.WriteCheckpoint();
        Fill(fixture, 210, 10);
        while (reader.Read(read, 100) > 0)
            Assert.InRange(read.Count, 1, 1000);
        Assert.Equal(220 * 3, read.Count + reader.Missed);
        Assert.NotEqual(0, reader.Missed);
        Assert.Equal(Expected(219).Last(), read.Select(s => (s.Series.ToSeriesText(), s.Time, s.Value)).Last());
    }

    [Fact]
    public async Task Waiting_ends_with_the_next_commit()
    {
        using var fixture = new StoreFixture();
        using var reader = fixture.Store.OpenLog(fixture.Store.End);
        var waiting = reader.WaitAsync(TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        fixture.Add(Named("a"), Start, 1);
        await waiting;
        Assert.Equal(1, reader.Read([], 10));
        using var stop = new CancellationTokenSource();
        waiting = reader.WaitAsync(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    private static void Fill(StoreFixture fixture, int first, int count)
    {
        for (var i = first; i < first + count; i++)
        {
            var batch = new SampleBatch();
            foreach (var (name, time, value) in Expected(i))
                batch.Add(fixture.Store.Resolve(Labels.Of(("__name__", name)).Packed), time, value);
            Assert.Equal(3, fixture.Store.Commit(batch).Stored);
        }
    }

    /// <summary>Some series go on, one begins with each commit.</summary>
    private static IEnumerable<(string Name, long Time, double Value)> Expected(int i) =>
        [("a", Start + i * 100, i), ($"new{i}", Start + i * 100, i * 0.5), ("b", Start + i * 100, -i)];
}
