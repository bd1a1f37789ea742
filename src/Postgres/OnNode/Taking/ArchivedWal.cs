namespace Groundcrew.Postgres.OnNode;

/// <summary>What an archive holds of one timeline, by the names of its objects. Immutable.</summary>
/// <param name="timeline">The timeline.</param>
/// <param name="pieces">Its runs by their first byte.</param>
internal sealed class ArchivedWal(uint timeline, IReadOnlyList<WalPiece> pieces)
{
    /// <summary>The timeline.</summary>
    public uint Timeline => timeline;

    /// <summary>Its runs by their first byte, also those without bytes, which only name a moment.</summary>
    public IReadOnlyList<WalPiece> Pieces => pieces;

    /// <summary>Behind the last byte; null when there is none.</summary>
    public Lsn? End => pieces.Where(p => p.End > p.Start).Select(p => (Lsn?)p.End).Max();

    /// <summary>The latest moment that they name.</summary>
    public DateTimeOffset? CaughtUpAt => pieces.Max(p => p.CaughtUpAt);

    /// <summary>Lists what the storage has of a timeline.</summary>
    public static async Task<ArchivedWal> ListAsync(IBackupStorage storage, string cluster, string systemId, uint timeline, CancellationToken cancellation)
    {
        var pieces = new List<WalPiece>();
        await foreach (var found in storage.ListAsync(ArchiveLayout.Wal(cluster, systemId, timeline), cancellation))
            if (ArchiveLayout.Read(cluster, found.Key) is ArchiveKey.Wal wal)
                pieces.Add(new(wal.Timeline, wal.Start, wal.End, wal.CaughtUpAt, found.Key, found.Bytes));
        return new(timeline, [.. pieces.OrderBy(p => p.Start).ThenBy(p => p.End)]);
    }

    /// <summary>Lists what the storage has of every timeline of a history, newest timeline first.</summary>
    public static async Task<IReadOnlyList<ArchivedWal>> ListAllAsync(IBackupStorage storage, string cluster, string systemId, CancellationToken cancellation)
    {
        var pieces = new List<WalPiece>();
        await foreach (var found in storage.ListAsync(ArchiveLayout.History(cluster, systemId) + "wal/", cancellation))
            if (ArchiveLayout.Read(cluster, found.Key) is ArchiveKey.Wal wal)
                pieces.Add(new(wal.Timeline, wal.Start, wal.End, wal.CaughtUpAt, found.Key, found.Bytes));
        return [.. pieces.GroupBy(p => p.Timeline).OrderByDescending(g => g.Key)
            .Select(g => new ArchivedWal(g.Key, [.. g.OrderBy(p => p.Start).ThenBy(p => p.End)]))];
    }

    /// <summary>How far the log goes on without a gap from a place; the place itself when nothing covers it.</summary>
    public Lsn RunFrom(Lsn place)
    {
        var end = place;
        foreach (var piece in pieces)
            if (piece.Start <= end && piece.End > end)
                end = piece.End;
        return end;
    }

    /// <summary>The ranges that are missing between its first byte and its last.</summary>
    public IReadOnlyList<WalGap> Gaps()
    {
        var gaps = new List<WalGap>();
        Lsn? end = null;
        foreach (var piece in pieces.Where(p => p.End > p.Start))
        {
            if (end is { } before && piece.Start > before)
                gaps.Add(new(timeline, before, piece.Start));
            end = end is { } far && far > piece.End ? far : piece.End;
        }
        return gaps;
    }
}
