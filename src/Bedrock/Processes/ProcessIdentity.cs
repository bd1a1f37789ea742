using System.Globalization;

namespace Groundcrew.Bedrock;

/// <summary>
/// Which process a pid means: pids are used again, so a process is known by pid, start time (clock ticks since boot,
/// field 22 of /proc/pid/stat, proc(5)) and the boot it belongs to.
/// </summary>
/// <param name="Pid">The process id.</param>
/// <param name="StartTicks">Its start, in clock ticks since boot.</param>
/// <param name="BootId">The kernel's random id of this boot.</param>
public sealed record ProcessIdentity(int Pid, long StartTicks, string BootId)
{
    /// <summary>The id of this boot.</summary>
    public static string CurrentBootId { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>The identity of a running process; null when there is none with that pid, or it is a zombie.</summary>
    public static ProcessIdentity? Of(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        // A process that is gone between the open and the read leaves nothing to read.
        if (stat.Length == 0)
            return null;
        // The second field is the command in brackets and may itself hold spaces and brackets.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X" ? null : new ProcessIdentity(pid, long.Parse(fields[19], CultureInfo.InvariantCulture), CurrentBootId);
    }

    /// <summary>The process that runs this code.</summary>
    public static ProcessIdentity Self { get; } = Of(Environment.ProcessId)!;

    /// <summary>Whether this very process still runs.</summary>
    public bool IsAlive() => BootId == CurrentBootId && Of(Pid) == this;
}
