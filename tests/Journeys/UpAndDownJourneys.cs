using System.Net;
using System.Net.Sockets;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journeys.Stage;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys;

/// <summary>Starting and ending a platform, once, twice, and in a mess.</summary>
public sealed class UpAndDownJourneys(UnstartedPlatform platform) : IClassFixture<UnstartedPlatform>
{
    [Fact]
    public async Task A_platform_comes_up_once_goes_down_whole_and_brings_its_instances_back()
    {
        await NothingRunsBeforeAsync();
        Expect.Ok(await platform.UpAsync());
        var roles = Pids();
        var twice = Expect.Ok(await platform.UpAsync());
        Assert.Contains("runs already", twice.Out, StringComparison.Ordinal);
        Assert.Equal(roles, Pids());

        var status = Expect.Ok(await platform.CrewAsync("status"));
        Assert.Contains("Groundcrew", status.Out, StringComparison.Ordinal);
        Assert.Contains("worker", status.Out, StringComparison.Ordinal);

        using var actor = new Actor("returns");
        var active = await platform.DeployAsync(actor.Write());
        var instances = await platform.InstancesAsync(active.Label);
        await DownEndsEverythingAsync(instances);
        await UpBringsBackAsync(actor, active);
        await KeptInstancesRunOnAsync(actor, active);
        Console.WriteLine("journey: up, up again, down, up, down --keep-instances, up");
    }

    private async Task NothingRunsBeforeAsync()
    {
        Expect.Code(6, await platform.CrewAsync("status"));
        Assert.Contains("Nothing runs here", Expect.Ok(await platform.DownAsync()).Out, StringComparison.Ordinal);
    }

    private async Task DownEndsEverythingAsync(InstanceView[] instances)
    {
        var pids = Pids().Concat(instances.Select(i => i.Pid!.Value)).Append(platform.ProcessOf("supervisor")!.Pid).ToList();
        Assert.Contains("2 instances", Expect.Ok(await platform.DownAsync()).Out, StringComparison.Ordinal);
        Assert.All(pids, p => Assert.Null(ProcessIdentity.Of(p)));
        Expect.Code(6, await platform.CrewAsync("status"));
    }

    private async Task UpBringsBackAsync(Actor actor, DeploymentView active)
    {
        Expect.Ok(await platform.UpAsync());
        await Eventually.TrueAsync(async () => (await platform.CurrentAsync(actor.Project)) is { Ready: 2 } current && current.Label == active.Label, "the instances are back");
        await Eventually.TrueAsync(async () => (await platform.GetAsync(actor.Host)).Status == 200, "they take traffic");
        // Until the agent has reported, the control plane tells of the processes that were.
        await Eventually.TrueAsync(
            async () => (await platform.InstancesAsync(active.Label)).All(i => i.Pid is { } pid && ProcessIdentity.Of(pid) is not null), "they are reported");
    }

    private async Task KeptInstancesRunOnAsync(Actor actor, DeploymentView active)
    {
        var before = (await platform.InstancesAsync(active.Label)).Select(i => (i.Id, i.Pid)).Order().ToList();
        Expect.Ok(await platform.DownAsync("--keep-instances"));
        Assert.All(before, i => Assert.NotNull(ProcessIdentity.Of(i.Pid!.Value)));
        Expect.Ok(await platform.UpAsync());
        await Eventually.TrueAsync(async () => (await platform.CurrentAsync(actor.Project)).Ready == 2, "they are known again");
        Assert.Equal(before, (await platform.InstancesAsync(active.Label)).Select(i => (i.Id, i.Pid)).Order());
    }

    private List<int> Pids() => [.. ((string[])["control", "agent", "edge"]).Select(r => platform.ProcessOf(r)!.Pid)];
}

/// <summary>What stands in the way of a start is named, and nothing is started.</summary>
public sealed class StartTroubleJourneys(UnstartedPlatform platform) : IClassFixture<UnstartedPlatform>
{
    [Fact]
    public async Task A_port_in_use_is_named_with_its_owner_and_nothing_starts()
    {
        using var owner = new TcpListener(IPAddress.Loopback, platform.EdgePort);
        owner.Start();
        var up = Expect.Code(8, await platform.UpAsync());
        Assert.Contains($"port {platform.EdgePort} is taken", up.Error, StringComparison.Ordinal);
        Assert.Contains($"(pid {Environment.ProcessId})", up.Error, StringComparison.Ordinal);
        Assert.True(platform.ProcessOf("control")?.IsAlive() != true);
        owner.Stop();
        Console.WriteLine("journey: a port in use is named with its owner");
    }

    [Fact]
    public async Task A_pid_file_of_another_life_does_not_stand_in_the_way()
    {
        // The pid lives, as somebody else's; its start time tells.
        Directory.CreateDirectory(platform.Data);
        await File.WriteAllTextAsync(Path.Combine(platform.Data, "supervisor.json"),
            System.Text.Json.JsonSerializer.Serialize(new ProcessIdentity(Environment.ProcessId, 1, ProcessIdentity.CurrentBootId), Json.Options), Platform.Token);
        var up = Expect.Ok(await platform.UpAsync());
        Assert.Contains("stale", up.Error, StringComparison.Ordinal);
        Expect.Ok(await platform.CrewAsync("status"));
        Expect.Ok(await platform.DownAsync());
        Assert.NotNull(ProcessIdentity.Of(Environment.ProcessId));
        Console.WriteLine("journey: a stale pid file");
    }
}
