using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Metrics;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>What is scraped: the platform's own targets, and those of a prometheus.yml that is read again when it changes (U-25).</summary>
public sealed class MonitoringTests : IAsyncLifetime
{
    private Town _town = null!;

    private ControlHost Host => _town.Host;

    private Monitoring Monitoring => Host.Get<Monitoring>();

    private string ConfigFile => Host.Folder["data/prometheus.yml"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _town = await Town.BuildAsync();

    public ValueTask DisposeAsync() => _town.DisposeAsync();

    [Fact]
    public async Task The_roles_are_found_and_those_of_other_nodes_are_asked_over_their_link()
    {
        await _town.LoopAsync("scrape-targets");
        Assert.Equal(
            ["crew-agent w1", "crew-agent w2", "crew-control host", "crew-edge e1"],
            Monitoring.Scraper.Targets.Select(t => $"{t.ScrapePool} {t.Labels.Get("node")}").Order(StringComparer.Ordinal));
        await Eventually.TrueAsync(() => HealthOf("w1") == TargetHealth.Up && HealthOf("e1") == TargetHealth.Up, "they were scraped", TimeSpan.FromMinutes(2));
        var said = (await Host.GetAsync("/prometheus/api/v1/query?query=groundcrew_build_info{node=\"w1\"}")).Ok(200).Text;
        Assert.Contains("\"instance\":\"w1:8081\",\"job\":\"crew-agent\",\"node\":\"w1\",\"region\":\"local\",\"role\":\"control\",\"service\":\"agent\"", said, StringComparison.Ordinal);
        Assert.DoesNotContain("__meta_groundcrew", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_instance_is_scraped_when_its_manifest_names_a_path()
    {
        var body = JsonSerializer.Serialize(new { org = "acme", manifest = Town.Manifest.Replace("instances: 1", "instances: 1\n    metrics: /metrics", StringComparison.Ordinal), artifact = _town.Digest });
        var label = (await Host.PostAsync("/api/v1/deployments", body)).Ok(202).As<DeploymentView>().Label;
        await _town.QuietAsync();
        await _town.LoopAsync("scrape-targets");
        var target = Assert.Single(Monitoring.Scraper.Targets, t => t.ScrapePool == "crew-instance");
        Assert.Equal(
            (label, "acme", "web", "web-acme", "production", "w1", "local"),
            (target.Labels.Get("deployment"), target.Labels.Get("org"), target.Labels.Get("project"), target.Labels.Get("service"), target.Labels.Get("environment"), target.Labels.Get("node"), target.Labels.Get("region")));
        Assert.StartsWith(label + "-", target.Labels.Get("instance"), StringComparison.Ordinal);
        Assert.Equal("http://127.0.0.1:20000/metrics", target.ScrapeUrl);
    }

    [Fact]
    public async Task A_configuration_is_taken_when_it_changes_and_a_bad_one_leaves_the_one_before_it()
    {
        Write("scrape_configs:\n- job_name: shop\n  static_configs:\n  - targets: ['shop:9100']\n");
        await _town.LoopAsync("scrape-targets");
        Assert.Contains(Monitoring.Scraper.Targets, t => t.ScrapePool == "shop" && t.ScrapeUrl == "http://shop:9100/metrics");
        Write("scrape_configs:\n- job_name: shop\n  nonsense: 1\n");
        await _town.LoopAsync("scrape-targets");
        Assert.Contains(Monitoring.Scraper.Targets, t => t.ScrapePool == "shop");
        Assert.Contains(Host.Log.Records, r => r.Text.Contains("prometheus-config-refused", StringComparison.Ordinal) && r.Text.Contains("nonsense", StringComparison.Ordinal));
        Assert.False((await Host.GetAsync("/prometheus/api/v1/status/runtimeinfo")).Json.GetProperty("data").GetProperty("reloadConfigSuccess").GetBoolean());
        Assert.Equal("Configuration reload has failed.", Assert.Single((await Host.GetAsync("/prometheus/api/v1/notifications")).Json.GetProperty("data").EnumerateArray()).GetProperty("text").GetString());
        (await Host.PostAsync("/prometheus/-/reload", null)).IsProblem(400, ProblemCodes.BadInput);
        Write("scrape_configs:\n- job_name: crew-agent\n");
        (await Host.PostAsync("/prometheus/-/reload", null)).IsProblem(400, ProblemCodes.BadInput);
        Write("scrape_configs: []\n");
        (await Host.PostAsync("/prometheus/-/reload", null)).Ok(200);
        Assert.DoesNotContain(Monitoring.Scraper.Targets, t => t.ScrapePool == "shop");
        Assert.Equal(0, (await Host.GetAsync("/prometheus/api/v1/notifications")).Json.GetProperty("data").GetArrayLength());
        Assert.True((await Host.GetAsync("/prometheus/api/v1/status/runtimeinfo")).Json.GetProperty("data").GetProperty("reloadConfigSuccess").GetBoolean());
    }

    [Fact]
    public async Task No_secret_of_the_configuration_is_shown()
    {
        Write("""
            scrape_configs:
            - job_name: shop
              basic_auth: {username: ann, password: marked-one}
              static_configs:
              - targets: ['shop:9100']
            remote_write:
            - url: http://ann:marked-two@elsewhere/write
              headers: {X-Key: marked-three}
              authorization:
                credentials: |
                  marked-four
            """);
        (await Host.PostAsync("/prometheus/-/reload", null)).Ok(200);
        var shown = (await Host.GetAsync("/prometheus/api/v1/status/config")).Ok(200).Json.GetProperty("data").GetProperty("yaml").GetString()!;
        Assert.Contains("shop:9100", shown, StringComparison.Ordinal);
        Assert.Contains("<secret>", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("marked", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deployment_shows_what_the_store_knows_of_it()
    {
        var label = _town.Current.Label;
        var id = Assert.Single((await Host.GetAsync($"/api/v1/deployments/{label}/instances")).As<InstanceView[]>()).Id.ToString();
        var samples = new Samples(Host);
        samples.Add(Labels.Of(("__name__", "groundcrew_edge_requests_total"), ("deployment", label), ("status", "200")), 0, 135, 270);
        samples.Add(Labels.Of(("__name__", "groundcrew_edge_requests_total"), ("deployment", label), ("status", "503")), 0, 15, 30);
        foreach (var (le, count) in ((string, double)[])[("0.1", 100), ("0.5", 300), ("+Inf", 300)])
            samples.Add(Labels.Of(("__name__", "groundcrew_edge_request_duration_seconds_bucket"), ("deployment", label), ("le", le)), 0, count / 2, count);
        samples.Add(Labels.Of(("__name__", "container_cpu_usage_seconds_total"), ("deployment", label), ("instance_id", id)), 1, 4, 7);
        samples.Add(Labels.Of(("__name__", "container_memory_working_set_bytes"), ("deployment", label), ("instance_id", id)), 5000);
        var view = (await Host.GetAsync($"/api/v1/deployments/{label}/metrics?window=5m")).Ok(200).As<DeploymentMetricsView>();
        Assert.Equal(("5m", 0.1), (view.Window, Math.Round(view.ErrorRatio!.Value, 6)));
        Assert.Equal(["200", "503"], view.ByStatus.Keys.Order(StringComparer.Ordinal));
        Assert.True(view.RequestsPerSecond > 0);
        Assert.InRange(view.LatencySeconds["p95"], 0.1, 0.5);
        var instance = Assert.Single(view.Instances);
        Assert.Equal((id, 5000, null), (instance.Id.ToString(), instance.MemoryBytes, instance.MemoryLimitBytes));
        Assert.True(instance.CpuCores > 0 && view.MemoryBytes == 5000);
        (await Host.GetAsync($"/api/v1/deployments/{label}/metrics?window=soon")).IsProblem(400, ProblemCodes.BadInput);
        (await Host.GetAsync("/api/v1/deployments/none/metrics")).IsProblem(404, ProblemCodes.NotFound);
        var quiet = (await Host.GetAsync($"/api/v1/deployments/{_town.Earlier.Label}/metrics")).Ok(200).As<DeploymentMetricsView>();
        Assert.Equal((0, null, 0), (quiet.RequestsPerSecond, quiet.ErrorRatio, quiet.LatencySeconds.Count));
    }

    [Theory]
    [InlineData("10.0.0.1:80", "/metrics")]
    [InlineData("127.0.0.1", "/metrics")]
    [InlineData("example.org:80", "/metrics")]
    [InlineData(null, "http://example.org/")]
    [InlineData("127.0.0.1:80", "@example.org/")]
    public async Task A_node_fetches_nothing_but_what_runs_on_it(string? address, string path)
    {
        using var relay = new ScrapeRelay(Host.Address, TimeProvider.System);
        using var output = new MemoryStream();
        await relay.WriteAsync(JsonSerializer.SerializeToElement(new ScrapeQuestion(address, path, null, TimeSpan.FromSeconds(5)), Json.Options), output, Ct);
        var said = Encoding.UTF8.GetString(output.ToArray().AsSpan(4));
        Assert.StartsWith("{\"status\":0,", said, StringComparison.Ordinal);
        Assert.Contains("only what this node runs", said, StringComparison.Ordinal);
    }

    private TargetHealth HealthOf(string node) => Monitoring.Scraper.Targets.First(t => t.Labels.Get("node") == node).Health;

    private void Write(string yaml)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(ConfigFile)!);
        DurableFiles.Real.Replace(ConfigFile, yaml);
    }
}
