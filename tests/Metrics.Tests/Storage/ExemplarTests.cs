using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Metrics.Tests.Intake;
using Xunit;

namespace Groundcrew.Metrics.Tests.Storage;

/// <summary>Exemplars: what is kept, what is refused, and how they come in.</summary>
public sealed class ExemplarTests
{
    private static readonly Labels X = Labels.Of(("__name__", "x"));
    private readonly MetricRegistry _registry = new();
    private readonly ExemplarStore _store;

    public ExemplarTests() => _store = new(_registry);

    [Fact]
    public void The_oldest_goes_when_there_is_no_room()
    {
        _store.Capacity = 3;
        var others = new[] { "a", "b" }.Select(n => Labels.Of(("__name__", n))).ToArray();
        Assert.True(Add(X, "1", 1, 1000) && Add(others[0], "2", 1, 500) && Add(X, "3", 1, 2000) && Add(others[1], "4", 1, 3000) && Add(others[0], "5", 1, 4000));

        Assert.Equal(["a 5@4000", "b 4@3000", "x 3@2000"], Kept());
        Assert.Equal(3, _store.Count);
        _store.Capacity = 1;
        Assert.Equal(["a 5@4000"], Kept());
        _store.Capacity = 0;
        Assert.False(Add(X, "6", 1, 9000));
        Assert.Empty(Kept());
    }

    [Fact]
    public void The_only_one_of_a_series_makes_room_for_the_next_one_of_it()
    {
        _store.Capacity = 1;
        Assert.True(Add(X, "1", 1, 1000) && Add(X, "2", 1, 2000) && Add(X, "3", 1, 3000));
        Assert.Equal(["x 3@3000"], Kept());
    }

    [Fact]
    public void What_repeats_the_newest_costs_nothing_and_what_is_older_is_refused()
    {
        Assert.True(Add(X, "1", 1, 2000));
        Assert.True(Add(X, "1", 1, 2000));
        Assert.True(_store.Add(X, Of("1").Packed, 1, 3000, hasOwnTime: false));
        Assert.False(Add(X, "2", 1, 1000));
        Assert.False(Add(X, "2", 0.5, 2000));
        Assert.True(Add(X, "1", 1, 3000));
        Assert.Equal(["x 1@2000", "x 1@3000"], Kept());
        Assert.Contains("prometheus_tsdb_exemplar_out_of_order_exemplars_total 2\n", _registry.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public void Labels_have_128_characters_at_most()
    {
        Assert.True(Add(X, new string('é', 120), 1, 1000));
        Assert.False(Add(X, new string('é', 121), 1, 2000));
        Assert.Equal(1, _store.Count);
    }

    [Fact]
    public void Series_and_times_are_picked()
    {
        var y = Labels.Of(("__name__", "x"), ("a", "1"));
        Assert.True(Add(X, "1", 1, 1000) && Add(X, "2", 1, 2000) && Add(y, "3", 1, 3000));
        IReadOnlyList<LabelMatcher> named = [new(MatchKind.Equal, "__name__", "x")], one = [new(MatchKind.Equal, "a", "1")];
        Assert.Equal(["x 2@2000", "x{a=\"1\"} 3@3000"], Shown(_store.Select([one, named], 1001, 3000)));
        Assert.Equal(["x{a=\"1\"} 3@3000"], Shown(_store.Select([one], 0, 9000)));
        Assert.Empty(_store.Select([named], 1001, 1999));
    }

    [Fact]
    public void A_target_that_speaks_OpenMetrics_gives_them()
    {
        var batch = Scrape("x_bucket{le=\"1\"} 5 # {trace_id=\"a b\",q=\"\\\"\"} 0.5 12.25\ny_total 1 # {} 2\nz_total 1\n# EOF");
        Assert.Equal(2, batch.AddTo(_store));
        Assert.Equal(["x_bucket{job=\"j\", le=\"1\"} {q=\"\\\"\", trace_id=\"a b\"} 0.5@12250", "y_total{job=\"j\"} {} 2@70000"],
            _store.Select([[]], 0, long.MaxValue).SelectMany(s => s.Exemplars.Select(e => $"{s.Series.ToSeriesText()} {e.Labels.ToSeriesText()} {e.Value}@{e.Time}")));
    }

    [Theory]
    [InlineData("x 5 # {a} 1\n# EOF", "line 1, byte 9: expected '=' after a label's name, found \"}\"")]
    [InlineData("x 5 # {a=\"1\",a=\"2\"} 1\n# EOF", "line 1, byte 5: label name \"a\" of the exemplar is not unique")]
    public void One_that_cannot_be_read_fails_its_scrape(string text, string problem) => Assert.Equal(problem, Assert.Throws<ExpositionException>(() => Scrape(text)).Message);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Remote_write_brings_them(bool second)
    {
        var sample = new ProtoWriter();
        sample.Double(1, 1.5);
        sample.Number(2, 5000);
        var (series, exemplar, request) = (new ProtoWriter(), new ProtoWriter(), new ProtoWriter());
        if (second)
        {
            series.Bytes(1, [1, 2]);
            exemplar.Bytes(1, [3, 4]);
            foreach (var symbol in new[] { "", "__name__", "x", "id", "7" })
                request.Bytes(4, Encoding.UTF8.GetBytes(symbol));
        }
        else
        {
            series.Bytes(1, Pair("__name__", "x"));
            exemplar.Bytes(1, Pair("id", "7"));
        }
        exemplar.Double(2, 0.25);
        exemplar.Number(3, 4000);
        series.Bytes(2, sample.Written);
        series.Bytes(second ? 4 : 3, exemplar.Written);
        request.Bytes(second ? 5 : 1, series.Written);

        var outcome = new RemoteWriteReceiver(new MemorySink(), new(), exemplars: _store)
            .Receive(SnappyTests.Pack(request.Written.ToArray()), second ? "application/x-protobuf;proto=io.prometheus.write.v2.Request" : "application/x-protobuf", "snappy");

        Assert.Equal((204, 1, 1), (outcome.Status, outcome.Samples, outcome.Exemplars));
        Assert.Contains(new("X-Prometheus-Remote-Write-Exemplars-Written", "1"), outcome.Headers);
        Assert.Equal(["x 7@4000"], Kept());
    }

    private static byte[] Pair(string name, string value)
    {
        var pair = new ProtoWriter();
        pair.Bytes(1, Encoding.UTF8.GetBytes(name));
        pair.Bytes(2, Encoding.UTF8.GetBytes(value));
        return pair.Written.ToArray();
    }

    private ExemplarBatch Scrape(string text)
    {
        var config = PrometheusConfig.Parse("scrape_configs: [{job_name: j}]").Value!.ScrapeConfigs[0];
        using var job = new ScrapeJob(config, new() { Exemplars = _store });
        var pass = new ScrapePass();
        pass.Begin(job, Labels.Of(("job", "j")), new(), new(), new MemorySink(), new(new()), 70_000);
        pass.Speak(ExpositionFormat.OpenMetrics);
        foreach (var line in text.Split('\n'))
            pass.Take(Encoding.UTF8.GetBytes(line));
        return pass.Exemplars;
    }

    private bool Add(Labels series, string id, double value, long time) => _store.Add(series, Of(id).Packed, value, time);

    private static Labels Of(string id) => Labels.Of(("trace_id", id));

    private IEnumerable<string> Kept() => Shown(_store.Select([[]], long.MinValue, long.MaxValue));

    private static IEnumerable<string> Shown(IReadOnlyList<SeriesExemplars> found) =>
        found.SelectMany(s => s.Exemplars.Select(e => $"{s.Series.ToSeriesText()} {(e.Labels.Get("trace_id") is { Length: > 0 } id ? id : e.Labels.Get("id"))}@{e.Time}"));
}
