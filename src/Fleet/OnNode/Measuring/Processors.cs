namespace Groundcrew.Fleet.OnNode;

/// <summary>Processor time, interrupts, switches and processes from /proc/stat, as node_exporter's collectors cpu and stat name them.</summary>
internal sealed class Processors : IMeasured
{
    /// <summary>The kernel tells times of processes in hundredths of a second (USER_HZ) on every machine type of ours.</summary>
    public const double TicksPerSecond = 100;

    private static readonly string[] Modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    private readonly byte[][] _modes = [.. Modes.Select(m => MetricText.Labels(("mode", m)))];

    public string Name => "cpu";

    public bool Write(KernelFiles files, MetricText text)
    {
        var stat = files.Read("proc/stat");
        if (stat.IsEmpty)
            return false;
        text.Metric("node_cpu_seconds_total"u8, "counter"u8, "Seconds the CPUs spent in each mode."u8);
        WriteTimes(stat, text);
        text.Metric("node_cpu_guest_seconds_total"u8, "counter"u8, "Seconds the CPUs spent in guests (VMs) for each mode."u8);
        WriteGuestTimes(stat, text);
        while (KernelText.TakeLine(ref stat, out var line))
            WriteOne(KernelText.TakeWord(ref line), line, text);
        return true;
    }

    private void WriteTimes(ReadOnlySpan<byte> stat, MetricText text)
    {
        while (TakeProcessor(ref stat, out var number, out var times))
            foreach (var mode in _modes)
                text.Sample("node_cpu_seconds_total"u8).Label("cpu"u8, number).Label(mode).Value(KernelText.TakeNumber(ref times) / TicksPerSecond);
    }

    private void WriteGuestTimes(ReadOnlySpan<byte> stat, MetricText text)
    {
        while (TakeProcessor(ref stat, out var number, out var times))
        {
            for (var i = 0; i < Modes.Length; i++)
                KernelText.TakeWord(ref times);
            foreach (var mode in _modes[..2])
                text.Sample("node_cpu_guest_seconds_total"u8).Label("cpu"u8, number).Label(mode).Value(KernelText.TakeNumber(ref times) / TicksPerSecond);
        }
    }

    /// <summary>The next line of a single processor: its number and its times.</summary>
    private static bool TakeProcessor(ref ReadOnlySpan<byte> stat, out ReadOnlySpan<byte> number, out ReadOnlySpan<byte> times)
    {
        while (KernelText.TakeLine(ref stat, out times))
        {
            number = KernelText.TakeWord(ref times);
            if (number.Length > 3 && number.StartsWith("cpu"u8))
            {
                number = number[3..];
                return true;
            }
        }
        number = default;
        return false;
    }

    private static void WriteOne(ReadOnlySpan<byte> key, ReadOnlySpan<byte> line, MetricText text)
    {
        if (key.SequenceEqual("intr"u8))
            text.Single("node_intr_total"u8, "counter"u8, "Total number of interrupts serviced."u8, KernelText.TakeNumber(ref line));
        else if (key.SequenceEqual("ctxt"u8))
            text.Single("node_context_switches_total"u8, "counter"u8, "Total number of context switches."u8, KernelText.TakeNumber(ref line));
        else if (key.SequenceEqual("btime"u8))
            text.Single("node_boot_time_seconds"u8, "gauge"u8, "Node boot time, in unixtime."u8, KernelText.TakeNumber(ref line));
        else if (key.SequenceEqual("processes"u8))
            text.Single("node_forks_total"u8, "counter"u8, "Total number of forks."u8, KernelText.TakeNumber(ref line));
        else if (key.SequenceEqual("procs_running"u8))
            text.Single("node_procs_running"u8, "gauge"u8, "Number of processes in runnable state."u8, KernelText.TakeNumber(ref line));
        else if (key.SequenceEqual("procs_blocked"u8))
            text.Single("node_procs_blocked"u8, "gauge"u8, "Number of processes blocked waiting for I/O to complete."u8, KernelText.TakeNumber(ref line));
    }
}
