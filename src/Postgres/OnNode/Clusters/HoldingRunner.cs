namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Lets restores have the data folder to itself: the server's task keeps its hands off until the restore is over or
/// cleaned up. Thread-safe.
/// </summary>
internal sealed class HoldingRunner(ClusterRestorer restores, ClusterHost host) : IJobRunner
{
    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is RestoreCluster && restores.Takes(work);

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        await using var held = await host.HoldAsync(((RestoreCluster)job.Work).Server, cancellation);
        return await restores.RunAsync(job, progress, cancellation);
    }

    /// <inheritdoc/>
    public async Task CleanUpAsync(ClusterJob job, CancellationToken cancellation)
    {
        await using var held = await host.HoldAsync(((RestoreCluster)job.Work).Server, cancellation);
        await restores.ClearAsync(((RestoreCluster)job.Work).Server, cancellation);
    }
}
