using System.Text.Json;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>What is measured can be asked, by the command line and by Prometheus' own tool (U-24, U-25, AZ-45, AZ-70, ZW-83).</summary>
public sealed class MetricsJourneys(Platform platform) : IClassFixture<Platform>
{
    [Fact]
    public async Task Requests_of_hello_and_the_processors_of_its_node_can_be_asked()
    {
        var hello = await platform.DeployAsync(Path.Combine(CrewProgram.Repository, "examples", "hello"));
        for (var i = 0; i < 20; i++)
            Assert.Equal(200, (await platform.GetAsync("hello-acme.localhost")).Status);
        await Eventually.TrueAsync(async () => await ValueAsync("sum(http_requests_total{service=\"hello-acme\",status=\"200\"})") >= 20, "the requests are counted", TimeSpan.FromMinutes(2));
        await Eventually.TrueAsync(async () => await ValueAsync("count(node_cpu_seconds_total{mode=\"idle\"})") == Processors(), "its processors are measured", TimeSpan.FromMinutes(2));
        // All of its instances are measured, and each by its own name.
        await Eventually.TrueAsync(async () => await ValueAsync($"count(container_memory_working_set_bytes{{deployment=\"{hello.Label}\"}})") == 3, "its instances are measured", TimeSpan.FromMinutes(2));
        await Eventually.TrueAsync(async () => await ValueAsync("count(count by (name) (container_memory_working_set_bytes{service=\"hello-acme\"}))") == 3, "each has its own name");
        await Eventually.TrueAsync(async () => await ValueAsync("100 - (avg by(instance) (irate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100)") is >= 0 and <= 100.5, "the load of the machine is known (AZ-31)", TimeSpan.FromMinutes(2));

        await Eventually.TrueAsync(async () => await ValueAsync("sum(up{job=~\"crew-.*\"})") == 3, "all roles are scraped", TimeSpan.FromMinutes(2));
        var server = $"http://any:{platform.AdminToken.Reveal()}@127.0.0.1:{platform.ControlPort}/prometheus";
        var asked = Expect.Ok(await CrewProgram.RunAsync("promtool", ["query", "instant", server, "sum(up{job=~\"crew-.*\"})"]));
        Assert.StartsWith("{} => 3 @[", asked.Out, StringComparison.Ordinal);
        var targets = Expect.Ok(await platform.CrewAsync("metrics", "targets"));
        Assert.All((string[])["crew-agent", "crew-control", "crew-edge"], job => Assert.Contains(job, targets.Out, StringComparison.Ordinal));
        Assert.Contains("┤", Expect.Ok(await platform.CrewAsync("metrics", "query", "node_load1", "--range", "5m")).Out, StringComparison.Ordinal);

        var view = await platform.Client.GetAsync<DeploymentMetricsView>($"deployments/{hello.Label}/metrics", Platform.Token);
        Assert.Equal((3, true), (view.Instances.Count, view.MemoryBytes > 0));
        Console.WriteLine("journey: hello's requests and its machine, asked by crew and by promtool");
    }

    /// <summary>Those of the machine; the runtime counts only those that it may use.</summary>
    private static int Processors() => File.ReadLines("/proc/stat").Count(l => l.StartsWith("cpu", StringComparison.Ordinal) && char.IsAsciiDigit(l[3]));

    /// <summary>The one value of a query; NaN when there is none.</summary>
    private async Task<double> ValueAsync(string query)
    {
        var ran = Expect.Ok(await platform.CrewAsync("metrics", "query", query, "--json"));
        using var json = JsonDocument.Parse(ran.Out);
        var result = json.RootElement.GetProperty("result");
        return result.GetArrayLength() == 0 ? double.NaN : double.Parse(result[0].GetProperty("value")[1].GetString()!);
    }
}
