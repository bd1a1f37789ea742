using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeLifeTests
{
    [Fact]
    public async Task A_program_starts_and_becomes_ready_and_stops_when_asked()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Python(NodeBench.Server) with { Readiness = new Probe("/health", TimeSpan.Zero, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(2), 3) };
        node.Run(spec);
        var ready = await node.SeenAsync(spec, InstanceState.Ready);
        Assert.Matches(@"^127\.0\.0\.1:2\d{4}$", ready.Address);
        Assert.True(ProcessIdentity.Of(ready.Pid!.Value) is not null);
        Assert.Equal(0, ready.Restarts);
        await Eventually.TrueAsync(async () => (await node.LinesAsync(spec)).Any(l => l is { Stream: "stdout", Text: "listening" }), "the program's words");

        node.Stop(spec);
        var stopped = await node.SeenAsync(spec, InstanceState.Stopped);
        Assert.Contains("exited with code 0", stopped.Reason, StringComparison.Ordinal);
        Assert.Empty(NodeBench.ProcessesOf(spec));
        Assert.Contains(await node.LinesAsync(spec), l => l is { Stream: "crew" } && l.Text.StartsWith("started, pid", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_instance_outlives_its_agent_and_is_found_again_by_the_next()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Python(NodeBench.Server);
        node.Run(spec);
        var before = await node.SeenAsync(spec, InstanceState.Ready);
        await node.RestartAsync();
        var after = node.Status(spec);
        Assert.Equal((before.Pid, before.Address, InstanceState.Ready), (after.Pid, after.Address, after.State));
        node.Stop(spec);
        await node.SeenAsync(spec, InstanceState.Stopped);
        Assert.Empty(NodeBench.ProcessesOf(spec));
    }

    [Fact]
    public async Task A_program_that_exits_at_once_says_its_code_and_its_last_words()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("echo cannot find the database >&2; exit 3");
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.BackingOff, s => s.Restarts >= 1);
        Assert.Contains("exited with code 3", status.Reason, StringComparison.Ordinal);
        Assert.Contains("cannot find the database", status.Reason, StringComparison.Ordinal);
        node.Stop(spec);
        await node.SeenAsync(spec, InstanceState.Stopped);
    }
}
