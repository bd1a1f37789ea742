using Groundcrew.Fleet.OnNode;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode.Measuring;

/// <summary>What the agent tells of its instances, under cAdvisor's names (U-24, AZ-25).</summary>
public sealed class InstanceMeasureTests : IDisposable
{
    private static readonly Guid Id = Guid.Parse("0198c0de-0000-7000-8000-000000abcdef");
    private readonly Machine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Without_control_groups_the_processes_of_its_session_count()
    {
        _machine.HasProcess(41, 41);
        _machine.HasProcess(42, 41, "100 0 0 0", "a (b) c", rss: 60, started: 900);
        _machine.HasProcess(43, 43);
        _machine.Instances.Add(new MeasuredInstance(Spec(), 41, null, null, false));
        var samples = OfOne();
        var page = Environment.SystemPageSize;
        Assert.Equal(1.33, samples["container_cpu_usage_seconds_total"], 9);
        Assert.Equal(1.11, samples["container_cpu_user_seconds_total"], 9);
        Assert.Equal(160 * page, samples["container_memory_usage_bytes"]);
        Assert.Equal((60 + 20) * page, samples["container_memory_rss"]);
        Assert.Equal((2, 14, 4), (samples["container_processes"], samples["container_threads"], samples["container_file_descriptors"]));
        Assert.Equal((8192, 16384), (samples["container_fs_reads_bytes_total"], samples["container_fs_writes_bytes_total"]));
        Assert.Equal(1700000005, samples["container_start_time_seconds"]);
        Assert.Equal(_machine.Clock.GetUtcNow().ToUnixTimeSeconds(), samples["container_last_seen"]);
        Assert.DoesNotContain("container_memory_cache", samples.Keys);
    }

    [Fact]
    public void With_a_control_group_of_version_2_its_numbers_count_and_its_members_too()
    {
        _machine.HasProcess(41, 41);
        _machine.HasProcess(77, 77);
        _machine.Has("cg/cgroup.procs", "41\n77\n");
        _machine.Has("cg/cpu.stat", "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1500000\n");
        _machine.Has("cg/memory.current", "5000\n");
        _machine.Has("cg/memory.stat", "anon 3000\nfile 1500\ninactive_file 700\n");
        _machine.Has("cg/memory.events", "low 0\noom 2\noom_kill 1\n");
        _machine.Instances.Add(new MeasuredInstance(Spec() with { Limits = new ResourceLimits(500, 1 << 20) }, 41, _machine["cg"], _machine["cg"], true));
        var samples = OfOne();
        Assert.Equal((2.5, 2.0, 0.5), (samples["container_cpu_usage_seconds_total"], samples["container_cpu_user_seconds_total"], samples["container_cpu_system_seconds_total"]));
        Assert.Equal((10, 3, 1.5), (samples["container_cpu_cfs_periods_total"], samples["container_cpu_cfs_throttled_periods_total"], samples["container_cpu_cfs_throttled_seconds_total"]));
        Assert.Equal((5000, 4300, 3000, 1500), (samples["container_memory_usage_bytes"], samples["container_memory_working_set_bytes"], samples["container_memory_rss"], samples["container_memory_cache"]));
        Assert.Equal((1, 2), (samples["container_oom_events_total"], samples["container_processes"]));
        Assert.Equal((1 << 20, 50_000, 100_000), (samples["container_spec_memory_limit_bytes"], samples["container_spec_cpu_quota"], samples["container_spec_cpu_period"]));
    }

    [Fact]
    public void With_control_groups_of_version_1_their_numbers_count()
    {
        _machine.HasProcess(41, 41);
        _machine.Has("mem/memory.usage_in_bytes", "6000\n");
        _machine.Has("mem/memory.stat", "rss 1\ntotal_cache 2000\ntotal_rss 4000\ntotal_inactive_file 1000\n");
        _machine.Has("cpu/cpuacct.usage", "3000000000\n");
        _machine.Instances.Add(new MeasuredInstance(Spec(), 41, _machine["mem"], _machine["cpu"], false));
        var samples = OfOne();
        Assert.Equal((3, 6000, 5000, 4000), (samples["container_cpu_usage_seconds_total"], samples["container_memory_usage_bytes"], samples["container_memory_working_set_bytes"], samples["container_memory_rss"]));
    }

    [Fact]
    public void Its_labels_say_what_it_is()
    {
        _machine.HasProcess(41, 41);
        _machine.Instances.Add(new MeasuredInstance(Spec(), 41, null, null, false));
        Assert.Contains(
            "container_processes{id=\"/groundcrew/0198c0de000070008000000000abcdef\",name=\"web-abc1234-acme-abcdef\",image=\"sha256:1\",org=\"acme\",project=\"web\",service=\"web-acme\","
            + "environment=\"production\",deployment=\"web-abc1234-acme\",instance_id=\"0198c0de-0000-7000-8000-000000abcdef\",region=\"eu\"} 1\n",
            _machine.Measures().Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_ended_meanwhile_is_not_told_as_zero()
    {
        _machine.Instances.Add(new MeasuredInstance(Spec(), 41, null, null, false));
        Assert.DoesNotContain("container_memory_usage_bytes{", _machine.Measures().Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_real_instance_is_measured()
    {
        await using var bench = await NodeBench.StartAsync();
        var spec = bench.Python(NodeBench.Server);
        bench.Run(spec);
        await bench.SeenAsync(spec, InstanceState.Ready);
        var text = new NodeMeasures(bench.Host, TimeProvider.System).Text();
        var samples = Machine.Samples(text).Where(s => s.Key.Contains(spec.InstanceId.ToString(), StringComparison.Ordinal)).ToDictionary(s => s.Key.Split('{')[0], s => s.Value);
        Assert.True(samples["container_memory_usage_bytes"] > 1_000_000);
        Assert.True(samples["container_cpu_usage_seconds_total"] >= 0);
        Assert.True(samples["container_processes"] >= 1);
        Assert.InRange(samples["container_start_time_seconds"], 1_000_000_000, samples["container_last_seen"] + 2);
    }

    private Dictionary<string, double> OfOne() => Machine.Samples(_machine.Measures().Text())
        .Where(s => s.Key.Contains("instance_id=", StringComparison.Ordinal)).ToDictionary(s => s.Key.Split('{')[0], s => s.Value);

    private static InstanceSpec Spec() => new()
    {
        InstanceId = Id, Org = "acme", Project = "web", Environment = "production", Deployment = "web-abc1234-acme", Region = "eu", Artifact = "sha256:1",
        Run = new RunCommand("./x", null), Variables = new Dictionary<string, string>(), SecretVariables = [], Limits = new ResourceLimits(null, null), Drain = TimeSpan.FromSeconds(1),
    };
}
