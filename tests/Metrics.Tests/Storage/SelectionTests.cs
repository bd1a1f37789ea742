using Xunit;
using static Groundcrew.Metrics.Tests.Storage.StoreFixture;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Selections find what a simple model finds, wherever the series lie.</summary>
public sealed class SelectionTests
{
    private const long Hour = 3_600_000;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Selections_and_label_questions_agree_with_a_model(int seed)
    {
        var random = new Random(seed);
        using var fixture = new StoreFixture();
        fixture.Clock.Advance(TimeSpan.FromDays(3));
        var model = new MemoryMetrics();
        var all = Enumerable.Range(0, 150).Select(_ => Random(random)).Distinct().ToList();
        var batch = new SampleBatch();
        for (var time = Start; time < Start + 12 * Hour; time += 10 * 60_000)
        {
            batch.Clear();
            foreach (var labels in all.Where((_, i) => (i % 3) switch { 0 => true, 1 => time < Start + 5 * Hour, _ => time > Start + 7 * Hour }))
            {
                batch.Add(fixture.Store.Resolve(labels.Packed), time, time / 1000);
                model.Add(labels, time, time / 1000);
            }
            fixture.Store.Commit(batch);
        }
        Compare(fixture, model, random);
        fixture.Store.CutHead();
        Compare(fixture, model, random);
        fixture.Store.CompactBlocks();
        Compare(fixture, model, random);
        fixture.Reopen();
        Compare(fixture, model, random);
    }

    [Fact]
    public void A_series_is_selected_only_when_it_may_have_samples_in_the_range()
    {
        using var fixture = new StoreFixture(o => o with { OutOfOrderWindow = TimeSpan.FromHours(1) });
        fixture.Add(Named("early"), Start, 1);
        for (var i = 0; i < 300; i++)
            fixture.Add(Named("long"), Start + i * 1000, i * 0.1);
        fixture.Add(Named("later"), Start + 200_000, 1);
        fixture.Add(Named("histogram"), Start + 250_000, new FloatHistogram { Count = 1, ZeroCount = 1 });
        fixture.Add(Named("back"), Start + 250_000, 1);
        fixture.Add(Named("back"), Start + 50_000, 1);
        Assert.Equal(["back", "early", "long"], Found(0, 100_000));
        Assert.Equal(["long"], Found(51_000, 100_000));
        Assert.Equal(["back", "long"], Found(50_000, 199_999));
        Assert.Equal(["later", "long"], Found(200_000, 249_999));
        Assert.Equal(["back", "histogram", "long"], Found(250_000, 400_000));
        Assert.Empty(Found(300_000, 400_000));

        List<string> Found(long from, long to)
        {
            using var reader = fixture.Store.OpenReader();
            return [.. reader.Select(Start + from, Start + to, []).Select(s => s.Labels.Get("__name__"))];
        }
    }

    [Fact]
    public void The_status_names_what_there_is_most_of()
    {
        using var fixture = new StoreFixture();
        for (var i = 0; i < 12; i++)
            fixture.Add(Named(i < 8 ? "many" : "few", ("job", "api"), ("i", $"{i}")), Start, i);
        var status = fixture.Store.Status(top: 2);
        Assert.Equal((12, 15, 12, Start, Start), (status.Series, status.LabelPairs, status.Chunks, status.MinTime, status.MaxTime));
        Assert.Equal([new("many", 8), new("few", 4)], status.SeriesByMetricName);
        Assert.Equal([new("i", 12), new("__name__", 2)], status.ValuesByLabelName);
        Assert.Equal([new("__name__", 44), new("job", 36)], status.BytesByLabelName);
        Assert.Equal([new("job=api", 12), new("__name__=many", 8)], status.SeriesByLabelPair);
    }

    private static void Compare(StoreFixture fixture, MemoryMetrics model, Random random)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var reader = fixture.Store.OpenReader();
        using var expected = model.OpenReader();
        for (var i = 0; i < 60; i++)
        {
            var matchers = Enumerable.Range(0, random.Next(4)).Select(_ => Matcher(random)).ToList();
            var from = Start + random.NextInt64(13 * Hour);
            var to = from + random.NextInt64(4 * Hour);
            var text = string.Join(',', matchers);
            Assert.Equal(Samples(expected.Select(from, to, matchers, cancellation), from, to), Samples(reader.Select(from, to, matchers, cancellation), from, to));
            var (first, last) = (long.MinValue, long.MaxValue);
            Assert.Equal(expected.LabelNames(first, last, matchers, cancellation), reader.LabelNames(first, last, matchers, cancellation));
            foreach (var name in (string[])["__name__", "job", "host", "none"])
                Assert.Equal(expected.LabelValues(name, first, last, matchers, cancellation), reader.LabelValues(name, first, last, matchers, cancellation));
        }
    }

    private static List<string> Samples(IReadOnlyList<StoredSeries> series, long from, long to)
    {
        var found = new List<string>();
        var buffer = new SampleBuffer();
        foreach (var one in series)
        {
            buffer.Clear();
            one.Read(from, to, buffer);
            if (buffer.Count > 0)
                found.Add($"{one.Labels} {string.Join(' ', buffer.Times.ToArray().Zip(buffer.Values.ToArray()))}");
        }
        return found;
    }

    private static Labels Random(Random random) => Labels.Of(
        ("__name__", $"m{random.Next(6)}"), ("job", random.Next(4) switch { 0 => "", 1 => "api", 2 => "db", _ => "web" }),
        ("host", random.Next(3) == 0 ? "" : $"h{random.Next(30)}"), ("ä", random.Next(5) == 0 ? "ö" : ""));

    private static LabelMatcher Matcher(Random random)
    {
        var name = (string[])["__name__", "job", "host", "ä", "none"];
        var plain = (string[])["", "m1", "m2", "api", "h1", "h22", "ö"];
        var patterns = (string[])["m.*", "m1|m2|api", "", ".*", ".+", "h1.", "(a|d).*", "m[0-3]|ö", "api|"];
        var kind = (MatchKind)random.Next(4);
        return new(kind, name[random.Next(name.Length)], kind is MatchKind.Equal or MatchKind.NotEqual ? plain[random.Next(plain.Length)] : patterns[random.Next(patterns.Length)]);
    }
}
