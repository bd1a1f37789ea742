
namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Deletes what retention chose, in its order: manifests before what they name, so that a deletion that ends early leaves left-overs
/// and never a backup of which something is missing. Again is fine: what is gone is gone. Thread-safe.
/// </summary>
/// <param name="archives">The way to the archive.</param>
internal sealed class DeleteRunner(ArchiveOpener archives) : IJobRunner
{
    private const int AtOnce = 200;

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is DeleteBackups;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (DeleteBackups)job.Work;
        // Whose archive it is stands in each key: nothing of another cluster is ever touched by a plan that was mixed up.
        if (work.Keys.FirstOrDefault(k => !k.StartsWith(ArchiveLayout.Cluster(work.Cluster), StringComparison.Ordinal)) is { } stranger)
            throw new JobFailedException($"'{stranger}' does not belong to the archive of '{work.Cluster}': nothing was deleted.");
        try
        {
            var pieces = await archives.ToReadAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            var done = 0;
            foreach (var some in work.Keys.Chunk(AtOnce))
            {
                progress.Say($"{done} of {work.Keys.Count} objects are deleted");
                await storage.DeleteAsync(some, cancellation);
                done += some.Length;
            }
            return null;
        }
        catch (IOException e)
        {
            throw new JobFailedException($"Old backups of '{work.Cluster}' were not all deleted: {e.Message}", e);
        }
    }
}
