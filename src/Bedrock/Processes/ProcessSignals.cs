using System.Runtime.InteropServices;

namespace Groundcrew.Bedrock;

/// <summary>kill(2): what the runtime offers only as "kill". Thread-safe.</summary>
public static partial class ProcessSignals
{
    /// <summary>SIGTERM: please end.</summary>
    public const int Terminate = 15;

    /// <summary>SIGKILL: ends at once, cannot be caught.</summary>
    public const int Kill = 9;

    /// <summary>Sends a signal to one process. False when there is no such process any more.</summary>
    /// <exception cref="UnauthorizedAccessException">The process belongs to another user.</exception>
    public static bool Send(int pid, int signal) =>
        pid > 1 ? Call(pid, signal) : throw new ArgumentOutOfRangeException(nameof(pid), pid, "A signal goes to one process above pid 1.");

    /// <summary>Sends a signal to every process of a process group. False when it has none any more.</summary>
    /// <exception cref="UnauthorizedAccessException">The processes belong to another user.</exception>
    public static bool SendToGroup(int group, int signal) =>
        group > 1 ? Call(-group, signal) : throw new ArgumentOutOfRangeException(nameof(group), group, "A signal goes to one group above 1.");

    private static bool Call(int target, int signal)
    {
        const int NoSuchProcess = 3;
        const int NotPermitted = 1;
        if (KillCall(target, signal) == 0)
            return true;
        var error = Marshal.GetLastPInvokeError();
        return error switch
        {
            NoSuchProcess => false,
            NotPermitted => throw new UnauthorizedAccessException($"Process {target} belongs to another user and cannot be sent signal {signal}."),
            _ => throw new IOException($"Signal {signal} could not be sent to {target} (errno {error})."),
        };
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillCall(int pid, int signal);
}
