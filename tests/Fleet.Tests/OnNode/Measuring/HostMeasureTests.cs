using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Xunit;

namespace Groundcrew.Fleet.Tests.OnNode.Measuring;

/// <summary>What the agent tells of its machine, under node_exporter's names (U-24, AZ-24, AZ-31..AZ-34).</summary>
public sealed class HostMeasureTests : IDisposable
{
    private readonly Machine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData("node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}", 2)]
    [InlineData("node_cpu_seconds_total{cpu=\"1\",mode=\"user\"}", 0.2)]
    [InlineData("node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"}", 0.01)]
    [InlineData("node_cpu_guest_seconds_total{cpu=\"0\",mode=\"user\"}", 0.03)]
    [InlineData("node_context_switches_total", 123456)]
    [InlineData("node_boot_time_seconds", 1700000000)]
    [InlineData("node_intr_total", 777)]
    [InlineData("node_procs_running", 2)]
    [InlineData("node_memory_MemTotal_bytes", 1024000)]
    [InlineData("node_memory_MemAvailable_bytes", 256000)]
    [InlineData("node_memory_Active_anon_bytes", 40960)]
    [InlineData("node_memory_HugePages_Total", 3)]
    [InlineData("node_filesystem_size_bytes{device=\"/dev/vda\",fstype=\"ext4\",mountpoint=\"/\"}", 1000)]
    [InlineData("node_filesystem_avail_bytes{device=\"/dev/vda\",fstype=\"ext4\",mountpoint=\"/\"}", 300)]
    [InlineData("node_filesystem_files_free{device=\"/dev/vda\",fstype=\"ext4\",mountpoint=\"/\"}", 20)]
    [InlineData("node_filesystem_readonly{device=\"/dev/vdb\",fstype=\"xfs\",mountpoint=\"/srv/big disk\"}", 1)]
    [InlineData("node_network_receive_bytes_total{device=\"eth0\"}", 4783)]
    [InlineData("node_network_receive_drop_total{device=\"eth0\"}", 2)]
    [InlineData("node_network_transmit_errs_total{device=\"eth0\"}", 11)]
    [InlineData("node_network_transmit_packets_total{device=\"lo\"}", 5)]
    [InlineData("node_network_up{device=\"eth0\"}", 1)]
    [InlineData("node_network_up{device=\"lo\"}", 0)]
    [InlineData("node_network_speed_bytes{device=\"eth0\"}", 125000000)]
    [InlineData("node_disk_reads_completed_total{device=\"vda\"}", 100)]
    [InlineData("node_disk_read_bytes_total{device=\"vda\"}", 1536000)]
    [InlineData("node_disk_io_time_seconds_total{device=\"vda\"}", 10)]
    [InlineData("node_disk_flush_requests_time_seconds_total{device=\"vda\"}", 17)]
    [InlineData("node_disk_written_bytes_total{device=\"nvme0n1\"}", 8192)]
    [InlineData("node_load1", 0.15)]
    [InlineData("node_load15", 2.56)]
    [InlineData("node_vmstat_pgmajfault", 2)]
    [InlineData("node_vmstat_oom_kill", 3)]
    [InlineData("node_pressure_cpu_waiting_seconds_total", 2.5)]
    [InlineData("node_pressure_io_stalled_seconds_total", 0.5)]
    [InlineData("node_filefd_allocated", 566)]
    [InlineData("node_filefd_maximum", 2466183)]
    [InlineData("node_scrape_collector_success{collector=\"diskstats\"}", 1)]
    public void A_number_of_the_kernel_has_its_usual_name(string series, double value) =>
        Assert.Equal(value, Machine.Samples(_machine.Measures().Text())[series], 9);

    [Theory]
    [InlineData("loop0")]
    [InlineData("vda1")]
    [InlineData("mountpoint=\"/proc\"")]
    [InlineData("mountpoint=\"/sys/fs/cgroup\"")]
    [InlineData("overlay")]
    [InlineData("nr_free_pages")]
    [InlineData("node_pressure_cpu_stalled")]
    [InlineData("flush_requests_total{device=\"nvme0n1\"}")]
    public void What_node_exporter_leaves_out_is_left_out(string text) =>
        Assert.DoesNotContain(text, _machine.Measures().Text(), StringComparison.Ordinal);

    [Fact]
    public void The_machine_is_named()
    {
        var line = Assert.Single(_machine.Measures().Text().Split('\n'), l => l.StartsWith("node_uname_info{", StringComparison.Ordinal));
        Assert.Contains("nodename=\"w1\",release=\"6.1.0\",sysname=\"Linux\",version=\"#1 SMP\"} 1", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_metric_is_declared_once_and_its_samples_follow_it()
    {
        var (seen, current) = (new HashSet<string>(), "");
        foreach (var line in _machine.Measures().Text().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
                Assert.True(seen.Add(current = line.Split(' ')[2]), $"{current} is declared twice");
            else if (line[0] != '#')
                Assert.Equal(current, line.Split('{', ' ')[0]);
        }
        Assert.True(seen.Count > 70);
    }

    [Fact]
    public void A_source_that_is_missing_is_told_and_the_others_are_shown()
    {
        File.Delete(_machine["proc/meminfo"]);
        File.Delete(_machine["proc/net/dev"]);
        var samples = Machine.Samples(_machine.Measures().Text());
        Assert.Equal((0, 0, 1), (samples["node_scrape_collector_success{collector=\"meminfo\"}"], samples["node_scrape_collector_success{collector=\"network\"}"], samples["node_scrape_collector_success{collector=\"cpu\"}"]));
        Assert.Equal(0.15, samples["node_load1"]);
    }

    [Fact]
    public void Two_looks_within_a_second_are_one()
    {
        var measures = _machine.Measures();
        Assert.Equal(0.15, Machine.Samples(measures.Text())["node_load1"]);
        _machine.Has("proc/loadavg", "9 9 9 1/1 1\n");
        Assert.Equal(0.15, Machine.Samples(measures.Text())["node_load1"]);
        _machine.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(9, Machine.Samples(measures.Text())["node_load1"]);
    }

    [Fact]
    public async Task A_file_system_that_does_not_answer_is_told_and_does_not_hold_the_others()
    {
        using var answers = new ManualResetEventSlim();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var space = _machine.Space;
        _machine.Space = point =>
        {
            if (point == "/srv/big disk")
            {
                asked.SetResult();
                answers.Wait();
            }
            return space(point);
        };
        var measures = _machine.Measures();
        var reading = Task.Run(measures.Text);
        await asked.Task;
        while (!reading.IsCompleted)
        {
            _machine.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        var samples = Machine.Samples(await reading);
        Assert.Equal(1, samples["node_filesystem_device_error{device=\"/dev/vdb\",fstype=\"xfs\",mountpoint=\"/srv/big disk\"}"]);
        Assert.Equal(300, samples["node_filesystem_avail_bytes{device=\"/dev/vda\",fstype=\"ext4\",mountpoint=\"/\"}"]);
        answers.Set();
    }

    [Fact]
    public void The_real_machine_tells_what_the_guides_ask_for()
    {
        var text = new NodeMeasures("/", () => [], DiskSpace.Of, TimeProvider.System).Text();
        Assert.All(
            (string[])["node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}", "node_memory_MemAvailable_bytes ", "node_memory_MemTotal_bytes ", "node_network_receive_bytes_total{", "node_load1 "],
            name => Assert.Contains("\n" + name, text, StringComparison.Ordinal));
    }
}
