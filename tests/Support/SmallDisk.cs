using System.Diagnostics;

namespace Groundcrew.Tests.Support;

/// <summary>
/// A small file system of one test, which can be made read-only in a way that holds for root too. Needs root, for it is
/// mounted: <see cref="TryMake"/> gives null without root, and throws when root cannot mount.
/// </summary>
public sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _folder;

    private SmallDisk(TempFolder folder) => _folder = folder;

    public string Path => _folder.Path;

    public static SmallDisk? TryMake(string size)
    {
        var folder = new TempFolder();
        if (!Environment.IsPrivilegedProcess)
        {
            folder.Dispose();
            return null;
        }
        if (!Run("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", folder.Path))
            throw new InvalidOperationException("Root cannot mount a tmpfs here: the tests of full and read-only disks need it.");
        return new SmallDisk(folder);
    }

    public void MakeReadOnly()
    {
        if (!Run("mount", "-o", "remount,ro", Path))
            throw new InvalidOperationException($"'{Path}' cannot be made read-only.");
    }

    public void Dispose()
    {
        // Lazily: a connection of the test may still hold a file.
        Run("umount", "--lazy", Path);
        _folder.Dispose();
    }

    private static bool Run(string program, params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardError = true, UseShellExecute = false })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
