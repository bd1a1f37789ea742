using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>
/// Every example, deployed as a user deploys it, and moved on, back and to another size under constant traffic without
/// one failed request (ZW-59..62, ZW-64..67, ZW-76..81, ZW-84, ZW-85; U-01, U-02, U-66; invariants 1, 2 and 4).
/// </summary>
public sealed class ExampleJourneys(Platform platform) : IClassFixture<Platform>
{
    private static readonly IReadOnlyList<Example> Examples =
    [
        new Example("hello", "hello", "/", "hello.csproj", "<Version>1.0.0<", "<Version>2.0.0<", "\"version\":\"1.0.0\"", "\"version\":\"2.0.0\"", "hello 2.0.0 listens"),
        new Example("node", "node", "/", "server.js", "version = '1'", "version = '2'", "\"version\":\"1\"", "\"version\":\"2\"", "version 2 listens"),
        new Example("python", "files", "/", "site/index.html", "version 1", "version 2", "This is version 1.", "This is version 2.", "Serving HTTP on"),
        new Example("caddy", "site", "/", "site/index.html", "version 1", "version 2", "This is version 1.", "This is version 2.", "server running"),
        new Example("prometheus", "prometheus", "/api/v1/status/config", "prometheus.yml", "scrape_interval: 15s", "scrape_interval: 7s",
            "scrape_interval: 15s", "scrape_interval: 7s", "Server is ready to receive web requests"),
    ];

    [Theory]
    [InlineData("hello")]
    [InlineData("node")]
    [InlineData("python")]
    [InlineData("caddy")]
    [InlineData("prometheus")]
    public async Task It_moves_on_back_and_to_another_size_without_a_failed_request(string name)
    {
        var example = Examples.Single(e => e.Folder == name);
        using var folder = new TempFolder();
        Copy(Path.Combine(CrewProgram.Repository, "examples", example.Folder), folder.Path);
        var domain = $"www.{example.Folder}.example";
        Edit(folder["crew.yaml"], "instances: 3", $"instances: 3\n    domains: [{domain}]");

        var first = await platform.DeployAsync(folder.Path);
        Assert.Equal((3, 3), (first.Ready, first.Instances));
        string[] hosts = [$"{first.Label}.localhost", $"{example.Service}-acme.localhost", domain];
        foreach (var host in hosts)
            await AnswersAsync(host, example, example.First);

        await using var load = platform.Load(hosts[1], example.Path);
        Edit(folder[example.File], example.Old, example.New);
        var second = await platform.DeployAsync(folder.Path);
        await AnswersAsync(hosts[1], example, example.Second);
        await AnswersAsync(domain, example, example.Second);
        await AnswersAsync($"{second.Label}.localhost", example, example.Second);
        // Inside the window the version before runs on, under its own address (ZW-65, ZW-79).
        await AnswersAsync(hosts[0], example, example.First);
        Assert.Equal("inactive", (await platform.Client.GetAsync<DeploymentView>($"deployments/{first.Label}", Platform.Token)).Status);

        await RollBackAsync(example, first, second);

        Edit(folder["crew.yaml"], "instances: 3", "instances: 4\n    rollbackWindow: 0s");
        var scaled = await platform.DeployAsync(folder.Path);
        Assert.Equal((4, 4), (scaled.Ready, scaled.Instances));
        await AnswersAsync(hosts[1], example, example.Second);
        await load.StopWithoutFailureAsync($"{example.Folder} moved on, back and to four instances");

        var logs = Expect.Ok(await platform.CrewAsync("logs", scaled.Label, "--since", "1h"));
        Assert.Contains(example.Printed, logs.Out, StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => (await platform.InstancesAsync(first.Label)).Length == 0, "the version without a window is stopped");
    }

    /// <summary>A rollback inside the window is one swap: the same processes as before, and not one more (ZW-62).</summary>
    private async Task RollBackAsync(Example example, DeploymentView first, DeploymentView second)
    {
        var before = await RunningAsync(first, second);
        Expect.Ok(await platform.CrewAsync("rollback", $"acme/{example.Service}", "--reason", "the journey goes back"));
        Assert.Equal(first.Label, (await platform.CurrentAsync($"acme/{example.Service}")).Label);
        await AnswersAsync($"{example.Service}-acme.localhost", example, example.First);
        Assert.Equal(before, await RunningAsync(first, second));
    }

    private async Task<List<(Guid, int?)>> RunningAsync(params DeploymentView[] deployments)
    {
        var running = new List<(Guid, int?)>();
        foreach (var deployment in deployments)
            running.AddRange((await platform.InstancesAsync(deployment.Label)).Select(i => (i.Id, i.Pid)));
        return [.. running.Order()];
    }

    private async Task AnswersAsync(string host, Example example, string text)
    {
        var (status, body) = await platform.GetAsync(host, example.Path);
        Assert.True(status == 200, $"{host} answers {status}: {body}");
        Assert.Contains(text, body, StringComparison.Ordinal);
    }

    private static void Edit(string file, string old, string now)
    {
        var text = File.ReadAllText(file);
        Assert.Contains(old, text, StringComparison.Ordinal);
        File.WriteAllText(file, text.Replace(old, now, StringComparison.Ordinal));
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(from, file);
            // What somebody built there is not a part of the example.
            if (path.Split('/')[0] is "bin" or "obj" or "out")
                continue;
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(to, path))!);
            File.Copy(file, Path.Combine(to, path), overwrite: true);
        }
    }
}

/// <summary>An example, how its second version is made, and what each says.</summary>
internal sealed record Example(
    string Folder, string Service, string Path, string File, string Old, string New, string First, string Second, string Printed);
