using System.Text;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Writes runs of the log and history files into the archive of one history of a cluster. Thread-safe.</summary>
/// <param name="pieces">The archive.</param>
/// <param name="cluster">The cluster's name.</param>
/// <param name="systemId">The history.</param>
internal sealed class WalPieces(Pieces pieces, string cluster, string systemId)
{
    /// <summary>The archive.</summary>
    public Pieces Pieces => pieces;

    /// <summary>The cluster's name.</summary>
    public string Cluster => cluster;

    /// <summary>The history.</summary>
    public string SystemId => systemId;

    /// <summary>Stores bytes of a segment as one object; writing the same again replaces it by the same.</summary>
    public async Task<BackupFile> StoreAsync(WalSegment segment, int from, int until, DateTimeOffset? caughtUpAt, CancellationToken cancellation)
    {
        await using var writer = pieces.Begin(ArchiveLayout.Wal(cluster, systemId, segment.Timeline, segment.Start + from, segment.Start + until, caughtUpAt));
        await segment.WriteAsync(writer, from, until, cancellation);
        return await writer.CompleteAsync(cancellation);
    }

    /// <summary>Stores that the server had nothing beyond a place at a moment; a run without bytes.</summary>
    public async Task<string> StoreMomentAsync(uint timeline, Lsn place, DateTimeOffset caughtUpAt, CancellationToken cancellation)
    {
        await using var writer = pieces.Begin(ArchiveLayout.Wal(cluster, systemId, timeline, place, place, caughtUpAt));
        return (await writer.CompleteAsync(cancellation)).Key;
    }

    /// <summary>Stores the history file of a timeline, unless there is none by nature or it is there.</summary>
    public async Task StoreHistoryAsync(ReplicationConnection connection, uint timeline, CancellationToken cancellation)
    {
        if (timeline == 1)
            return;
        var key = ArchiveLayout.HistoryFile(cluster, systemId, timeline);
        await foreach (var found in pieces.Storage.ListAsync(key, cancellation))
            if (found.Key == key)
                return;
        var text = await connection.TimelineHistoryAsync(timeline, cancellation);
        await using var upload = pieces.Storage.Begin(key);
        await upload.WriteAsync(Encoding.UTF8.GetBytes(text), cancellation);
        await upload.CompleteAsync(cancellation);
    }
}
