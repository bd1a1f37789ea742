using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Fleet.OnNode;

/// <summary>Load, name, open files, paging, pressure and time of the machine, as node_exporter names them.</summary>
internal sealed class Kernel(TimeProvider clock) : IMeasured
{
    private byte[]? _name;

    public string Name => "kernel";

    public bool Write(KernelFiles files, MetricText text)
    {
        text.Single("node_time_seconds"u8, "gauge"u8, "System time in seconds since epoch (1970)."u8, clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000d);
        WriteName(files, text);
        WriteOpenFiles(files, text);
        WritePaging(files, text);
        WritePressure(files, text);
        return WriteLoad(files, text);
    }

    private static bool WriteLoad(KernelFiles files, MetricText text)
    {
        var load = files.Read("proc/loadavg");
        if (load.IsEmpty)
            return false;
        text.Single("node_load1"u8, "gauge"u8, "1m load average."u8, KernelText.TakeNumber(ref load));
        text.Single("node_load5"u8, "gauge"u8, "5m load average."u8, KernelText.TakeNumber(ref load));
        text.Single("node_load15"u8, "gauge"u8, "15m load average."u8, KernelText.TakeNumber(ref load));
        return true;
    }

    private void WriteName(KernelFiles files, MetricText text)
    {
        _name ??= MetricText.Labels(
            ("domainname", files.Text("proc/sys/kernel/domainname")), ("machine", Machine()), ("nodename", files.Text("proc/sys/kernel/hostname")),
            ("release", files.Text("proc/sys/kernel/osrelease")), ("sysname", files.Text("proc/sys/kernel/ostype")), ("version", files.Text("proc/sys/kernel/version")));
        text.Metric("node_uname_info"u8, "gauge"u8, "Labeled system information as provided by the uname system call."u8);
        text.Sample("node_uname_info"u8).Label(_name).Value(1);
    }

    private static string Machine() => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => "x86_64",
        Architecture.Arm64 => "aarch64",
        var other => other.ToString().ToLowerInvariant(),
    };

    private static void WriteOpenFiles(KernelFiles files, MetricText text)
    {
        var counts = files.Read("proc/sys/fs/file-nr");
        if (counts.IsEmpty)
            return;
        text.Single("node_filefd_allocated"u8, "gauge"u8, "File descriptor statistics: allocated."u8, KernelText.TakeNumber(ref counts));
        KernelText.TakeWord(ref counts);
        text.Single("node_filefd_maximum"u8, "gauge"u8, "File descriptor statistics: maximum."u8, KernelText.TakeNumber(ref counts));
    }

    /// <summary>The fields that node_exporter takes by default: oom_kill, pgpg…, pswp…, pg…fault.</summary>
    private static void WritePaging(KernelFiles files, MetricText text)
    {
        Span<byte> name = stackalloc byte[128];
        "node_vmstat_"u8.CopyTo(name);
        var rest = files.Read("proc/vmstat");
        while (KernelText.TakeLine(ref rest, out var line))
        {
            var key = KernelText.TakeWord(ref line);
            if (key.Length > 64 || !(key.StartsWith("oom_kill"u8) || key.StartsWith("pgpg"u8) || key.StartsWith("pswp"u8) || (key.StartsWith("pg"u8) && key.IndexOf("fault"u8) >= 0)))
                continue;
            key.CopyTo(name["node_vmstat_"u8.Length..]);
            text.Single(name[..("node_vmstat_"u8.Length + key.Length)], "untyped"u8, "Field of /proc/vmstat."u8, KernelText.TakeNumber(ref line));
        }
    }

    private static void WritePressure(KernelFiles files, MetricText text)
    {
        foreach (var resource in (ReadOnlySpan<string>)["cpu", "io", "memory"])
        {
            var rest = files.Read($"proc/pressure/{resource}");
            while (KernelText.TakeLine(ref rest, out var line))
            {
                var isFull = KernelText.TakeWord(ref line).SequenceEqual("full"u8);
                // A processor is never stalled as a whole (kernel.org, accounting/psi).
                var at = line.IndexOf("total="u8);
                if (at < 0 || (isFull && resource == "cpu"))
                    continue;
                text.Single(
                    Encoding.ASCII.GetBytes($"node_pressure_{resource}_{(isFull ? "stalled" : "waiting")}_seconds_total"), "counter"u8,
                    isFull ? "Total time in seconds no process could make progress."u8 : "Total time in seconds that processes have waited."u8,
                    KernelText.Number(line[(at + "total="u8.Length)..]) / 1_000_000);
            }
        }
    }
}
