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

    /// <summary>Run by hand when version 2 begins, never to change what version 1 is.</summary>
    [Fact(Explicit = true)]
    public void Writes_the_store_of_this_version()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(1) });
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
        Check(fixture);
        fixture.Close();
        var target = Path.Combine(Environment.GetEnvironmentVariable("GROUNDCREW_GOLDEN_TARGET")!, Golden);
        Copy(fixture.Options.Folder, target);
        fixture.Reopen();
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

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
