using System.Diagnostics;
using System.Text.Json.Nodes;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>The guide's commands for nodes, on a platform of its own: its nodes are gone afterwards, and nothing else should be placed there.</summary>
public sealed class GuideNodeJourneys(GuidePlatform platform) : IClassFixture<GuidePlatform>
{
    /// <summary>Adding, draining and removing a node (ZW-39..43, ZW-48..52).</summary>
    [Fact]
    public async Task Adding_draining_and_removing_a_node()
    {
        using var folder = new TempFolder();
        Assert.Equal("us-east", (string?)(await platform.JsonAsync(
            """curl -s -X POST http://localhost:8080/api/v1/regions -H "Content-Type: application/json" -d '{"name": "US East", "code": "us-east", "country": "United States"}'"""))["code"]);
        using var seven = Agent(folder["seven"], "us-east-worker-7");
        using var eight = Agent(folder["eight"], "us-east-worker-8");
        try
        {
            await Eventually.TrueAsync(async () => (await NodeAsync("us-east-worker-7")).Length > 0 && (await NodeAsync("us-east-worker-8")).Length > 0, "both nodes registered");
            var node = JsonNode.Parse(await NodeAsync("us-east-worker-7"))!;
            using var actor = new Actor("spread") { Instances = 4 };
            var active = await platform.DeployAsync(actor.Write());
            Assert.Equal(8, active.Ready);
            await using var load = platform.Load(actor.Host);

            await platform.ShellAsync(
                $"""
                NODE_ID="{node["id"]}"
                curl -X POST http://operator:8080/api/v1/nodes/$NODE_ID/drain
                while [ $(curl -s http://operator:8080/api/v1/nodes/$NODE_ID | jq '.instances') -gt 0 ]; do
                    echo "Waiting for VMs to migrate..."
                    sleep 10
                done
                """);
            var instances = await platform.InstancesAsync(active.Label);
            Assert.Equal(4, instances.Count(i => i is { Region: "us-east", Node: "us-east-worker-8", State: "ready" }));
            await EndAsync(seven);
            await platform.ShellAsync($"""NODE_ID="{node["id"]}"; curl -X DELETE http://operator:8080/api/v1/nodes/$NODE_ID""");
            Assert.Equal("", await NodeAsync("us-east-worker-7"));
            await load.StopWithoutFailureAsync("a node is added, drained and removed by the guide's commands");
        }
        finally
        {
            await EndAsync(seven);
            await EndAsync(eight);
            // What the agents left running is ended as 'crew down' ends it on their machines.
            Expect.Ok(await CrewProgram.RunAsync("down", "--data", folder["seven"]));
            Expect.Ok(await CrewProgram.RunAsync("down", "--data", folder["eight"]));
        }
    }

    private Task<string> NodeAsync(string hostname) => platform.ShellAsync(
        $$"""
        NEW_NODE="{{hostname}}"
        curl http://us-east-op-1:8080/api/v1/nodes | jq '.[] | select(.hostname=="'$NEW_NODE'")'
        """);

    private Process Agent(string data, string hostname) => CrewProgram.Start(CrewProgram.File,
        ["serve", "--role", "agent", "--data", data, "--control", $"http://127.0.0.1:{platform.ControlPort}", "--token-file", Path.Combine(platform.Data, "node.token"),
            "--hostname", hostname, "--region", "us-east", "--agent-port", $"{FreePort.Next()}", "--control-port", $"{platform.ControlPort}"]);

    private static async Task EndAsync(Process agent)
    {
        if (!agent.HasExited)
            Bedrock.ProcessSignals.Send(agent.Id, Bedrock.ProcessSignals.Terminate);
        await agent.WaitForExitAsync(CancellationToken.None);
    }
}
