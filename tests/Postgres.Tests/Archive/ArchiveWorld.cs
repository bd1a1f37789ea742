using Groundcrew.Postgres.Tests.Stage;

namespace Groundcrew.Postgres.Tests.Archive;

/// <summary>
/// An archive that a test makes by hand. Places are counted in quarters of a segment (4 MiB) and moments in minutes, so that a
/// test can be drawn on paper. Not thread-safe.
/// </summary>
internal sealed class ArchiveWorld
{
    public const string Cluster = "acme-main";
    public const string SystemId = "7294";
    private const long Quarter = Lsn.SegmentBytes / 4;

    private readonly List<(string System, BaseBackupManifest Base)> _bases = [];
    private readonly List<(string System, WalPiece Piece)> _wal = [];
    private readonly List<(string System, TimelineFork Fork)> _forks = [];

    public static DateTimeOffset Zero { get; } = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    public List<DumpManifest> Dumps { get; } = [];

    public List<BackupMark> Marks { get; } = [];

    public List<StoredObject> Unfinished { get; } = [];

    public List<string> Problems { get; } = [];

    public List<string> Unread { get; } = [];

    public static Lsn Place(double quarters) => new((ulong)(quarters * Quarter));

    public static DateTimeOffset Minute(double minutes) => Zero.AddMinutes(minutes);

    public ArchiveWorld Base(string name, uint timeline, double start, double stop, double minute, string system = SystemId)
    {
        _bases.Add((system, new()
        {
            Name = name, Cluster = Cluster, SystemId = system, Version = 15, Timeline = timeline, Start = Place(start), Stop = Place(stop),
            StartedAt = Minute(minute - 1), StoppedAt = Minute(minute), Compression = Compression.Zstd, Reason = "schedule",
            Files = [File(ArchiveLayout.BaseFile(Cluster, system, name, "base.tar.zst"), 7), File(ArchiveLayout.BaseFile(Cluster, system, name, "backup_manifest.zst"), 3)],
        }));
        return this;
    }

    public ArchiveWorld Wal(uint timeline, double from, double to, double? minute = null, string system = SystemId)
    {
        DateTimeOffset? at = minute is { } m ? Minute(m) : null;
        var key = ArchiveLayout.Wal(Cluster, system, timeline, Place(from), Place(to), at) + ".zst";
        if (!_wal.Exists(w => w.Piece.Key == key))
            _wal.Add((system, new(timeline, Place(from), Place(to), at, key, 1 + (long)(to - from))));
        return this;
    }

    public ArchiveWorld Fork(uint timeline, uint parent, double at, string system = SystemId)
    {
        _forks.Add((system, new(timeline, parent, Place(at))));
        return this;
    }

    public ArchiveWorld Dump(string name, string database, double minute)
    {
        Dumps.Add(new()
        {
            Name = name, Cluster = Cluster, Database = database, Version = 15, StartedAt = Minute(minute), StoppedAt = Minute(minute + 1),
            File = File(ArchiveLayout.DumpFile(Cluster, name) + ".gz", 5), Compression = Compression.Gzip, Reason = "schedule",
        });
        return this;
    }

    public ArchiveWorld Mark(string backup, MarkKind kind, double minute)
    {
        Marks.Add(new(backup, kind, Minute(minute), "seen by a test"));
        return this;
    }

    /// <summary>The archive as the reader tells it.</summary>
    public Catalogue ToCatalogue()
    {
        var systems = _bases.Select(b => b.System).Concat(_wal.Select(w => w.System)).Concat(_forks.Select(f => f.System)).Distinct();
        return new(
            Cluster,
            [
                .. systems.Select(system => new ArchiveHistory(
                    system,
                    [.. _bases.Where(b => b.System == system).Select(b => b.Base).OrderBy(b => b.StoppedAt).ThenBy(b => b.Name, StringComparer.Ordinal)],
                    [.. _wal.Where(w => w.System == system).Select(w => w.Piece).OrderBy(w => w.Timeline).ThenBy(w => w.Key, StringComparer.Ordinal)],
                    [.. _forks.Where(f => f.System == system).Select(f => f.Fork).OrderBy(f => f.Timeline)]))
                    .OrderBy(h => h.Bases.Count > 0 ? h.Bases[^1].StoppedAt : h.Wal.Max(w => w.CaughtUpAt)),
            ],
            [.. Dumps.OrderBy(d => d.StartedAt).ThenBy(d => d.Name, StringComparer.Ordinal)],
            [.. Marks.OrderBy(m => m.At).ThenBy(m => m.Backup, StringComparer.Ordinal)], Unfinished, Problems)
        {
            Unread = Unread,
        };
    }

    /// <summary>Writes the archive into a storage, as its writers do.</summary>
    public void Store(MemoryStorage storage)
    {
        foreach (var (_, manifest) in _bases)
        {
            foreach (var file in manifest.Files)
                storage.Put(file.Key, new byte[file.Bytes], manifest.StartedAt);
            storage.Put(ArchiveLayout.BaseManifest(Cluster, manifest.SystemId, manifest.Name), ManifestJson.Write(manifest), manifest.StoppedAt);
        }
        foreach (var (_, piece) in _wal)
            storage.Put(piece.Key, new byte[piece.Bytes], piece.CaughtUpAt ?? Zero);
        foreach (var (system, fork) in _forks)
            storage.Put(ArchiveLayout.HistoryFile(Cluster, system, fork.Timeline), TimelineHistory.Write(fork.Timeline, [.. _forks.Where(f => f.System == system).Select(f => f.Fork)]), Zero);
        foreach (var dump in Dumps)
        {
            storage.Put(dump.File.Key, new byte[dump.File.Bytes], dump.StartedAt);
            storage.Put(ArchiveLayout.DumpManifest(Cluster, dump.Name), ManifestJson.Write(dump), dump.StoppedAt);
        }
        foreach (var mark in Marks)
            storage.Put(ArchiveLayout.Mark(Cluster, mark), ManifestJson.Write(mark), mark.At);
        foreach (var file in Unfinished)
            storage.Put(file.Key, new byte[file.Bytes], file.ModifiedAt);
    }

    private static BackupFile File(string key, long bytes) => new(key, bytes, bytes * 3, new('0', 64));
}
