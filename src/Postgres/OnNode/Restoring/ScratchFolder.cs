using System.Security.Cryptography;
using System.Text;
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

    /// <summary>
    /// The folder of the socket of a scratch server, by its data folder: short, and the same after a crash, so that it can be removed.
    /// </summary>
    public static string SocketFor(string dataFolder) => PgServerOptions.ShortSocketFolder(new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(dataFolder)).AsSpan(0, 16)));

    /// <summary>A scratch server: on a data folder, with its socket, listening to nobody else.</summary>
    public static PgServer ServerOn(string dataFolder, string logFile, PgBinaries binaries, TimeProvider clock) => new(
        binaries, new() { DataFolder = dataFolder, SocketFolder = SocketFor(dataFolder), LogFile = logFile, Port = Port }, clock);

    /// <summary>Ends a scratch server, however it stands, and removes its folders.</summary>
    public static async Task RemoveAsync(PgServer server, CancellationToken cancellation)
    {
        await server.StopAsync(StopMode.Kill, TimeSpan.FromMinutes(1), cancellation);
        foreach (var folder in new[] { server.Options.DataFolder, server.Options.SocketFolder })
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
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
            await RemoveAsync(ServerOn(Path.Combine(left, "data"), Path.Combine(left, "log", "server.log"), binaries, clock), cancellation);
            Directory.Delete(left, recursive: true);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_path, recursive: true);
}
