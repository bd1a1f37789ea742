using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;

namespace Groundcrew.Postgres.Tests.Control;

/// <summary>
/// A node that does by word alone what it is told: its servers are ready at once, its jobs succeed and leave in the storage what a
/// real one would leave. A test says where it does otherwise.
/// </summary>
internal sealed class FakeNode(Guid id, Link link, Instances instances, string storage) : IAsyncDisposable
{
    public const string SystemId = "7294000000000000001";
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Guid, JobStatus> _ended = new();
    private readonly ConcurrentDictionary<Guid, byte> _started = new();
    private Task _running = Task.CompletedTask;
    private long _position = 0x3000000;

    public Guid Id => id;

    /// <summary>What it was told last, by key.</summary>
    public ConcurrentDictionary<string, NodeTask> Told { get; } = new(StringComparer.Ordinal);

    /// <summary>Every work that it began, in order.</summary>
    public ConcurrentQueue<ClusterWork> Began { get; } = new();

    /// <summary>What a server comes to, instead of what it should be; null for what it should be.</summary>
    public Func<ClusterSpec, ServerStatus?> OfServer { get; set; } = _ => null;

    /// <summary>What a job comes to, instead of success; null for success.</summary>
    public Func<ClusterJob, JobStatus?> OfJob { get; set; } = _ => null;

    /// <summary>How its archive stands.</summary>
    public Func<ArchiveStatus?> OfArchive { get; set; } = () => null;

    /// <summary>It does not answer, as one whose machine is off.</summary>
    public bool IsSilent { get; set; }

    public void Start() => _running = Task.Run(ServeAsync);

    /// <summary>Says all of it again, as after a reconnect.</summary>
    public Task SayAgainAsync() => ReportAsync();

    public ClusterSpec SpecOf(Guid serverId) => Told[$"cluster-{serverId:D}"].Payload.Deserialize<ClusterSpec>(Json.Options)!;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    /// <summary>Writes a base backup and a piece of log into the storage, as a job would.</summary>
    public static async Task<BaseBackupManifest> WriteBaseAsync(string storage, string cluster, DateTimeOffset at, string reason, ulong start = 0x3000000)
    {
        using var folder = BackupStorages.Open(new StorageSpec(storage), null, TimeProvider.System);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var found in folder.ListAsync($"{cluster}/{SystemId}/base/", CancellationToken.None))
            taken.Add(found.Key.Split('/')[3]);
        var name = BackupNames.Base(at, taken.Contains);
        var file = await PutAsync(folder, ArchiveLayout.BaseFile(cluster, SystemId, name, "base.tar"), "data");
        var manifest = new BaseBackupManifest
        {
            Name = name, Cluster = cluster, SystemId = SystemId, Version = 15, Timeline = 1, Start = new Lsn(start), Stop = new Lsn(start + 0x100), StartedAt = at, StoppedAt = at,
            Files = [file], Compression = Compression.None, Reason = reason,
        };
        await PutAsync(folder, ArchiveLayout.Wal(cluster, SystemId, 1, new Lsn(start), new Lsn(start + 0x1000000), at + TimeSpan.FromSeconds(1)), "log");
        await PutAsync(folder, ArchiveLayout.BaseManifest(cluster, SystemId, name), System.Text.Encoding.UTF8.GetString(ManifestJson.Write(manifest)));
        return manifest;
    }

    private static async Task<BackupFile> PutAsync(IBackupStorage folder, string key, string text)
    {
        await using var upload = folder.Begin(key);
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        await upload.WriteAsync(bytes, CancellationToken.None);
        await upload.CompleteAsync(CancellationToken.None);
        return new BackupFile(key, bytes.Length, bytes.Length, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
    }

    private async Task ServeAsync()
    {
        var after = 0L;
        try
        {
            while (true)
            {
                var told = await link.TasksAsync(id, after, TimeSpan.FromSeconds(30), _stop.Token);
                if (told is null)
                    continue;
                after = told.Revision;
                foreach (var task in told.Tasks)
                    Told[task.Key] = task;
                await ReportAsync();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The test is over.
        }
    }

    private async Task ReportAsync()
    {
        if (IsSilent)
            return;
        var reports = new List<TaskReport>();
        foreach (var task in Told.Values)
            if (await StatusOfAsync(task) is { } status)
                reports.Add(new TaskReport(task.Key, task.Generation, status));
        await link.ReportAsync(id, new LinkReports(reports), instances, _stop.Token);
    }

    private async Task<JsonElement?> StatusOfAsync(NodeTask task)
    {
        if (task.Kind == ClusterSpec.TaskKind)
        {
            var spec = task.Payload.Deserialize<ClusterSpec>(Json.Options)!;
            return JsonSerializer.SerializeToElement(OfServer(spec) ?? StatusOf(spec), Json.Options);
        }
        var job = task.Payload.Deserialize<ClusterJob>(Json.Options)!;
        if (job.Desire == JobDesire.Dropped)
            return null;
        if (_started.TryAdd(job.Id, 0))
            Began.Enqueue(job.Work);
        if (!_ended.TryGetValue(job.Id, out var status))
        {
            status = job.Desire == JobDesire.Cancelled ? Status(JobState.Cancelled, "broken off", null) : OfJob(job) ?? Status(JobState.Succeeded, "", await DoAsync(job.Work));
            if (status.State is JobState.Succeeded or JobState.Failed or JobState.Cancelled)
                _ended[job.Id] = status;
        }
        return JsonSerializer.SerializeToElement(status, Json.Options);
    }

    public static JobStatus Status(JobState state, string words, JobResult? result, long done = 0, long total = 0) =>
        new(state, words, done, total, TimeProvider.System.GetUtcNow(), state is JobState.Running or JobState.Waiting ? null : TimeProvider.System.GetUtcNow(), result);

    public ServerStatus StatusOf(ClusterSpec spec)
    {
        var state = spec.Desire switch { ClusterDesire.Running => ServerState.Ready, ClusterDesire.Stopped => ServerState.Stopped, _ => ServerState.Removed };
        return new ServerStatus(state, "", state == ServerState.Ready ? spec.Role : null, SystemId, 1, new Lsn((ulong)Interlocked.Read(ref _position)),
            spec.Archive is null ? null : OfArchive(), new Dictionary<string, string> { ["shared_buffers"] = "64MB" }, 4711);
    }

    private async Task<JobResult?> DoAsync(ClusterWork work)
    {
        var now = TimeProvider.System.GetUtcNow();
        switch (work)
        {
            case TakeBaseBackup take:
                var cluster = Told.Values.Where(t => t.Kind == ClusterSpec.TaskKind).Select(t => t.Payload.Deserialize<ClusterSpec>(Json.Options)!).First(s => s.ServerId == take.ServerId).Name;
                return new BaseBackupTaken(await WriteBaseAsync(storage, cluster, now, take.Reason, 0x3000000));
            case TakeDump dump:
                return new DumpTaken(new DumpManifest
                {
                    Name = dump.Name, Cluster = "acme-main", Database = dump.Database, Version = 15, StartedAt = now, StoppedAt = now,
                    File = new BackupFile("x", 10, 20, "00"), Compression = Compression.None, Reason = dump.Reason,
                });
            case VerifyBackup:
                return new BackupVerified(true, []);
            case RestoreCluster:
                return new ClusterRestored("base-x", new Lsn(0x3001000), now, 2, TimeSpan.FromSeconds(12));
            case RunDrill:
                return new DrillDone(new ClusterRestored("base-x", new Lsn(0x3001000), now, 2, TimeSpan.FromSeconds(12)), true, [], TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(3));
            case Maintain:
                return new UpkeepDone(["public.orders: 1.2 s"], 4096);
            default:
                return null;
        }
    }
}
