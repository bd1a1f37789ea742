using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Crashes and faults between the steps of what goes on in the background: nothing is lost, and nothing is there half.</summary>
public sealed class FaultTests
{
    private const long Hour = 3_600_000;

    [Fact]
    public void A_crash_before_any_step_of_cut_merge_and_checkpoint_loses_nothing()
    {
        using var folder = new TempFolder();
        var crashes = new List<string>();
        string? source = null;
        using var fixture = BlockTests.Filled(hours: 10, out var before);
        fixture.Files = new((step, _) =>
        {
            if (source is null)
                return;
            crashes.Add(folder[$"{crashes.Count}-{step}"]);
            Copy(source, crashes[^1]);
        });
        fixture.Reopen();
        source = fixture.Options.Folder;
        fixture.Store.CutHead();
        Assert.NotEqual(0, fixture.Store.CompactBlocks());
        fixture.Store.WriteCheckpoint();
        source = null;
        Assert.InRange(crashes.Count, 40, 400);
        foreach (var crash in crashes)
        {
            using var after = new StoreFixture(o => o with { Folder = crash, Retention = TimeSpan.FromDays(10) });
            BlockTests.AssertSame(before, BlockTests.All(after));
            Assert.DoesNotContain(after.Signals.All, s => s.Urgency != SignalUrgency.Info);
            Assert.Empty(Directory.GetDirectories(after.BlockFolder, "*.tmp"));
            after.Store.CutHead();
            after.Store.CompactBlocks();
            BlockTests.AssertSame(before, BlockTests.All(after));
        }
    }

    [Fact]
    public void A_fault_at_any_step_of_cut_merge_and_checkpoint_loses_nothing_and_the_next_time_it_is_done()
    {
        var isDone = false;
        for (var failing = 0; !isDone; failing++)
        {
            using var fixture = BlockTests.Filled(hours: 10, out var before);
            var left = -1;
            fixture.Files = new((_, _) =>
            {
                if (left >= 0 && left-- == 0)
                    throw new IOException("No space left on device");
            });
            fixture.Reopen();
            left = failing;
            try
            {
                fixture.Store.CutHead();
                fixture.Store.CompactBlocks();
                fixture.Store.WriteCheckpoint();
                isDone = left >= 0;
                Assert.True(isDone, $"The fault at step {failing} was not told.");
            }
            catch (IOException e) when (e.Message == "No space left on device")
            {
                // Whatever was to be done comes again.
            }
            left = -1;
            BlockTests.AssertSame(before, BlockTests.All(fixture));
            BlockTests.Fill(fixture, 10, 11);
            var expected = BlockTests.All(fixture);
            fixture.Reopen();
            BlockTests.AssertSame(expected, BlockTests.All(fixture));
            fixture.Store.CutHead();
            fixture.Store.CompactBlocks();
            fixture.Store.WriteCheckpoint();
            BlockTests.AssertSame(expected, BlockTests.All(fixture));
            Assert.DoesNotContain(fixture.Signals.All, s => s.Urgency != SignalUrgency.Info);
        }
    }

    [Fact]
    public void A_clock_that_jumps_refuses_what_is_ahead_of_it_and_loses_nothing()
    {
        using var fixture = new StoreFixture();
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        fixture.Add(Named("a"), Start, 1);
        fixture.Clock.Advance(TimeSpan.FromDays(-3));
        Assert.Equal(1, fixture.Add(Named("a"), Start + 1000, 2).RefusedFor(SampleRefusal.TooNew));
        Assert.Equal(0, fixture.Store.ApplyRetention());
        fixture.Reopen();
        Assert.Equal([(Start, 1.0)], fixture.Floats(Named("a")));
        fixture.Clock.Advance(TimeSpan.FromDays(400));
        Assert.Equal(1, fixture.Add(Named("a"), Start + 10 * Hour, 3).Stored);
        fixture.Store.CutHead();
        fixture.Clock.Advance(TimeSpan.FromDays(-398));
        Assert.Equal(0, fixture.Store.ApplyRetention());
        Assert.Equal(1, fixture.Add(Named("a"), Start + 11 * Hour, 4).Stored);
        Assert.Equal([(Start, 1.0), (Start + 10 * Hour, 3), (Start + 11 * Hour, 4)], fixture.Floats(Named("a")));
    }

    [Fact]
    public void A_reader_that_is_open_across_cut_merge_and_retention_sees_what_it_saw()
    {
        using var fixture = BlockTests.Filled(hours: 9, out _);
        fixture.Store.CutHead();
        BlockTests.Fill(fixture, 9, 30);
        var before = BlockTests.All(fixture);
        using (var reader = fixture.Store.OpenReader())
        {
            fixture.Store.CutHead();
            Assert.NotEqual(0, fixture.Store.CompactBlocks());
            BlockTests.Fill(fixture, 30, 300);
            fixture.Store.CutHead();
            Assert.NotEqual(0, fixture.Store.ApplyRetention());
            BlockTests.AssertSame(before, BlockTests.Read(reader.Select(long.MinValue, long.MaxValue, [], TestContext.Current.CancellationToken)));
        }
        Assert.Equal(fixture.Store.Status().Blocks, Directory.GetDirectories(fixture.BlockFolder).Length);
    }

    [Fact]
    public void Histograms_out_of_order_and_deletions_survive_cut_merge_and_restart()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(3) });
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        var random = new Random(6);
        var expected = new SortedDictionary<long, double>();
        for (var i = 0; i < 600; i++)
        {
            var time = Start + i * 60_000;
            if (i % 20 != 7)
                Add(time);
            if (i % 20 == 19)
                Add(time - random.Next(1, 7) * 20 * 60_000 + 8 * 60_000 + 1);
            if (i == 400)
                Delete(Start + 100 * 60_000, Start + 180 * 60_000);
        }
        Delete(Start + 500 * 60_000, Start + 520 * 60_000);
        Check();
        fixture.Reopen();
        Check();
        fixture.Store.CutHead();
        Check();
        Delete(Start + 30 * 60_000, Start + 42 * 60_000);
        Check();
        fixture.Reopen();
        Check();
        fixture.Store.CompactBlocks();
        fixture.Store.CleanTombstones();
        fixture.Reopen();
        Check();

        void Add(long time)
        {
            if (expected.ContainsKey(time))
                return;
            var value = time - Start + 10 * Hour;
            Assert.Equal(1, fixture.Add(Named("h"), time, new FloatHistogram { Count = value, ZeroCount = value, Sum = 1 }).Stored);
            expected.Add(time, value);
        }

        void Delete(long from, long to)
        {
            fixture.Store.Delete([], from, to);
            foreach (var time in expected.Keys.Where(t => t >= from && t <= to).ToList())
                expected.Remove(time);
        }

        void Check()
        {
            var samples = Assert.Single(fixture.Read(long.MinValue, long.MaxValue)).Samples;
            Assert.Equal(expected.Keys, samples.Times.ToArray());
            Assert.Equal(expected.Values, samples.Histograms.ToArray().Select(h => h!.Count));
        }
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_named_when_the_store_opens()
    {
        using var disk = SmallDisk.TryMake("1m");
        Assert.SkipWhen(disk is null, "Mounting needs root.");
        disk.MakeReadOnly();
        var path = Path.Combine(disk.Path, "store");
        var failure = Assert.ThrowsAny<IOException>(() => MetricStore.Open(new() { Folder = path }, new ManualClock(), new(), new SeenSignals()));
        Assert.Contains(path, failure.Message, StringComparison.Ordinal);
        Assert.Contains("Read-only", failure.Message, StringComparison.OrdinalIgnoreCase);
    }
}
