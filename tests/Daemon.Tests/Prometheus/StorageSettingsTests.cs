using Groundcrew.Bedrock;
using Groundcrew.Daemon.Settings;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>What the section <c>storage</c> of prometheus.yml says about the store, and what is told of it.</summary>
public sealed class StorageSettingsTests
{
    private const string Storage = "storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 3d, size: 2GB}}}\n";

    [Fact]
    public async Task The_store_opens_as_the_file_says()
    {
        await using var host = await StartAsync(Storage);
        var options = host.Get<Monitoring>().Options;
        Assert.Equal((TimeSpan.FromMinutes(30), TimeSpan.FromDays(3), 2L << 30), (options.OutOfOrderWindow, options.Retention, options.MaxBytes));
        new Samples(host).Add(Labels.Of(("__name__", "late")), 1);
        Assert.Equal(1, Late(host, TimeSpan.FromMinutes(20)).Stored);
        Assert.Equal(0, Late(host, TimeSpan.FromMinutes(40)).Stored);
        var told = (await host.GetAsync("/prometheus/api/v1/status/runtimeinfo")).Ok(200).Json.GetProperty("data");
        Assert.Equal(("3d or 2GiB", 0, Environment.ProcessorCount), (told.GetProperty("storageRetention").GetString(), told.GetProperty("corruptionCount").GetInt32(), told.GetProperty("GOMAXPROCS").GetInt32()));
        var flags = (await host.GetAsync("/prometheus/api/v1/status/flags")).Ok(200).Json.GetProperty("data");
        Assert.Equal(("3d", "2GiB", "50000000", "20"), (
            flags.GetProperty("storage.tsdb.retention.time").GetString(), flags.GetProperty("storage.tsdb.retention.size").GetString(),
            flags.GetProperty("query.max-samples").GetString(), flags.GetProperty("query.max-concurrency").GetString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("storage: {nonsense: 1}\n")]
    public async Task Without_a_file_that_holds_the_options_hold_and_nothing_late_is_taken(string yaml)
    {
        await using var host = await StartAsync(yaml);
        var options = host.Get<Monitoring>().Options;
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromDays(15), null), (options.OutOfOrderWindow, options.Retention, options.MaxBytes));
        new Samples(host).Add(Labels.Of(("__name__", "late")), 1);
        Assert.Equal(0, Late(host, TimeSpan.FromMinutes(20)).Stored);
        Assert.Equal("15d", (await host.GetAsync("/prometheus/api/v1/status/runtimeinfo")).Json.GetProperty("data").GetProperty("storageRetention").GetString());
    }

    [Fact]
    public async Task A_change_of_it_is_said_to_need_a_new_start()
    {
        await using var host = await StartAsync(Storage);
        (await host.PostAsync("/prometheus/-/reload", null)).Ok(200);
        Assert.DoesNotContain(host.Log.Records, r => r.Text.Contains("prometheus-config-restart", StringComparison.Ordinal));
        DurableFiles.Real.Replace(host.Folder["data/prometheus.yml"], "storage: {tsdb: {out_of_order_time_window: 1h}}\n");
        (await host.PostAsync("/prometheus/-/reload", null)).Ok(200);
        Assert.Contains(host.Log.Records, r => r.Text.Contains("prometheus-config-restart", StringComparison.Ordinal));
        Assert.Equal(TimeSpan.FromMinutes(30), host.Get<Monitoring>().Options.OutOfOrderWindow);
    }

    [Fact]
    public async Task Queries_are_counted_under_the_names_of_prometheus()
    {
        await using var host = await StartAsync("");
        var samples = new Samples(host);
        samples.Add(Labels.Of(("__name__", "up")), 1, 1, 1);
        (await host.GetAsync($"/prometheus/api/v1/query?query=count_over_time(up[1m])&time={samples.Seconds}")).Ok(200);
        var text = host.Get<MetricRegistry>().WriteText();
        Assert.Contains("prometheus_engine_query_duration_seconds_count{slice=\"inner_eval\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("prometheus_engine_query_duration_seconds_count{slice=\"queue_time\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("prometheus_engine_query_samples_total 3\n", text, StringComparison.Ordinal);
        Assert.Contains("prometheus_engine_queries 0\n", text, StringComparison.Ordinal);
        Assert.Contains("prometheus_engine_queries_concurrent_max 20\n", text, StringComparison.Ordinal);
    }

    private static CommitResult Late(ControlHost host, TimeSpan by)
    {
        var store = host.Get<Monitoring>().Store;
        var batch = new SampleBatch();
        batch.Add(store.Resolve(Labels.Of(("__name__", "late")).Packed), TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (long)by.TotalMilliseconds, 2);
        return store.Commit(batch);
    }

    private static Task<ControlHost> StartAsync(string yaml) => ControlHost.StartAsync(trustLoopback: true, change: builder =>
        DurableFiles.Real.Replace(Path.Combine(((RoleSettings)builder.Services.Last(s => s.ServiceType == typeof(RoleSettings)).ImplementationInstance!).Data, "prometheus.yml"), yaml));
}
