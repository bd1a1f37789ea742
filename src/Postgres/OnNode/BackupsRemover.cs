namespace Groundcrew.Postgres.OnNode;

/// <summary>Deletes what retention chose, in the order that it said: a manifest goes before what it names, so that nothing half is ever listed. Thread-safe.</summary>
internal sealed class BackupsRemover(ArchiveOpener archives) : IJobRunner
{
    private const int AtOnce = 500;

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is DeleteBackups;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (DeleteBackups)job.Work;
        if (work.Keys.FirstOrDefault(k => !k.StartsWith(work.Cluster + "/", StringComparison.Ordinal)) is { } foreign)
            throw new JobFailedException($"Nothing was deleted: '{foreign}' is not of the cluster '{work.Cluster}'.");
        progress.Expect(work.Keys.Count);
        try
        {
            var pieces = await archives.ToWriteAsync(job.ClusterId, work.Archive, cancellation);
            using var storage = pieces.Storage;
            foreach (var keys in work.Keys.Chunk(AtOnce))
            {
                await storage.DeleteAsync(keys, cancellation);
                progress.Add(keys.Length);
            }
        }
        catch (IOException e)
        {
            throw new JobFailedException($"{progress.Done} of {work.Keys.Count} objects were deleted, then: {e.Message}", e);
        }
        progress.Say($"{work.Keys.Count} objects were deleted");
        return null;
    }
}
