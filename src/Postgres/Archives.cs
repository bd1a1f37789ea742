using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>One backup as it was last seen in the storage.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsDump">A dump of one database; otherwise a base backup of all of them.</param>
/// <param name="Database">The database of a dump; null otherwise.</param>
/// <param name="StartedAt">When it was begun.</param>
/// <param name="StoppedAt">When it was complete.</param>
/// <param name="Bytes">Its size in the storage.</param>
/// <param name="PlainBytes">The size of what is in it.</param>
/// <param name="Version">The server's major version.</param>
/// <param name="SystemId">The history that it belongs to; null for a dump.</param>
/// <param name="Timeline">Its timeline; 0 for a dump.</param>
/// <param name="Start">Where replay begins; null for a dump.</param>
/// <param name="Stop">From where on the copy is consistent; null for a dump.</param>
/// <param name="Sha256">The checksum of its first file.</param>
/// <param name="Reason">Why it was taken.</param>
/// <param name="VerifiedAt">When it was looked at last, and was good.</param>
/// <param name="VerifiedBy">By what: <c>checksums</c> or <c>tool</c>.</param>
/// <param name="RestoredAt">When it was restored last and passed.</param>
/// <param name="IsDamaged">It did not pass when it was looked at last.</param>
/// <param name="IsKept">Somebody asked that it never be deleted.</param>
public sealed record BackupSeen(
    string Name, bool IsDump, string? Database, DateTimeOffset StartedAt, DateTimeOffset StoppedAt, long Bytes, long PlainBytes, int Version, string? SystemId,
    uint Timeline, Lsn? Start, Lsn? Stop, string Sha256, string Reason, DateTimeOffset? VerifiedAt, string? VerifiedBy, DateTimeOffset? RestoredAt, bool IsDamaged, bool IsKept);

/// <summary>A stretch of time of which no moment can be restored.</summary>
/// <param name="From">Its first moment.</param>
/// <param name="To">Its last one; null while it goes on.</param>
public sealed record UncoveredTime(DateTimeOffset From, DateTimeOffset? To);

/// <summary>What a cluster's storage held when it was read last.</summary>
/// <param name="Backups">Base backups and dumps, newest first.</param>
/// <param name="Windows">What can be restored to any moment.</param>
/// <param name="Uncovered">The time between, of which nothing can.</param>
/// <param name="Bytes">The size of all of it.</param>
/// <param name="WalBytes">The size of the log in it.</param>
/// <param name="Unfinished">Objects that no manifest names.</param>
/// <param name="Problems">What could not be read.</param>
public sealed record BackupsSeen(
    IReadOnlyList<BackupSeen> Backups, IReadOnlyList<RecoveryWindow> Windows, IReadOnlyList<UncoveredTime> Uncovered, long Bytes, long WalBytes, int Unfinished,
    IReadOnlyList<string> Problems)
{
    /// <summary>Nothing.</summary>
    public static BackupsSeen None { get; } = new([], [], [], 0, 0, 0, []);

    /// <summary>The newest moment that can be restored; null when none can.</summary>
    public DateTimeOffset? Newest => Windows.Count == 0 ? null : Windows.Max(w => w.ToTime);
}

/// <summary>Reads catalogues of archives: the control plane itself from a storage that it reaches, otherwise through a node.</summary>
internal interface IArchiveReader
{
    /// <summary>Reads what the archive of a cluster holds.</summary>
    /// <exception cref="IOException">It cannot be read now; the message says why and what to do.</exception>
    Task<Catalogue> ReadAsync(DatabaseInfo cluster, CancellationToken cancellation);
}

/// <summary>Opens the storage itself. Thread-safe; one reader a storage, which remembers what it opened.</summary>
internal sealed class StorageReader(DatabaseSecrets secrets, TimeProvider clock) : IArchiveReader, IDisposable
{
    private readonly ConcurrentDictionary<(Guid Cluster, StorageSpec Storage, string Secret), (IBackupStorage Storage, CatalogueReader Reader)> _open = new();

    public async Task<Catalogue> ReadAsync(DatabaseInfo cluster, CancellationToken cancellation)
    {
        if (cluster.Settings.Archive is not { } archive)
            throw new BackupStorageException(StorageFailure.NotFound, $"{cluster.Subject} has no place for backups. Give it one: crew db change {cluster.Subject} --backups-to /srv/backups");
        var values = await secrets.OfAsync(cluster.Org, cluster.Name, cluster.Settings, cancellation);
        var credentials = values.GetValueOrDefault(ClusterSecrets.Storage);
        var (_, reader) = _open.GetOrAdd((cluster.Id, archive.Storage, Mark(credentials)), _ =>
        {
            var storage = BackupStorages.Open(archive.Storage, credentials, clock);
            return (storage, new CatalogueReader(storage));
        });
        return await reader.ReadAsync(cluster.ArchiveName, cancellation);
    }

    public void Dispose()
    {
        foreach (var (storage, _) in _open.Values)
            storage.Dispose();
    }

    private static string Mark(Secret? credentials) =>
        credentials is null ? "" : Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(credentials.Reveal())));
}

/// <summary>What the archives hold, as it was read last. Thread-safe.</summary>
internal sealed class Archives(Store store, IArchiveReader reader, DatabaseReading reading, TimeProvider clock)
{
    /// <summary>Reads an archive and keeps what it holds. Null when that was done, otherwise why it was not.</summary>
    public async Task<string?> RefreshAsync(Guid clusterId, CancellationToken cancellation)
    {
        try
        {
            await ReadAsync(await reading.GetAsync(clusterId, cancellation), cancellation);
            return null;
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    /// <summary>Reads an archive now.</summary>
    /// <exception cref="IOException">It cannot be read now.</exception>
    public async Task<Catalogue> ReadAsync(DatabaseInfo cluster, CancellationToken cancellation)
    {
        var catalogue = await reader.ReadAsync(cluster, cancellation);
        var seen = JsonSerializer.Serialize(Seen(catalogue), Json.Options);
        await store.WriteAsync(async (db, cancel) =>
        {
            var row = await db.Set<CatalogueRow>().AsTracking().SingleOrDefaultAsync(c => c.ClusterId == cluster.Id, cancel);
            if (row is null)
                db.Add(row = new CatalogueRow { ClusterId = cluster.Id, ReadAt = default, Seen = "" });
            (row.ReadAt, row.Seen) = (clock.StoreNow(), seen);
        }, cancellation);
        return catalogue;
    }

    /// <summary>What was seen last, and when; null when nothing was yet.</summary>
    public Task<(BackupsSeen Seen, DateTimeOffset ReadAt)?> SeenAsync(Guid clusterId, CancellationToken cancellation) =>
        store.ReadAsync<(BackupsSeen, DateTimeOffset)?>(async (db, cancel) =>
            await db.Set<CatalogueRow>().SingleOrDefaultAsync(c => c.ClusterId == clusterId, cancel) is { } row
                ? (JsonSerializer.Deserialize<BackupsSeen>(row.Seen, Json.Options)!, row.ReadAt) : null, cancellation);

    /// <summary>The short form of a catalogue, without the pieces of the log.</summary>
    internal static BackupsSeen Seen(Catalogue catalogue)
    {
        var marks = catalogue.Marks.ToLookup(m => m.Backup, StringComparer.Ordinal);
        var bases = catalogue.Histories.SelectMany(h => h.Bases).Select(b => With(marks[b.Name], new BackupSeen(
            b.Name, false, null, b.StartedAt, b.StoppedAt, b.Files.Sum(f => f.Bytes), b.Files.Sum(f => f.PlainBytes), b.Version, b.SystemId, b.Timeline, b.Start, b.Stop,
            b.Files.Count > 0 ? b.Files[0].Sha256 : "", b.Reason, null, null, null, false, false)));
        var dumps = catalogue.Dumps.Select(d => With(marks[d.Name], new BackupSeen(
            d.Name, true, d.Database, d.StartedAt, d.StoppedAt, d.File.Bytes, d.File.PlainBytes, d.Version, null, 0, null, null, d.File.Sha256, d.Reason, null, null, null, false, false)));
        List<BackupSeen> backups = [.. bases.Concat(dumps).OrderByDescending(b => b.StartedAt).ThenBy(b => b.Name, StringComparer.Ordinal)];
        var wal = catalogue.Histories.Sum(h => h.Wal.Sum(w => w.Bytes));
        return new BackupsSeen(
            backups, RecoveryWindows.Of(catalogue), [.. RecoveryWindows.Gaps(catalogue).Select(g => new UncoveredTime(g.FromTime, g.ToTime))],
            backups.Sum(b => b.Bytes) + wal, wal, catalogue.Unfinished.Count, catalogue.Problems);
    }

    private static BackupSeen With(IEnumerable<BackupMark> marks, BackupSeen backup)
    {
        foreach (var mark in marks.OrderBy(m => m.At))
            backup = mark.Kind switch
            {
                MarkKind.ChecksumsVerified => backup with { VerifiedAt = mark.At, VerifiedBy = backup.VerifiedBy ?? "checksums", IsDamaged = false },
                MarkKind.ToolVerified => backup with { VerifiedAt = mark.At, VerifiedBy = "tool", IsDamaged = false },
                MarkKind.Restored => backup with { RestoredAt = mark.At, VerifiedAt = mark.At, IsDamaged = false },
                MarkKind.Damaged => backup with { IsDamaged = true },
                MarkKind.Kept => backup with { IsKept = true },
                _ => backup,
            };
        return backup;
    }
}
