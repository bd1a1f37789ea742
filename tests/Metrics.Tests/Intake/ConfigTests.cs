using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class ConfigTests
{
    private const string Guide = """
        # prometheus.yml
        global:
          scrape_interval: 15s
          evaluation_interval: 15s

        scrape_configs:
          - job_name: "zeitwork-operator"
            static_configs:
              - targets:
                  - "us-east-op-1:8080"
                  - "us-east-op-2:8080"
                  - "us-east-op-3:8080"
                  - "eu-west-op-1:8080"
                  - "eu-west-op-2:8080"
                  - "eu-west-op-3:8080"
                  - "ap-south-op-1:8080"
                  - "ap-south-op-2:8080"
                  - "ap-south-op-3:8080"

          - job_name: "zeitwork-node-agent"
            static_configs:
              - targets:
                  - "us-east-worker-1:8081"
                  - "us-east-worker-2:8081"
                  # ... all worker nodes

          - job_name: "zeitwork-load-balancer"
            static_configs:
              - targets:
                  - "us-east-op-1:8084"
                  - "us-east-op-2:8084"
                  # ... all operator nodes
        """;

    [Fact]
    public void The_guides_file_loads_as_it_stands()
    {
        var config = PrometheusConfig.Parse(Guide).Value!;
        Assert.Equal((TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(15)), (config.Global.ScrapeInterval, config.Global.EvaluationInterval));
        Assert.Equal(["zeitwork-operator", "zeitwork-node-agent", "zeitwork-load-balancer"], config.ScrapeConfigs.Select(j => j.JobName));
        Assert.Equal([9, 2, 2], config.ScrapeConfigs.Select(j => j.StaticTargets.Single().Targets.Count));
        Assert.All(config.ScrapeConfigs, job => Assert.Equal((TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(10), "/metrics", "http"), (job.ScrapeInterval, job.ScrapeTimeout, job.MetricsPath, job.Scheme)));
    }

    [Fact]
    public void Every_problem_is_named_at_once_with_path_line_and_fix()
    {
        var judged = PrometheusConfig.Parse("""
            global:
              scrape_interval: 15 seconds
              scrape_intervall: 15s
            scrape_configs:
              - job_name: a
                scrape_timeout: 2m
                kubernetes_sd_configs: []
                relabel_configs:
                  - action: hashmod
                  - regex: '('
                    action: labeldrop
              - job_name: a
                static_configs: [{targets: ['http://x/']}]
              - metrics_path: /m
            """);
        Assert.Null(judged.Value);
        Assert.Equal(
            [
                "2 global.scrape_interval bad-duration", "3 global.scrape_intervall unknown-key", "6 scrape_configs[0].scrape_timeout timeout-above-interval",
                "7 scrape_configs[0].kubernetes_sd_configs unsupported-key", "9 scrape_configs[0].relabel_configs[0].action bad-rule", "9 scrape_configs[0].relabel_configs[0].action bad-rule",
                "10 scrape_configs[0].relabel_configs[1].regex bad-regex", "12 scrape_configs[1].job_name duplicate-job", "13 scrape_configs[1].static_configs[0].targets bad-target", "14 scrape_configs[2].job_name missing-key",
            ],
            judged.Problems.Select(p => $"{p.Line} {p.Path} {p.Code}"));
        Assert.All(judged.Problems, p => Assert.NotEqual("", p.Fix));
        Assert.Contains("Did you mean scrape_interval?", judged.Problems[1].Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_do_not_show()
    {
        var config = PrometheusConfig.Parse("scrape_configs: [{job_name: a, authorization: {credentials: hush}}]\nremote_write: [{url: 'http://x/', basic_auth: {username: u, password: hush}}]").Value!;
        Assert.Equal("hush", config.ScrapeConfigs[0].Http.Credentials!.Reveal());
        Assert.DoesNotContain("hush", $"{config.ScrapeConfigs[0]} {config.RemoteWrites[0]}", StringComparison.Ordinal);
    }

    [Fact]
    public void Anchors_and_merges_are_followed_and_bounded()
    {
        var config = PrometheusConfig.Parse("scrape_configs:\n  - &a {job_name: a, scrape_interval: 7s}\n  - {<<: *a, job_name: b}\n").Value!;
        Assert.Equal(TimeSpan.FromSeconds(7), config.ScrapeConfigs[1].ScrapeInterval);

        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + string.Concat(Enumerable.Range(1, 12).Select(i => $"a{i}: &a{i} [*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1}]\n"));
        Assert.Contains(PrometheusConfig.Parse(bomb).Problems, p => p.Code == "yaml-syntax");
    }

    [Theory]
    [InlineData("15s", 15_000L)]
    [InlineData("1m30s", 90_000L)]
    [InlineData("0", 0L)]
    [InlineData("1y2w3d4h5m6s7ms", 33_019_506_007)]
    [InlineData("15", null)]
    [InlineData("1s1m", null)]
    [InlineData("1.5s", null)]
    [InlineData("-1s", null)]
    [InlineData("", null)]
    [InlineData("999999y", null)]
    public void Durations_are_those_of_Prometheus(string text, long? milliseconds)
    {
        Assert.Equal(milliseconds is not null, PrometheusDuration.TryParse(text, out var duration));
        if (milliseconds is { } expected)
            Assert.Equal(expected, duration.TotalMilliseconds);
    }
}
