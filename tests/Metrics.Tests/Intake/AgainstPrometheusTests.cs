using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>The real Prometheus on the other side.</summary>
public sealed class AgainstPrometheusTests
{
    [Fact]
    public async Task Prometheus_takes_what_we_send()
    {
        await using var prometheus = await PrometheusProcess.StartAsync("global: {scrape_interval: 1h}\n");
        using var folder = new TempFolder();
        var log = new MemoryLog();
        var config = PrometheusConfig.Parse($"remote_write: [{{url: 'http://{prometheus.Address}/api/v1/write', send_native_histograms: true, queue_config: {{batch_send_deadline: 10ms, min_shards: 2}}}}]").Value!;
        await using var sender = new RemoteWriteSender(config.RemoteWrites[0], Labels.Of(("region", "eu")), log, folder["p"], DurableFiles.Real, new(), TimeProvider.System);
        sender.Start();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var random = new Random(5);
        var sent = new Dictionary<string, double>();
        for (var i = 0; i < 500; i++)
        {
            var labels = Labels.Of(("__name__", "sent"), ("n", $"{i}"), ("odd", "a\"\\\né" + new string('x', random.Next(300))));
            sent[$"{i}"] = random.NextDouble() * Math.Pow(10, random.Next(-20, 20));
            log.Commit(new(labels, now - 1000, 1, null), new LoggedSample(labels, now, sent[$"{i}"], null));
        }
        log.Commit(new LoggedSample(Labels.Of(("__name__", "native")), now, 0, RemoteWriteReceiverTests.Histogram()));

        await Eventually.TrueAsync(async () => (await prometheus.GetAsync("/api/v1/query?query=count(sent)")).GetProperty("result") is var r && r.GetArrayLength() == 1 && r[0].GetProperty("value")[1].GetString() == "500", "500 series");
        await Eventually.TrueAsync(async () => (await prometheus.GetAsync("/api/v1/query?query=native")).GetProperty("result").GetArrayLength() == 1, "the histogram");
        foreach (var series in (await prometheus.GetAsync("/api/v1/query?query=sent")).GetProperty("result").EnumerateArray())
        {
            Assert.Equal(sent[series.GetProperty("metric").GetProperty("n").GetString()!], double.Parse(series.GetProperty("value")[1].GetString()!));
            Assert.Equal("eu", series.GetProperty("metric").GetProperty("region").GetString());
        }
        Assert.Equal("10", (await prometheus.GetAsync("/api/v1/query?query=histogram_count(native)")).GetProperty("result")[0].GetProperty("value")[1].GetString());
        Assert.Equal("3.25", (await prometheus.GetAsync("/api/v1/query?query=histogram_sum(native)")).GetProperty("result")[0].GetProperty("value")[1].GetString());
        Assert.Equal("", sender.LastError);
    }

    [Fact]
    public async Task We_take_what_Prometheus_sends_of_what_it_scraped_as_we_scrape_it()
    {
        var body = "# TYPE x counter\nx{job=\"mine\",a=\"1\"} 1e6\nx{b=\"\"} NaN\nx{c=\"é \\\"\\\\\\n\"} -0.5\nlate 7 1000\n";
        await using var target = new TinyTarget(body);
        var sink = new MemorySink();
        var receiver = new RemoteWriteReceiver(sink, new());
        await using var door = new TinyTarget();
        door.Answer = (stream, request, stop) =>
        {
            var outcome = receiver.Receive(Encoding.Latin1.GetBytes(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]), "application/x-protobuf", "snappy");
            return stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {outcome.Status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), stop).AsTask();
        };
        var jobs = $"scrape_configs:\n  - job_name: j\n    honor_timestamps: false\n    static_configs: [{{targets: ['{target.Address}'], labels: {{zone: z}}}}]\n    metric_relabel_configs: [{{source_labels: [a], target_label: d, regex: '(.+)', replacement: 'd$1'}}]\n";
        await using var prometheus = await PrometheusProcess.StartAsync($"global: {{scrape_interval: 1s}}\nremote_write: [{{url: 'http://{door.Address}/', queue_config: {{batch_send_deadline: 100ms}}}}]\n{jobs}");
        var own = new MemorySink();
        await using var scraper = new Scraper(own, new(), new(), TimeProvider.System);
        scraper.Apply(PrometheusConfig.Parse($"global: {{scrape_interval: 1s}}\n{jobs}").Value!);

        await Eventually.TrueAsync(() => sink.SeriesCount >= 9 && own.SeriesCount >= 9, "both have all series");
        Assert.Equal(sink.All(), own.All());
        foreach (var series in own.All().Where(s => !s.StartsWith("scrape_", StringComparison.Ordinal)))
            Assert.Equal(sink.ValuesOf(series)[0], own.ValuesOf(series)[0]);
    }

    [Fact]
    public async Task We_scrape_Prometheus_itself()
    {
        await using var prometheus = await PrometheusProcess.StartAsync("global: {scrape_interval: 1h}\n");
        var sink = new MemorySink();
        await using var scraper = new Scraper(sink, new(), new(), TimeProvider.System);
        scraper.Apply(PrometheusConfig.Parse($"global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: p\n    static_configs: [{{targets: ['{prometheus.Address}']}}]\n").Value!);
        // One of the scrapes comes within its second, however busy the machine is.
        await Eventually.TrueAsync(() => scraper.Targets[0].Health == TargetHealth.Up, "a scrape");
        Assert.True(sink.SeriesCount > 100, $"{sink.SeriesCount} series");
        Assert.Contains(scraper.Metadata, m => m is { Metric: "go_goroutines", Type: "gauge", Help: "Number of goroutines that currently exist." });
    }

    [Fact]
    public async Task Targets_are_relabelled_as_Prometheus_relabels_them()
    {
        const string jobs = """
            scrape_configs:
              - job_name: a
                scrape_interval: 1h30m
                params: {module: [one, two], debug: ['1']}
                static_configs:
                  - targets: ['host-1:80', 'host-2:81', 'UPPER:82', 'keep:83', 'drop:84', 'interval:85', '[::1]:86']
                    labels: {env: prod, path: /m, team: 'A b', __meta_x: y, dup: prod, empty: ''}
                relabel_configs:
                  - {source_labels: [__address__], regex: 'drop.*', action: drop}
                  - {source_labels: [__address__, env], separator: '@', regex: '(.+):(\d+)@(.*)', target_label: joined, replacement: '${3}-$1-$2-$9$$'}
                  - {source_labels: [__address__], target_label: hash, modulus: 17, action: hashmod}
                  - {source_labels: [team], target_label: lower, action: lowercase}
                  - {source_labels: [team], target_label: upper, action: uppercase}
                  - {regex: '__meta_(.*)', action: labelmap}
                  - {regex: 'te(.*)', replacement: 'mapped_$1', action: labelmap}
                  - {source_labels: [__address__], regex: 'host-2.*', target_label: __metrics_path__, replacement: /other}
                  - {source_labels: [__address__], regex: 'host-1.*', target_label: __param_module, replacement: three}
                  - {source_labels: [__address__], regex: 'keep.*', target_label: instance, replacement: mine}
                  - {source_labels: [__address__], regex: 'interval.*', target_label: __scrape_interval__, replacement: 45s}
                  - {source_labels: [__address__], regex: 'interval.*', target_label: __scheme__, replacement: https}
                  - {source_labels: [absent], regex: '', target_label: was_absent, replacement: 'yes'}
                  - {source_labels: [env], regex: 'pro', target_label: not_anchored}
                  - {target_label: path, replacement: ''}
                  - {regex: 'joined|env', action: labeldrop}
              - job_name: b
                static_configs: [{targets: ['x:1', 'y:1'], labels: {same: 'x:1'}}]
                relabel_configs:
                  - {source_labels: [__address__], target_label: same, action: keepequal}
                  - {regex: '__.*|job', action: labelkeep}
              - job_name: c
                static_configs: [{targets: ['x:1', 'y:1'], labels: {same: 'x:1'}}]
                relabel_configs:
                  - {source_labels: [__address__], target_label: same, action: dropequal}
                  - {source_labels: [__address__], regex: 'y:(.)', action: keep}
            """;
        await using var prometheus = await PrometheusProcess.StartAsync("global: {scrape_interval: 1h}\n" + jobs);
        JsonElement data = default;
        await Eventually.TrueAsync(async () => (data = await prometheus.GetAsync("/api/v1/targets")).GetProperty("activeTargets").GetArrayLength() == 8, "the targets");
        await using var scraper = new Scraper(new MemorySink(), new(), new(), new ManualClock());
        var judged = PrometheusConfig.Parse("global: {scrape_interval: 1h}\n" + jobs);
        Assert.Empty(judged.Problems);
        scraper.Apply(judged.Value!);

        // Version 2.42 shows labels after relabelling among the discovered ones, so of these only the address is compared.
        static string Shown(JsonElement labels) => Labels.Of([.. labels.EnumerateObject().Select(p => (p.Name, p.Value.GetString()!))]).ToString();
        var theirs = data.GetProperty("activeTargets").EnumerateArray().Select(t => $"{t.GetProperty("scrapePool")} {Shown(t.GetProperty("labels"))} {t.GetProperty("discoveredLabels").GetProperty("__address__")} {t.GetProperty("scrapeUrl")} {t.GetProperty("scrapeInterval")} {t.GetProperty("scrapeTimeout")}");
        var ours = scraper.Targets.Select(t => $"{t.ScrapePool} {t.Labels} {t.DiscoveredLabels.Get("__address__")} {t.ScrapeUrl} {PrometheusDuration.Format(t.ScrapeInterval)} {PrometheusDuration.Format(t.ScrapeTimeout)}");
        Assert.Equal(theirs.Order(StringComparer.Ordinal), ours.Order(StringComparer.Ordinal));
        Assert.Equal(data.GetProperty("droppedTargets").EnumerateArray().Select(t => t.GetProperty("discoveredLabels").GetProperty("__address__").GetString()!).Order(StringComparer.Ordinal), scraper.DroppedTargets.Select(t => t.DiscoveredLabels.Get("__address__")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Verdicts_about_configurations_are_those_of_promtool()
    {
        var cases = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "corpus", "prometheus-configs.txt")).Split("=== ", StringSplitOptions.RemoveEmptyEntries);
        Assert.True(cases.Length >= 60, $"There are {cases.Length} cases; 60 are known.");
        var wrong = new List<string>();
        using var slots = new SemaphoreSlim(4);
        await Task.WhenAll(cases.Select(async block =>
        {
            var (head, yaml) = (block[..block.IndexOf('\n')], block[(block.IndexOf('\n') + 1)..]);
            using var folder = new TempFolder();
            File.WriteAllText(folder["prometheus.yml"], yaml);
            await slots.WaitAsync();
            var (code, says) = await Tool.RunAsync("promtool", ["check", "config", "--syntax-only", folder["prometheus.yml"]]);
            slots.Release();
            var judged = PrometheusConfig.Parse(yaml);
            var wanted = head.StartsWith("good", StringComparison.Ordinal);
            // "differs" marks what this program decides otherwise than version 2.42, with the reason in the name.
            if ((judged.Value is not null) != wanted || (!head.Contains("differs", StringComparison.Ordinal) && code == 0 != wanted))
                lock (wrong)
                    wrong.Add($"{head}: ours {string.Join("; ", judged.Problems)}, promtool {code} {says}");
        }));
        Assert.Empty(wrong);
    }
}
