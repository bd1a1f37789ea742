using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// A folder for work that is thrown away, below one folder for all of it; gone when it is disposed, and what a crash left is gone
/// with <see cref="ClearAsync"/>. Not thread-safe.
/// </summary>
internal sealed class ScratchFolder : IDisposable
{
    /// <summary>The port in the name of a scratch server's socket; it listens on no other.</summary>
    public const int Port = 5432;

    private readonly string _path;

    /// <summary>Makes one.</summary>
    /// <param name="above">The folder for all of them; the server's user can pass those above it.</param>
    /// <param name="kind">What it is for.</param>
    /// <param name="user">The server's user.</param>
    public ScratchFolder(string above, string kind, ServerUser user)
    {
        Directory.CreateDirectory(above);
        user.LetPass(above);
        _path = Path.Combine(above, $"{kind}-{Ids.NewNano()}");
        user.MakeFolder(_path);
    }

    /// <summary>The path of something in it.</summary>
    public string this[string name] => Path.Combine(_path, name);

    /// <summary>Ends the scratch servers that an earlier run left below the folder, and removes everything of that kind.</summary>
    public static async Task ClearAsync(string above, string kind, PgBinaries binaries, TimeProvider clock, CancellationToken cancellation)
    {
        if (!Directory.Exists(above))
            return;
        foreach (var left in Directory.EnumerateDirectories(above, kind + "-*"))
        {
            var options = new PgServerOptions { DataFolder = Path.Combine(left, "data"), SocketFolder = Path.Combine(left, "run"), LogFile = Path.Combine(left, "log"), Port = Port };
            await new PgServer(binaries, options, clock).StopAsync(StopMode.Kill, TimeSpan.FromMinutes(1), cancellation);
            Directory.Delete(left, recursive: true);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_path, recursive: true);
}
