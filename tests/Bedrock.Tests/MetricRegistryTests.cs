using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class MetricRegistryTests
{
    private readonly MetricRegistry _registry = new();

    [Fact]
    public void A_metric_without_labels_is_there_at_zero()
    {
        _registry.Counter("crew_things_total", "Things.");
        Assert.Equal("# HELP crew_things_total Things.\n# TYPE crew_things_total counter\ncrew_things_total 0\n", _registry.WriteText());
    }

    [Fact]
    public void Metrics_are_written_in_the_order_of_their_names_and_series_in_theirs()
    {
        var requests = _registry.Counter("b_requests_total", "Requests.", "service", "status");
        requests.With("web", "500").Add();
        requests.With("api", "200").Add(2);
        _registry.Gauge("a_temperature", "Degrees.").Set(-1.5);
        Assert.Equal("""
            # HELP a_temperature Degrees.
            # TYPE a_temperature gauge
            a_temperature -1.5
            # HELP b_requests_total Requests.
            # TYPE b_requests_total counter
            b_requests_total{service="api",status="200"} 2
            b_requests_total{service="web",status="500"} 1

            """, _registry.WriteText());
    }

    [Fact]
    public void Series_of_something_that_is_gone_are_forgotten_and_make_room()
    {
        var requests = _registry.Counter("crew_requests_total", "Requests.", "deployment", "status");
        requests.With("web-1", "200").Add();
        requests.With("web-1", "500").Add();
        requests.With("web-2", "200").Add();
        requests.Remove("deployment", "web-1");
        Assert.DoesNotContain("web-1", _registry.WriteText(), StringComparison.Ordinal);
        Assert.Contains("crew_requests_total{deployment=\"web-2\",status=\"200\"} 1\n", _registry.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_break_a_line_is_escaped()
    {
        _registry.Gauge("crew_odd", "Back\\slash and\nline.", "path").With("a\\b\"c\nd").Set(1);
        Assert.Equal("# HELP crew_odd Back\\\\slash and\\nline.\n# TYPE crew_odd gauge\ncrew_odd{path=\"a\\\\b\\\"c\\nd\"} 1\n", _registry.WriteText());
    }

    [Fact]
    public void Numbers_that_are_none_are_written_as_the_format_wants_them()
    {
        var gauge = _registry.Gauge("crew_g", "G.", "n");
        gauge.With("a").Set(double.PositiveInfinity);
        gauge.With("b").Set(double.NegativeInfinity);
        gauge.With("c").Set(double.NaN);
        gauge.With("d").Set(1e21);
        Assert.Equal(["+Inf", "-Inf", "NaN", "1E+21"], Values("crew_g{"));
    }

    [Fact]
    public void A_histogram_counts_upwards_and_a_bound_belongs_to_its_bucket()
    {
        var series = _registry.Histogram("crew_seconds", "Seconds.", [0.1, 1], "route").With("home");
        foreach (var value in new[] { 0.05, 0.1, 0.5, 2 })
            series.Observe(value);
        Assert.Equal("""
            # HELP crew_seconds Seconds.
            # TYPE crew_seconds histogram
            crew_seconds_bucket{route="home",le="0.1"} 2
            crew_seconds_bucket{route="home",le="1"} 3
            crew_seconds_bucket{route="home",le="+Inf"} 4
            crew_seconds_sum{route="home"} 2.65
            crew_seconds_count{route="home"} 4

            """, _registry.WriteText());
    }

    [Fact]
    public void Input_from_outside_cannot_grow_the_process()
    {
        var metric = _registry.Counter("crew_hosts_total", "Hosts.", "host", "path");
        for (var i = 0; i < MetricRegistry.MaxSeries + 500; i++)
            metric.With($"host-{i}", "/").Add();
        var lines = Values("crew_hosts_total{");
        Assert.Equal(MetricRegistry.MaxSeries + 1, lines.Count);
        Assert.Equal(500, metric.With("unheard-of", "/").Value);
        Assert.Contains("crew_hosts_total{host=\"other\",path=\"other\"} 500", _registry.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public void No_update_is_lost_between_threads()
    {
        var counter = _registry.Counter("crew_c_total", "C.", "n");
        var histogram = _registry.Histogram("crew_h", "H.", [1, 2]);
        Parallel.For(0, 8, thread =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                counter.With((i % 4).ToString()).Add();
                histogram.With().Observe(i % 3);
            }
        });
        Assert.Equal(160_000, Enumerable.Range(0, 4).Sum(n => counter.With(n.ToString()).Value));
        Assert.Contains("crew_h_count 160000\n", _registry.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_counter_never_goes_down()
    {
        var counter = _registry.Counter("crew_c_total", "C.");
        Assert.Throws<ArgumentOutOfRangeException>(() => counter.Add(-1));
        _registry.Gauge("crew_g", "G.").Add(-1);
    }

    [Fact]
    public void Asking_twice_gives_the_same_metric_and_another_type_is_refused()
    {
        Assert.Same(_registry.Counter("crew_c_total", "C."), _registry.Counter("crew_c_total", "C."));
        Assert.Throws<InvalidOperationException>(() => _registry.Gauge("crew_c_total", "C."));
        Assert.Throws<ArgumentException>(() => _registry.Counter("crew_l_total", "L.", "a").With("x", "y"));
    }

    [Fact]
    public void A_gauge_may_be_read_when_it_is_written()
    {
        var value = 1.0;
        _registry.Observe("crew_now", "Now.", () => value);
        Assert.Equal(["1"], Values("crew_now "));
        value = 2;
        Assert.Equal(["2"], Values("crew_now "));
    }

    [Fact]
    public void A_cleared_gauge_forgets_its_series()
    {
        var gauge = _registry.Gauge("crew_g", "G.", "n");
        gauge.With("gone").Set(1);
        gauge.Clear();
        Assert.Empty(Values("crew_g{"));
    }

    private List<string> Values(string prefix) =>
        [.. _registry.WriteText().Split('\n').Where(l => l.StartsWith(prefix, StringComparison.Ordinal)).Select(l => l[(l.LastIndexOf(' ') + 1)..])];
}
