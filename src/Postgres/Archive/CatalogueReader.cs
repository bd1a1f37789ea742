using System.Collections.Concurrent;
using System.Text;

namespace Groundcrew.Postgres;

/// <summary>
/// Reads what a cluster's archive holds from its storage alone: by a list, and by opening manifests, marks and history files,
/// which are remembered by key, size and time. What cannot be read is a problem of its own; the rest is told. Thread-safe.
/// </summary>
internal sealed class CatalogueReader(IBackupStorage storage)
{
    private const int LargestFile = 4 * 1024 * 1024;
    private const int AtOnce = 8;
    private const int MostLists = 3;

    private volatile IReadOnlyDictionary<StoredObject, object> _remembered = new Dictionary<StoredObject, object>();

    /// <summary>Reads the archive of a cluster; empty when there is none.</summary>
    /// <exception cref="BackupStorageException">The storage cannot be listed.</exception>
    public async Task<Catalogue> ReadAsync(string cluster, CancellationToken cancellation)
    {
        var listed = new Listed();
        await foreach (var found in storage.ListAsync(ArchiveLayout.Cluster(cluster), cancellation))
            listed.Add(found, ArchiveLayout.Read(cluster, found.Key));
        foreach (var timeline in listed.Wal.Keys.ToList())
            await ListAgainAsync(cluster, listed, timeline, cancellation);
        var opened = await OpenAsync(listed, cancellation);
        return await new CatalogueMaking(cluster, listed, opened, storage).MakeAsync(cancellation);
    }

    /// <summary>
    /// A segment takes the place of its parts while the list is walked through, and may be missed on the way. So a timeline with a
    /// hole is listed again before the hole is believed.
    /// </summary>
    private async Task ListAgainAsync(string cluster, Listed listed, (string SystemId, uint Timeline) timeline, CancellationToken cancellation)
    {
        for (var lists = 1; lists < MostLists && HasHole(listed.Wal[timeline]); lists++)
        {
            var again = new Listed();
            await foreach (var found in storage.ListAsync(ArchiveLayout.Wal(cluster, timeline.SystemId, timeline.Timeline), cancellation))
                again.Add(found, ArchiveLayout.Read(cluster, found.Key));
            listed.Wal[timeline] = again.Wal.GetValueOrDefault(timeline, []);
        }
    }

    private static bool HasHole(IReadOnlyList<(WalPiece Piece, DateTimeOffset ModifiedAt)> wal)
    {
        var reached = wal.Count > 0 ? wal[0].Piece.End : default;
        foreach (var (piece, _) in wal)
        {
            if (piece.Start > reached)
                return true;
            reached = piece.End > reached ? piece.End : reached;
        }
        return false;
    }

    private async Task<IReadOnlyDictionary<StoredObject, Opened>> OpenAsync(Listed listed, CancellationToken cancellation)
    {
        var remembered = _remembered;
        var opened = new ConcurrentDictionary<StoredObject, Opened>();
        await Parallel.ForEachAsync(listed.ToOpen, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation }, async (entry, stop) =>
            opened[entry.Object] = remembered.TryGetValue(entry.Object, out var known) ? new(known, null) : await OpenAsync(entry.Object, entry.Key, stop));
        _remembered = opened.Where(o => o.Value.Content is not null).ToDictionary(o => o.Key, o => o.Value.Content!);
        return opened;
    }

    private async Task<Opened> OpenAsync(StoredObject file, ArchiveKey key, CancellationToken cancellation)
    {
        try
        {
            if (file.Bytes > LargestFile)
                throw new FormatException($"it has {file.Bytes} bytes, which no such file has");
            await using var stream = await storage.OpenAsync(file.Key, cancellation);
            using var bytes = new MemoryStream((int)file.Bytes);
            await stream.CopyToAsync(bytes, cancellation);
            ReadOnlySpan<byte> text = bytes.GetBuffer().AsSpan(0, (int)bytes.Length);
            return new(
                key switch
                {
                    ArchiveKey.BaseManifest => ManifestJson.ReadBase(text),
                    ArchiveKey.DumpManifest => ManifestJson.ReadDump(text),
                    ArchiveKey.Mark => ManifestJson.ReadMark(text),
                    ArchiveKey.History history => TimelineHistory.Parse(history.Timeline, Encoding.UTF8.GetString(text)),
                    _ => throw new InvalidOperationException($"'{file.Key}' is not to be opened."),
                },
                null);
        }
        catch (BackupStorageException e) when (e.Failure == StorageFailure.NotFound)
        {
            return new(null, null); // It was deleted after it was listed.
        }
        catch (Exception e) when (e is FormatException or IOException)
        {
            return new(null, e.Message);
        }
    }

    /// <summary>What came of opening an object: its content, or why not; neither when it is not there any more.</summary>
    internal sealed record Opened(object? Content, string? Problem);

    /// <summary>What a list told, by kind. Not thread-safe.</summary>
    internal sealed class Listed
    {
        /// <summary>Everything that is opened.</summary>
        public List<(StoredObject Object, ArchiveKey Key)> ToOpen { get; } = [];

        /// <summary>The files of base backups and dumps.</summary>
        public List<(StoredObject Object, ArchiveKey Key)> Files { get; } = [];

        /// <summary>WAL by timeline, by place.</summary>
        public Dictionary<(string SystemId, uint Timeline), List<(WalPiece Piece, DateTimeOffset ModifiedAt)>> Wal { get; } = [];

        /// <summary>Takes an object in; one whose key the archive does not have is nobody's business here.</summary>
        public void Add(StoredObject found, ArchiveKey? key)
        {
            switch (key)
            {
                case null:
                    break;
                case ArchiveKey.Wal wal:
                    if (!Wal.TryGetValue((wal.SystemId, wal.Timeline), out var pieces))
                        Wal[(wal.SystemId, wal.Timeline)] = pieces = [];
                    pieces.Add((new(wal.Timeline, wal.Start, wal.End, wal.CaughtUpAt, found.Key, found.Bytes), found.ModifiedAt));
                    break;
                case ArchiveKey.BaseFile or ArchiveKey.DumpFile:
                    Files.Add((found, key));
                    break;
                default:
                    ToOpen.Add((found, key));
                    break;
            }
        }
    }
}
