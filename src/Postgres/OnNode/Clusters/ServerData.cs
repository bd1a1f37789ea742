using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The data folder of a server, brought to what its role needs: made new, copied from the primary, or rewound to follow it. Each
/// change is made beside or marked first, so that one that is broken off is begun again, and data that are replaced stay until
/// the new ones run. Its server is stopped meanwhile. Not thread-safe: its actor's alone.
/// </summary>
internal sealed class ServerData(ServerFolder folder, PgServer server, PgServer beside, DurableFiles files)
{
    /// <summary>Whether a cluster is there.</summary>
    public bool IsThere => server.DataVersion is not null;

    /// <summary>Makes a new, empty cluster.</summary>
    public async Task InitAsync(CancellationToken cancellation)
    {
        Clear(folder.NewData);
        await beside.InitAsync(cancellation);
        files.CommitFolder(folder.NewData, folder.Data);
    }

    /// <summary>Makes a copy of the primary that follows it; what was there before is kept aside.</summary>
    /// <exception cref="JobFailedException">The copy could not be made; nothing of it is left.</exception>
    public async Task CopyAsync(PrimaryLink primary, CancellationToken cancellation)
    {
        await primary.PrepareAsync(null, cancellation);
        Clear(folder.NewData);
        await beside.PrepareFolderAsync(cancellation);
        try
        {
            await server.Binaries.MustRunAsync(
                "pg_basebackup", ["-D", folder.NewData, "-d", primary.Words(null), "-S", primary.Slot, "-X", "stream", "-c", "fast", "-w"], cancellation);
        }
        catch (Exception e) when (e is JobFailedException or IOException or OperationCanceledException)
        {
            Clear(folder.NewData);
            throw;
        }
        beside.MarkStandby();
        SetAside();
        files.CommitFolder(folder.NewData, folder.Data);
        folder.IsRewinding = false;
    }

    /// <summary>
    /// Makes what was a primary, or followed another, follow this one: by <c>pg_rewind</c>, which does nothing where nothing
    /// diverged, and by a new copy when that cannot be done.
    /// </summary>
    /// <param name="primary">The primary.</param>
    /// <param name="isLogGone">The primary does not have the log any more that our data need: only a copy helps.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>What was done, for people.</returns>
    public async Task<string> FollowAsync(PrimaryLink primary, bool isLogGone, CancellationToken cancellation)
    {
        if (isLogGone)
        {
            await CopyAsync(primary, cancellation);
            return $"copied anew from {primary.Place}, which does not have the log any more that it needs";
        }
        if (!await primary.PrepareAsync((await ControlData.ReadAsync(server, cancellation)).SystemId, cancellation))
        {
            await CopyAsync(primary, cancellation);
            return $"copied anew from {primary.Place}, for its data were another cluster's";
        }
        folder.IsRewinding = true;
        var rewound = await server.Binaries.RunAsync("pg_rewind", ["-D", folder.Data, $"--source-server={primary.Words("postgres")}"], cancellation);
        if (rewound.ExitCode != 0)
        {
            await CopyAsync(primary, cancellation);
            return $"copied anew from {primary.Place}, for it could not be rewound: {rewound.Words}";
        }
        server.MarkStandby();
        folder.IsRewinding = false;
        return rewound.Words.Contains("no rewind required", StringComparison.Ordinal) ? $"follows {primary.Place} as it is" : $"rewound to {primary.Place}";
    }

    /// <summary>The new data run: those of before are removed.</summary>
    public void RemoveOld() => Clear(folder.OldData);

    /// <summary>Data of a cluster are kept; ones that a rewind left half are not worth it when there are others.</summary>
    private void SetAside()
    {
        if (!Directory.Exists(folder.Data))
            return;
        if (Directory.Exists(folder.OldData))
            Clear(folder.Data);
        else
            files.CommitFolder(folder.Data, folder.OldData);
    }

    private static void Clear(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }
}
