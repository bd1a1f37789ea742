using Xunit;

namespace Groundcrew.Metrics.Tests.Intake;

public sealed class TargetAddressTests
{
    [Theory]
    [InlineData("host", "1m", "http://host/metrics", null)]
    [InlineData("host:9100", "10s", "http://host:9100/metrics", null)]
    [InlineData("[::1]:9100", "10s", "http://[::1]:9100/metrics", null)]
    [InlineData("host:9100/path", "10s", null, "\"host:9100/path\" is not a valid hostname")]
    [InlineData("", "10s", null, "no address")]
    [InlineData("host", "61s", null, "scrape timeout cannot be greater than scrape interval")]
    [InlineData("host", "soon", null, "the label __scrape_timeout__ is no duration above 0")]
    public void What_a_target_says_about_itself_is_judged_when_it_is_found(string address, string timeout, string? url, string? why)
    {
        var config = PrometheusConfig.Parse("scrape_configs: [{job_name: j}]").Value!.ScrapeConfigs[0];
        var found = TargetLabels.Plan(config, new Relabelling([]), new TargetGroup("s", [], Labels.Empty), Labels.Of(("__address__", address), ("__scrape_timeout__", timeout)));
        Assert.Equal((url, why), (found.Plan?.Shown, found.Why));
    }
}
