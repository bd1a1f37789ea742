using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Proves that an archive comes back (U-49, LO-41, AZ-100): restores it to a moment into a scratch cluster that listens to nobody,
/// has PostgreSQL check every table and index, runs the system's own checks, measures, remembers what came of it beside the
/// backup, and removes the cluster, whatever happened. Thread-safe; drills of several clusters may run at once.
/// </summary>
/// <param name="archives">The way to the archive.</param>
/// <param name="scratchFolder">For scratch clusters; the server's user can pass the folders above it.</param>
/// <param name="clock">Tells time, and measures.</param>
internal sealed class DrillRunner(ArchiveOpener archives, string scratchFolder, TimeProvider clock) : IJobRunner
{
    private const string Kind = "drill";
    private const int MostFindings = 20;
    private const long ThoroughBytes = 8L << 30;
    private const long LeastBuffersMb = 16;
    private static readonly TimeSpan CheckLimit = TimeSpan.FromMinutes(5);
    private readonly ScratchClearing _clearing = new(scratchFolder, Kind, clock);

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is RunDrill;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (RunDrill)job.Work;
        try
        {
            var pieces = await archives.ToReadAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            return await RunAsync(work, pieces, progress, cancellation);
        }
        catch (Exception e) when (e is IOException or NpgsqlException)
        {
            throw new JobFailedException($"The drill of '{work.Source}' was broken off: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public Task CleanUpAsync(ClusterJob job, CancellationToken cancellation) =>
        PgBinaries.Find(((RunDrill)job.Work).Version) is { } binaries ? _clearing.OnceAsync(binaries) : Task.CompletedTask;

    /// <summary>Drills with an archive that is open.</summary>
    internal async Task<DrillDone> RunAsync(RunDrill work, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        var (began, beganAt) = (clock.GetTimestamp(), clock.GetUtcNow());
        var binaries = PgBinaries.Find(work.Version) ?? throw new JobFailedException($"PostgreSQL {work.Version} is not installed on this node: drill on one that has it.");
        await _clearing.OnceAsync(binaries);
        progress.Say("reading what the archive holds");
        var catalogue = await new CatalogueReader(pieces.Storage).ReadAsync(work.Source, cancellation);
        var plan = ClusterRestorer.Plan(catalogue, null, work.Target, work.Version);
        using var scratch = new ScratchFolder(scratchFolder, Kind, binaries.User);
        var server = ScratchFolder.ServerOn(scratch["data"], Path.Combine(scratch["log"], "server.log"), binaries, clock);
        try
        {
            var (restored, findings, isDamaged) = await TryAsync(work, pieces, catalogue, plan, scratch, server, progress, cancellation);
            var done = new DrillDone(restored, findings.Count == 0, findings, clock.GetElapsedTime(began), Lost(catalogue, plan, restored, beganAt));
            await MarkAsync(work, pieces, plan, done, isDamaged, cancellation);
            return done;
        }
        finally
        {
            await ScratchFolder.RemoveAsync(server, CancellationToken.None);
        }
    }

    private async Task<(ClusterRestored? Restored, List<string> Findings, bool IsDamaged)> TryAsync(
        RunDrill work, Pieces pieces, Catalogue catalogue, RecoveryPlan plan, ScratchFolder scratch, PgServer server, JobProgress progress, CancellationToken cancellation)
    {
        ClusterRestored? restored = null;
        var findings = new List<string>();
        var isDamaged = false;
        try
        {
            restored = await new ClusterRecovery(clock).RunAsync(
                new()
                {
                    Pieces = pieces, Catalogue = catalogue, Plan = plan, Server = server, WalFolder = scratch["wal"], SpacesFolder = scratch["spaces"],
                    Settings = Settings(work.MemoryBytes),
                },
                progress, cancellation);
            findings.AddRange(await LookAsync(server, progress, cancellation));
            isDamaged = findings.Count > 0;
            foreach (var check in work.Checks)
                if (await CheckAsync(server, check, progress, cancellation) is { } finding)
                    findings.Add(finding);
        }
        catch (BackupStorageException e) when (e.Failure is StorageFailure.Damaged or StorageFailure.NotFound)
        {
            findings.Add(e.Message);
            isDamaged = true;
        }
        catch (JobFailedException e)
        {
            findings.Add(e.Message);
        }
        return (restored, findings, isDamaged);
    }

    private static Dictionary<string, string> Settings(long memoryBytes) => new(StringComparer.Ordinal)
    {
        ["shared_buffers"] = $"{Math.Max(LeastBuffersMb, memoryBytes / 4 / (1 << 20))}MB",
        ["maintenance_work_mem"] = $"{Math.Max(LeastBuffersMb, memoryBytes / 8 / (1 << 20))}MB",
        ["autovacuum"] = "off",
    };

    /// <summary>PostgreSQL's own look at every table and b-tree of every database (<c>pg_amcheck</c>); pages with a wrong checksum show in it too.</summary>
    private static async Task<IReadOnlyList<string>> LookAsync(PgServer server, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say("checking every table and index");
        var size = (await new ServerLook(server.OpenAsync, CheckLimit).DatabasesAsync(cancellation)).Sum(d => d.Bytes);
        var seen = await server.Binaries.RunAsync(
            "pg_amcheck",
            [
                "--all", "--install-missing", "--jobs", "2",
                // Comparing each table with its indexes reads everything once more and sorts it.
                .. size <= ThoroughBytes ? ["--heapallindexed"] : Array.Empty<string>(),
                .. PgTool.Way(server),
            ],
            cancellation);
        if (seen.ExitCode == 0)
            return [];
        var lines = (seen.Output + "\n" + seen.Errors).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return [$"pg_amcheck found damage: {string.Join(" ", lines.Take(MostFindings))}"];
    }

    private static async Task<string?> CheckAsync(PgServer server, SqlCheck check, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say($"checking: {check.Words}");
        try
        {
            var passed = await new ServerLook(server.OpenAsync, CheckLimit).ReadAsync(check.Database, check.Sql, r => !r.IsDBNull(0) && r.GetValue(0) is true, cancellation);
            return passed.Count > 0 && passed[0] ? null : $"The check '{check.Words}' did not pass.";
        }
        catch (IOException e)
        {
            return $"The check '{check.Words}' could not be made: {e.Message}";
        }
    }

    /// <summary>
    /// The measured recovery point. A moment, place or name that the archive covers comes back whole; of the latest, what was
    /// acknowledged behind the last sure moment may be missing.
    /// </summary>
    private static TimeSpan Lost(Catalogue catalogue, RecoveryPlan plan, ClusterRestored? restored, DateTimeOffset now)
    {
        if (plan.Target is not { Time: null, Position: null, Name: null })
            return TimeSpan.Zero;
        var window = RecoveryWindows.Of(catalogue).FirstOrDefault(w => w.SystemId == plan.SystemId && w.Base == plan.Base.Name && w.Timeline == plan.Timeline);
        var sure = window?.ToTime ?? plan.Base.StoppedAt;
        if (restored?.LastCommitAt > sure)
            sure = restored.LastCommitAt.Value;
        return now > sure ? now - sure : TimeSpan.Zero;
    }

    /// <summary>
    /// Remembers what came of it. A check of the system's own that does not pass says something about the data, not about the backup,
    /// and a drill that could not be made says nothing.
    /// </summary>
    private async Task MarkAsync(RunDrill work, Pieces pieces, RecoveryPlan plan, DrillDone done, bool isDamaged, CancellationToken cancellation)
    {
        if (!done.IsGood && !isDamaged)
            return;
        var words = isDamaged ? string.Join(' ', done.Findings)
            : $"Restored to {done.Restored!.Reached} and checked in {Quantity.Format(TimeSpan.FromSeconds(Math.Ceiling(done.Took.TotalSeconds)))}; {work.Checks.Count} checks of the system's own passed.";
        await PlainObjects.MarkAsync(pieces.Storage, work.Source, new(plan.Base.Name, isDamaged ? MarkKind.Damaged : MarkKind.Restored, clock.GetUtcNow(), words), cancellation);
    }
}
