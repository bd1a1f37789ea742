using System.IO.Compression;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class ScraperTests : IAsyncLifetime
{
    private readonly ManualClock _clock = new();
    private readonly MemorySink _sink = new();
    private readonly MetricRegistry _registry = new();
    private readonly TinyTarget _target = new();
    private Scraper _scraper = null!;

    public ValueTask InitializeAsync()
    {
        _scraper = new(_sink, new() { MaxBodyBytes = 8 * 1024 * 1024, MaxLineBytes = 256 * 1024 }, _registry, _clock);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _scraper.DisposeAsync();
        await _target.DisposeAsync();
    }

    [Fact]
    public async Task A_scrape_stores_the_samples_with_the_targets_labels_and_reports_about_itself()
    {
        _target.Body = "# HELP x Something.\n# TYPE x gauge\nx{a=\"1\"} 2\nx{a=\"2\"} NaN\n";
        Apply();
        await NextAsync();

        Assert.Equal([2], _sink.ValuesOf(Series("x", ("a", "1"))));
        Assert.Equal([1], _sink.ValuesOf(Series("up")));
        Assert.Equal([2], _sink.ValuesOf(Series("scrape_samples_scraped")));
        Assert.Equal([2], _sink.ValuesOf(Series("scrape_samples_post_metric_relabeling")));
        Assert.Equal([2], _sink.ValuesOf(Series("scrape_series_added")));
        Assert.Equal(7, _sink.SeriesCount);
        var status = Assert.Single(_scraper.Targets);
        Assert.Equal((TargetHealth.Up, "", $"http://{_target.Address}/metrics"), (status.Health, status.LastError, status.ScrapeUrl));
        Assert.Equal(new MetricMetadata(status.Labels, "x", "gauge", "Something.", ""), Assert.Single(_scraper.Metadata));
    }

    [Fact]
    public async Task The_request_says_what_Prometheus_says()
    {
        Apply("    params: {module: [a b, c]}\n    basic_auth: {username: u, password: p}\n");
        await NextAsync();

        var request = Assert.Single(_target.Requests);
        Assert.StartsWith("GET /metrics?module=a%20b&module=c HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n", request, StringComparison.Ordinal);
        Assert.Contains("X-Prometheus-Scrape-Timeout-Seconds: 10\r\n", request, StringComparison.Ordinal);
        Assert.Contains("Accept-Encoding: gzip\r\n", request, StringComparison.Ordinal);
        Assert.Contains("Authorization: Basic dTpw\r\n", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_series_that_vanishes_becomes_stale_once()
    {
        _target.Body = "x 1\ny 1\n";
        Apply();
        await NextAsync();
        _target.Body = "x 2\n";
        await NextAsync();
        await NextAsync();

        Assert.Equal([1, 2, 2], _sink.ValuesOf(Series("x")));
        var y = _sink.ValuesOf(Series("y"));
        Assert.Equal(2, y.Count);
        Assert.True(StaleMarker.Is(y[1]));
        Assert.Equal([2, 0, 0], _sink.ValuesOf(Series("scrape_series_added")));
    }

    [Fact]
    public async Task A_failed_scrape_writes_up_0_and_ends_what_was_there_and_the_next_one_begins_it_again()
    {
        _target.Body = "x 1\n";
        Apply();
        await NextAsync();
        _target.Body = "x 2\ny{ 3\n";
        await NextAsync();
        await NextAsync();
        _target.Body = "x 4\n";
        await NextAsync();

        Assert.Equal([1, 0, 0, 1], _sink.ValuesOf(Series("up")));
        var x = _sink.ValuesOf(Series("x"));
        Assert.Equal(3, x.Count);
        Assert.True(StaleMarker.Is(x[1]));
        Assert.Equal(4, x[2]);
        Assert.Empty(_sink.Of(Series("y")));
    }

    [Fact]
    public async Task The_error_of_a_malformed_answer_names_line_and_byte()
    {
        _target.Body = "x 1\ny{a=\"1\",b} 3\n";
        Apply();
        await NextAsync();

        Assert.Equal("line 2, byte 10: expected '=' after a label's name, found \"}\"", Assert.Single(_scraper.Targets).LastError);
    }

    [Fact]
    public async Task A_target_that_is_removed_ends_and_one_that_we_only_leave_does_not()
    {
        _target.Body = "x 1\n";
        Apply();
        await NextAsync();
        var last = _sink.Of(Series("x"))[0].Time;
        _scraper.Apply(new PrometheusConfig());
        await Eventually.TrueAsync(
            () =>
            {
                _clock.Advance(TimeSpan.FromSeconds(1));
                return _sink.Of(Series("x")).Count == 2;
            },
            "the marker of the removed target");
        Assert.True(StaleMarker.Is(_sink.ValuesOf(Series("x"))[1]));
        Assert.True(StaleMarker.Is(_sink.ValuesOf(Series("up"))[^1]));
        Assert.Equal(last + 15_000, _sink.Of(Series("x"))[1].Time);

        Apply();
        await NextAsync();
        await _scraper.DisposeAsync();
        Assert.Equal(1, _sink.ValuesOf(Series("x"))[^1]);
    }

    [Fact]
    public async Task A_target_that_comes_back_in_time_goes_on_without_a_marker_or_a_gap()
    {
        _target.Body = "x 1\ny 1\n";
        Apply();
        await NextAsync();
        var offset = _sink.Of(Series("x"))[0].Time % 15_000;
        _scraper.Apply(new PrometheusConfig());
        Apply("    scrape_timeout: 9s\n");
        _target.Body = "x 2\n";
        await NextAsync();

        Assert.Equal([1, 2], _sink.ValuesOf(Series("x")));
        Assert.Equal(offset, _sink.Of(Series("x"))[1].Time % 15_000);
        Assert.Equal(15_000, _sink.Of(Series("x"))[1].Time - _sink.Of(Series("x"))[0].Time);
        Assert.True(StaleMarker.Is(_sink.ValuesOf(Series("y"))[^1]));
        Assert.Equal([2, 0], _sink.ValuesOf(Series("scrape_series_added")));
        for (var i = 0; i < 4; i++)
            await NextAsync();
        Assert.DoesNotContain(_sink.ValuesOf(Series("x")).Concat(_sink.ValuesOf(Series("up"))), StaleMarker.Is);
        Assert.Equal(2, _sink.Of(Series("y")).Count);
    }

    [Fact]
    public async Task A_reload_that_keeps_a_target_is_not_seen_in_its_series()
    {
        _target.Body = "x 1\n";
        Apply();
        for (var i = 0; i < 3; i++)
        {
            await NextAsync();
            Apply($"    sample_limit: {i + 10}\n");
        }
        await NextAsync();
        Assert.Equal([1, 1, 1, 1], _sink.ValuesOf(Series("x")));
        Assert.Equal([1, 0, 0, 0], _sink.ValuesOf(Series("scrape_series_added")));
        Assert.All(_sink.Of(Series("x")).Zip(_sink.Of(Series("x")).Skip(1)), p => Assert.Equal(15_000, p.Second.Time - p.First.Time));
    }

    [Fact]
    public async Task A_targets_own_labels_are_kept_as_exported_unless_they_are_honored()
    {
        _target.Body = "x{job=\"mine\",instance=\"\"} 1\n";
        Apply();
        await NextAsync();
        Assert.Equal([1], _sink.ValuesOf(Series("x", ("exported_job", "mine"))));

        Apply("    honor_labels: true\n");
        await NextAsync();
        Assert.Equal([1], _sink.ValuesOf("x{job=\"mine\"}"));
        Assert.True(StaleMarker.Is(_sink.ValuesOf(Series("x", ("exported_job", "mine")))[^1]));
    }

    [Fact]
    public async Task Timestamps_of_the_target_are_used_and_such_series_do_not_become_stale()
    {
        var time = _clock.GetUtcNow().ToUnixTimeMilliseconds() - 5000;
        _target.Body = $"x 1 {time}\n";
        Apply();
        await NextAsync();
        _target.Body = "";
        await NextAsync();

        Assert.Equal([(time, 1.0, null)], _sink.Of(Series("x")));
    }

    [Fact]
    public async Task Relabelling_drops_and_renames_samples()
    {
        _target.Body = "go_x 1\nkeep_me{id=\"7\"} 2\n";
        Apply("    metric_relabel_configs:\n      - {source_labels: [__name__], regex: 'go_.*', action: drop}\n      - {source_labels: [id], regex: '(.*)', target_label: number, replacement: 'n$1'}\n      - {regex: id, action: labeldrop}\n");
        await NextAsync();

        Assert.Equal([2], _sink.ValuesOf(Series("keep_me", ("number", "n7"))));
        Assert.Equal([1], _sink.ValuesOf(Series("scrape_samples_post_metric_relabeling")));
        Assert.Equal(6, _sink.SeriesCount);
    }

    [Theory]
    [InlineData("sample_limit: 2", "x 1\ny 2\nz 3\n", "sample limit exceeded: 3 samples after relabelling, 2 are allowed")]
    [InlineData("body_size_limit: 10B", "x 1\ny 2\nz 3\n", "body size limit exceeded: more than 10 bytes")]
    [InlineData("label_limit: 3", "x{a=\"1\"} 1\n", "label_limit exceeded (metric: x, number of labels: 4, limit: 3)")]
    [InlineData("label_name_length_limit: 10", "x{abcdefghijk=\"1\"} 1\n", "label_name_length_limit exceeded (metric: x, label name: abcdefghijk, length: 11, limit: 10)")]
    [InlineData("label_value_length_limit: 20", "x{a=\"123456789012345678901\"} 1\n", "label_value_length_limit exceeded (metric: x, label name: a, value: \"123456789012345678901\", length: 21, limit: 20)")]
    [InlineData("target_limit: 1", "x 1\n", "target_limit exceeded (number of targets: 2, limit: 1)")]
    [InlineData("honor_labels: false", "x{a=\"1\",a=\"2\"} 1\n", "line 1, byte 1: label name \"a\" is not unique: invalid sample")]
    public async Task A_limit_that_is_exceeded_fails_the_whole_scrape(string limit, string body, string error)
    {
        _target.Body = body;
        Apply($"    {limit}\n", targets: limit.StartsWith("target_limit", StringComparison.Ordinal) ? $"[{_target.Address}, 'localhost:1']" : null);
        await NextAsync();

        Assert.Equal(error, _scraper.Targets[0].LastError);
        Assert.Equal([0], _sink.ValuesOf(Series("up")));
        Assert.DoesNotContain(_sink.All(), s => s.StartsWith("x{", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_million_series_against_a_limit_cost_no_series()
    {
        var body = new StringBuilder();
        for (var i = 0; i < 1_000_000; i++)
            body.Append("m{i=\"").Append(i).Append("\"} 1\n");
        await using var large = new Scraper(_sink, new(), _registry, _clock);
        _target.Body = body.ToString();
        large.Apply(Config("    sample_limit: 1000\n"));
        await NextAsync(large);

        Assert.Equal([1_000_000], _sink.ValuesOf(Series("scrape_samples_scraped")));
        Assert.InRange(_sink.Resolved, 1000, 1010);
        Assert.Equal(5, _sink.SeriesCount);
    }

    public static TheoryData<string> Lies => [.. LyingAnswers.Keys];

    private static readonly Dictionary<string, (Func<System.Net.Sockets.NetworkStream, string, CancellationToken, Task> Answer, string Error)> LyingAnswers = new()
    {
        ["promises more bytes than it sends"] = ((s, _, c) => s.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nx 1\n"u8.ToArray(), c).AsTask(), "The response ended prematurely"),
        ["ends its chunks too early"] = ((s, _, c) => s.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nx 1\n\r\n"u8.ToArray(), c).AsTask(), "The response ended prematurely"),
        ["is no HTTP"] = ((s, _, c) => s.WriteAsync("SSH-2.0-OpenSSH\r\n"u8.ToArray(), c).AsTask(), "invalid"),
        ["says 500"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("x 1\n", status: "500 Internal Server Error"), c).AsTask(), "server returned HTTP status 500 Internal Server Error"),
        ["says it is a page"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("x 1\n", "text/html"), c).AsTask(), "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target"),
        ["says no type"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("x 1\n", ""), c).AsTask(), "non-compliant scrape target sending blank Content-Type"),
        ["says OpenMetrics and does not end"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("x 1\n", "application/openmetrics-text; version=1.0.0"), c).AsTask(), "data does not end with # EOF"),
        ["says gzip and is not"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("x 1\n", more: "Content-Encoding: gzip\r\n"), c).AsTask(), "the compressed answer is damaged"),
        ["cuts its gzip"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http(Gzip(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 5000).Select(i => $"x{{i=\"{i * 7919}\"}} {i}\n"))))[..^2000], more: "Content-Encoding: gzip\r\n"), c).AsTask(), "the compressed answer is damaged"),
        ["is a bomb"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http(Gzip(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("# a comment of no use\n", 1_000_000)))), more: "Content-Encoding: gzip\r\n"), c).AsTask(), "body size limit exceeded"),
        ["writes one endless line"] = ((s, _, c) => EndlessAsync(s, "a", c), "a line is longer than"),
        ["writes endless lines"] = ((s, _, c) => EndlessAsync(s, "# on and on\n", c), "body size limit exceeded"),
        ["redirects forever"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("", status: "302 Found", more: "Location: /metrics\r\n"), c).AsTask(), "stopped after 10 redirects"),
        ["redirects to a file"] = ((s, _, c) => s.WriteAsync(TinyTarget.Http("", status: "302 Found", more: "Location: file:///etc/passwd\r\n"), c).AsTask(), "the target redirects to \"file:///etc/passwd\""),
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_target_that_lies_is_down_and_the_reason_is_said(string lie)
    {
        _target.Answer = LyingAnswers[lie].Answer;
        Apply();
        await NextAsync();

        var status = Assert.Single(_scraper.Targets);
        Assert.Equal(TargetHealth.Down, status.Health);
        Assert.Contains(LyingAnswers[lie].Error, status.LastError, StringComparison.Ordinal);
        Assert.Equal([0], _sink.ValuesOf(Series("up")));
        Assert.Equal(5, _sink.SeriesCount);
    }

    [Fact]
    public async Task A_target_that_is_silent_or_slow_is_given_up_at_its_timeout()
    {
        var begun = new TaskCompletionSource();
        _target.Answer = async (stream, _, stop) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nx 1\n"u8.ToArray(), stop);
            begun.TrySetResult();
            await Task.Delay(Timeout.Infinite, stop);
        };
        Apply();
        await StepToNextAsync(_scraper);
        await begun.Task.WaitAsync(Eventually.Limit, TestContext.Current.CancellationToken);
        _clock.Advance(TimeSpan.FromSeconds(10));
        await Eventually.TrueAsync(() => _scraper.Targets[0].Health == TargetHealth.Down, "the timeout");

        Assert.Equal($"Get \"http://{_target.Address}/metrics\": context deadline exceeded: no complete answer within 10s", _scraper.Targets[0].LastError);
        Assert.Equal([10], _sink.ValuesOf(Series("scrape_duration_seconds")));
    }

    [Fact]
    public async Task Nobody_there_is_said_in_words()
    {
        var nobody = FreePort.Next();
        Apply(targets: $"['127.0.0.1:{nobody}']");
        await NextAsync();
        Assert.Contains("Connection refused", _scraper.Targets[0].LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gzip_and_OpenMetrics_are_understood()
    {
        var body = Gzip("# TYPE x counter\nx_total{a=\"1\"} 5 1767225600.5 # {trace_id=\"abc\"} 0.67 1767225600.1\n# EOF\n"u8.ToArray());
        _target.Answer = (s, _, c) => s.WriteAsync(TinyTarget.Http(body, "application/openmetrics-text; version=1.0.0; charset=utf-8", more: "Content-Encoding: gzip\r\n"), c).AsTask();
        Apply();
        await NextAsync();
        Assert.Equal([(1767225600500L, 5.0, null)], _sink.Of(Series("x_total", ("a", "1"))));
    }

    [Fact]
    public async Task A_store_that_fails_is_shown_at_the_target()
    {
        _target.Body = "x 1\n";
        _sink.Failure = "No space left on device";
        Apply();
        await NextAsync();
        Assert.Equal((TargetHealth.Down, "the store refuses samples: No space left on device"), (_scraper.Targets[0].Health, _scraper.Targets[0].LastError));
    }

    [Fact]
    public async Task Refused_samples_are_counted_by_their_reason()
    {
        _target.Body = "x 1\nx 2\n";
        Apply();
        await NextAsync();
        Assert.Contains("prometheus_target_scrapes_sample_duplicate_timestamp_total 1", _registry.WriteText(), StringComparison.Ordinal);
        Assert.Equal(TargetHealth.Up, _scraper.Targets[0].Health);
    }

    [Fact]
    public async Task Targets_are_relabelled_and_dropped_ones_are_shown()
    {
        Apply("    relabel_configs:\n      - {source_labels: [__address__], regex: 'drop.*', action: drop}\n      - {source_labels: [__address__], target_label: instance, regex: '([^:]+):.*'}\n      - {target_label: __metrics_path__, replacement: /probe}\n", targets: $"[{_target.Address}, 'drop:1']");
        await NextAsync();
        var status = Assert.Single(_scraper.Targets);
        Assert.Equal("""{instance="127.0.0.1", job="j"}""", status.Labels.ToString());
        Assert.Equal($"http://{_target.Address}/probe", status.ScrapeUrl);
        Assert.Equal("drop:1", Assert.Single(_scraper.DroppedTargets).DiscoveredLabels.Get("__address__"));
        Assert.Equal("/metrics", status.DiscoveredLabels.Get("__metrics_path__"));
    }

    [Fact]
    public async Task Targets_in_files_come_and_go_with_the_file()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["t.json"], $$"""[{"targets": ["{{_target.Address}}"], "labels": {"zone": "a"} }]""");
        _scraper.Apply(Good($"scrape_configs:\n  - job_name: j\n    file_sd_configs: [{{files: ['{folder["*.json"]}']}}]\n"));
        Assert.Equal("a", Assert.Single(_scraper.Targets).Labels.Get("zone"));
        File.WriteAllText(folder["t.json"], "[{\"targets\": [");
        await Eventually.TrueAsync(
            () =>
            {
                _clock.Advance(TimeSpan.FromSeconds(5));
                return !_registry.WriteText().Contains("prometheus_sd_file_read_errors_total 0", StringComparison.Ordinal);
            },
            "the damaged file");
        Assert.Single(_scraper.Targets);
        File.WriteAllText(folder["t.json"], "[]");
        await Eventually.TrueAsync(
            () =>
            {
                _clock.Advance(TimeSpan.FromSeconds(5));
                return _scraper.Targets.Count == 0;
            },
            "the emptied file");
    }

    [Fact]
    public void Targets_are_spread_over_the_interval_and_keep_their_place()
    {
        var targets = string.Join(", ", Enumerable.Range(0, 100).Select(i => $"'host-{i}:80'"));
        _scraper.Apply(Config("", $"[{targets}]"));
        var job = new ScrapeJob(Config("").ScrapeConfigs[0], new());
        var offsets = new HashSet<long>();
        for (var i = 0; i < 100; i++)
        {
            var plan = TargetLabels.Plan(job.Config, job.TargetRules, new TargetGroup("s", [], Labels.Empty), Labels.Of(("__address__", $"host-{i}:80"))).Plan!;
            var target = new ScrapeTarget(_scraper, job, plan, 7);
            var due = target.DueAfter(_clock.GetUtcNow());
            Assert.Equal(due + TimeSpan.FromSeconds(15), target.DueAfter(due));
            Assert.InRange(due - _clock.GetUtcNow(), TimeSpan.FromTicks(1), TimeSpan.FromSeconds(15));
            offsets.Add(due.ToUnixTimeMilliseconds() / 1000 % 15);
        }
        Assert.True(offsets.Count > 10);
        job.Dispose();
    }

    internal static byte[] Gzip(byte[] plain)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(plain);
        return packed.ToArray();
    }

    private static async Task EndlessAsync(Stream stream, string piece, CancellationToken stop)
    {
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"u8.ToArray(), stop);
        var block = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(piece, 10_000)));
        while (true)
            await stream.WriteAsync(block, stop);
    }

    private static PrometheusConfig Good(string yaml)
    {
        var judged = PrometheusConfig.Parse(yaml);
        return judged.Value ?? throw new InvalidOperationException(string.Join('\n', judged.Problems));
    }

    private PrometheusConfig Config(string more, string? targets = null) => Good($"global: {{scrape_interval: 15s}}\nscrape_configs:\n  - job_name: j\n    static_configs: [{{targets: {targets ?? $"['{_target.Address}']"}}}]\n{more}");

    private void Apply(string more = "", string? targets = null) => _scraper.Apply(Config(more, targets));

    // Waits until every target waits, and steps to the first that is due.
    private async Task StepToNextAsync(Scraper scraper)
    {
        await Eventually.TrueAsync(() => scraper.Targets.All(t => t.NextScrape is not null), "the targets wait");
        _clock.Advance(scraper.Targets.Min(t => t.NextScrape)!.Value - _clock.GetUtcNow());
    }

    // Goes on until every target is scraped once more.
    private async Task NextAsync(Scraper? scraper = null)
    {
        scraper ??= _scraper;
        var before = scraper.Targets.Select(t => t.LastScrape).ToList();
        var count = before.Count;
        for (var i = 1; i <= count; i++)
        {
            await StepToNextAsync(scraper);
            await Eventually.TrueAsync(() => scraper.Targets.Zip(before).Count(p => p.First.LastScrape is { } last && last != p.Second) == i, "the next scrape");
        }
    }

    private string Series(string name, params (string, string)[] more) =>
        Labels.Of([("__name__", name), ("job", "j"), ("instance", _target.Address), .. more]).ToSeriesText();
}
