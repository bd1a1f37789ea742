using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>Receivers and base backups as a node runs them: by the wanted state of a server, and as a job.</summary>
public sealed class NodeTakingTests
{
    private static readonly Dictionary<string, Secret> Secrets = new() { [ClusterSecrets.BackupKey] = new(Convert.ToBase64String(new byte[32])) };

    [Fact]
    public async Task A_receiver_is_kept_by_the_wanted_state_and_replaced_when_that_changes()
    {
        await using var server = await TestServer.RunAsync();
        using var folder = new TempFolder();
        await using var receivers = new WalReceivers(new MetricRegistry(), TimeProvider.System);
        var spec = Spec(server, folder["one"]);
        receivers.Keep(new(spec, server.Server), Secrets);
        await Eventually.TrueAsync(() => receivers.StatusOf(spec.ServerId)?.CaughtUpAt is not null, "it runs");
        var first = receivers.Find(spec.ServerId);
        receivers.Keep(new(spec, server.Server), Secrets);
        Assert.Same(first, receivers.Find(spec.ServerId));

        receivers.Keep(new(spec with { Archive = spec.Archive! with { Storage = new(folder["two"]), IsEncrypted = true } }, server.Server), Secrets);
        await Eventually.TrueAsync(() => receivers.Find(spec.ServerId) is { } next && next != first && next.Status.CaughtUpAt is not null, "another runs");
        Assert.Contains(Directory.EnumerateFiles(folder["two"], "*", SearchOption.AllDirectories), f => f.EndsWith(".enc", StringComparison.Ordinal));

        await receivers.LeaveAsync(spec.ServerId);
        Assert.Null(receivers.StatusOf(spec.ServerId));
        await receivers.LeaveAsync(spec.ServerId);
    }

    [Fact]
    public async Task A_storage_that_cannot_be_opened_is_told_and_tried_again()
    {
        await using var server = await TestServer.RunAsync();
        using var folder = new TempFolder();
        await using var receivers = new WalReceivers(new MetricRegistry(), TimeProvider.System);
        var spec = Spec(server, folder["one"]);
        spec = spec with { Archive = spec.Archive! with { IsEncrypted = true } };
        receivers.Keep(new(spec, server.Server), new Dictionary<string, Secret>());
        await Eventually.TrueAsync(() => receivers.StatusOf(spec.ServerId)?.Problem is { } problem && problem.Contains("no backup key", StringComparison.Ordinal), "the problem");
        receivers.Keep(new(spec, server.Server), Secrets);
        await Eventually.TrueAsync(() => receivers.StatusOf(spec.ServerId)?.CaughtUpAt is not null, "it runs");
    }

    [Fact]
    public async Task A_job_takes_a_backup_with_the_log_of_the_servers_receiver()
    {
        await using var server = await TestServer.RunAsync();
        using var folder = new TempFolder();
        await using var receivers = new WalReceivers(new MetricRegistry(), TimeProvider.System);
        var spec = Spec(server, folder["one"]);
        var node = new NodeServer(spec, server.Server);
        receivers.Keep(node, Secrets);
        await Eventually.TrueAsync(() => receivers.StatusOf(spec.ServerId)?.CaughtUpAt is not null, "it runs");
        var runner = new BaseBackupRunner(new One(node), receivers, new ArchiveOpener(new Known(), TimeProvider.System), TimeProvider.System);
        var work = new TakeBaseBackup(spec.ServerId, spec.Archive!, "schedule");
        Assert.True(runner.Takes(work));
        var taken = Assert.IsType<BaseBackupTaken>(await runner.RunAsync(new(Guid.Empty, spec.ClusterId, work), new JobProgress(), CancellationToken.None));
        Assert.Equal(("schedule", "acme-main"), (taken.Manifest.Reason, taken.Manifest.Cluster));
        Assert.True(receivers.StatusOf(spec.ServerId)!.Stored >= taken.Manifest.Stop);

        var elsewhere = work with { ServerId = Guid.Empty };
        await Assert.ThrowsAsync<JobFailedException>(() => runner.RunAsync(new(Guid.Empty, spec.ClusterId, elsewhere), new JobProgress(), CancellationToken.None));
    }

    private static ClusterSpec Spec(TestServer server, string folder) => new()
    {
        ServerId = Ids.New(TimeProvider.System), ClusterId = Ids.New(TimeProvider.System), Name = "acme-main", Version = 15, Port = server.Server.Options.Port,
        MemoryBytes = 64 << 20, Archive = new(new StorageSpec(folder), TimeSpan.FromMilliseconds(200)),
    };

    private sealed class One(NodeServer server) : IServers
    {
        public NodeServer? Find(Guid serverId) => serverId == server.Spec.ServerId ? server : null;

        public PgServerOptions PlaceOf(ClusterSpec spec) => server.Server.Options;
    }

    private sealed class Known : IClusterSecretSource
    {
        public Task<IReadOnlyDictionary<string, Secret>> AskClusterAsync(Guid clusterId, CancellationToken cancellation) =>
            Task.FromResult<IReadOnlyDictionary<string, Secret>>(Secrets);
    }
}
