namespace Groundcrew.Postgres.OnNode;

/// <summary>The log of a recovery plan as files that PostgreSQL asks for, in a folder.</summary>
internal static class WalFolder
{
    private const int AtOnce = 4;

    /// <summary>
    /// Fetches the log: whole segments, joined from their parts, the last one filled up with zeros; and the history files. Of
    /// timelines that the archive knows and the plan does not follow there is a history file too, so that the recovered server
    /// takes a number that nobody has.
    /// </summary>
    /// <param name="pieces">The archive.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="highestTimeline">The highest timeline that the archive knows.</param>
    /// <param name="folder">An empty folder of the server's user.</param>
    /// <param name="user">The server's user.</param>
    /// <param name="done">Is told of bytes; thread-safe.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="BackupStorageException">A run is missing or damaged.</exception>
    public static async Task FetchAsync(
        Pieces pieces, RecoveryPlan plan, uint highestTimeline, string folder, ServerUser user, Action<long> done, CancellationToken cancellation)
    {
        var histories = new Dictionary<string, string>(WalFiles.Histories(plan), StringComparer.Ordinal);
        for (uint timeline = 2; timeline <= highestTimeline; timeline++)
            histories.TryAdd($"{timeline:X8}.history", "# Nothing is known of this timeline but its number.\n");
        foreach (var (name, text) in histories)
        {
            var path = Path.Combine(folder, name);
            await using (var file = Create(path))
                await file.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), cancellation);
            user.Own(path);
        }
        await Parallel.ForEachAsync(
            WalFiles.Of(plan), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation },
            async (file, stop) => await FetchAsync(pieces, file, Path.Combine(folder, file.Name), user, done, stop));
    }

    private static async Task FetchAsync(Pieces pieces, WalFile wanted, string path, ServerUser user, Action<long> done, CancellationToken cancellation)
    {
        await using (var file = Create(path))
        {
            file.SetLength(Lsn.SegmentBytes);
            var buffer = new byte[256 * 1024];
            foreach (var part in wanted.Parts)
            {
                file.Position = part.At;
                await FetchAsync(pieces, part, file, buffer, cancellation);
                done(part.Length);
            }
        }
        user.Own(path);
    }

    private static async Task FetchAsync(Pieces pieces, WalFilePart part, FileStream file, byte[] buffer, CancellationToken cancellation)
    {
        await using var stream = await pieces.OpenAsync(part.Piece.Key, null, cancellation);
        long at = 0;
        while (await stream.ReadAsync(buffer, cancellation) is var count and > 0)
        {
            var from = Math.Clamp(part.Skip - at, 0, count);
            var to = Math.Clamp(part.Skip + part.Length - at, 0, count);
            if (to > from)
                await file.WriteAsync(buffer.AsMemory((int)from, (int)(to - from)), cancellation);
            at += count;
        }
        if (at != part.Piece.End - part.Piece.Start)
            throw new BackupStorageException(StorageFailure.Damaged, $"'{part.Piece.Key}' has {at} bytes of log where its name says {part.Piece.End - part.Piece.Start}.");
    }

    private static FileStream Create(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite, BufferSize = 0,
    });
}
