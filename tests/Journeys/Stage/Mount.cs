using Xunit;

namespace Groundcrew.Journeys.Stage;

/// <summary>A mount of one test over a folder of the platform's; taken away after it. Only root can mount.</summary>
public sealed class Mount : IAsyncDisposable
{
    private readonly string _folder;

    private Mount(string folder) => _folder = folder;

    /// <summary>A file system of one megabyte.</summary>
    public static Task<Mount> SmallAsync(string folder) => MakeAsync(folder, ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);

    /// <summary>The folder itself, where nothing can be written.</summary>
    public static async Task<Mount> ReadOnlyAsync(string folder)
    {
        var mount = await MakeAsync(folder, ["--bind", folder, folder]);
        Expect.Ok(await CrewProgram.RunAsync("mount", ["-o", "remount,ro,bind", folder]));
        return mount;
    }

    /// <summary>Lazily: a process may still have a file open there.</summary>
    public async ValueTask DisposeAsync() => Expect.Ok(await CrewProgram.RunAsync("umount", ["-l", _folder]));

    private static async Task<Mount> MakeAsync(string folder, string[] words)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can mount");
        Expect.Ok(await CrewProgram.RunAsync("mount", words));
        return new Mount(folder);
    }
}
