namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Looks at a backup in its storage (U-49, T-50): the checksum of every object, and on the second level PostgreSQL's own tools:
/// <c>pg_verifybackup</c> on the unpacked base backup, <c>pg_restore</c> reading the whole dump. What was found is remembered beside
/// the backup; a storage that does not answer proves nothing, and nothing is remembered then. Thread-safe.
/// </summary>
/// <param name="archives">The way to the archive.</param>
/// <param name="scratchFolder">For unpacking; the server's user can pass the folders above it.</param>
/// <param name="clock">Tells time.</param>
internal sealed class Verifier(ArchiveOpener archives, string scratchFolder, TimeProvider clock) : IJobRunner
{
    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is VerifyBackup;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (VerifyBackup)job.Work;
        try
        {
            var pieces = await archives.ToReadAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            return await VerifyAsync(work, pieces, progress, cancellation);
        }
        catch (IOException e)
        {
            throw new JobFailedException($"Backup '{work.Backup}' was not verified: {e.Message}", e);
        }
    }

    /// <summary>Verifies a backup of an archive that is open.</summary>
    internal async Task<BackupVerified> VerifyAsync(VerifyBackup work, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say("reading what the archive holds");
        var catalogue = await new CatalogueReader(pieces.Storage).ReadAsync(work.Cluster, cancellation);
        var history = catalogue.Histories.FirstOrDefault(h => h.Bases.Any(b => b.Name == work.Backup));
        var dump = catalogue.Dumps.FirstOrDefault(d => d.Name == work.Backup);
        var findings = new List<string>();
        if (history is not null)
            await BaseAsync(history, history.Bases.First(b => b.Name == work.Backup), work.Level, pieces, findings, progress, cancellation);
        else if (dump is not null)
            await DumpAsync(dump, work.Level, pieces, findings, progress, cancellation);
        else
            findings.AddRange(Gone(catalogue, work));
        var kind = findings.Count > 0 ? MarkKind.Damaged : work.Level == VerifyLevel.Tool ? MarkKind.ToolVerified : MarkKind.ChecksumsVerified;
        var words = findings.Count > 0 ? string.Join(' ', findings) : work.Level == VerifyLevel.Tool ? "PostgreSQL's own tool found nothing wrong." : "Every checksum is right.";
        await PlainObjects.MarkAsync(pieces.Storage, work.Cluster, new(work.Backup, kind, clock.GetUtcNow(), words), cancellation);
        return new(findings.Count == 0, findings);
    }

    /// <summary>A backup of which something is missing is listed no more; why not is a problem of the catalogue.</summary>
    private static IReadOnlyList<string> Gone(Catalogue catalogue, VerifyBackup work)
    {
        string[] names = [$"'{work.Backup}' ", $"/base/{work.Backup}/", $"/dumps/{work.Backup}."];
        var problems = catalogue.Problems.Where(p => Array.Exists(names, n => p.Contains(n, StringComparison.Ordinal))).ToList();
        return problems.Count > 0 ? problems : throw new JobFailedException($"The archive of '{work.Cluster}' has no backup '{work.Backup}'.");
    }

    private async Task BaseAsync(
        ArchiveHistory history, BaseBackupManifest backup, VerifyLevel level, Pieces pieces, List<string> findings, JobProgress progress, CancellationToken cancellation)
    {
        var wal = history.Wal.Where(w => w.Timeline == backup.Timeline && w.End > backup.Start.SegmentStart() && w.Start < backup.Stop).ToList();
        progress.Expect(backup.Files.Sum(f => f.PlainBytes) * (level == VerifyLevel.Tool ? 2 : 1) + wal.Sum(w => w.End - w.Start));
        foreach (var file in backup.Files)
            await ReadAsync(pieces, file.Key, file.Sha256, file.PlainBytes, findings, progress, cancellation);
        var reached = backup.Start.SegmentStart();
        foreach (var piece in wal.OrderBy(w => w.Start).ThenByDescending(w => w.End))
        {
            if (piece.Start > reached)
                break;
            reached = piece.End > reached ? piece.End : reached;
            await ReadAsync(pieces, piece.Key, null, piece.End - piece.Start, findings, progress, cancellation);
        }
        if (reached < backup.Stop)
            findings.Add($"The log from {reached} to {backup.Stop} is missing, without which the backup is not consistent.");
        if (level == VerifyLevel.Tool && findings.Count == 0)
            await UnpackedAsync(backup, pieces, findings, progress, cancellation);
    }

    private async Task UnpackedAsync(BaseBackupManifest backup, Pieces pieces, List<string> findings, JobProgress progress, CancellationToken cancellation)
    {
        var binaries = Binaries(backup.Version);
        using var scratch = new ScratchFolder(scratchFolder, "verify", binaries.User);
        var server = ScratchFolder.ServerOn(scratch["data"], scratch["log"], binaries, clock);
        try
        {
            progress.Say($"unpacking {backup.Name}");
            await server.PrepareFolderAsync(cancellation);
            await new BaseUnpacker(pieces, binaries.User).UnpackAsync(backup, scratch["data"], scratch["spaces"], progress.Add, cancellation);
            await ClusterRecovery.VerifyAsync(server, backup.Name, progress, cancellation);
        }
        catch (BackupStorageException e) when (e.Failure is StorageFailure.Damaged or StorageFailure.NotFound)
        {
            findings.Add(e.Message);
        }
    }

    private static async Task DumpAsync(
        DumpManifest dump, VerifyLevel level, Pieces pieces, List<string> findings, JobProgress progress, CancellationToken cancellation)
    {
        progress.Expect(dump.File.PlainBytes * (level == VerifyLevel.Tool ? 2 : 1));
        await ReadAsync(pieces, dump.File.Key, dump.File.Sha256, dump.File.PlainBytes, findings, progress, cancellation);
        if (level != VerifyLevel.Tool || findings.Count > 0)
            return;
        var binaries = Binaries(dump.Version);
        progress.Say($"reading {dump.Name} with pg_restore");
        try
        {
            var list = await DumpRestorer.ListAsync(binaries, pieces, dump, cancellation);
            if (!list.Any(l => char.IsAsciiDigit(l[0])))
                findings.Add($"pg_restore --list finds nothing in '{dump.Name}'.");
            // The list stands at the beginning; turning the dump into statements reads all of it.
            await using var stream = await pieces.OpenAsync(dump.File.Key, dump.File.Sha256, cancellation);
            var result = await PgTool.FeedAsync(binaries, "pg_restore", ["--file", "/dev/null"], stream, progress.Add, cancellation);
            if (result.ExitCode != 0)
                findings.Add($"pg_restore cannot read '{dump.Name}' to its end: {result.Words}");
        }
        catch (JobFailedException e)
        {
            findings.Add(e.Message);
        }
    }

    private static PgBinaries Binaries(int version) =>
        PgBinaries.Find(version) ?? throw new JobFailedException($"PostgreSQL {version} is not installed on this node.");

    /// <summary>Reads an object to its end; what is wrong with it is a finding.</summary>
    private static async Task ReadAsync(
        Pieces pieces, string key, string? sha256, long expected, List<string> findings, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say($"reading {key}");
        try
        {
            await using var stream = await pieces.OpenAsync(key, sha256, cancellation);
            var buffer = new byte[256 * 1024];
            long total = 0;
            while (await stream.ReadAsync(buffer, cancellation) is var count and > 0)
            {
                total += count;
                progress.Add(count);
            }
            if (total != expected)
                findings.Add($"'{key}' has {total} bytes where {expected} were written.");
        }
        catch (BackupStorageException e) when (e.Failure is StorageFailure.Damaged or StorageFailure.NotFound)
        {
            findings.Add(e.Message);
        }
    }
}
