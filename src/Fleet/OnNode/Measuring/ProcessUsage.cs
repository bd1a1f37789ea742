using System.Runtime.InteropServices;

namespace Groundcrew.Fleet.OnNode;

/// <summary>What the processes of one instance use together, as proc(5) tells it. Not thread-safe.</summary>
internal sealed class ProcessUsage
{
    /// <summary>Processor time in user mode, in seconds, with that of children that ended and were waited for.</summary>
    public double UserSeconds { get; private set; }

    /// <summary>The same in the kernel.</summary>
    public double SystemSeconds { get; private set; }

    /// <summary>Pages in memory, in bytes; shared ones count in each process.</summary>
    public double ResidentBytes { get; private set; }

    /// <summary>Those of them that no file and no other process backs.</summary>
    public double AnonymousBytes { get; private set; }

    public double Processes { get; private set; }

    public double Threads { get; private set; }

    public double OpenFiles { get; private set; }

    /// <summary>Bytes fetched from disks; null when we may not know.</summary>
    public double? ReadBytes { get; private set; }

    /// <summary>Bytes sent to disks; null when we may not know.</summary>
    public double? WrittenBytes { get; private set; }

    /// <summary>When the first of them started, in clock ticks since boot.</summary>
    public double StartTicks { get; private set; } = double.PositiveInfinity;

    /// <summary>Adds one process, given its number and what stands behind the command in its stat file.</summary>
    public void Add(KernelFiles files, string pid, in ProcessStat stat)
    {
        UserSeconds += stat.UserTicks / Processors.TicksPerSecond;
        SystemSeconds += stat.SystemTicks / Processors.TicksPerSecond;
        Processes++;
        Threads += stat.Threads;
        StartTicks = Math.Min(StartTicks, stat.StartTicks);
        var memory = files.Read($"proc/{pid}/statm");
        KernelText.TakeWord(ref memory);
        var resident = KernelText.TakeNumber(ref memory) * Environment.SystemPageSize;
        ResidentBytes += resident;
        AnonymousBytes += Math.Max(0, resident - (KernelText.TakeNumber(ref memory) * Environment.SystemPageSize));
        try
        {
            OpenFiles += files.Names($"proc/{pid}/fd").Count();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile, or belongs to someone else.
        }
        var traffic = files.Read($"proc/{pid}/io");
        if (KernelText.Find(traffic, "read_bytes:"u8) is { } read && KernelText.Find(traffic, "write_bytes:"u8) is { } written)
            (ReadBytes, WrittenBytes) = ((ReadBytes ?? 0) + read, (WrittenBytes ?? 0) + written);
    }
}

/// <summary>The fields of /proc/PID/stat that are counted.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct ProcessStat
{
    public int Session { get; private init; }

    public double UserTicks { get; private init; }

    public double SystemTicks { get; private init; }

    public double Threads { get; private init; }

    public double StartTicks { get; private init; }

    /// <summary>Null for a zombie, and when the process ended meanwhile.</summary>
    public static ProcessStat? Parse(ReadOnlySpan<byte> stat)
    {
        // The command in brackets may itself hold blanks and brackets.
        var end = stat.LastIndexOf((byte)')');
        if (end < 0)
            return null;
        stat = stat[(end + 1)..];
        if (KernelText.TakeWord(ref stat) is not [not ((byte)'Z' or (byte)'X')])
            return null;
        Span<double> fields = stackalloc double[19];
        foreach (ref var field in fields)
            field = KernelText.TakeNumber(ref stat);
        return new ProcessStat
        {
            Session = (int)fields[2],
            UserTicks = fields[10] + fields[12],
            SystemTicks = fields[11] + fields[13],
            Threads = fields[16],
            StartTicks = fields[18],
        };
    }
}
