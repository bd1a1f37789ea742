using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Journeys.Stage;
using Groundcrew.Metrics;
using Groundcrew.PromQL.Tests.Differential;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>Samples that come from others and go to others, with the real Prometheus at the other end (U-23, AZ-70).</summary>
public sealed class RemoteMetricsJourneys(Platform platform) : IClassFixture<Platform>, IAsyncDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Limit };
    private readonly RealPrometheus _prometheus = new();

    private string Root => $"http://127.0.0.1:{platform.ControlPort}/prometheus";

    private string ConfigFile => Path.Combine(platform.Data, "prometheus.yml");

    public async ValueTask DisposeAsync()
    {
        // The next journey begins without the receiver of this one.
        File.Delete(ConfigFile);
        await _prometheus.DisposeAsync();
        _http.Dispose();
    }

    [Fact]
    public async Task Every_sample_reaches_a_receiver_that_was_dead_for_a_while_and_none_twice()
    {
        await _prometheus.StartAsync();
        DurableFiles.Real.Replace(ConfigFile, $$"""
            global:
              external_labels: {site: here}
            remote_write:
            - url: http://127.0.0.1:{{_prometheus.Port}}/api/v1/write
              queue_config: {batch_send_deadline: 100ms, min_backoff: 30ms, max_backoff: 200ms}
              write_relabel_configs: [{source_labels: [__name__], regex: sent_total, action: keep}]
            """);
        using var reloaded = await SendAsync(HttpMethod.Post, "/-/reload", null);
        Assert.Equal(HttpStatusCode.OK, reloaded.StatusCode);
        var sent = new List<(long Time, double Value)>();
        var begin = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 600_000;
        async Task WriteAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                sent.Add((begin + (sent.Count * 250L), sent.Count));
                Assert.Equal(HttpStatusCode.NoContent, await WriteOneAsync("sent_total", "counter", sent[^1]));
            }
        }
        await WriteAsync(200);
        await Eventually.TrueAsync(async () => (await _prometheus.SamplesAsync("sent_total[1h]")).Count >= 100, "samples arrive", TimeSpan.FromMinutes(1));
        await _prometheus.KillAsync();
        await WriteAsync(300);
        await _prometheus.StartAsync();
        await WriteAsync(100);
        await Eventually.TrueAsync(async () => (await _prometheus.SamplesAsync("sent_total[1h]")).Count >= sent.Count, "all samples arrive", TimeSpan.FromMinutes(2));
        // Each once, with its time and its value, and with the labels of this platform.
        Assert.Equal(sent, await _prometheus.SamplesAsync("sent_total{site=\"here\"}[1h]"));
        Console.WriteLine($"journey: {sent.Count} samples reached a Prometheus that was dead in between, each once");
    }

    [Fact]
    public async Task A_prometheus_sends_here_and_federates_from_here()
    {
        var token = Path.Combine(_prometheus.Folder, "token");
        await File.WriteAllTextAsync(token, platform.AdminToken.Reveal(), Platform.Token);
        await _prometheus.StartAsync($$"""
            global:
              scrape_interval: 250ms
              scrape_timeout: 250ms
              external_labels: {site: there}
            scrape_configs:
            - job_name: itself
              static_configs: [{targets: ['127.0.0.1:{{_prometheus.Port}}']}]
            - job_name: federated
              honor_labels: true
              metrics_path: /prometheus/federate
              params: {'match[]': ['{__name__="up", job=~"crew-.*"}', 'groundcrew_build_info']}
              authorization: {credentials_file: {{token}}}
              static_configs: [{targets: ['127.0.0.1:{{platform.ControlPort}}']}]
            remote_write:
            - url: {{Root}}/api/v1/write
              authorization: {credentials_file: {{token}}}
              queue_config: {batch_send_deadline: 100ms}
              # Not what it federates from here, which would come back and be federated again.
              write_relabel_configs: [{source_labels: [__name__], regex: prometheus_tsdb_.*, action: keep}]
            """);
        await Eventually.TrueAsync(async () => (await OursAsync("prometheus_tsdb_head_samples_appended_total{site=\"there\"}[10m]")).Count >= 8, "what Prometheus sends is here", TimeSpan.FromMinutes(1));
        var ours = await OursAsync("prometheus_tsdb_head_samples_appended_total{site=\"there\"}[10m]");
        var theirs = await _prometheus.SamplesAsync("prometheus_tsdb_head_samples_appended_total[10m]");
        // It sends what came after its sending began, and has gone on meanwhile.
        Assert.Equal(theirs.SkipWhile(s => s.Time < ours[0].Time).Take(ours.Count), ours);
        await Eventually.TrueAsync(async () => (await _prometheus.QueryAsync("count(up{job=~\"crew-.*\"} == 1)")).GetProperty("result") is var r && r.GetArrayLength() == 1 && r[0].GetProperty("value")[1].GetString() == "3",
            "the three roles are federated", TimeSpan.FromMinutes(2));
        await Eventually.TrueAsync(
            async () => (await _prometheus.QueryAsync("count by (job) (groundcrew_build_info)")).GetProperty("result").EnumerateArray().Select(s => s.GetProperty("metric").GetProperty("job").GetString())
                .Order(StringComparer.Ordinal).SequenceEqual(["crew-agent", "crew-control", "crew-edge"]),
            "their builds are federated");
        Console.WriteLine($"journey: {ours.Count} samples of a Prometheus are here as they are there, and it federates our roles");
    }

    [Fact]
    public async Task What_was_acknowledged_is_there_after_kill_9_of_the_control_plane()
    {
        var begin = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 600_000;
        for (var round = 0; round < 2; round++)
        {
            var acknowledged = new List<(long Time, double Value)>[4];
            using var stop = new CancellationTokenSource();
            var writers = acknowledged.Select((_, writer) => Task.Run(async () =>
            {
                var mine = acknowledged[writer] = [];
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    var sample = (begin + (i * 10L), (double)i);
                    try
                    {
                        if (await WriteOneAsync($"kept_{round}_total", $"{writer}", sample) != HttpStatusCode.NoContent)
                            return;
                    }
                    catch (HttpRequestException)
                    {
                        return; // It died: this one was not acknowledged.
                    }
                    mine.Add(sample);
                }
            })).ToList();
            await Eventually.TrueAsync(() => acknowledged.All(a => a?.Count > 100 + (round * 57)) || writers.Any(w => w.IsCompleted), "samples are acknowledged");
            await platform.KillAsync("control");
            await stop.CancelAsync();
            await Task.WhenAll(writers);
            await platform.ReadyAsync();
            for (var writer = 0; writer < acknowledged.Length; writer++)
            {
                var kept = await OursAsync($"kept_{round}_total{{writer=\"{writer}\"}}[1h]");
                Assert.True(acknowledged[writer].Count > 100);
                // One more may be there than was acknowledged: the answer to it was lost.
                Assert.Equal(acknowledged[writer], kept.Take(acknowledged[writer].Count));
                Assert.InRange(kept.Count - acknowledged[writer].Count, 0, 1);
            }
            Console.WriteLine($"journey: {acknowledged.Sum(a => a.Count)} acknowledged samples are there after kill -9");
        }
    }

    private async Task<HttpStatusCode> WriteOneAsync(string metric, string writer, (long Time, double Value) sample)
    {
        using var content = new ByteArrayContent(WriteRequest.Encode([(Labels.Of(("__name__", metric), ("writer", writer)), [sample])]));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var answer = await SendAsync(HttpMethod.Post, "/api/v1/write", content);
        return answer.StatusCode;
    }

    private async Task<IReadOnlyList<(long Time, double Value)>> OursAsync(string range)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"/api/v1/query?query={Uri.EscapeDataString(range)}", null);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Platform.Token));
        return RealPrometheus.Samples(json.RootElement.GetProperty("data"));
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content)
    {
        using var request = new HttpRequestMessage(method, new Uri(Root + path)) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", platform.AdminToken.Reveal());
        return await _http.SendAsync(request, Platform.Token);
    }
}
