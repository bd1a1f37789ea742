using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Logical backups: <c>pg_dump</c> in its custom format, streamed into the archive. A dump is listed when the program ended well,
/// said nothing of errors, and the storage has all of it; otherwise nothing stays. Thread-safe.
/// </summary>
/// <param name="servers">The servers of this node.</param>
/// <param name="archives">The way to the archive.</param>
/// <param name="clock">Tells time.</param>
internal sealed class Dumper(IServers servers, ArchiveOpener archives, TimeProvider clock) : IJobRunner
{
    private const int Attempts = 3;
    private static readonly byte[] Magic = "PGDMP"u8.ToArray();

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is TakeDump;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (TakeDump)job.Work;
        var node = servers.Find(work.ServerId) ?? throw new JobFailedException("This node has no such server.");
        try
        {
            var pieces = await archives.ToWriteAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            return new DumpTaken(await TakeAsync(node.Server, node.Spec.Name, work, pieces, progress, cancellation));
        }
        catch (Exception e) when (e is IOException or NpgsqlException)
        {
            throw new JobFailedException($"Database '{work.Database}' was not dumped: {e.Message}", e);
        }
    }

    /// <summary>Takes one dump into an archive that is open.</summary>
    internal async Task<DumpManifest> TakeAsync(PgServer server, string cluster, TakeDump work, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        var manifestKey = ArchiveLayout.DumpManifest(cluster, work.Name);
        await foreach (var taken in pieces.Storage.ListAsync(manifestKey, cancellation))
            if (taken.Key == manifestKey)
                throw new JobFailedException($"There is a dump '{work.Name}' already: another one needs another name.");
        var (file, began) = await TryAsync(server, cluster, work, pieces, progress, cancellation);
        var manifest = new DumpManifest
        {
            Name = work.Name, Cluster = cluster, Database = work.Database, Version = server.Binaries.Version, StartedAt = began, StoppedAt = clock.GetUtcNow(),
            File = file, Compression = pieces.Compression, KeyId = pieces.KeyId, Reason = work.Reason,
        };
        try
        {
            await PlainObjects.WriteAsync(pieces.Storage, manifestKey, ManifestJson.Write(manifest), cancellation);
        }
        catch
        {
            await pieces.Storage.DeleteAsync([file.Key], CancellationToken.None);
            throw;
        }
        progress.Expect(progress.Done);
        return manifest;
    }

    /// <summary>
    /// Dumps what one snapshot sees. A table that is rewritten (<c>ALTER TABLE … TYPE</c>, <c>TRUNCATE</c>) between the snapshot and
    /// the moment at which pg_dump has it locked is empty for the snapshot, and PostgreSQL says nothing; so that is looked for
    /// afterwards, and the dump is made anew.
    /// </summary>
    private static async Task<(BackupFile File, DateTimeOffset At)> TryAsync(
        PgServer server, string cluster, TakeDump work, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        IReadOnlyList<string> rewritten = [];
        for (var attempt = 1; attempt <= Attempts; attempt++)
        {
            await using var snapshot = await DumpSnapshot.TakeAsync(server, work.Database, cancellation);
            progress.Say($"dumping {work.Database}");
            progress.Expect(progress.Done + snapshot.Bytes);
            await using var writer = pieces.Begin(ArchiveLayout.DumpFile(cluster, work.Name), isLarge: true);
            await StreamAsync(server, work, snapshot.Id, pieces.Compression, writer, progress, cancellation);
            rewritten = await snapshot.RewrittenAsync(server, cancellation);
            if (rewritten.Count == 0)
                return (await writer.CompleteAsync(cancellation), snapshot.At);
        }
        throw new JobFailedException($"Tables were rewritten while '{work.Database}' was dumped, {Attempts} times, so that rows of theirs would be missing: {string.Join(", ", rewritten)}. Dump it when its schema is at rest.");
    }

    private static async Task StreamAsync(
        PgServer server, TakeDump work, string snapshot, Compression compression, PieceWriter writer, JobProgress progress, CancellationToken cancellation)
    {
        var first = new byte[Magic.Length];
        var result = await PgTool.ReadAsync(server.Binaries, "pg_dump", Arguments(server, work.Database, snapshot, compression), async output =>
        {
            // What is no dump at all shows in its first bytes.
            var known = await output.ReadAtLeastAsync(first, first.Length, throwOnEndOfStream: false, cancellation);
            await writer.WriteAsync(first.AsMemory(0, known), cancellation);
            var buffer = new byte[256 * 1024];
            while (await output.ReadAsync(buffer, cancellation) is var count and > 0)
            {
                await writer.WriteAsync(buffer.AsMemory(0, count), cancellation);
                progress.Add(count);
            }
        }, cancellation);
        Judge(result, first);
    }

    private static IEnumerable<string> Arguments(PgServer server, string database, string snapshot, Compression compression) =>
    [
        "--format", "custom",
        // Compressed twice is time for nothing.
        .. compression == Compression.None ? Array.Empty<string>() : ["--compress", "0"],
        "--lock-wait-timeout", "60s", "--snapshot", snapshot, .. PgTool.Way(server, database),
    ];

    private static void Judge(ToolResult result, byte[] first)
    {
        if (result.ExitCode != 0)
            throw new JobFailedException($"pg_dump ended with code {result.ExitCode}, so that there is no dump: {ServerLog.Explain(result.Words)}");
        if (result.Errors.Split('\n').FirstOrDefault(l => l.Contains("error:", StringComparison.Ordinal)) is { } error)
            throw new JobFailedException($"pg_dump ended well but complained, so that there is no dump: {error}");
        if (!first.AsSpan().SequenceEqual(Magic))
            throw new JobFailedException("pg_dump ended well, but what it wrote is no dump.");
    }
}
