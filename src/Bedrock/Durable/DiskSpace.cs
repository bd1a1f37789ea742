using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Groundcrew.Bedrock;

/// <summary>How large a mounted file system is and what is left of it (statvfs(3)).</summary>
/// <param name="Bytes">Its size.</param>
/// <param name="FreeBytes">What is free, with what is kept for root.</param>
/// <param name="AvailableBytes">What others than root may still use.</param>
/// <param name="Files">How many files it can hold; 0 where it does not count them.</param>
/// <param name="FreeFiles">How many more it can hold.</param>
/// <param name="IsReadOnly">Whether it is mounted to be read only.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FileSystemSpace(double Bytes, double FreeBytes, double AvailableBytes, double Files, double FreeFiles, bool IsReadOnly);

/// <summary>System calls about the space that files take. Thread-safe.</summary>
public static partial class DiskSpace
{
    private const int KeepSize = 1;
    private const int Punch = 2;
    // With close-on-exec (0x80000): not inherited by a process that another thread starts meanwhile.
    private const int ReadOnly = 0x80000;

    /// <summary>
    /// The space of the file system that <paramref name="path"/> lies in; null when the system does not say. A network file
    /// system whose server is gone makes this wait without an end.
    /// </summary>
    public static FileSystemSpace? Of(string path)
    {
        const ulong MountedReadOnly = 1;
        if (StatVfs(path, out var found) != 0)
            return null;
        double size = found.FragmentSize;
        return new(found.Blocks * size, found.FreeBlocks * size, found.AvailableBlocks * size, found.Files, found.FreeFiles, (found.Flags & MountedReadOnly) != 0);
    }

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

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatVfs(string path, out Vfs found);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    /// <summary>struct statvfs of Linux with 64 bits, with room to spare behind its last field.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 256)]
    private readonly struct Vfs
    {
        public readonly ulong BlockSize;
        public readonly ulong FragmentSize;
        public readonly ulong Blocks;
        public readonly ulong FreeBlocks;
        public readonly ulong AvailableBlocks;
        public readonly ulong Files;
        public readonly ulong FreeFiles;
        public readonly ulong AvailableFiles;
        public readonly ulong Id;
        public readonly ulong Flags;
    }
}
