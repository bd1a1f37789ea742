using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class ProtobufTests : IAsyncDisposable
{
    private const string ContentType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

    private readonly ManualClock _clock = new();
    private readonly MemorySink _sink = new();
    private readonly MetricRegistry _registry = new();
    private readonly TinyTarget _target = new();
    private readonly Scraper _scraper;

    public ProtobufTests() => _scraper = new(_sink, new() { MaxFamilyBytes = 256 * 1024 }, _registry, _clock);

    public async ValueTask DisposeAsync()
    {
        await _scraper.DisposeAsync();
        await _target.DisposeAsync();
    }

    [Fact]
    public void Simple_metrics_are_samples_with_their_labels_and_times()
    {
        Assert.Equal(
            [
                "Type c counter", "Help c A \\\\ and a\\nline", "Unit c seconds", "{__name__=\"c\", a=\"1\", b=\"é\\\"\"} 5 @", "{__name__=\"c\"} 0 @7",
                "Type g gauge", "{__name__=\"g\"} -0.5 @", "Type u unknown", "{__name__=\"u\"} +Inf @",
            ],
            Read(
                Family("c", 0, [Metric([("a", "1"), ("b", "é\"")], 3, Message(m => m.Double(1, 5))), Metric([], 3, [], time: 7)], "A \\ and a\nline", "seconds"),
                Family("g", 1, [Metric([], 2, Message(m => m.Double(1, -0.5)))]),
                Family("u", 3, [Metric([], 5, Message(m => m.Double(1, double.PositiveInfinity)))])));
    }

    [Fact]
    public void Summaries_and_classic_histograms_become_the_series_of_the_text_format()
    {
        var summary = Message(m =>
        {
            m.Number(1, 4);
            m.Double(2, 2.5);
            m.Bytes(3, Message(q => { q.Double(1, 0.5); q.Double(2, 1.5); }));
            m.Bytes(3, Message(q => { q.Double(1, 1); q.Double(2, double.NaN); }));
        });
        Assert.Equal(
            ["{__name__=\"s_count\", a=\"1\"} 4 @", "{__name__=\"s_sum\", a=\"1\"} 2.5 @", "{__name__=\"s\", a=\"1\", quantile=\"0.5\"} 1.5 @", "{__name__=\"s\", a=\"1\", quantile=\"1.0\"} NaN @"],
            Samples(Family("s", 2, [Metric([("a", "1")], 4, summary)])));
        string[] classic = ["{__name__=\"h_count\"} 3 @", "{__name__=\"h_sum\"} 2 @", "{__name__=\"h_bucket\", le=\"1.0\"} 2 @", "{__name__=\"h_bucket\", le=\"1e+06\"} 3 @", "{__name__=\"h_bucket\", le=\"+Inf\"} 3 @"];
        Assert.Equal(classic, Samples(Family("h", 4, [Metric([], 7, Classic(1, 1e6))])));
        Assert.Equal(classic, Samples(Family("h", 4, [Metric([], 7, Classic(1, 1e6, double.PositiveInfinity))])));
        Assert.Equal(classic, Samples(Family("h", 5, [Metric([], 7, Classic(1, 1e6, double.PositiveInfinity))])));
    }

    [Fact]
    public void Native_histograms_of_whole_numbers_and_of_floats_are_the_same_histogram()
    {
        var whole = Collect(native: true, classic: false, Family("h", 4, [Metric([], 7, Native())])).Histograms.Single();
        Assert.Equal((3, 0.001, 2, 12, 18.5), (whole.Schema, whole.ZeroThreshold, whole.ZeroCount, whole.Count, whole.Sum));
        Assert.Equal([new(0, 2), new(1, 1)], whole.PositiveSpans);
        Assert.Equal([1, 3, 2], whole.PositiveBuckets);
        Assert.Equal([4], whole.NegativeBuckets);
        Assert.Equal(CounterResetHint.Unknown, whole.ResetHint);

        var floats = Message(m =>
        {
            m.Double(2, 18.5);
            m.Double(4, 12);
            m.Number(5, ProtoWriter.Zigzag(3));
            m.Double(6, 0.001);
            m.Double(8, 2);
            m.Bytes(9, Span(-2, 1));
            m.Double(11, 4);
            m.Bytes(12, Span(0, 2));
            m.Bytes(12, Span(1, 1));
            m.Doubles(14, [1, 3, 2]);
        });
        var gauge = Collect(native: true, classic: false, Family("h", 5, [Metric([], 7, floats)])).Histograms.Single();
        Assert.True(whole.ContentEquals(gauge));
        Assert.Equal(CounterResetHint.Gauge, gauge.ResetHint);
    }

    [Fact]
    public void A_histogram_that_is_both_is_read_as_the_job_wants_it()
    {
        var family = Family("h", 4, [Metric([], 7, [.. Native(), .. Buckets(1)])]);
        Assert.Equal(["{__name__=\"h\"} histogram @"], Collect(native: true, classic: false, family).Lines.Where(l => l[0] == '{'));
        string[] classic = ["{__name__=\"h_count\"} 12 @", "{__name__=\"h_sum\"} 18.5 @", "{__name__=\"h_bucket\", le=\"1.0\"} 2 @", "{__name__=\"h_bucket\", le=\"+Inf\"} 12 @"];
        Assert.Equal(["{__name__=\"h\"} histogram @", .. classic], Collect(native: true, classic: true, family).Lines.Where(l => l[0] == '{'));
        Assert.Equal(classic, Collect(native: false, classic: false, family).Lines.Where(l => l[0] == '{'));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void What_contradicts_itself_is_refused(int what)
    {
        var family = what switch
        {
            1 => Family("", 0, []),
            2 => Family("x", 9, []),
            3 => Family("x", 4, [Metric([], 7, [.. Native(), .. Message(m => m.Number(1, 13))])]),
            4 => Family("x", 4, [Metric([], 7, [.. Native(), .. Message(m => m.Bytes(12, Span(1, 5)))])]),
            _ => Family("x", 4, [Metric([], 7, [.. Native(), .. Message(m => m.Number(5, ProtoWriter.Zigzag(9)))])]),
        };
        Assert.Throws<ProtoException>(() => Collect(native: true, classic: false, family));
    }

    [Fact]
    public void Damaged_families_are_read_or_refused_and_nothing_else()
    {
        var random = new Random(11);
        var good = Family("h", 4, [Metric([("a", "1")], 7, [.. Native(), .. Buckets(1, 2)]), Metric([], 7, Native(), time: 5)], "help");
        var refused = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = good[..random.Next(good.Length + 1)].Concat(good[random.Next(good.Length)..]).Take(good.Length).ToArray();
            for (var flips = random.Next(4); flips > 0 && bytes.Length > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                new ProtoExposition().Read(bytes, new Collector());
            }
            catch (ProtoException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 1000, 20_000);
    }

    [Fact]
    public async Task A_job_that_wants_native_histograms_asks_for_protobuf_first_and_stores_them()
    {
        Answer([.. Delimited(Family("h", 4, [Metric([("a", "1")], 7, Native())], "Sizes.")), .. Delimited(Family("c", 0, [Metric([], 3, Message(m => m.Double(1, 5)))]))]);
        await ScrapeAsync("    scrape_native_histograms: true\n");
        Assert.Contains("Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0", _target.Requests[0], StringComparison.Ordinal);
        Assert.Equal(12, Assert.Single(_sink.Of(Series("h", ("a", "1")))).Histogram!.Count);
        Assert.Equal([5], _sink.ValuesOf(Series("c")));
        Assert.Equal(["counter", "histogram"], _scraper.Metadata.OrderBy(m => m.Metric, StringComparer.Ordinal).Select(m => m.Type));
        await NextAsync();
        Assert.Equal([2, 0], _sink.ValuesOf(Series("scrape_series_added")));
        Assert.Equal(2, _sink.Of(Series("h", ("a", "1"))).Count);
    }

    [Theory]
    [InlineData("native_histogram_bucket_limit: 3", 2, 3)]
    [InlineData("native_histogram_bucket_limit: 2", null, 0)]
    [InlineData("native_histogram_bucket_limit: 1", null, 0)]
    [InlineData("native_histogram_min_bucket_factor: 1.5", 0, 4)]
    [InlineData("native_histogram_min_bucket_factor: 1.01", 3, 4)]
    public async Task Buckets_become_wider_until_they_are_allowed(string setting, int? schema, int mostBuckets)
    {
        Answer(Delimited(Family("h", 4, [Metric([], 7, Native())])));
        await ScrapeAsync($"    scrape_native_histograms: true\n    {setting}\n");
        if (schema is null)
        {
            Assert.Equal("histogram bucket limit exceeded", _scraper.Targets[0].LastError);
            Assert.Contains("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total 1", _registry.WriteText(), StringComparison.Ordinal);
            return;
        }
        var histogram = Assert.Single(_sink.Of(Series("h"))).Histogram!;
        Assert.Equal(12, histogram.Count);
        Assert.InRange(histogram.Schema, -4, schema.Value);
        Assert.InRange(histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length, 1, mostBuckets);
    }

    [Theory]
    [InlineData(ContentType, "# TYPE x counter\nx 5\n", "the answer is not the protobuf that its Content-Type names")]
    [InlineData("text/plain", null, "the answer is not the text that its Content-Type names")]
    [InlineData("application/vnd.google.protobuf; proto=other.Thing; encoding=delimited", null, "received unsupported Content-Type")]
    [InlineData("application/vnd.google.protobuf; encoding=text", null, "received unsupported Content-Type")]
    public async Task A_target_that_lies_about_its_format_is_refused_with_a_word(string type, string? text, string word)
    {
        // A family of 10 to 31 bytes begins with a byte that is no text.
        Answer(text is null ? Delimited(Family("c", 0, [Metric([], 3, Message(m => m.Double(1, 5)))])) : Encoding.UTF8.GetBytes(text), type);
        await ScrapeAsync("");
        Assert.StartsWith(word, _scraper.Targets[0].LastError, StringComparison.Ordinal);
        Assert.Equal([0], _sink.ValuesOf(Series("up")));
    }

    [Fact]
    public async Task A_cut_answer_and_a_family_without_end_store_nothing()
    {
        var whole = Delimited(Family("c", 0, [Metric([], 3, Message(m => m.Double(1, 5)))]));
        Answer(whole[..^1]);
        await ScrapeAsync("");
        Assert.Contains("the answer ends within a family", _scraper.Targets[0].LastError, StringComparison.Ordinal);
        Answer([0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3]);
        await NextAsync();
        Assert.Equal("a family is longer than 262144 bytes", _scraper.Targets[0].LastError);
        Assert.Empty(_sink.Of(Series("c")));
    }

    [Fact]
    public async Task A_large_family_that_comes_in_pieces_is_whole()
    {
        var body = Delimited(Family("c", 0, [.. Enumerable.Range(0, 3000).Select(i => Metric([("n", $"{i}")], 3, Message(m => m.Double(1, i))))]));
        Assert.True(body.Length > 64 * 1024);
        Answer(body);
        await ScrapeAsync("");
        Assert.Equal("", _scraper.Targets[0].LastError);
        Assert.Equal([3000], _sink.ValuesOf(Series("scrape_samples_scraped")));
        Assert.Equal([2999], _sink.ValuesOf(Series("c", ("n", "2999"))));
    }

    [Fact]
    public async Task Bounds_in_text_are_the_same_series_however_they_are_written()
    {
        _target.Body = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1e6\"} 1\n# TYPE s summary\ns{quantile=\"1\"} 1\n# TYPE g gauge\ng{le=\"1\"} 1\n";
        await ScrapeAsync("");
        Assert.Equal([1], _sink.ValuesOf(Series("h_bucket", ("le", "1.0"))));
        Assert.Equal([1], _sink.ValuesOf(Series("h_bucket", ("le", "1e+06"))));
        Assert.Equal([1], _sink.ValuesOf(Series("s", ("quantile", "1.0"))));
        Assert.Equal([1], _sink.ValuesOf(Series("g", ("le", "1"))));
    }

    private static byte[] Message(Action<ProtoWriter> write)
    {
        var proto = new ProtoWriter();
        write(proto);
        return proto.Written.ToArray();
    }

    private static byte[] Family(string name, int type, IReadOnlyList<byte[]> metrics, string help = "", string unit = "") => Message(m =>
    {
        m.Bytes(1, Encoding.UTF8.GetBytes(name));
        m.Bytes(2, Encoding.UTF8.GetBytes(help));
        m.Number(3, (ulong)type);
        foreach (var metric in metrics)
            m.Bytes(4, metric);
        m.Bytes(5, Encoding.UTF8.GetBytes(unit));
    });

    private static byte[] Metric((string Name, string Value)[] labels, int field, byte[] value, long time = 0) => Message(m =>
    {
        foreach (var (name, text) in labels)
            m.Bytes(1, Message(l => { l.Bytes(1, Encoding.UTF8.GetBytes(name)); l.Bytes(2, Encoding.UTF8.GetBytes(text)); }));
        m.Bytes(field, value);
        m.Number(6, (ulong)time);
    });

    private static byte[] Span(int offset, uint length) => Message(m => { m.Number(1, ProtoWriter.Zigzag(offset)); m.Number(2, length); });

    private static byte[] Buckets(params double[] bounds) => Message(m =>
    {
        foreach (var (i, bound) in bounds.Index())
            m.Bytes(3, Message(b => { b.Number(1, i == 0 ? 2UL : 3UL); b.Double(2, bound); }));
    });

    private static byte[] Classic(params double[] bounds) => [.. Message(m => { m.Number(1, 3); m.Double(2, 2); }), .. Buckets(bounds)];

    // Buckets 0: 1, 1: 3, 3: 2, and -2 on the negative side: 4; with 2 in the zero bucket they are 12.
    private static byte[] Native() => Message(m =>
    {
        m.Number(1, 12);
        m.Double(2, 18.5);
        m.Number(5, ProtoWriter.Zigzag(3));
        m.Double(6, 0.001);
        m.Number(7, 2);
        m.Bytes(9, Span(-2, 1));
        m.Number(10, ProtoWriter.Zigzag(4));
        m.Bytes(12, Span(0, 2));
        m.Bytes(12, Span(1, 1));
        m.Bytes(13, [(byte)ProtoWriter.Zigzag(1), (byte)ProtoWriter.Zigzag(2), (byte)ProtoWriter.Zigzag(-1)]);
        m.Number(15, 0);
        m.Bytes(16, Message(e => e.Double(2, 1)));
    });

    private static byte[] Delimited(byte[] family)
    {
        var length = new List<byte>();
        var rest = family.Length;
        for (; rest >= 0x80; rest >>= 7)
            length.Add((byte)(rest | 0x80));
        return [.. length, (byte)rest, .. family];
    }

    private static Collector Collect(bool native, bool classic, params byte[][] families)
    {
        var collector = new Collector();
        var reader = new ProtoExposition();
        reader.Begin(native, classic);
        foreach (var family in families)
            reader.Read(family, collector);
        return collector;
    }

    private static List<string> Read(params byte[][] families) => Collect(native: false, classic: false, families).Lines;

    private static IEnumerable<string> Samples(params byte[][] families) => Read(families).Where(l => l[0] == '{');

    private void Answer(byte[] body, string type = ContentType) =>
        _target.Answer = (stream, _, stop) => stream.WriteAsync(TinyTarget.Http(body, type), stop).AsTask();

    private Task ScrapeAsync(string more)
    {
        var judged = PrometheusConfig.Parse($"global: {{scrape_interval: 15s}}\nscrape_configs:\n  - job_name: j\n    static_configs: [{{targets: ['{_target.Address}']}}]\n{more}");
        _scraper.Apply(judged.Value ?? throw new InvalidOperationException(string.Join('\n', judged.Problems)));
        return NextAsync();
    }

    private async Task NextAsync()
    {
        var before = _scraper.Targets[0].LastScrape;
        await Eventually.TrueAsync(() => _scraper.Targets[0].NextScrape is not null, "the target waits");
        _clock.Advance(_scraper.Targets[0].NextScrape!.Value - _clock.GetUtcNow());
        await Eventually.TrueAsync(() => _scraper.Targets[0].LastScrape != before, "the scrape");
    }

    private string Series(string name, params (string, string)[] more) => Labels.Of([("__name__", name), ("job", "j"), ("instance", _target.Address), .. more]).ToSeriesText();

    private sealed class Collector : IExpositionSink
    {
        private readonly LabelDraft _draft = new();

        public List<string> Lines { get; } = [];

        public List<FloatHistogram> Histograms { get; } = [];

        public void Take(in ExpositionLine line)
        {
            if (line.Kind != LineKind.Sample)
            {
                Lines.Add($"{line.Kind} {Encoding.UTF8.GetString(line.Series)} {Encoding.UTF8.GetString(line.Text)}");
                return;
            }
            ProtoExposition.ReadLabels(line.Series, _draft);
            if (line.Histogram is not null)
                Histograms.Add(line.Histogram);
            Lines.Add($"{_draft.ToLabels()} {(line.Histogram is null ? FloatText.General(line.Value) : "histogram")} @{line.Time}");
        }
    }
}
