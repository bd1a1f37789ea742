using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class RemoteWriteSenderTests : IAsyncDisposable
{
    private readonly MemoryLog _log = new();
    private readonly MemorySink _sink = new();
    private readonly MetricRegistry _registry = new();
    private readonly TempFolder _folder = new();
    private readonly TinyTarget _other = new();
    private readonly RemoteWriteReceiver _receiver;
    private volatile string _answer = "";

    public RemoteWriteSenderTests()
    {
        _receiver = new(_sink, new MetricRegistry());
        _other.Answer = (stream, request, stop) =>
        {
            var body = Encoding.Latin1.GetBytes(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
            var status = _answer.Length > 0 ? _answer : $"{_receiver.Receive(body, "application/x-protobuf", "snappy").Status} -";
            return stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), stop).AsTask();
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _other.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task What_is_committed_arrives_relabelled_and_with_external_labels()
    {
        await using var sender = Sender("write_relabel_configs: [{source_labels: [__name__], regex: 'drop.*', action: drop}, {source_labels: [a], target_label: b}], send_native_histograms: true", Labels.Of(("region", "eu"), ("a", "mine")));
        sender.Start();
        _log.Commit(Float("x", 1, 5), Float("dropped", 1, 5), new(Labels.Of(("__name__", "y"), ("a", "own")), 1, 6, null), new(Labels.Of(("__name__", "h")), 1, 0, RemoteWriteReceiverTests.Histogram()));

        await Eventually.TrueAsync(() => _sink.SeriesCount == 3, "the samples");
        Assert.Equal(["h{a=\"mine\", b=\"mine\", region=\"eu\"}", "x{a=\"mine\", b=\"mine\", region=\"eu\"}", "y{a=\"own\", b=\"own\", region=\"eu\"}"], _sink.All());
        Assert.Contains("Content-Encoding: snappy", _other.Requests[0], StringComparison.Ordinal);
        Assert.Contains("X-Prometheus-Remote-Write-Version: 0.1.0", _other.Requests[0], StringComparison.Ordinal);
        await Eventually.TrueAsync(() => Metric("prometheus_remote_storage_samples_total") == 2 && Metric("prometheus_remote_storage_histograms_total") == 1, "the counters");
        Assert.Equal(1, Metric("prometheus_remote_storage_samples_dropped_total", ",reason=\"dropped_series\""));
    }

    [Fact]
    public async Task Version_2_is_sent_when_it_is_asked_for_and_its_partial_answers_are_counted()
    {
        _other.Answer = (stream, request, stop) =>
        {
            var body = Encoding.Latin1.GetBytes(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
            _ = _receiver.Receive(body, "application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy");
            return stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 400 Bad Request\r\nX-Prometheus-Remote-Write-Samples-Written: 1\r\nX-Prometheus-Remote-Write-Histograms-Written: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), stop).AsTask();
        };
        await using var sender = Sender("protobuf_message: io.prometheus.write.v2.Request, send_native_histograms: true", Labels.Empty);
        sender.Start();
        _log.Commit(Float("x", 1, 5), Float("y", 1, 6), new(Labels.Of(("__name__", "h"), ("x", "é")), 1, 0, RemoteWriteReceiverTests.Histogram()));

        await Eventually.TrueAsync(() => Metric("prometheus_remote_storage_samples_failed_total") == 1, "the refused sample");
        Assert.Equal(["h{x=\"é\"}", "x", "y"], _sink.All());
        Assert.Equal([5], _sink.ValuesOf("x"));
        Assert.True(RemoteWriteReceiverTests.Histogram().ContentEquals(_sink.Of("h{x=\"é\"}")[0].Histogram!));
        Assert.Contains("X-Prometheus-Remote-Write-Version: 2.0.0", _other.Requests[0], StringComparison.Ordinal);
        Assert.Contains("proto=io.prometheus.write.v2.Request", _other.Requests[0], StringComparison.Ordinal);
        await Eventually.TrueAsync(() => Metric("prometheus_remote_storage_samples_total") == 1 && Metric("prometheus_remote_storage_histograms_total") == 1, "what was written");
    }

    [Fact]
    public async Task Samples_of_a_series_arrive_in_order_over_several_shards()
    {
        await using var sender = Sender("queue_config: {min_shards: 4, max_shards: 4, max_samples_per_send: 7, capacity: 20, batch_send_deadline: 10ms}");
        sender.Start();
        for (var time = 1; time <= 50; time++)
            _log.Commit([.. Enumerable.Range(0, 20).Select(i => Float($"m{i}", time, time))]);

        await Eventually.TrueAsync(() => Enumerable.Range(0, 20).All(i => _sink.Of($"m{i}").Count == 50), "all samples");
        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal(Enumerable.Range(1, 50).Select(t => (double)t), _sink.ValuesOf($"m{i}")));
        Assert.Equal(4, Metric("prometheus_remote_storage_shards"));
    }

    [Fact]
    public async Task While_the_other_side_fails_nothing_is_lost()
    {
        await using var sender = Sender("queue_config: {batch_send_deadline: 10ms, min_backoff: 5ms, max_backoff: 20ms}");
        _answer = "503 Service Unavailable";
        sender.Start();
        _log.Commit(Float("x", 1, 1));
        await Eventually.TrueAsync(() => Metric("prometheus_remote_storage_samples_retried_total") >= 3, "repeated tries");
        Assert.Equal("server returned HTTP status 503 Service Unavailable", sender.LastError);
        Assert.Contains(_other.Requests, r => r.Contains("Retry-Attempt: 2", StringComparison.Ordinal));
        _answer = "";
        await Eventually.TrueAsync(() => _sink.ValuesOf("x").Count == 1, "the sample");
    }

    [Theory]
    [InlineData("400 Bad Request", "", false)]
    [InlineData("429 Too Many Requests", "", false)]
    [InlineData("429 Too Many Requests", ", retry_on_http_429: true", true)]
    public async Task What_is_refused_for_good_is_counted_and_passed_over(string status, string more, bool retried)
    {
        await using var sender = Sender($"queue_config: {{batch_send_deadline: 10ms, min_backoff: 5ms, max_backoff: 20ms{more}}}");
        _answer = status;
        sender.Start();
        _log.Commit(Float("x", 1, 1));
        var counter = retried ? "prometheus_remote_storage_samples_retried_total" : "prometheus_remote_storage_samples_failed_total";
        await Eventually.TrueAsync(() => Metric(counter) >= 1, "the refusal");
        _answer = "";
        _log.Commit(Float("x", 2, 2));
        await Eventually.TrueAsync(() => _sink.ValuesOf("x") is [.., 2], "the next sample");
        Assert.Equal(retried ? [1, 2] : [2.0], _sink.ValuesOf("x"));
    }

    [Fact]
    public async Task After_a_restart_it_goes_on_where_it_was()
    {
        await using (var first = Sender("queue_config: {batch_send_deadline: 10ms}"))
        {
            first.Start();
            _log.Commit(Float("x", 1, 1));
            await Eventually.TrueAsync(() => _sink.ValuesOf("x").Count == 1, "the first sample");
        }
        _log.Commit(Float("x", 2, 2));
        _answer = "503 Down";
        await using (var second = Sender("queue_config: {batch_send_deadline: 10ms, min_backoff: 5ms}"))
        {
            second.Start();
            await Eventually.TrueAsync(() => Metric("prometheus_remote_storage_samples_retried_total") >= 1, "a try");
            await second.StopAsync(TimeSpan.FromMilliseconds(50));
        }
        _answer = "";
        await using var third = Sender("queue_config: {batch_send_deadline: 10ms}");
        third.Start();
        _log.Commit(Float("x", 3, 3));
        await Eventually.TrueAsync(() => _sink.ValuesOf("x").Count == 3, "what was not sent");
        Assert.Equal([1, 2, 3], _sink.ValuesOf("x"));
    }

    [Fact]
    public async Task The_end_sends_what_was_read()
    {
        var sender = Sender("queue_config: {batch_send_deadline: 1h}");
        sender.Start();
        _log.Commit(Float("x", 1, 1));
        await Eventually.TrueAsync(() => Metric("prometheus_remote_storage_samples_pending") >= 1, "the sample is read");
        await sender.StopAsync(TimeSpan.FromSeconds(30));
        Assert.Equal([1], _sink.ValuesOf("x"));
        Assert.Equal("groundcrew remote-write-position 1\n0 1\n", File.ReadAllText(_folder["position"]));
    }

    [Fact]
    public void As_many_shards_are_wanted_as_the_sending_takes()
    {
        var queue = new QueueConfig { MinShards = 1, MaxShards = 10 };
        Assert.Equal(1, ShardPlan.Desired(1, 1000, 1000, 0.8, 0, queue));
        Assert.Equal(4, ShardPlan.Desired(1, 4000, 1000, 1.0, 0, queue));
        Assert.Equal(10, ShardPlan.Desired(1, 4000, 1000, 1.0, 1_000_000, queue));
        Assert.Equal(1, ShardPlan.Desired(8, 100, 1000, 1.0, 0, queue));
        Assert.Equal(3, ShardPlan.Desired(3, 100, 0, 5, 0, queue));
    }

    private static LoggedSample Float(string name, long time, double value) => new(Labels.Of(("__name__", name)), time, value, null);

    private double Metric(string name, string more = "") =>
        _registry.WriteText().Split('\n').Where(l => l.StartsWith(name + "{", StringComparison.Ordinal) && l.Contains(more, StringComparison.Ordinal)).Select(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..])).FirstOrDefault();

    private RemoteWriteSender Sender(string more, Labels? external = null)
    {
        var yaml = $"remote_write: [{{url: 'http://{_other.Address}/api/v1/write', {more}}}]";
        var judged = PrometheusConfig.Parse(yaml);
        Assert.Empty(judged.Problems);
        return new(judged.Value!.RemoteWrites[0], external ?? Labels.Empty, _log, _folder["position"], DurableFiles.Real, _registry, TimeProvider.System);
    }
}
