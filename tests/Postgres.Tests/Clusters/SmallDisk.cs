using System.Diagnostics;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>A small file system of one test over a folder; taken away after it. Only root can mount.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly string _folder;

    private SmallDisk(string folder) => _folder = folder;

    public static async Task<SmallDisk> MountAsync(string folder, string size)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can mount");
        Directory.CreateDirectory(folder);
        await RunAsync("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", folder);
        return new(folder);
    }

    /// <summary>Lazily: a process may still have a file open there.</summary>
    public async ValueTask DisposeAsync() => await RunAsync("umount", "-l", _folder);

    private static async Task RunAsync(string program, params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo(program, words) { UseShellExecute = false }) ?? throw new InvalidOperationException($"{program} was not started.");
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
