using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Restores a cluster from its archive into the data folder of a server of this node (U-51): a new server for a side copy, or the
/// one that is there. It is recovered beside and replaces what was there only when it runs; when it ends early, at whatever
/// moment, what was there is there again. The server is stopped afterwards, and its task starts it. Thread-safe; one restore of
/// a server at a time.
/// </summary>
/// <param name="archives">The way to the archive.</param>
/// <param name="place">The server that a spec means, whether it is there yet or not.</param>
/// <param name="settings">How it is run: the settings that are derived from a spec.</param>
/// <param name="clock">Tells time.</param>
internal sealed class ClusterRestorer(
    ArchiveOpener archives, Func<ClusterSpec, PgServer> place, Func<ClusterSpec, IReadOnlyDictionary<string, string>> settings, TimeProvider clock) : IJobRunner
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromMinutes(10);
    private const double Room = 1.05;
    private const int MostProblems = 5;

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is RestoreCluster;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (RestoreCluster)job.Work;
        try
        {
            var pieces = await archives.ToReadAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            return await RestoreAsync(work, pieces, progress, cancellation);
        }
        catch (Exception e) when (e is IOException or NpgsqlException)
        {
            throw new JobFailedException($"'{work.Source}' was not restored: {e.Message}", e);
        }
    }

    /// <summary>Removes what a restore left that was broken off with the agent, and puts back what it had set aside. Before the server is started.</summary>
    public Task ClearAsync(ClusterSpec server, CancellationToken cancellation) => new RestoredFolder(place(server), clock).ClearAsync(cancellation);

    /// <summary>What a restore would do.</summary>
    /// <exception cref="JobFailedException">The moment is not covered; the message names the nearest ones that are.</exception>
    public static RecoveryPlan Plan(Catalogue catalogue, string? systemId, RecoveryTarget target, int version)
    {
        var judged = RecoveryPlanning.Plan(catalogue, systemId, target);
        if (judged.Value is not { } plan)
            throw new JobFailedException(string.Join(' ', judged.Problems.Select(p => $"{p.Message} {p.Fix}").Concat(catalogue.Problems.Take(MostProblems))));
        return plan.Base.Version == version ? plan
            : throw new JobFailedException($"The backup is of PostgreSQL {plan.Base.Version} and the server is version {version}: a physical backup comes back in its own version only; restore a dump otherwise.");
    }

    /// <summary>Restores from an archive that is open.</summary>
    internal async Task<ClusterRestored> RestoreAsync(RestoreCluster work, Pieces pieces, JobProgress progress, CancellationToken cancellation)
    {
        var began = clock.GetTimestamp();
        var server = place(work.Server);
        progress.Say("reading what the archive holds");
        var catalogue = await new CatalogueReader(pieces.Storage).ReadAsync(work.Source, cancellation);
        var plan = Plan(catalogue, work.SystemId, work.Target, work.Server.Version);
        if (server.Pid is not null)
            throw new JobFailedException("The server runs: stop it before it is restored in its place, or restore a copy beside it.");
        var above = Path.GetDirectoryName(server.Options.DataFolder)!;
        Directory.CreateDirectory(above);
        server.Binaries.User.LetPass(above);
        var folder = new RestoredFolder(server, clock);
        await folder.ClearAsync(cancellation);
        DemandRoom(plan, above);
        try
        {
            var restored = await new ClusterRecovery(clock).RunAsync(
                new()
                {
                    Pieces = pieces, Catalogue = catalogue, Plan = plan, Server = folder.Beside, WalFolder = folder.WalFolder, SpacesFolder = folder.SpacesFolder,
                    Settings = settings(work.Server).Where(s => s.Key is not ("listen_addresses" or "synchronous_standby_names")).ToDictionary(StringComparer.Ordinal),
                },
                progress, cancellation);
            progress.Say("putting it into its place");
            await folder.Beside.StopAsync(StopMode.Fast, StopLimit, cancellation);
            await folder.CommitAsync(cancellation);
            return restored with { Took = clock.GetElapsedTime(began) };
        }
        finally
        {
            await folder.ClearAsync(CancellationToken.None);
        }
    }

    private static void DemandRoom(RecoveryPlan plan, string folder)
    {
        var needed = Room * (plan.Base.Files.Sum(f => f.PlainBytes) + 2.0 * plan.Wal.Sum(w => w.End - w.Start));
        if (DiskSpace.Of(folder) is { } space && space.AvailableBytes < needed)
            throw new JobFailedException($"The restore needs about {Quantity.FormatBytes((long)needed)}, and '{folder}' has {Quantity.FormatBytes((long)space.AvailableBytes)} left: make room, or restore on another node.");
    }
}
