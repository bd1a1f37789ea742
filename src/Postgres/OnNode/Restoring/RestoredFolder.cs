using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// A server's data folder that is replaced by a restored one. The restored one is made beside; the old one is set aside until the
/// new one has run in its place, and is put back when it does not. However a restore ended, <see cref="ClearAsync"/> leaves one of the two,
/// whole. Not thread-safe.
/// </summary>
/// <param name="server">The server as it will be.</param>
/// <param name="clock">Tells time limits.</param>
internal sealed class RestoredFolder(PgServer server, TimeProvider clock)
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromMinutes(5);

    /// <summary>The server on the folder that is being restored, beside the real one.</summary>
    public PgServer Beside { get; } = ScratchFolder.ServerOn(
        server.Options.DataFolder + ".restoring", Path.Combine(Path.GetDirectoryName(server.Options.LogFile)!, "restore.log"), server.Binaries, clock);

    /// <summary>For the log that is replayed.</summary>
    public string WalFolder => Data + ".restoring-wal";

    /// <summary>For the table spaces of this restore; their place is for good, since links lead to it.</summary>
    public string SpacesFolder { get; } = $"{server.Options.DataFolder}.spaces-{Ids.NewNano()}";

    private string Data => server.Options.DataFolder;

    /// <summary>The old folder, until the new one has run.</summary>
    private string Aside => Data + ".replaced";

    /// <summary>The old folder, on its way out.</summary>
    private string Gone => Data + ".gone";

    /// <summary>Removes what an earlier restore left, and puts back what it had set aside.</summary>
    public async Task ClearAsync(CancellationToken cancellation)
    {
        await ScratchFolder.RemoveAsync(Beside, cancellation);
        Delete(WalFolder);
        Delete(Gone);
        if (Directory.Exists(Aside))
        {
            if (server.Pid is null)
                PutBack();
            else
                Forget(); // The new one was started, and may have taken writes.
        }
        DeleteSpaces();
    }

    /// <summary>Puts the restored folder, whose server is stopped, into its place, and runs it there once.</summary>
    /// <exception cref="JobFailedException">It does not run there; the old one is back.</exception>
    public async Task CommitAsync(CancellationToken cancellation)
    {
        DiskSpace.SyncFileSystem(Beside.Options.DataFolder);
        if (Directory.Exists(Data))
            DurableFiles.Real.CommitFolder(Data, Aside);
        try
        {
            DurableFiles.Real.CommitFolder(Beside.Options.DataFolder, Data);
            await server.StartAsync(StopLimit, cancellation);
            await using (await server.OpenAsync(ServerLook.Home, cancellation))
            {
                // It lets us in: it runs.
            }
            await server.StopAsync(StopMode.Fast, StopLimit, cancellation);
        }
        catch
        {
            await server.StopAsync(StopMode.Kill, StopLimit, CancellationToken.None);
            PutBack();
            throw;
        }
        Forget();
        DeleteSpaces();
    }

    private void PutBack()
    {
        Delete(Data);
        if (Directory.Exists(Aside))
            DurableFiles.Real.CommitFolder(Aside, Data);
    }

    private void Forget()
    {
        if (!Directory.Exists(Aside))
            return;
        // The rename is the moment after which the old folder does not come back.
        DurableFiles.Real.CommitFolder(Aside, Gone);
        Delete(Gone);
    }

    /// <summary>Table spaces that no data folder leads to any more.</summary>
    private void DeleteSpaces()
    {
        var used = new[] { Data, Aside, Beside.Options.DataFolder }.Select(f => Path.Combine(f, "pg_tblspc")).Where(Directory.Exists)
            .SelectMany(Directory.EnumerateFileSystemEntries).Select(l => Path.GetDirectoryName(new FileInfo(l).LinkTarget)).ToHashSet();
        foreach (var spaces in Directory.EnumerateDirectories(Path.GetDirectoryName(Data)!, Path.GetFileName(Data) + ".spaces-*"))
            if (!used.Contains(spaces))
                Delete(spaces);
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }
}
