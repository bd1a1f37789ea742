using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>A store that version 1 wrote is read by every later version.</summary>
public sealed class GoldenTests
{
    private const string Golden = "golden/store-v1";
    private const long Hour = 3_600_000;

    [Fact]
    public void The_store_of_version_1_is_read()
    {
        using var folder = new TempFolder();
        Copy(Path.Combine(AppContext.BaseDirectory, Golden), folder["store"]);
        using var fixture = new StoreFixture(o => o with { Folder = folder["store"], OutOfOrderWindow = TimeSpan.FromHours(1) });
        Assert.Empty(fixture.Signals.All);
        Assert.Equal(2, fixture.Store.Status().Blocks);
        Check(fixture);
    }

    /// <summary>With UPDATE_GOLDEN=1 it becomes the golden store when there is none: what is there was written by its own version, and no other one writes it again.</summary>
    [Fact]
    public void A_store_of_this_version_holds_the_same()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(1) });
        Fill(fixture);
        Check(fixture);
        fixture.Reopen(() =>
        {
            var golden = Path.Combine(Checkout.Root, "tests/Metrics.Tests", Golden);
            if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1" && !Directory.Exists(golden))
                Copy(fixture.Options.Folder, golden);
        });
        Check(fixture);
    }

    private static void Fill(StoreFixture fixture)
    {
        fixture.Clock.Advance(TimeSpan.FromDays(1));
        var histograms = Histograms.Random(new(5), 60, whole: true);
        for (var i = 0; i < 60; i++)
        {
            var time = Start + (i * 6 * 60_000);
            fixture.Add(Named("counter", ("job", "api")), time, i * 17);
            fixture.Add(Named("gauge", ("job", "db"), ("ä", "ö")), time, i % 7 / 10.0);
            fixture.Add(Named("odd"), time, i == 30 ? StaleMarker.Value : Math.Sqrt(i));
            fixture.Add(Named("latency"), time, histograms[i]);
        }
        fixture.Store.CutHead();
        fixture.Store.Delete([new(MatchKind.Equal, "__name__", "odd")], Start, Start + (Hour / 2));
        fixture.Add(Named("late"), Start + (59 * 6 * 60_000) + 1, 1);
        fixture.Add(Named("late"), Start + (58 * 6 * 60_000), 2);
    }

    private static void Check(StoreFixture fixture)
    {
        Assert.Equal(Enumerable.Range(0, 60).Select(i => (Start + (i * 360_000L), i * 17.0)), fixture.Floats(Named("counter", ("job", "api"))));
        Assert.Equal(Enumerable.Range(0, 60).Select(i => (Start + (i * 360_000L), i % 7 / 10.0)), fixture.Floats(Named("gauge", ("job", "db"), ("ä", "ö"))));
        var odd = fixture.Floats(Named("odd"));
        Assert.Equal(Enumerable.Range(6, 54).Select(i => Start + (i * 360_000L)), odd.Select(s => s.Time));
        Assert.True(StaleMarker.Is(odd[24].Value));
        Assert.Equal([(Start + (58 * 360_000L), 2.0), (Start + (59 * 360_000L) + 1, 1.0)], fixture.Floats(Named("late")));
        var latency = Assert.Single(fixture.Read(long.MinValue, long.MaxValue, new LabelMatcher(MatchKind.Equal, "__name__", "latency"))).Samples;
        var expected = Histograms.Random(new(5), 60, whole: true);
        Assert.Equal(60, latency.Count);
        for (var i = 0; i < 60; i++)
            Assert.True(HistogramLayout.SameSample(expected[i], latency.Histograms[i]!), $"histogram {i}");
    }
}
