using System.Globalization;
using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Tests.Support;

namespace Groundcrew.Fleet.Tests.OnNode.Measuring;

/// <summary>A machine in a folder: what its kernel would tell, written by the test.</summary>
internal sealed class Machine : IDisposable
{
    private readonly TempFolder _root = new();

    public Machine()
    {
        Has("proc/stat", """
            cpu  30 3 12 400 5 0 2 1 4 1
            cpu0 10 1 5 200 2 0 1 1 3 1
            cpu1 20 2 7 200 3 0 1 0 1 0
            intr 777 0 0 12
            ctxt 123456
            btime 1700000000
            processes 4321
            procs_running 2
            procs_blocked 1

            """);
        Has("proc/meminfo", """
            MemTotal:       1000 kB
            MemAvailable:    250 kB
            Active(anon):     40 kB
            HugePages_Total:   3

            """);
        Has("proc/self/mounts", """
            proc /proc proc rw 0 0
            /dev/vda / ext4 rw,relatime 0 0
            /dev/vdb /srv/big\040disk xfs ro 0 0
            tmpfs /sys/fs/cgroup tmpfs rw 0 0
            tmpfs /run tmpfs rw 0 0
            overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
            /dev/vda / ext4 rw,relatime 0 0

            """);
        Has("proc/net/dev", """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo:     500      5    0    0    0     0          0         0      500       5    0    0    0     0       0          0
              eth0:4783    375    1    2    3     4          5         6   7264    674   11   12   13    14      15         16

            """);
        Has("proc/diskstats", """
               7       0 loop0 9 9 9 9 9 9 9 9 9 9 9
             254       0 vda 100 20 3000 4000 50 6 700 8000 9 10000 11000 12 13 14 15000 16 17000
             254       1 vda1 1 1 1 1 1 1 1 1 1 1 1
             259       0 nvme0n1 1 0 8 1000 2 0 16 2000 0 3000 4000

            """);
        Has("proc/loadavg", "0.15 1.11 2.56 2/120 4711\n");
        Has("proc/vmstat", "nr_free_pages 99\npgpgin 10\npgpgout 11\npswpin 1\npgfault 12\npgmajfault 2\noom_kill 3\n");
        Has("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
        Has("proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n");
        Has("proc/sys/fs/file-nr", "566\t0\t2466183\n");
        foreach (var (name, text) in ((string, string)[])[("hostname", "w1"), ("domainname", "(none)"), ("osrelease", "6.1.0"), ("ostype", "Linux"), ("version", "#1 SMP")])
            Has($"proc/sys/kernel/{name}", text + "\n");
        Has("sys/class/net/eth0/operstate", "up\n");
        Has("sys/class/net/eth0/mtu", "1500\n");
        Has("sys/class/net/eth0/speed", "1000\n");
        Has("sys/class/net/lo/operstate", "unknown\n");
    }

    public ManualClock Clock { get; } = new();

    public List<MeasuredInstance> Instances { get; } = [];

    public Func<string, FileSystemSpace?> Space { get; set; } = point => new FileSystemSpace(1000, 400, 300, 50, 20, point != "/");

    public string this[string path] => _root[path];

    public void Has(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_root[path])!);
        File.WriteAllText(_root[path], text);
    }

    public void HasProcess(int pid, int session, string times = "10 20 1 2", string command = "server", int rss = 100, int started = 500)
    {
        Has($"proc/{pid}/stat", $"{pid} ({command}) S 1 {pid} {session} 0 -1 0 0 0 0 0 {times} 20 0 7 0 {started} 1000000 {rss} 0\n");
        Has($"proc/{pid}/statm", $"1000 {rss} 40 1 0 50 0\n");
        Has($"proc/{pid}/io", "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\n");
        Has($"proc/{pid}/fd/0", "");
        Has($"proc/{pid}/fd/1", "");
    }

    public NodeMeasures Measures() => new(_root.Path, () => Instances, p => Space(p), Clock);

    /// <summary>Every sample of a text by name and labels.</summary>
    public static Dictionary<string, double> Samples(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l[0] != '#')
        .ToDictionary(l => l[..l.LastIndexOf(' ')], l => double.Parse(l.AsSpan(l.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture));

    public void Dispose() => _root.Dispose();
}
