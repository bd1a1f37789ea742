using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeRestartTests
{
    private const string Counter = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done";

    [Fact]
    public async Task Log_lines_are_continuous_over_agent_restarts()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell(Counter);
        node.Run(spec);
        for (var round = 1; round <= 3; round++)
        {
            var wanted = $"line {round * 40}";
            await Eventually.TrueAsync(async () => node.View(spec) is not null && (await node.LinesAsync(spec)).Any(l => l.Text == wanted), wanted);
            await node.RestartAsync();
        }
        await Eventually.TrueAsync(async () => (await node.LinesAsync(spec)).Any(l => l.Text == "line 160"), "the last line");
        var texts = (await node.LinesAsync(spec)).Where(l => l.Stream == "stdout").Select(l => l.Text).ToList();
        Assert.Equal(Enumerable.Range(1, texts.Count).Select(i => $"line {i}"), texts);
    }

    [Fact]
    public async Task A_crash_between_spawn_and_record_is_healed()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        var isDead = false;
        // The record before the spawn is written; from then on no write succeeds, as if the agent had died there.
        await node.RestartAsync(new DurableFiles((step, path) =>
        {
            if (isDead && path.EndsWith("record.json", StringComparison.Ordinal))
                throw new IOException("the agent is dead");
            if (step == DurableStep.SyncFolder && path.EndsWith("record.json", StringComparison.Ordinal) && File.ReadAllText(path).Contains("\"launching\": true", StringComparison.Ordinal))
                isDead = true;
        }));
        node.Run(spec);
        await Eventually.TrueAsync(() => node.View(spec)?.Status.Pid is not null, "it was spawned");
        var pid = node.Status(spec).Pid;
        Assert.Contains("\"launching\": true", await File.ReadAllTextAsync(node.RecordFile(spec), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => NodeBench.ProcessesOf(spec).Count == 1, "the launcher became the program");
        await node.RestartAsync();
        Assert.Equal(pid, node.Status(spec).Pid);
        Assert.Equal([pid!.Value], NodeBench.ProcessesOf(spec));
    }

    [Theory]
    [InlineData(DurableStep.Create)]
    [InlineData(DurableStep.Write)]
    [InlineData(DurableStep.SyncFile)]
    [InlineData(DurableStep.Rename)]
    [InlineData(DurableStep.SyncFolder)]
    public void A_torn_record_is_the_old_one_or_the_new(DurableStep torn)
    {
        using var folder = new TempFolder();
        var spec = new InstanceSpec
        {
            InstanceId = Guid.NewGuid(), Org = "a", Project = "b", Environment = "c", Deployment = "d", Region = "e", Artifact = "sha256:0",
            Run = new RunCommand("true", null), Variables = new Dictionary<string, string> { ["A"] = "b" }, SecretVariables = ["S"], Limits = new ResourceLimits(1, 2), Drain = TimeSpan.FromSeconds(3),
        };
        var record = new InstanceRecord { Spec = spec, Desire = InstanceDesire.Run, Generation = 1, State = InstanceState.Ready, Since = DateTimeOffset.UnixEpoch };
        new InstanceFolder(folder.Path, DurableFiles.Real).Write(record);
        var faulty = new InstanceFolder(folder.Path, new DurableFiles((step, _) =>
        {
            if (step == torn)
                throw new IOException("power cut");
        }));
        Assert.Throws<IOException>(() => faulty.Write(record with { Generation = 2 }));
        var read = faulty.Read()!;
        Assert.Equal(torn == DurableStep.SyncFolder ? 2 : 1, read.Generation);
        Assert.Equal(TimeSpan.FromSeconds(3), read.Spec.Drain);
    }

    [Fact]
    public async Task A_record_of_a_newer_program_is_left_alone()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null)).Pid!.Value;
        await node.Host.DisposeAsync();
        var text = await File.ReadAllTextAsync(node.RecordFile(spec), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(node.RecordFile(spec), text.Replace("\"version\": 1", "\"version\": 2", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        await node.StartHostAsync();
        node.Run(spec, 9);
        Assert.Contains("has version 2", node.Host.Current().Single().Status.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.NotNull(ProcessIdentity.Of(pid));
    }

    [Fact]
    public async Task The_end_of_an_adopted_process_is_noticed_and_its_code_is_said_to_be_unknown()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null)).Pid!.Value;
        await node.RestartAsync();
        ProcessSignals.Send(pid, ProcessSignals.Kill);
        await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is { } now && now != pid);
        Assert.Contains(await node.LinesAsync(spec), l => l.Stream == "crew" && l.Text.Contains("exit code is unknown", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_process_that_ended_while_no_agent_watched_is_started_again()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null)).Pid!.Value;
        await node.Host.DisposeAsync();
        ProcessSignals.Send(pid, ProcessSignals.Kill);
        await Eventually.TrueAsync(() => ProcessIdentity.Of(pid) is null, "it ended");
        await node.StartHostAsync();
        await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is { } now && now != pid && s.Restarts == 1);
    }

    [Fact]
    public async Task A_stop_that_the_agent_did_not_live_to_finish_is_finished_by_the_next()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("trap '' TERM; echo stubborn; while :; do sleep 0.2; done") with { Drain = TimeSpan.FromSeconds(2) };
        node.Run(spec);
        await Eventually.TrueAsync(async () => node.View(spec) is not null && (await node.LinesAsync(spec)).Any(l => l.Text == "stubborn"), "it runs");
        node.Stop(spec);
        await node.SeenAsync(spec, InstanceState.Stopping);
        await node.RestartAsync();
        await node.SeenAsync(spec, InstanceState.Stopped);
        Assert.Empty(NodeBench.ProcessesOf(spec));
    }

    [Fact]
    public async Task A_clock_that_is_set_back_hurts_nothing()
    {
        await using var node = await NodeBench.StartAsync();
        var clock = new ShiftedClock();
        node.Clock = clock;
        await node.RestartAsync();
        var spec = node.Python(NodeBench.Server);
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Ready)).Pid!.Value;
        clock.Shift = TimeSpan.FromDays(-400);
        ProcessSignals.Send(pid, ProcessSignals.Kill);
        await node.SeenAsync(spec, InstanceState.Ready, s => s.Pid != pid);
        await node.RestartAsync();
        Assert.Equal(InstanceState.Ready, node.Status(spec).State);
        node.Stop(spec);
        await node.SeenAsync(spec, InstanceState.Stopped);
    }

    [Fact]
    public async Task A_tombstone_is_kept_for_its_time_and_goes_then()
    {
        await using var node = await NodeBench.StartAsync();
        var clock = new ShiftedClock();
        node.Clock = clock;
        await node.RestartAsync();
        var spec = node.Shell("sleep 1000");
        node.Stop(spec, 3);
        await node.SeenAsync(spec, InstanceState.Stopped);
        clock.Shift = TimeSpan.FromDays(6);
        await node.Host.SweepOnceAsync();
        Assert.NotNull(node.View(spec));
        clock.Shift = TimeSpan.FromDays(8);
        await node.Host.SweepOnceAsync();
        Assert.Null(node.View(spec));
        Assert.False(File.Exists(node.RecordFile(spec)));
    }

    [Fact]
    public async Task Artifacts_that_no_instance_uses_go_but_for_the_newest_few()
    {
        await using var node = await NodeBench.StartAsync(o => o with { KeepArtifacts = 1 });
        var specs = Enumerable.Range(0, 3).Select(i => node.Shell("sleep 1000", node.Add(("file", $"{i}")))).ToList();
        foreach (var spec in specs)
        {
            node.Run(spec);
            await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null);
        }
        foreach (var spec in specs.Skip(1))
        {
            node.Stop(spec);
            await node.SeenAsync(spec, InstanceState.Stopped);
        }
        await node.Host.SweepOnceAsync();
        var left = Directory.EnumerateDirectories(Path.Combine(node.StateFolder, "artifacts")).Select(Path.GetFileName).ToList();
        Assert.Equal(2, left.Count);
        Assert.Contains(specs[0].Artifact.Split(':')[1], left);
    }

    [Fact]
    public void Records_read_back_what_was_written_on_the_wire()
    {
        var task = new InstanceTask(
            new InstanceSpec
            {
                InstanceId = Guid.NewGuid(), Org = "a", Project = "b", Environment = "c", Deployment = "d", Region = "e", Artifact = "f",
                Run = new RunCommand(null, ["a"]), Variables = new Dictionary<string, string>(), SecretVariables = [], Limits = new ResourceLimits(null, null), Drain = TimeSpan.FromSeconds(3),
            },
            InstanceDesire.Stop);
        var back = JsonSerializer.SerializeToElement(task, Json.Options).Deserialize<InstanceTask>(Json.Options)!;
        Assert.Equal((task.Desire, task.Spec.Drain), (back.Desire, back.Spec.Drain));
    }

    /// <summary>Real timers, but a calendar that may be moved.</summary>
    private sealed class ShiftedClock : TimeProvider
    {
        private long _shift;

        public TimeSpan Shift
        {
            get => TimeSpan.FromTicks(Interlocked.Read(ref _shift));
            set => Interlocked.Exchange(ref _shift, value.Ticks);
        }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Shift;
    }
}
