using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>Where the values of a cluster's secrets come from. Thread-safe.</summary>
public interface IClusterSecretSource
{
    /// <summary>The secrets of one cluster by their names (<see cref="ClusterSecrets"/> and those of its roles).</summary>
    /// <exception cref="IOException">They cannot be had now; trying again may help.</exception>
    Task<IReadOnlyDictionary<string, Secret>> AskClusterAsync(Guid clusterId, CancellationToken cancellation);
}

/// <summary>The servers of a node. Thread-safe.</summary>
internal interface IServers
{
    /// <summary>The server with that id, also one that is stopped; null when this node has none, or its version is not installed.</summary>
    NodeServer? Find(Guid serverId);
}

/// <summary>One server of this node.</summary>
/// <param name="Spec">What it should be.</param>
/// <param name="Server">Its data folder and process.</param>
internal sealed record NodeServer(ClusterSpec Spec, PgServer Server);

/// <summary>Does one or more kinds of jobs. Thread-safe; several clusters' jobs run at once, those of one cluster one after the other.</summary>
internal interface IJobRunner
{
    /// <summary>Whether it does that kind.</summary>
    bool Takes(ClusterWork work);

    /// <summary>Does it, and leaves nothing half behind when it throws or is cancelled.</summary>
    /// <exception cref="JobFailedException">It could not be done; the message is for people.</exception>
    Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation);

    /// <summary>The agent was ended in the middle of that job: removes what is half of it. Idempotent; it may find nothing.</summary>
    /// <exception cref="JobFailedException">Something could not be removed; the message is for people.</exception>
    Task CleanUpAsync(ClusterJob job, CancellationToken cancellation) => Task.CompletedTask;
}

/// <summary>A job could not be done. The message says what happened and what to do.</summary>
internal sealed class JobFailedException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>How far a job is. Thread-safe; reading it costs nothing to the job.</summary>
internal sealed class JobProgress
{
    private long _done;
    private long _total;
    private volatile string _words = "";

    /// <summary>The latest of what it does.</summary>
    public string Words => _words;

    /// <summary>Bytes that are done.</summary>
    public long Done => Interlocked.Read(ref _done);

    /// <summary>Of how many; 0 when that is not known.</summary>
    public long Total => Interlocked.Read(ref _total);

    /// <summary>Says what is being done now.</summary>
    public void Say(string words) => _words = words;

    /// <summary>So many bytes more are done.</summary>
    public void Add(long bytes) => Interlocked.Add(ref _done, bytes);

    /// <summary>How many there are in all, as far as it is known.</summary>
    public void Expect(long total) => Interlocked.Exchange(ref _total, total);
}
