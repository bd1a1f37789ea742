using System.Net.NetworkInformation;
using System.Text.Json.Nodes;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>A platform as the guide's commands expect it: its API on port 8080 when nobody has that, and no tokens.</summary>
public sealed class GuidePlatform : Platform
{
    private const int GuidePort = 8080;

    public GuidePlatform()
    {
        if (IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().All(l => l.Port != GuidePort))
            ControlPort = GuidePort;
    }

    protected override IReadOnlyList<string> Options => ["--trust-loopback"];

    /// <summary>
    /// Runs lines of the guide in a shell. Only what a guide must leave open is put in: the port where 8080 is taken, and
    /// this machine for the host "operator".
    /// </summary>
    public async Task<string> ShellAsync(string lines)
    {
        var text = lines.Replace("localhost:8080", $"localhost:{ControlPort}", StringComparison.Ordinal)
            .Replace("operator:8080", $"localhost:{ControlPort}", StringComparison.Ordinal)
            .Replace("us-east-op-1:8080", $"localhost:{ControlPort}", StringComparison.Ordinal);
        return Expect.Ok(await CrewProgram.RunAsync("bash", ["-c", text])).Out;
    }

    public async Task<JsonNode> JsonAsync(string lines)
    {
        var text = await ShellAsync(lines);
        try
        {
            return JsonNode.Parse(text)!;
        }
        catch (System.Text.Json.JsonException e)
        {
            throw new InvalidOperationException($"{lines} printed: {text}", e);
        }
    }
}

/// <summary>The commands of the Zeitwork guide, run as they stand.</summary>
public sealed class GuideJourneys(GuidePlatform platform) : IClassFixture<GuidePlatform>
{
    /// <summary>"Managing Customer Projects" (ZW-53..58).</summary>
    [Fact]
    public async Task Managing_customer_projects()
    {
        var created = await platform.JsonAsync(
            """
            curl -X POST http://localhost:8080/api/v1/projects \
              -H "Content-Type: application/json" \
              -d '{
                "name": "webapp",
                "org": "acme",
                "github_repo": "acme-corp/webapp",
                "branch": "main",
                "auto_deploy": true,
                "resources": {
                  "vcpu": 2,
                  "memory": 1024
                }
              }'
            """);
        Assert.Equal(("webapp", "acme", "acme-corp/webapp", "main", true),
            ((string?)created["name"], (string?)created["org"], (string?)created["github_repo"], (string?)created["branch"], (bool?)created["auto_deploy"]));
        Assert.Equal((2, 1024), ((int)created["resources"]!["vcpu"]!, (int)created["resources"]!["memory"]!));

        var all = await platform.JsonAsync("curl http://localhost:8080/api/v1/projects");
        Assert.Contains(all.AsArray(), p => (string?)p!["name"] == "webapp");
        Assert.Equal("webapp", (string?)(await platform.JsonAsync("curl http://localhost:8080/api/v1/projects/acme/webapp"))["name"]);

        var patched = await platform.JsonAsync(
            """
            curl -X PATCH http://localhost:8080/api/v1/projects/acme/webapp \
              -H "Content-Type: application/json" \
              -d '{
                "auto_deploy": false,
                "resources": {
                  "vcpu": 4,
                  "memory": 2048
                }
              }'
            """);
        Assert.Equal((false, 4, 2048, "main"),
            ((bool)patched["auto_deploy"]!, (int)patched["resources"]!["vcpu"]!, (int)patched["resources"]!["memory"]!, (string?)patched["branch"]));
        Console.WriteLine("journey: the guide's commands for projects");
    }

    /// <summary>"Managing Deployments", "Deployment URLs and Routing", monitoring and the report's counts (ZW-59..67, ZW-82, ZW-84, ZW-85, ZW-118..123).</summary>
    [Fact]
    public async Task Managing_deployments_and_looking_at_them()
    {
        using var actor = new Actor("dokedu", "dokedu") { RollbackWindow = "10m", More = "domains: [app.dokedu.org]" };
        var first = await platform.DeployAsync(actor.Write());
        actor.Version = "2";
        var second = await platform.DeployAsync(actor.Write());
        await platform.DeployAsync(actor.Folder, "--environment", "staging");
        await using var load = platform.Load("app.dokedu.org");

        var all = await platform.JsonAsync("curl http://localhost:8080/api/v1/projects/dokedu/dokedu/deployments");
        Assert.Equal(3, all.AsArray().Count);
        Assert.Equal(second.Label, (string?)(await platform.JsonAsync("curl http://localhost:8080/api/v1/projects/dokedu/dokedu/deployments/current"))["label"]);
        await AnImageIsAcceptedAsDataAsync();

        Assert.Equal(first.Label, (string?)(await platform.JsonAsync("curl -X POST http://localhost:8080/api/v1/projects/dokedu/dokedu/rollback"))["label"]);
        await ServesAsync(first.Label);
        var promoted = await platform.JsonAsync(
            """
            curl -X POST http://localhost:8080/api/v1/projects/dokedu/dokedu/promote \
              -H "Content-Type: application/json" \
              -d '{"from": "staging", "to": "production"}'
            """);
        var label = (string)promoted["label"]!;
        Assert.Matches("^dokedu-[0-9a-z]{7}-dokedu$", label);
        await ServesAsync(label);
        // The customer's domain always points to the current production (ZW-67), and every deployment has its own address (ZW-65).
        Assert.Contains("\"version\":\"2\"", (await platform.GetAsync("app.dokedu.org")).Body, StringComparison.Ordinal);
        Assert.Contains("\"version\":\"1\"", (await platform.GetAsync($"{first.Label}.localhost")).Body, StringComparison.Ordinal);
        await LooksAsync(label);
        await load.StopWithoutFailureAsync("the guide's commands for deployments");
    }

    /// <summary>An image is taken and recorded; no node runs images yet, and the answer says so (ZW-61).</summary>
    private async Task AnImageIsAcceptedAsDataAsync()
    {
        var image = await platform.JsonAsync(
            """
            curl -X POST http://localhost:8080/api/v1/deployments \
              -H "Content-Type: application/json" \
              -d '{
                "project": "dokedu",
                "org": "dokedu",
                "image": "ghcr.io/dokedu/app:sha-abc123",
                "commit_sha": "abc123def456",
                "commit_message": "Fix: Updated API endpoints",
                "instances_per_region": 3
              }'
            """);
        Assert.Equal(("ghcr.io/dokedu/app:sha-abc123", "abc123def456", "Fix: Updated API endpoints", 3),
            ((string?)image["image"], (string?)image["commit_sha"], (string?)image["commit_message"], (int?)image["instances_per_region"]));
        await Eventually.TrueAsync(async () =>
            (await platform.JsonAsync($"curl -s http://localhost:8080/api/v1/deployments/{image["label"]}"))["why"]?.ToString().Contains("image", StringComparison.Ordinal) == true,
            "the deployment says why it did not run");
    }

    private Task ServesAsync(string label) => Eventually.TrueAsync(async () =>
    {
        var routing = await platform.JsonAsync("curl http://localhost:8080/api/v1/projects/dokedu/dokedu/routing");
        var current = await platform.JsonAsync("curl http://localhost:8080/api/v1/projects/dokedu/dokedu/deployments/current");
        return (string?)routing["production"] == label && (string?)current["status"] == "active";
    }, $"{label} serves production");

    private async Task LooksAsync(string label)
    {
        var health = await platform.JsonAsync("curl http://localhost:8080/api/v1/projects/dokedu/dokedu/health");
        Assert.Equal("healthy", (string?)health["status"]);
        Assert.Contains("actor 2 begins", await platform.ShellAsync($"curl http://localhost:8080/api/v1/deployments/{label}/logs"), StringComparison.Ordinal);
        var instances = await platform.JsonAsync($"curl http://localhost:8080/api/v1/deployments/{label}/instances");
        Assert.All(instances.AsArray(), i => Assert.Equal("ready", (string?)i!["state"]));

        Assert.True(int.Parse(await platform.ShellAsync("curl -s http://localhost:8080/api/v1/nodes | jq '. | length'")) >= 1);
        Assert.True(int.Parse(await platform.ShellAsync("curl -s http://localhost:8080/api/v1/projects | jq '. | length'")) >= 1);
        Assert.True(int.Parse(await platform.ShellAsync("curl -s http://localhost:8080/api/v1/deployments | jq '. | length'")) >= 5);
        var byOrg = await platform.JsonAsync("curl -s http://localhost:8080/api/v1/deployments | jq 'group_by(.org) | map({org: .[0].org, count: length})'");
        Assert.Contains(byOrg.AsArray(), o => (string?)o!["org"] == "dokedu" && (int)o["count"]! == 5);
        Assert.Equal("healthy", (string?)(await platform.JsonAsync("curl -s http://localhost:8080/health | jq ."))["status"]);
    }
}
