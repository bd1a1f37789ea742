using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Metrics.Tests.Storage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

/// <summary>Intake with the real store below it.</summary>
public sealed class ThroughTheStoreTests
{
    [Fact]
    public async Task What_is_scraped_into_one_store_arrives_in_another_by_remote_write()
    {
        using var here = new StoreFixture();
        using var there = new StoreFixture();
        using var folder = new TempFolder();
        await using var target = new TinyTarget(string.Concat(Enumerable.Range(0, 300).Select(i => $"m{{n=\"{i}\"}} {i * 1.5}\n")));
        var receiver = new RemoteWriteReceiver(there.Store, new());
        await using var door = new TinyTarget();
        door.Answer = (stream, request, stop) =>
        {
            var outcome = receiver.Receive(Encoding.Latin1.GetBytes(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]), "application/x-protobuf", "snappy");
            return stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {outcome.Status} {outcome.Message}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), stop).AsTask();
        };
        var config = PrometheusConfig.Parse($"scrape_configs: [{{job_name: j, scrape_interval: 15s, static_configs: [{{targets: ['{target.Address}']}}]}}]\nremote_write: [{{url: 'http://{door.Address}/', queue_config: {{batch_send_deadline: 10ms, min_shards: 2, max_samples_per_send: 50}}}}]").Value!;
        await using var sender = new RemoteWriteSender(config.RemoteWrites[0], Labels.Empty, here.Store, folder["p"], DurableFiles.Real, new(), TimeProvider.System);
        sender.Start();
        await using var scraper = new Scraper(here.Store, new(), new(), here.Clock);
        scraper.Apply(config);
        for (var scrape = 1; scrape <= 3; scrape++)
        {
            await Eventually.TrueAsync(() => scraper.Targets[0].NextScrape is not null, "it waits");
            var step = scraper.Targets[0].NextScrape!.Value - here.Clock.GetUtcNow();
            there.Clock.Advance(step);
            here.Clock.Advance(step);
            await Eventually.TrueAsync(() => scraper.Targets[0].LastScrape == here.Clock.GetUtcNow(), "a scrape");
        }
        Assert.Equal("", scraper.Targets[0].LastError);

        await Eventually.TrueAsync(() => Dump(there.Store).Count == 305 && Dump(there.Store).Values.All(s => s.Count == 3), "all samples");
        Assert.Equal(Dump(here.Store), Dump(there.Store));
        Assert.Equal("", sender.LastError);
    }

    [Fact]
    public void A_known_series_is_scraped_without_garbage()
    {
        var sink = new MemorySink();
        var config = PrometheusConfig.Parse("scrape_configs: [{job_name: j, metric_relabel_configs: [{source_labels: [__name__], regex: 'drop.*', action: drop}]}]").Value!.ScrapeConfigs[0];
        using var job = new ScrapeJob(config, new());
        var (pass, cache, metadata, metrics) = (new ScrapePass(), new SeriesCache(), new MetadataTable(), new ScrapeMetrics(new()));
        var lines = Enumerable.Range(0, 200).Select(i => Encoding.UTF8.GetBytes($"http_requests_total{{code=\"200\",n=\"{i}\"}} {i}.5")).Append("dropped 1"u8.ToArray())
            .Append("# HELP http_requests_total Requests."u8.ToArray()).Append("# TYPE http_requests_total counter"u8.ToArray()).ToArray();
        void Scrape(long time)
        {
            pass.Begin(job, Labels.Of(("job", "j")), cache, metadata, sink, metrics, time);
            pass.Speak(ExpositionFormat.Text);
            foreach (var line in lines)
                pass.Take(line);
            pass.Finish();
            cache.Keep(pass.Batch, time);
        }
        for (var i = 0; i < 20; i++)
            Scrape(i);
        var time = 20;
        // A scrape makes its target's labels here, which the real one has; nothing for each line.
        Assert.InRange(Allocated.AtLeast(() =>
        {
            for (var i = 0; i < 100; i++)
                Scrape(time++);
        }), 0, 100 * 2000);
        Assert.Equal((201, 200, 0), (pass.Scraped, pass.Kept, cache.Added));
    }

    [Fact]
    public async Task An_answer_that_comes_byte_by_byte_is_the_same_answer()
    {
        const string body = "# TYPE x counter\nx_total{a=\"é\"} 5\ny 6\n# EOF\n";
        await using var target = new TinyTarget();
        target.Answer = async (stream, _, stop) =>
        {
            foreach (var piece in TinyTarget.Http(body, "application/openmetrics-text"))
                await stream.WriteAsync(new[] { piece }, stop);
        };
        var sink = new MemorySink();
        var clock = new ManualClock();
        await using var scraper = new Scraper(sink, new(), new(), clock);
        scraper.Apply(PrometheusConfig.Parse($"scrape_configs: [{{job_name: j, static_configs: [{{targets: ['{target.Address}']}}]}}]").Value!);
        await Eventually.TrueAsync(() => scraper.Targets[0].NextScrape is not null, "it waits");
        clock.Advance(scraper.Targets[0].NextScrape!.Value - clock.GetUtcNow());
        await Eventually.TrueAsync(() => scraper.Targets[0].Health == TargetHealth.Up, "a scrape");
        Assert.Equal(7, sink.SeriesCount);
    }

    [Fact]
    public async Task Many_targets_are_scraped_with_few_at_once()
    {
        var now = 0;
        var most = 0;
        await using var target = new TinyTarget();
        target.Answer = async (stream, _, stop) =>
        {
            var mine = Interlocked.Increment(ref now);
            InterlockedMax(ref most, mine);
            await stream.WriteAsync(TinyTarget.Http("x 1\n"), stop);
            Interlocked.Decrement(ref now);
        };
        var sink = new MemorySink();
        var clock = new ManualClock();
        await using var scraper = new Scraper(sink, new() { MaxConcurrentScrapes = 4 }, new(), clock);
        var targets = string.Join(',', Enumerable.Range(0, 300).Select(i => $"{{targets: ['{target.Address}'], labels: {{n: '{i}'}}}}"));
        scraper.Apply(PrometheusConfig.Parse($"scrape_configs: [{{job_name: j, scrape_timeout: 1m, static_configs: [{targets}]}}]").Value!);
        await Eventually.TrueAsync(() => scraper.Targets.All(t => t.NextScrape is not null), "they wait");
        clock.Advance(TimeSpan.FromSeconds(59.9));
        await Eventually.TrueAsync(() => scraper.Targets.Count(t => t.Health == TargetHealth.Up) >= 280, "most of them");
        Assert.InRange(most, 1, 4);
        Assert.DoesNotContain(scraper.Targets, t => t.Health == TargetHealth.Down);
    }

    private static void InterlockedMax(ref int place, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref place)) < value && Interlocked.CompareExchange(ref place, value, seen) != seen)
        {
        }
    }

    private static SortedDictionary<string, List<(long, double)>> Dump(MetricStore store)
    {
        using var reader = store.OpenReader();
        var dump = new SortedDictionary<string, List<(long, double)>>(StringComparer.Ordinal);
        foreach (var series in reader.Select(0, long.MaxValue, [new(MatchKind.NotEqual, "__name__", "")], TestContext.Current.CancellationToken))
        {
            var samples = new SampleBuffer();
            series.Read(0, long.MaxValue, samples);
            var list = new List<(long, double)>();
            for (var i = 0; i < samples.Count; i++)
                list.Add((samples.Times[i], samples.Values[i]));
            dump.Add(series.Labels.ToString(), list);
        }
        return dump;
    }
}
