using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode;

public sealed class OnNodeTroubleTests
{
    private static readonly Probe Quick = new("/health", TimeSpan.Zero, TimeSpan.FromMilliseconds(30), TimeSpan.FromSeconds(5), 2);

    [Fact]
    public async Task An_artifact_with_another_digest_fails_and_nothing_of_it_is_kept()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Replace(spec.Artifact, NodeBench.Pack(("readme", "changed")));
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.Failed);
        Assert.Contains("have the digest sha256:", status.Reason, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(node.StateFolder, "artifacts")));
    }

    [Fact]
    public async Task Several_instances_of_one_artifact_share_one_fetch()
    {
        await using var node = await NodeBench.StartAsync();
        var first = node.Shell("sleep 1000");
        var others = Enumerable.Range(0, 3).Select(_ => node.Shell("sleep 1000", first.Artifact)).Append(first).ToList();
        node.Host.Apply([.. others.Select(s => NodeBench.Task(s, InstanceDesire.Run, 1))]);
        foreach (var spec in others)
            await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null);
        Assert.Equal(1, node.Fetches);
    }

    [Fact]
    public async Task A_program_that_never_listens_is_not_ready_and_says_so()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Run(spec);
        await node.SeenAsync(spec, InstanceState.Starting, s => s.Reason?.Contains("nothing listens on", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task A_program_that_answers_500_is_not_ready_and_becomes_ready_by_one_good_answer()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Python(Failing("health", "500")) with { Readiness = Quick };
        node.Run(spec);
        await node.SeenAsync(spec, InstanceState.Starting, s => s.Reason == "not ready yet: GET /health answered 500");
        File.Delete(node.Scratch(spec, "health"));
        await node.SeenAsync(spec, InstanceState.Ready);
    }

    [Fact]
    public async Task Lost_readiness_is_seen_and_flapping_is_told()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Python(NodeBench.Server) with { Readiness = Quick };
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Ready)).Pid;
        await File.WriteAllTextAsync(node.Scratch(spec, "health"), "503", TestContext.Current.CancellationToken);
        await node.SeenAsync(spec, InstanceState.Unready, s => s.Reason == "not ready: GET /health answered 503");
        File.Delete(node.Scratch(spec, "health"));
        var status = await node.SeenAsync(spec, InstanceState.Ready);
        Assert.Contains("lost once", status.Reason, StringComparison.Ordinal);
        Assert.Equal((pid, 0), (status.Pid, status.Restarts));
    }

    [Fact]
    public async Task A_failed_liveness_check_restarts_the_program()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Python(NodeBench.Server) with { Liveness = Quick with { Path = "/alive", InitialDelay = TimeSpan.FromSeconds(3) } };
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Ready)).Pid;
        await File.WriteAllTextAsync(node.Scratch(spec, "alive"), "500", TestContext.Current.CancellationToken);
        await node.SeenAsync(spec, InstanceState.BackingOff);
        File.Delete(node.Scratch(spec, "alive"));
        var again = await node.SeenAsync(spec, InstanceState.Ready);
        Assert.NotEqual(pid, again.Pid);
        Assert.True(again.Restarts >= 1);
        Assert.Contains(await node.LinesAsync(spec), l => l.Stream == "crew" && l.Text.Contains("liveness", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_program_that_ignores_SIGTERM_is_killed_after_its_drain_time()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("trap '' TERM; echo stubborn; while :; do sleep 0.2; done") with { Drain = TimeSpan.FromMilliseconds(300) };
        node.Run(spec);
        await Eventually.TrueAsync(async () => node.View(spec) is not null && (await node.LinesAsync(spec)).Any(l => l.Text == "stubborn"), "it runs");
        node.Stop(spec);
        var status = await node.SeenAsync(spec, InstanceState.Stopped);
        Assert.Contains("did not end within 300ms of SIGTERM and was killed", status.Reason, StringComparison.Ordinal);
        Assert.Empty(NodeBench.ProcessesOf(spec));
        Assert.DoesNotContain("groundcrew_instance_kills_total 0\n", node.Metrics.WriteText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Children_even_in_sessions_of_their_own_are_gone_after_a_stop()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1001 & setsid sleep 1002 & (setsid sh -c 'sleep 1003 & sleep 1004' &) ; echo forked; wait");
        node.Run(spec);
        await Eventually.TrueAsync(() => NodeBench.ProcessesOf(spec).Count >= 6, "all of the family");
        node.Stop(spec);
        await node.SeenAsync(spec, InstanceState.Stopped);
        Assert.Empty(NodeBench.ProcessesOf(spec));
    }

    [Fact]
    public async Task A_program_that_goes_to_the_background_is_told_to_stay()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("setsid sleep 1000 & exit 0");
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.BackingOff, s => s.Reason!.Contains("background", StringComparison.Ordinal));
        Assert.Contains("run it in the foreground", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_generation_is_refused_and_a_stopped_instance_stays_stopped()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Run(spec, 5);
        await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null);
        node.Stop(spec, 4);
        Assert.Contains("groundcrew_instance_refused_tasks_total 1\n", node.Metrics.WriteText(), StringComparison.Ordinal);
        node.Stop(spec, 6);
        await node.SeenAsync(spec, InstanceState.Stopped);
        node.Run(spec, 5);
        await node.RestartAsync();
        node.Run(spec, 5);
        node.Run(spec, 7);
        await Eventually.TrueAsync(() => node.View(spec)!.Generation == 7, "the newer task was looked at");
        Assert.Equal((InstanceState.Stopped, InstanceDesire.Stop), (node.Status(spec).State, node.View(spec)!.Desire));
        Assert.Empty(NodeBench.ProcessesOf(spec));
    }

    [Fact]
    public async Task A_key_that_is_missing_from_a_later_list_is_left_running()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000");
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null)).Pid;
        node.Host.Apply([]);
        Assert.Equal(pid, node.Status(spec).Pid);
    }

    [Fact]
    public async Task Secrets_reach_the_program_and_no_file_status_or_log()
    {
        const string Marked = "S3cret-Marked-Value";
        await using var node = await NodeBench.StartAsync();
        node.Values["DB_PASSWORD"] = new Secret(Marked);
        var spec = node.Shell("[ \"$DB_PASSWORD\" = S3cret-\"Marked\"-Value ] && echo same; sleep 1000") with { SecretVariables = ["DB_PASSWORD"] };
        node.Run(spec);
        await Eventually.TrueAsync(async () => node.View(spec) is not null && (await node.LinesAsync(spec)).Any(l => l.Text == "same"), "the program has it");
        foreach (var file in Directory.EnumerateFiles(node.StateFolder, "*", SearchOption.AllDirectories))
            Assert.False((await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)).AsSpan().IndexOf(Encoding.UTF8.GetBytes(Marked)) >= 0, file);
        foreach (var pid in NodeBench.ProcessesOf(spec))
            Assert.DoesNotContain(Marked, await File.ReadAllTextAsync($"/proc/{pid}/cmdline", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.DoesNotContain(node.Log.All, l => l.Contains(Marked, StringComparison.Ordinal));
        Assert.DoesNotContain(node.Host.Current(), r => r.Status.GetRawText().Contains(Marked, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_secret_that_a_program_prints_is_hidden_in_its_log_and_reason()
    {
        await using var node = await NodeBench.StartAsync();
        node.Values["KEY"] = new Secret("Printed-By-Mistake");
        var spec = node.Shell("echo key is $KEY; exit 1") with { SecretVariables = ["KEY"] };
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.BackingOff);
        Assert.Contains("key is [secret]", status.Reason, StringComparison.Ordinal);
        Assert.Contains(await node.LinesAsync(spec), l => l.Text == "key is [secret]");
    }

    [Fact]
    public async Task A_restart_works_with_the_control_plane_dead()
    {
        await using var node = await NodeBench.StartAsync();
        node.Values["KEY"] = new Secret("some-value");
        var spec = node.Shell("echo run with $KEY; sleep 1000") with { SecretVariables = ["KEY"] };
        node.Run(spec);
        var pid = (await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null)).Pid!.Value;
        await Eventually.TrueAsync(async () => (await node.LinesAsync(spec)).Any(l => l.Text == "run with [secret]"), "the first run");
        node.IsControlPlaneDead = true;
        ProcessSignals.Send(pid, ProcessSignals.Kill);
        var again = await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is { } now && now != pid);
        Assert.Equal(1, again.Restarts);
        await Eventually.TrueAsync(async () => (await node.LinesAsync(spec)).Count(l => l.Text == "run with [secret]") == 2, "both runs");
    }

    [Fact]
    public async Task The_environment_is_what_was_given_and_nothing_of_the_agent()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("env; sleep 1000") with { Variables = new Dictionary<string, string> { ["COLOUR"] = "green", ["PORT"] = "1" } };
        node.Run(spec);
        var address = (await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null)).Address;
        await Eventually.TrueAsync(async () => (await node.LinesAsync(spec)).Any(l => l.Text.StartsWith("PATH=", StringComparison.Ordinal)), "the list");
        await Eventually.TrueAsync(async () => (await node.LinesAsync(spec)).Any(l => l.Text == "COLOUR=green"), "the list");
        var names = (await node.LinesAsync(spec)).Where(l => l.Stream == "stdout").Select(l => l.Text.Split('=')[0]).ToHashSet();
        Assert.Contains(await node.LinesAsync(spec), l => l.Text == $"PORT={address!.Split(':')[1]}");
        Assert.Subset(
            new HashSet<string>(["PATH", "LANG", "TZ", "COLOUR", "PORT", "HOST", "INSTANCE_ID", "INSTANCE_DIR", "TMPDIR", "HOME", "DEPLOYMENT", "PROJECT", "ORG", "ENVIRONMENT", "REGION", "GROUNDCREW_INSTANCE", "PWD", "OLDPWD", "SHLVL", "_"]), names);
    }

    [Fact]
    public async Task Limits_are_held_by_control_groups_or_it_is_said_what_is_not_held()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Shell("sleep 1000") with { Limits = new ResourceLimits(500, 64 << 20) };
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.Starting, s => s.Pid is not null);
        Assert.Matches("^(cgroup v[12]|(cgroup v1|rlimit): .*)$", status.Limits);
        await using var bare = await NodeBench.StartAsync(o => o with { ControlGroups = null });
        var other = bare.Shell("ulimit -d; sleep 1000") with { Limits = new ResourceLimits(500, 64 << 20) };
        bare.Run(other);
        var held = await bare.SeenAsync(other, InstanceState.Starting, s => s.Pid is not null);
        Assert.Equal("rlimit: memory is held as RLIMIT_DATA of each process only, processor time is not limited", held.Limits);
        await Eventually.TrueAsync(async () => (await bare.LinesAsync(other)).Any(l => l.Text == "65536"), "the limit within");
    }

    [Fact]
    public async Task A_spec_that_cannot_run_fails_with_its_problems()
    {
        await using var node = await NodeBench.StartAsync();
        var spec = node.Spec(new RunCommand("true", ["true"]));
        node.Run(spec);
        var status = await node.SeenAsync(spec, InstanceState.Failed);
        Assert.Contains("exactly one of them", status.Reason, StringComparison.Ordinal);
    }

    private static string Failing(string path, string code) =>
        $"import os\nopen(os.path.join(os.environ['INSTANCE_DIR'], '{path}'), 'w').write('{code}')\n{NodeBench.Server}";
}
