using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Bedrock;

/// <summary>System calls about the space that files take. Thread-safe.</summary>
public static partial class DiskSpace
{
    private const int KeepSize = 1;
    private const int Punch = 2;
    // With close-on-exec (0x80000): not inherited by a process that another thread starts meanwhile.
    private const int ReadOnly = 0x80000;

    /// <summary>
    /// Gives the blocks of a range back to the file system (fallocate(2), FALLOC_FL_PUNCH_HOLE); the range reads as
    /// zeros afterwards and the size stays. False when the file system cannot do that.
    /// </summary>
    public static bool PunchHole(SafeFileHandle file, long offset, long length) =>
        length <= 0 || Allocate(file, Punch | KeepSize, offset, length) == 0;

    /// <summary>Syncs the whole file system that holds <paramref name="path"/> (syncfs(2)): one call for many new files.</summary>
    /// <exception cref="IOException">The sync failed; nothing may be relied on.</exception>
    public static void SyncFileSystem(string path)
    {
        var descriptor = Open(path, ReadOnly);
        if (descriptor < 0)
            throw new IOException($"Cannot open '{path}' to sync its file system (errno {Marshal.GetLastPInvokeError()}).");
        try
        {
            if (SyncFs(descriptor) != 0)
                throw new IOException($"Cannot sync the file system of '{path}' (errno {Marshal.GetLastPInvokeError()}).");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>Syncs one folder (fsync(2)), so that the names in it survive a power cut.</summary>
    /// <exception cref="IOException">The sync failed.</exception>
    public static void SyncFolder(string folder) => Posix.SyncFolder(folder);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
