using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

public sealed class AccessLogTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Each_request_leaves_one_record_without_query_header_or_body()
    {
        await using var instance = await Instance.SayingAsync("hello");
        await using (var edge = await EdgeHost.StartAsync(_folder.Path))
        {
            edge.Table.Apply(Of(1, Route("app.example.org", instance.Target)));
            using var request = edge.Request(HttpMethod.Post, "app.example.org", "/pay?card=marked-query", new StringContent("marked-body"));
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer marked-token");
            request.Headers.TryAddWithoutValidation("Cookie", "session=marked-cookie");
            request.Headers.TryAddWithoutValidation("X-Request-Id", "id-1");
            using var response = await edge.Client.SendAsync(request, Stop);
            await edge.GetAsync("nobody.example", "/x?marked-query");
            await edge.StopAsync();
        }

        var lines = File.ReadAllLines(_folder["access.log"]);
        Assert.Equal(2, lines.Length);
        Assert.DoesNotContain(lines, l => l.Contains("marked", StringComparison.Ordinal));
        var record = JsonDocument.Parse(lines.Single(l => l.Contains("id-1", StringComparison.Ordinal))).RootElement;
        Assert.Equal("app.example.org", record.GetProperty("host").GetString());
        Assert.Equal(("POST", "/pay"), (record.GetProperty("method").GetString(), record.GetProperty("path").GetString()));
        Assert.Equal((200, 1), (record.GetProperty("status").GetInt32(), record.GetProperty("attempts").GetInt32()));
        Assert.Equal("127.0.0.1", record.GetProperty("client").GetString());
        Assert.Equal(("acme", "web", "web-a7x9k2m-acme"),
            (record.GetProperty("org").GetString(), record.GetProperty("project").GetString(), record.GetProperty("deployment").GetString()));
        Assert.Equal(instance.Id, record.GetProperty("instance").GetGuid());
        Assert.True(record.GetProperty("duration_ms").GetDouble() > 0);
        var unknown = JsonDocument.Parse(lines.Single(l => l.Contains("nobody", StringComparison.Ordinal))).RootElement;
        Assert.Equal(404, unknown.GetProperty("status").GetInt32());
        Assert.False(unknown.TryGetProperty("org", out _));
    }

    [Fact]
    public async Task Records_that_find_no_place_are_dropped_and_counted()
    {
        var metrics = new MetricRegistry();
        using var log = new AccessLog(new EdgeOptions { StateFolder = _folder.Path, AccessLogBuffer = 3 * Line("id-0").Length }, metrics, new SeenSignals(), TimeProvider.System);
        for (var i = 0; i < 10; i++)
            log.Add(Line($"id-{i}"));
        Assert.Contains("groundcrew_edge_access_records_dropped_total 7", metrics.WriteText(), StringComparison.Ordinal);

        await log.StartAsync(Stop);
        await log.StopAsync(Stop);
        Assert.Equal(3, File.ReadAllLines(_folder["access.log"]).Length);
    }

    [Fact]
    public async Task A_disk_that_refuses_records_costs_them_a_count_and_one_signal_and_no_request()
    {
        var metrics = new MetricRegistry();
        var signals = new SeenSignals();
        // A folder stands where the file should be.
        Directory.CreateDirectory(_folder["access.log"]);
        using var log = new AccessLog(new EdgeOptions { StateFolder = _folder.Path }, metrics, signals, TimeProvider.System);
        await log.StartAsync(Stop);
        log.Add(Line("id-1"));
        await Eventually.TrueAsync(() => log.Failure is not null, "the failure");
        log.Add(Line("id-2"));
        await Eventually.TrueAsync(() => metrics.WriteText().Contains("dropped_total 2", StringComparison.Ordinal), "both are counted");
        Assert.Equal("edge-access-log-failed", Assert.Single(signals.All).Kind);

        Directory.Delete(_folder["access.log"]);
        log.Add(Line("id-3"));
        await log.StopAsync(Stop);
        Assert.Contains("id-3", Assert.Single(File.ReadAllLines(_folder["access.log"])), StringComparison.Ordinal);
        Assert.Null(log.Failure);
    }

    [Fact]
    public async Task The_log_is_rotated_and_only_so_many_files_are_kept()
    {
        var options = new EdgeOptions { StateFolder = _folder.Path, AccessLogMaxBytes = 1000, AccessLogFiles = 3 };
        using var log = new AccessLog(options, new MetricRegistry(), new SeenSignals(), TimeProvider.System);
        await log.StartAsync(Stop);
        for (var i = 0; i < 30; i++)
        {
            var id = $"id-{i:00}";
            log.Add(Line(id));
            await Eventually.TrueAsync(() => File.Exists(_folder["access.log"]) && File.ReadAllText(_folder["access.log"]).Contains(id, StringComparison.Ordinal), id);
        }
        await log.StopAsync(Stop);

        var files = Directory.GetFiles(_folder.Path).Order().ToList();
        Assert.Equal([_folder["access.log"], _folder["access.log.1"], _folder["access.log.2"]], files);
        Assert.All(files, f => Assert.InRange(new FileInfo(f).Length, 1, 1000));
        Assert.All(files, f => Assert.Equal(DurableFiles.Private, File.GetUnixFileMode(f)));
    }

    private static byte[] Line(string id)
    {
        var line = new BytesOut(256);
        AccessRecord.Write(ref line, new FakeExchange("a.example") { RequestId = id }, TimeSpan.FromMilliseconds(1), null, 200);
        var written = line.Written.ToArray();
        line.Dispose();
        return written;
    }
}
