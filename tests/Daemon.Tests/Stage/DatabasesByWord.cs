using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Postgres;
using Groundcrew.Postgres.OnNode;

namespace Groundcrew.Daemon.Tests;

/// <summary>
/// The databases of a node that answers by word alone: servers are what they should be at once, jobs succeed, and a backup leaves in
/// the storage what a real one would. Thread-safe.
/// </summary>
internal sealed class DatabasesByWord
{
    private const string SystemId = "7294000000000000001";
    private readonly ConcurrentDictionary<Guid, string> _names = new();
    private readonly ConcurrentDictionary<Guid, JobStatus> _ended = new();

    public async Task<TaskReport> AnswerAsync(NodeTask task) => new(
        task.Key, task.Generation, task.Kind == ClusterSpec.TaskKind
            ? JsonSerializer.SerializeToElement(Of(task.Payload.Deserialize<ClusterSpec>(Json.Options)!), Json.Options)
            : JsonSerializer.SerializeToElement(await OfAsync(task.Payload.Deserialize<ClusterJob>(Json.Options)!), Json.Options));

    public static JsonElement Look(ServerAspect what) => JsonSerializer.SerializeToElement<object>(
        what switch
        {
            ServerAspect.Health => new HealthView(
                "15.14", TimeProvider.System.GetUtcNow(), new ConnectionsView(100, 3, 5, 1, 4, 0, 0, []), [], [], [], new ReplicationView(false, new Lsn(1), null, null, [], []), []),
            ServerAspect.Statements => new StatementsView(null, null, []),
            _ => new { Tables = Array.Empty<object>(), Indexes = Array.Empty<object>(), Missing = Array.Empty<object>() },
        }, Json.Options);

    private ServerStatus Of(ClusterSpec spec)
    {
        _names[spec.ServerId] = spec.Name;
        var state = spec.Desire switch { ClusterDesire.Running => ServerState.Ready, ClusterDesire.Stopped => ServerState.Stopped, _ => ServerState.Removed };
        return new ServerStatus(state, "", state == ServerState.Ready ? spec.Role : null, SystemId, 1, new Lsn(0x3000000), null, new Dictionary<string, string>(), 4711);
    }

    private async Task<JobStatus> OfAsync(ClusterJob job)
    {
        if (_ended.TryGetValue(job.Id, out var known))
            return known;
        var now = TimeProvider.System.GetUtcNow();
        JobResult? result = job.Work switch
        {
            TakeBaseBackup take => new BaseBackupTaken(await WriteBaseAsync(take.Archive.Storage, _names[take.ServerId], now, take.Reason)),
            TakeDump dump => new DumpTaken(new DumpManifest
            {
                Name = dump.Name, Cluster = "acme-main", Database = dump.Database, Version = 15, StartedAt = now, StoppedAt = now, File = new BackupFile("x", 10, 20, "00"),
                Compression = Compression.None, Reason = dump.Reason,
            }),
            VerifyBackup => new BackupVerified(true, []),
            RestoreCluster => new ClusterRestored("base", new Lsn(0x3001000), now, 2, TimeSpan.FromSeconds(12)),
            RunDrill => new DrillDone(new ClusterRestored("base", new Lsn(0x3001000), now, 2, TimeSpan.FromSeconds(12)), true, [], TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(3)),
            Maintain => new UpkeepDone([], 0),
            _ => null,
        };
        return _ended[job.Id] = new JobStatus(JobState.Succeeded, "", 0, 0, now, now, result);
    }

    private static async Task<BaseBackupManifest> WriteBaseAsync(StorageSpec storage, string cluster, DateTimeOffset at, string reason)
    {
        using var folder = BackupStorages.Open(storage, null, TimeProvider.System);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var found in folder.ListAsync($"{cluster}/{SystemId}/base/", CancellationToken.None))
            taken.Add(found.Key.Split('/')[3]);
        var name = BackupNames.Base(at, taken.Contains);
        var manifest = new BaseBackupManifest
        {
            Name = name, Cluster = cluster, SystemId = SystemId, Version = 15, Timeline = 1, Start = new Lsn(0x3000000), Stop = new Lsn(0x3000100), StartedAt = at, StoppedAt = at,
            Files = [await PutAsync(folder, ArchiveLayout.BaseFile(cluster, SystemId, name, "base.tar"), "data"u8.ToArray())], Compression = Compression.None, Reason = reason,
        };
        await PutAsync(folder, ArchiveLayout.Wal(cluster, SystemId, 1, new Lsn(0x3000000), new Lsn(0x4000000), at + TimeSpan.FromSeconds(1)), "log"u8.ToArray());
        await PutAsync(folder, ArchiveLayout.BaseManifest(cluster, SystemId, name), ManifestJson.Write(manifest));
        return manifest;
    }

    private static async Task<BackupFile> PutAsync(IBackupStorage folder, string key, byte[] bytes)
    {
        await using var upload = folder.Begin(key);
        await upload.WriteAsync(bytes, CancellationToken.None);
        await upload.CompleteAsync(CancellationToken.None);
        return new BackupFile(key, bytes.Length, bytes.Length, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
    }
}
