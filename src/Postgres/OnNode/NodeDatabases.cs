using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The databases of a node, put together: its servers, the archives of their logs, and the jobs that are done for them.
/// Disposing ends the loops, breaks off the jobs, and never ends a server. Thread-safe.
/// </summary>
public sealed class NodeDatabases : IAsyncDisposable
{
    private readonly ClusterHost _clusters;
    private readonly JobHost _jobs;
    private readonly WalReceivers _receivers;

    /// <summary>Databases that do nothing before <see cref="Start"/>.</summary>
    /// <param name="stateFolder">The agent's folder.</param>
    /// <param name="passableFrom">The platform's data folder, or the first of its own on the way to the agent's: from there down the user of PostgreSQL may pass, and read nothing.</param>
    /// <param name="secrets">Where the secrets of clusters come from.</param>
    /// <param name="metrics">Where figures go.</param>
    /// <param name="clock">Tells time.</param>
    /// <param name="logs">Where trouble is told.</param>
    public NodeDatabases(string stateFolder, string passableFrom, IClusterSecretSource secrets, MetricRegistry metrics, TimeProvider clock, ILoggerFactory logs)
    {
        _receivers = new(metrics, clock);
        _clusters = new(new() { StateFolder = stateFolder, PassableFrom = passableFrom }, secrets, _receivers, clock, logs.CreateLogger<ClusterHost>());
        var archives = new ArchiveOpener(secrets, clock);
        var scratch = Path.Combine(stateFolder, "clusters", "scratch");
        var restorer = new ClusterRestorer(archives, _clusters.ServerOf, spec => ClusterSettings.Of(spec, DiskSpace.Of(stateFolder)?.Bytes ?? 0), clock);
        _jobs = new(
            new() { StateFolder = stateFolder },
            [
                new BaseBackupRunner(_clusters, _receivers, archives, clock), new Dumper(_clusters, archives, clock), new DumpRestorer(_clusters, archives, scratch),
                new HoldingRunner(restorer, _clusters), new Verifier(archives, scratch, clock), new DrillRunner(archives, scratch, clock), new UpkeepRunner(_clusters, clock),
                new BackupsRemover(archives),
            ],
            clock, logs.CreateLogger<JobHost>());
        Looks = new ServerLookSource(_clusters, clock);
    }

    /// <summary>The tasks of servers.</summary>
    public INodeTaskHandler Clusters => _clusters;

    /// <summary>The tasks of jobs.</summary>
    public INodeTaskHandler Jobs => _jobs;

    internal IServers Servers => _clusters;

    /// <summary>Answers looks at the servers.</summary>
    public INodeStreamSource Looks { get; }

    /// <summary>Finds the servers that run and goes on with what was begun. Once, before the link is started.</summary>
    public void Start()
    {
        _clusters.Start();
        _jobs.Start();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _jobs.DisposeAsync();
        await _clusters.DisposeAsync();
        await _receivers.DisposeAsync();
    }
}
