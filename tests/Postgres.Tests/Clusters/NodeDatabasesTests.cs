using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>All of a node together: a server whose log is kept, backed up, and brought back by jobs alone.</summary>
public sealed class NodeDatabasesTests
{
    [Fact]
    public async Task A_server_is_archived_backed_up_restored_in_its_place_and_removed()
    {
        using var folder = TestServer.Folder();
        var agent = folder["agent"];
        Directory.CreateDirectory(agent);
        var archive = new ArchiveSpec(new(folder["archive"]), TimeSpan.FromSeconds(0.5));
        var spec = TestNode.Shop() with { Archive = archive };
        var node = new NodeDatabases(agent, agent, new TestSecrets(), new MetricRegistry(), TimeProvider.System, NullLoggerFactory.Instance);
        try
        {
            node.Start();
            var tasks = new Tasks(node);
            tasks.Want(spec);
            await tasks.ServerAsync(spec, s => s is { State: ServerState.Ready, Archive.CaughtUpAt: not null });
            var server = node.Servers.Find(spec.ServerId)!.Server;
            await TestServer.AskAsync(server, "CREATE TABLE t AS SELECT 1 AS n", "shop");
            var backup = Assert.IsType<BaseBackupTaken>(await tasks.JobAsync(spec, new TakeBaseBackup(spec.ServerId, archive, "request")));
            await TestServer.AskAsync(server, "INSERT INTO t VALUES (2)", "shop");

            // An orderly stop leaves nothing of the log behind.
            tasks.Want(spec with { Desire = ClusterDesire.Stopped });
            await tasks.ServerAsync(spec, s => s.State == ServerState.Stopped);
            var restored = Assert.IsType<ClusterRestored>(await tasks.JobAsync(spec, new RestoreCluster(spec, spec.Name, null, new(), archive)));
            Assert.Equal((backup.Manifest.Name, 2U), (restored.Backup, restored.Timeline));
            Assert.Null(server.Pid);
            tasks.Want(spec);
            await tasks.ServerAsync(spec, s => s is { State: ServerState.Ready, Timeline: 2 });
            Assert.Equal(3L, await TestServer.AskAsync(server, "SELECT sum(n) FROM t", "shop"));

            var keys = new[] { $"{spec.Name}/dumps/nothing.json", $"{spec.Name}/dumps/nothing.dump" };
            Assert.Null(await tasks.JobAsync(spec, new DeleteBackups(spec.Name, keys, archive)));
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => tasks.JobAsync(spec, new DeleteBackups(spec.Name, ["other/base/x"], archive)));
            Assert.Contains("'other/base/x' is not of the cluster", refused.Message, StringComparison.Ordinal);

            tasks.Want(spec with { Desire = ClusterDesire.Removed });
            await tasks.ServerAsync(spec, s => s.State == ServerState.Removed);
            Assert.False(Directory.Exists(Path.Combine(agent, "clusters", spec.ServerId.ToString())));
        }
        finally
        {
            await node.DisposeAsync();
            await ServerProcess.KillAllAsync(Path.Combine(agent, "clusters", spec.ServerId.ToString(), "data"), TimeProvider.System, CancellationToken.None);
        }
    }

    /// <summary>The control plane of the test: one list of tasks for each handler.</summary>
    private sealed class Tasks(NodeDatabases node)
    {
        private readonly Dictionary<string, NodeTask> _servers = [];
        private readonly Dictionary<string, NodeTask> _jobs = [];
        private long _generation;

        public void Want(ClusterSpec spec) => Hand(node.Clusters, _servers, $"cluster-{spec.ServerId}", ClusterSpec.TaskKind, spec);

        public async Task ServerAsync(ClusterSpec spec, Func<ServerStatus, bool> isSo)
        {
            ServerStatus? status = null;
            var key = $"cluster-{spec.ServerId}";
            try
            {
                await Eventually.TrueAsync(
                    () => node.Clusters.Current().FirstOrDefault(r => r.Key == key) is { } report && report.Generation == _servers[key].Generation
                        && (status = report.Status.Deserialize<ServerStatus>(Json.Options)) is not null && isSo(status),
                    "the state of the server");
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"{e.Message}; the last was {status}", e);
            }
        }

        public async Task<JobResult?> JobAsync(ClusterSpec spec, ClusterWork work)
        {
            var job = new ClusterJob(Ids.New(TimeProvider.System), spec.ClusterId, work);
            Hand(node.Jobs, _jobs, $"job-{job.Id}", ClusterJob.TaskKind, job);
            JobStatus? status = null;
            await Eventually.TrueAsync(
                () => (status = node.Jobs.Current().First(r => r.Key == $"job-{job.Id}").Status.Deserialize<JobStatus>(Json.Options))!.State is JobState.Succeeded or JobState.Failed,
                "the end of the job", TimeSpan.FromMinutes(2));
            return status!.State == JobState.Succeeded ? status.Result : throw new InvalidOperationException(status.Words);
        }

        private void Hand<T>(INodeTaskHandler handler, Dictionary<string, NodeTask> tasks, string key, string kind, T payload)
        {
            tasks[key] = new(key, kind, ++_generation, JsonSerializer.SerializeToElement(payload, Json.Options));
            handler.Apply([.. tasks.Values]);
        }
    }
}
