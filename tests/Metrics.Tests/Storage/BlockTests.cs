using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>From the head into blocks, from blocks into larger ones, and out when they are too old; answers stay the same.</summary>
public sealed class BlockTests
{
    private const long Hour = 3_600_000;

    [Fact]
    public void Answers_are_the_same_from_head_blocks_and_merged_blocks()
    {
        using var fixture = Filled(hours: 30, out var before);
        Assert.True(fixture.Store.CutHead());
        Assert.Equal(14, fixture.Store.Status().Blocks);
        AssertSame(before, All(fixture));
        Assert.NotEqual(0, fixture.Store.CompactBlocks());
        AssertSame(before, All(fixture));
        var merged = fixture.Store.Status().Blocks;
        Assert.InRange(merged, 3, 8);
        fixture.Reopen();
        Assert.Equal(merged, fixture.Store.Status().Blocks);
        AssertSame(before, All(fixture));
        Assert.Empty(fixture.Signals.All);
    }

    [Fact]
    public void A_reader_goes_on_while_the_head_is_cut_and_blocks_are_merged()
    {
        using var fixture = Filled(hours: 30, out var before);
        using (var reader = fixture.Store.OpenReader())
        {
            fixture.Store.CutHead();
            using var later = fixture.Store.OpenReader();
            var series = later.Select(long.MinValue, long.MaxValue, [], TestContext.Current.CancellationToken);
            fixture.Store.CompactBlocks();
            AssertSame(before, Read(series));
            Fill(fixture, 30, 32);
            AssertSame(before, Read(reader.Select(long.MinValue, Start + 30 * Hour - 1, [], TestContext.Current.CancellationToken), Start + 30 * Hour - 1));
        }
        Assert.Equal(fixture.Store.Status().Blocks, Directory.GetDirectories(fixture.BlockFolder).Length);
    }

    [Fact]
    public void After_a_cut_a_restart_reads_the_checkpoint_and_the_log_since()
    {
        using var fixture = Filled(hours: 8, out _);
        fixture.Store.CutHead();
        Fill(fixture, 8, 9);
        var expected = All(fixture);
        var segments = WriteLog.SegmentsIn(fixture.LogFolder).Count;
        fixture.Reopen();
        AssertSame(expected, All(fixture));
        Fill(fixture, 9, 13);
        fixture.Store.CutHead();
        fixture.Store.WriteCheckpoint();
        expected = All(fixture);
        fixture.Reopen();
        AssertSame(expected, All(fixture));
        Assert.Equal(2, Checkpoint.In(fixture.LogFolder).Count);
        Assert.InRange(WriteLog.SegmentsIn(fixture.LogFolder).Count, 1, segments + 2);
    }

    [Fact]
    public void Samples_out_of_order_get_blocks_of_their_own_and_are_merged()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(12) });
        Fill(fixture, 0, 10);
        var late = Named("late", ("job", "api"));
        for (var i = 0; i < 600; i++)
            Assert.Equal(1, fixture.Add(late, Start + 10 * Hour - i * 60_000 - 1, i).Stored);
        for (var i = 0; i < 60; i++)
            Assert.Equal(1, fixture.Add(Named("m0", ("job", "api"), ("i", "0")), Start + Hour + i * 60_000 + 7, i).Stored);
        var before = All(fixture);
        fixture.Store.CutHead();
        AssertSame(before, All(fixture));
        fixture.Reopen();
        AssertSame(before, All(fixture));
        Assert.NotEqual(0, fixture.Store.CompactBlocks());
        AssertSame(before, All(fixture));
        fixture.Reopen();
        AssertSame(before, All(fixture));
    }

    [Fact]
    public void What_was_deleted_is_gone_from_head_and_blocks_also_after_restart_and_merge()
    {
        using var fixture = Filled(hours: 9, out var before);
        fixture.Store.CutHead();
        LabelMatcher[] matchers = [new(MatchKind.Regexp, "__name__", "m(0|1)")];
        Assert.NotEqual(0, fixture.Store.Delete(matchers, Start + Hour, Start + 8 * Hour + 30 * 60_000));
        var expected = before.ToDictionary(p => p.Key, p => p.Key.Get("__name__") is "m0" or "m1"
            ? [.. p.Value.Where(s => s.Time < Start + Hour || s.Time > Start + 8 * Hour + 30 * 60_000)] : p.Value);
        AssertSame(expected, All(fixture));
        fixture.Reopen();
        AssertSame(expected, All(fixture));
        Assert.NotEqual(0, fixture.Store.CleanTombstones());
        AssertSame(expected, All(fixture));
        Assert.Equal(0, fixture.Store.CleanTombstones());
        Fill(fixture, 9, 14);
        fixture.Store.CutHead();
        fixture.Store.WriteCheckpoint();
        fixture.Reopen();
        Assert.Equal(expected[Named("m0", ("job", "api"), ("i", "0"))].Count, fixture.Floats(Named("m0", ("job", "api"), ("i", "0")), 0, Start + 9 * Hour - 1).Length);
    }

    [Fact]
    public void Old_blocks_go_by_time_and_by_size()
    {
        using var fixture = new StoreFixture(o => o with { Retention = TimeSpan.FromHours(10) });
        Fill(fixture, 0, 30);
        fixture.Store.CutHead();
        Assert.Equal(14, fixture.Store.Status().Blocks);
        Assert.Equal(9, fixture.Store.ApplyRetention());
        Assert.Equal(5, Directory.GetDirectories(fixture.BlockFolder).Length);
        var bytes = fixture.Store.Status().BlockBytes;
        fixture.Options = fixture.Options with { MaxBytes = (bytes / 2) + new DirectoryInfo(fixture.LogFolder).EnumerateFiles().Sum(f => f.Length) };
        fixture.Reopen();
        Assert.InRange(fixture.Store.ApplyRetention(), 2, 4);
        Assert.InRange(fixture.Store.Status().BlockBytes, 1, bytes / 2);
    }

    [Fact]
    public void Histograms_survive_the_log_the_cut_and_the_merge()
    {
        using var fixture = new StoreFixture();
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        var labels = Named("latency", ("job", "api"));
        var histograms = Histograms.Random(new(3), 600, whole: true);
        for (var i = 0; i < histograms.Count; i++)
        {
            Assert.Equal(1, fixture.Add(labels, Start + i * 60_000, histograms[i]).Stored);
            if (i % 97 == 0)
                Assert.Equal(1, fixture.Add(labels, Start + i * 60_000 + 30_000, i).Stored);
        }
        Check();
        fixture.Reopen();
        Check();
        fixture.Store.CutHead();
        Check();
        fixture.Reopen();
        Check();
        fixture.Store.CompactBlocks();
        Check();

        void Check()
        {
            var found = Assert.Single(fixture.Read(long.MinValue, long.MaxValue)).Samples;
            Assert.Equal(histograms.Count + 7, found.Count);
            var at = 0;
            for (var i = 0; i < found.Count; i++)
                if (found.Histograms[i] is { } histogram)
                    Assert.True(HistogramLayout.SameSample(histograms[at++], histogram), $"histogram {at}");
                else
                    Assert.Equal((at - 1) * 60_000 + 30_000 + Start, found.Times[i]);
        }
    }

    [Fact]
    public void A_series_that_left_the_head_begins_again_with_its_old_handle()
    {
        using var fixture = new StoreFixture();
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        var gone = fixture.Store.Resolve(Named("gone").Packed);
        var batch = new SampleBatch();
        batch.Add(gone, Start, 1);
        fixture.Store.Commit(batch);
        Fill(fixture, 0, 6);
        fixture.Store.CutHead();
        Assert.DoesNotContain(fixture.Store.Status(top: 100).SeriesByMetricName, c => c.Name == "gone");
        batch.Clear();
        batch.Add(gone, Start + 6 * Hour, 2);
        Assert.Equal(1, fixture.Store.Commit(batch).NewSeries);
        Assert.Equal([(Start, 1.0), (Start + 6 * Hour, 2.0)], fixture.Floats(Named("gone")));
        fixture.Reopen();
        Assert.Equal([(Start, 1.0), (Start + 6 * Hour, 2.0)], fixture.Floats(Named("gone")));
    }

    internal static StoreFixture Filled(int hours, out Dictionary<Labels, List<(long Time, long Bits)>> before)
    {
        var fixture = new StoreFixture(o => o with { Retention = TimeSpan.FromDays(10) });
        Fill(fixture, 0, hours);
        before = All(fixture);
        return fixture;
    }

    internal static void Fill(StoreFixture fixture, int fromHour, int toHour)
    {
        fixture.Clock.Advance(TimeSpan.FromHours(toHour - fromHour));
        var random = new Random(fromHour);
        var handles = Enumerable.Range(0, 20).Select(i => fixture.Store.Resolve(Named($"m{i % 5}", ("job", i % 2 == 0 ? "api" : "db"), ("i", $"{i}")).Packed)).ToArray();
        var batch = new SampleBatch();
        for (var time = Start + fromHour * Hour; time < Start + toHour * Hour; time += 60_000)
        {
            batch.Clear();
            for (var i = 0; i < handles.Length; i++)
                batch.Add(handles[i], time + i, i % 3 == 0 ? time / 1000 : i % 3 == 1 ? Math.Round(random.NextDouble(), 2) : random.NextDouble());
            Assert.Equal(handles.Length, fixture.Store.Commit(batch).Stored);
        }
    }

    internal static Dictionary<Labels, List<(long Time, long Bits)>> All(StoreFixture fixture)
    {
        using var reader = fixture.Store.OpenReader();
        return Read(reader.Select(long.MinValue, long.MaxValue, [], TestContext.Current.CancellationToken));
    }

    internal static Dictionary<Labels, List<(long Time, long Bits)>> Read(IReadOnlyList<StoredSeries> series, long to = long.MaxValue)
    {
        Assert.Equal(series.Select(s => s.Labels).Order(), series.Select(s => s.Labels));
        var samples = new SampleBuffer();
        return series.ToDictionary(s => s.Labels, s =>
        {
            samples.Clear();
            s.Read(long.MinValue, to, samples);
            var found = new List<(long, long)>();
            for (var i = 0; i < samples.Count; i++)
                found.Add((samples.Times[i], BitConverter.DoubleToInt64Bits(samples.Values[i])));
            return found;
        });
    }

    internal static void AssertSame(Dictionary<Labels, List<(long Time, long Bits)>> expected, Dictionary<Labels, List<(long Time, long Bits)>> actual)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        foreach (var (labels, samples) in expected)
            Assert.Equal(samples, actual[labels]);
    }
}
