namespace Groundcrew.Postgres.OnNode;

/// <summary>Fetches a range of the log from a server into an archive, once: the log of a base backup that no receiver stored.</summary>
internal static class WalFetch
{
    /// <summary>Fetches from the segment of <paramref name="from"/> at least up to <paramref name="until"/>.</summary>
    /// <param name="connection">A connection to the server; closed afterwards, since the stream does not end by itself.</param>
    /// <param name="slot">The slot by which the server keeps the range.</param>
    /// <param name="archive">Where it goes.</param>
    /// <param name="timeline">The timeline.</param>
    /// <param name="from">The first place that is needed.</param>
    /// <param name="until">Behind the last one.</param>
    /// <param name="cancellation">Gives up; what was stored stays, since it is true.</param>
    public static async Task RunAsync(
        ReplicationConnection connection, string slot, WalPieces archive, uint timeline, Lsn from, Lsn until, CancellationToken cancellation)
    {
        await using var _ = connection;
        var marks = new CaughtUpMarks();
        var stream = await connection.StartReplicationAsync(slot, from.SegmentStart(), timeline, cancellation);
        var segment = new WalSegment(timeline, from.SegmentStart());
        DateTimeOffset? before = null;
        try
        {
            while (segment.End < until && await stream.ReadAsync(cancellation) is { } message)
            {
                if (before is { } time && message.Bytes.Length > 0)
                    marks.Add(message.ServerEnd, time);
                before = message.ServerTime;
                segment = await TakeAsync(archive, segment, message, marks, cancellation);
            }
            if (segment.End < until)
                throw new WireException($"Timeline {timeline} of the server ended at {segment.End}, before {until}, where the base backup ends: it was promoted meanwhile. Take the backup again.");
            if (segment.Filled > 0)
                await archive.StoreAsync(segment, 0, segment.Filled, marks.At(segment.End), cancellation);
        }
        finally
        {
            segment.Dispose();
        }
    }

    private static async Task<WalSegment> TakeAsync(WalPieces archive, WalSegment segment, WalMessage message, CaughtUpMarks marks, CancellationToken cancellation)
    {
        if (message.Bytes.Length > 0 && message.Start != segment.End)
            throw new WireException($"The server sent its log from {message.Start} on where {segment.End} follows.");
        for (var rest = message.Bytes; rest.Length > 0;)
        {
            rest = rest[segment.Append(rest.Span)..];
            if (!segment.IsFull)
                continue;
            await archive.StoreAsync(segment, 0, Lsn.SegmentBytes, marks.At(segment.End), cancellation);
            var next = segment.End;
            segment.Dispose();
            segment = new(segment.Timeline, next);
        }
        return segment;
    }
}
