using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Bedrock;

/// <summary>The few system calls that the runtime does not offer.</summary>
internal static partial class Posix
{
    private const int ReadOnly = 0;
    private const int NotPermitted = 13;
    // Not inherited by a process that another thread starts meanwhile; the value is the same on every Linux machine type.
    private const int CloseOnExec = 0x80000;

    private const int ReadWrite = 2;
    private const int Create = 0x40;
    private const int AppendAlways = 0x400;

    /// <summary>
    /// Opens a file whose every write goes to its end, whoever else writes to it (O_APPEND, open(2)); the runtime's own
    /// append only begins at the end. It is made when missing.
    /// </summary>
    public static SafeFileHandle OpenToAppend(string path, UnixFileMode mode)
    {
        var descriptor = Open(path, ReadWrite | Create | AppendAlways | CloseOnExec, (int)mode);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true)
            : Marshal.GetLastPInvokeError() is NotPermitted ? throw new UnauthorizedAccessException($"Cannot open '{path}': access is denied.")
            : throw new IOException($"Cannot open '{path}' (errno {Marshal.GetLastPInvokeError()}).");
    }

    /// <summary>fsync(2) of a directory, so that a rename in it survives a power cut.</summary>
    public static void SyncFolder(string folder)
    {
        var descriptor = Open(folder, ReadOnly | CloseOnExec, 0);
        if (descriptor < 0)
            throw new IOException($"Cannot open folder '{folder}' to sync it (errno {Marshal.GetLastPInvokeError()}).");
        try
        {
            if (Sync(descriptor) != 0)
                throw new IOException($"Cannot sync folder '{folder}' (errno {Marshal.GetLastPInvokeError()}).");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
