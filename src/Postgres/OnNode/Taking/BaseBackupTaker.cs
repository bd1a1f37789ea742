using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>A base backup that is asked for. Immutable.</summary>
internal sealed record BaseBackupRequest
{
    /// <summary>The cluster's name.</summary>
    public required string Cluster { get; init; }

    /// <summary>The server's major version; another one is refused in words.</summary>
    public required int Version { get; init; }

    /// <summary>The server.</summary>
    public required ReplicationTarget Server { get; init; }

    /// <summary>Why; see <see cref="BaseBackupManifest.Reason"/>.</summary>
    public required string Reason { get; init; }

    /// <summary>How fast at most; null for no limit.</summary>
    public long? MaxBytesPerSecond { get; init; }

    /// <summary>The receiver that keeps this server's log in the same archive; without one, the log of the backup itself is stored with it.</summary>
    public WalReceiver? Receiver { get; init; }

    /// <summary>How long the receiver may take to store the log of the backup once the copy is complete.</summary>
    public TimeSpan WalLimit { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>
/// Takes base backups over the replication protocol straight into an archive: nothing of them touches the disk here.
/// Thread-safe; several may be taken at once.
/// </summary>
/// <param name="clock">Tells time.</param>
internal sealed class BaseBackupTaker(TimeProvider clock)
{
    private static readonly TimeSpan CleaningLimit = TimeSpan.FromSeconds(30);
    private readonly HashSet<string> _running = [];
    private readonly Lock _gate = new();

    /// <summary>Takes one. When it throws or is cancelled, nothing of it stays in the archive as far as the storage still answers.</summary>
    /// <returns>The manifest, which was written last.</returns>
    /// <exception cref="JobFailedException">It was not taken; the message says why and what to do.</exception>
    public async Task<BaseBackupManifest> TakeAsync(BaseBackupRequest request, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        try
        {
            progress.Say($"connecting to {request.Server.Place}");
            await using var connection = await ReplicationConnection.OpenAsync(request.Server with { ApplicationName = "crew_backup" }, clock, cancellation);
            connection.RequireVersion(request.Version);
            var system = await connection.IdentifyAsync(cancellation);
            var archive = new WalPieces(pieces, request.Cluster, system.SystemId);
            var name = await NameAsync(archive, cancellation);
            try
            {
                return await TakeAsync(request, archive, connection, name, progress, cancellation);
            }
            catch
            {
                await RemoveAsync(archive, name);
                throw;
            }
            finally
            {
                Release(name);
            }
        }
        catch (PgServerException e)
        {
            throw new JobFailedException($"The server at {request.Server.Place} refused: {e.Message}{(e.IsLogin ? " Look at its role, password and pg_hba.conf." : "")}", e);
        }
        catch (IOException e)
        {
            throw new JobFailedException(e.Message, e);
        }
    }

    private async Task<BaseBackupManifest> TakeAsync(
        BaseBackupRequest request, WalPieces archive, ReplicationConnection connection, string name, JobProgress progress, CancellationToken cancellation)
    {
        // The slot keeps the log of the backup on the server until the archive has it, whatever becomes of the receiver's.
        await using var keeper = await ReplicationConnection.OpenAsync(request.Server with { ApplicationName = "crew_backup_log" }, clock, cancellation);
        var slot = $"crew_{name.Replace('-', '_')}_{Ids.NewNano()[..6].ToLowerInvariant().Replace('-', '_')}";
        await keeper.CreateSlotAsync(slot, isTemporary: true, cancellation);
        var startedAt = clock.GetUtcNow();
        progress.Say("waiting for a checkpoint");
        var (stream, isCompressed) = await BeginAsync(connection, new($"crew {name}", request.MaxBytesPerSecond, archive.Pieces.Compression == Compression.Zstd), cancellation);
        var copy = new BaseBackupCopy(archive, name, isCompressed, progress, clock);
        await archive.StoreHistoryAsync(keeper, stream.Timeline, cancellation);
        await copy.RunAsync(stream, cancellation);
        var stoppedAt = clock.GetUtcNow();
        var stop = stream.Stop ?? throw new WireException("The server ended the base backup and did not say where.");
        await StoreLogAsync(request, archive, keeper, slot, stream, stop, progress, cancellation);
        var manifest = new BaseBackupManifest
        {
            Name = name,
            Cluster = request.Cluster,
            SystemId = archive.SystemId,
            Version = connection.MajorVersion,
            Timeline = stream.Timeline,
            Start = stream.Start,
            Stop = stop,
            StartedAt = startedAt,
            StoppedAt = stoppedAt,
            Files = copy.Files,
            TableSpaces = stream.Folders.Where(f => f.Oid is not null).ToDictionary(f => $"{f.Oid}", f => f.Location),
            Compression = archive.Pieces.Compression,
            KeyId = archive.Pieces.KeyId,
            Reason = request.Reason,
        };
        await using var upload = archive.Pieces.Storage.Begin(ArchiveLayout.BaseManifest(request.Cluster, archive.SystemId, name));
        await upload.WriteAsync(ManifestJson.Write(manifest), cancellation);
        await upload.CompleteAsync(cancellation);
        request.Receiver?.BaseBackupTaken(manifest.Start);
        progress.Say($"{name} is stored");
        return manifest;
    }

    /// <summary>
    /// The server compresses when it can: what it has not to send costs neither it nor us anything (493 MB of pgbench, two cores:
    /// pg_basebackup took 0.6 s and 0.9 s of processor so, where compressing here took 1.3 s and 2.0 s). One that was built without
    /// zstd sends plainly.
    /// </summary>
    private static async Task<(BaseBackupStream Stream, bool IsCompressed)> BeginAsync(ReplicationConnection connection, BaseBackupWish wish, CancellationToken cancellation)
    {
        try
        {
            return (await connection.BaseBackupAsync(wish, cancellation), wish.IsCompressed);
        }
        catch (PgServerException e) when (wish.IsCompressed && !e.IsShutdown)
        {
            // Whatever else it refuses, it refuses again.
            return (await connection.BaseBackupAsync(wish with { IsCompressed = false }, cancellation), false);
        }
    }

    /// <summary>A copy counts when the archive has the log that makes it consistent: from the receiver, or fetched now.</summary>
    private static async Task StoreLogAsync(
        BaseBackupRequest request, WalPieces archive, ReplicationConnection keeper, string slot, BaseBackupStream stream, Lsn stop, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say($"waiting until the archive has the log up to {stop}");
        if (request.Receiver is { } receiver && !await receiver.WaitUntilStoredAsync(stream.Timeline, stop, request.WalLimit, cancellation))
            throw new WireException($"The log of the backup, up to {stop}, was not archived within {request.WalLimit.TotalMinutes:0} minutes. {receiver.Status.Problem}");
        var there = await ArchivedWal.ListAsync(archive.Pieces.Storage, archive.Cluster, archive.SystemId, stream.Timeline, cancellation);
        // From the beginning of the segment: a server that recovers reads its first page before any other.
        var end = there.RunFrom(stream.Start.SegmentStart());
        if (end >= stop)
            return;
        progress.Say($"fetching the log from {end} to {stop}");
        await WalFetch.RunAsync(keeper, slot, archive, stream.Timeline, end, stop, cancellation);
    }

    private async Task<string> NameAsync(WalPieces archive, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var stem = BackupNames.Base(now, _ => false);
        var there = new HashSet<string>(StringComparer.Ordinal);
        // The prefix without its last slash: "-2" and so on begin with it too.
        await foreach (var found in archive.Pieces.Storage.ListAsync(ArchiveLayout.Base(archive.Cluster, archive.SystemId, stem).TrimEnd('/'), cancellation))
            if (ArchiveLayout.Read(archive.Cluster, found.Key) is ArchiveKey.BaseFile { Backup: var backup })
                there.Add(backup);
            else if (ArchiveLayout.Read(archive.Cluster, found.Key) is ArchiveKey.BaseManifest { Backup: var named })
                there.Add(named);
        lock (_gate)
        {
            var name = BackupNames.Base(now, n => there.Contains(n) || _running.Contains(n));
            _running.Add(name);
            return name;
        }
    }

    private void Release(string name)
    {
        lock (_gate)
            _running.Remove(name);
    }

    /// <summary>Removes what was stored of a backup that did not come to its end; what cannot be removed is "unfinished" for the catalogue.</summary>
    private async Task RemoveAsync(WalPieces archive, string name)
    {
        using var limit = new CancellationTokenSource(CleaningLimit, clock);
        try
        {
            var keys = new List<string>();
            await foreach (var found in archive.Pieces.Storage.ListAsync(ArchiveLayout.Base(archive.Cluster, archive.SystemId, name), limit.Token))
                keys.Add(found.Key);
            // The manifest first: at no moment does it name what is gone.
            await archive.Pieces.Storage.DeleteAsync([.. keys.OrderByDescending(k => ArchiveLayout.Read(archive.Cluster, k) is ArchiveKey.BaseManifest)], limit.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The first failure is the one to tell; without a manifest these files are nobody's backup.
        }
    }
}
