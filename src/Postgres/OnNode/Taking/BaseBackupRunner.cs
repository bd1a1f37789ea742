namespace Groundcrew.Postgres.OnNode;

/// <summary>Takes base backups of the servers of this node as jobs (<see cref="TakeBaseBackup"/>). Thread-safe.</summary>
/// <param name="servers">The servers of this node.</param>
/// <param name="receivers">Their receivers.</param>
/// <param name="archives">The way to archives.</param>
/// <param name="clock">Tells time.</param>
internal sealed class BaseBackupRunner(IServers servers, WalReceivers receivers, ArchiveOpener archives, TimeProvider clock) : IJobRunner
{
    private readonly BaseBackupTaker _taker = new(clock);

    /// <inheritdoc/>
    public bool Takes(ClusterWork work) => work is TakeBaseBackup;

    /// <inheritdoc/>
    public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
    {
        var work = (TakeBaseBackup)job.Work;
        var server = servers.Find(work.ServerId) ?? throw new JobFailedException("The server to be backed up is not on this node.");
        Pieces pieces;
        try
        {
            pieces = await archives.ToWriteAsync(job.ClusterId, work.Archive, cancellation);
        }
        catch (IOException e)
        {
            throw new JobFailedException(e.Message, e);
        }
        using var storage = pieces.Storage;
        var options = server.Server.Options;
        // A receiver into another storage does not make this backup whole.
        var receiver = server.Spec.Archive is { } archive && archive.Storage == work.Archive.Storage ? receivers.Find(work.ServerId) : null;
        var manifest = await _taker.TakeAsync(
            new()
            {
                Cluster = server.Spec.Name, Version = server.Spec.Version, Server = ReplicationTarget.Local(options.SocketFolder, options.Port),
                Reason = work.Reason, MaxBytesPerSecond = work.MaxBytesPerSecond, Receiver = receiver,
            },
            pieces, progress, cancellation);
        return new BaseBackupTaken(manifest);
    }
}
