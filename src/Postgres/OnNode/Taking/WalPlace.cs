namespace Groundcrew.Postgres.OnNode;

/// <summary>Where a receiver goes on.</summary>
/// <param name="Segment">The segment, with what the storage has of it.</param>
/// <param name="Moments">Objects of that timeline that the next moment replaces: runs without bytes, and parts of segments that are whole, which a crash left.</param>
/// <param name="CaughtUpAt">The latest moment that the archive names on that timeline.</param>
internal sealed record WalPlace(WalSegment Segment, IReadOnlyList<string> Moments, DateTimeOffset? CaughtUpAt)
{
    /// <summary>A place with nothing before it.</summary>
    public static WalPlace New(uint timeline, Lsn place) => new(new(timeline, place.SegmentStart()), [], null);

    /// <summary>
    /// Finds where the archive ends on the line of timelines that the server is on; null when it has nothing of it. What it has of
    /// a segment that is not whole is read back, to be compared; what cannot be read is stored anew.
    /// </summary>
    /// <param name="archive">The archive.</param>
    /// <param name="all">What it holds, newest timeline first.</param>
    /// <param name="timeline">The server's timeline.</param>
    /// <param name="forks">The forks of that timeline's ancestry.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<WalPlace?> FindAsync(
        WalPieces archive, IReadOnlyList<ArchivedWal> all, uint timeline, IReadOnlyList<TimelineFork> forks, CancellationToken cancellation)
    {
        foreach (var there in all)
        {
            var fork = forks.FirstOrDefault(f => f.Parent == there.Timeline);
            if (there.End is not { } end || (there.Timeline != timeline && fork is null))
                continue;
            // What the archive has beyond the fork was of a server that is no longer followed.
            return fork is not null && end >= fork.At ? New(fork.Timeline, fork.At) : await AtEndAsync(archive, there, end, cancellation);
        }
        return null;
    }

    private static async Task<WalPlace> AtEndAsync(WalPieces archive, ArchivedWal there, Lsn end, CancellationToken cancellation)
    {
        var start = end.SegmentStart();
        var parts = there.Pieces.Where(p => p.Start >= start && p.End > p.Start).ToList();
        var stored = (int)(there.RunFrom(start) - start);
        var expected = await ReadAsync(archive, parts, start, stored, cancellation);
        var segment = new WalSegment(there.Timeline, start)
        {
            Expected = expected,
            Stored = expected is null ? 0 : stored,
            CaughtUpAt = there.CaughtUpAt,
        };
        segment.Parts.AddRange(parts.Select(p => p.Key));
        var whole = there.Pieces.Where(p => p.IsSegment).Select(p => p.Start).ToHashSet();
        var replaced = there.Pieces.Where(p => p.Start == p.End || (!p.IsSegment && whole.Contains(p.Start.SegmentStart())));
        return new(segment, [.. replaced.Select(p => p.Key)], there.CaughtUpAt);
    }

    private static async Task<byte[]?> ReadAsync(WalPieces archive, List<WalPiece> parts, Lsn start, int length, CancellationToken cancellation)
    {
        var bytes = new byte[length];
        try
        {
            foreach (var part in parts.Where(p => p.End <= start + length))
            {
                await using var stream = await archive.Pieces.OpenAsync(part.Key, null, cancellation);
                await stream.ReadExactlyAsync(bytes.AsMemory((int)(part.Start - start), (int)(part.End - part.Start)), cancellation);
            }
            return bytes;
        }
        catch (IOException e) when (e is BackupStorageException { Failure: StorageFailure.Damaged or StorageFailure.NotFound } or EndOfStreamException)
        {
            return null;
        }
    }
}
