using System.Runtime.InteropServices;

namespace Groundcrew.Bedrock;

/// <summary>The few system calls that the runtime does not offer.</summary>
internal static partial class Posix
{
    private const int ReadOnly = 0;
    // Not inherited by a process that another thread starts meanwhile; the value is the same on every Linux machine type.
    private const int CloseOnExec = 0x80000;

    /// <summary>fsync(2) of a directory, so that a rename in it survives a power cut.</summary>
    public static void SyncFolder(string folder)
    {
        var descriptor = Open(folder, ReadOnly | CloseOnExec);
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
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
