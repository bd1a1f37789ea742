using Groundcrew.Bedrock;
using Groundcrew.Fleet.OnNode;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The databases of a node: its servers, the logs of its primaries, its jobs, and looks at them. Servers outlive it. Thread-safe;
/// started once, before the link, and disposed after it.
/// </summary>
public sealed class NodeDatabases : IAsyncDisposable
{
    private readonly WalReceivers _receivers;
    private readonly ClusterHost _servers;
    private readonly JobHost _jobs;

    /// <summary>Databases that do nothing before <see cref="Start"/>.</summary>
    /// <param name="folder">The agent's folder.</param>
    /// <param name="passableFrom">The folder from which on the servers' user may be let pass; those above it are somebody else's.</param>
    /// <param name="secrets">Where secrets come from.</param>
    /// <param name="metrics">Where figures go.</param>
    /// <param name="clock">Time.</param>
    /// <param name="logs">Where trouble is told.</param>
    public NodeDatabases(string folder, string passableFrom, IClusterSecretSource secrets, MetricRegistry metrics, TimeProvider clock, ILoggerFactory logs)
    {
        _receivers = new WalReceivers(metrics, clock);
        _servers = new ClusterHost(new ClusterHostOptions { StateFolder = folder, PassableFrom = passableFrom }, secrets, _receivers, clock, logs.CreateLogger<ClusterHost>());
        var archives = new ArchiveOpener(secrets, clock);
        var scratch = Path.Combine(folder, "clusters", "scratch");
        IJobRunner[] runners =
        [
            new BaseBackupRunner(_servers, _receivers, archives, clock),
            new Dumper(_servers, archives, clock),
            new Verifier(archives, scratch, clock),
            new HoldingRunner(new ClusterRestorer(archives, _servers.ServerOf, s => ClusterSettings.Of(s, DiskSpace.Of(folder)?.Bytes ?? 0), clock), _servers),
            new DumpRestorer(_servers, archives, scratch),
            new DrillRunner(archives, scratch, clock),
            new UpkeepRunner(_servers, clock),
            new DeleteRunner(archives),
        ];
        _jobs = new JobHost(new JobHostOptions { StateFolder = folder }, runners, clock, logs.CreateLogger<JobHost>());
        Handlers = [_servers, _jobs];
        Looks = new ServerLookSource(_servers, clock);
    }

    /// <summary>What takes the tasks of the link.</summary>
    public IReadOnlyList<INodeTaskHandler> Handlers { get; }

    /// <summary>What answers looks.</summary>
    public INodeStreamSource Looks { get; }

    /// <summary>Finds servers that run, and cleans up what was broken off.</summary>
    public void Start()
    {
        _servers.Start();
        _jobs.Start();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _jobs.DisposeAsync();
        await _servers.DisposeAsync();
        await _receivers.DisposeAsync();
    }
}
