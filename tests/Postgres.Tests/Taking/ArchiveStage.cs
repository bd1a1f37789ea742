using System.Formats.Tar;
using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Tests.Support;

namespace Groundcrew.Postgres.Tests.Taking;

/// <summary>A real server, a storage, and what is needed to bring an archive back by hand.</summary>
internal sealed class ArchiveStage : IAsyncDisposable
{
    public const string Cluster = "acme-main";

    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly TempFolder _folder = TestServer.Folder();
    private readonly BaseBackupTaker _taker = new(TimeProvider.System);

    private ArchiveStage(TestServer server) => (Server, Faults) = (server, new FaultStorage(BackupStorages.Open(new StorageSpec(_folder["storage"]), null, TimeProvider.System)));

    public TestServer Server { get; }

    public FaultStorage Faults { get; }

    public MetricRegistry Metrics { get; } = new();

    public Pieces Pieces => field ??= new(Faults, Compression.Zstd, null);

    public ReplicationTarget Target => ReplicationTarget.Local(Server.Server.Options.SocketFolder, Server.Server.Options.Port);

    public static async Task<ArchiveStage> RunAsync(IReadOnlyDictionary<string, string>? more = null)
    {
        var settings = new Dictionary<string, string>(TestServer.Small);
        foreach (var (name, value) in more ?? new Dictionary<string, string>())
            settings[name] = value;
        return new(await TestServer.RunAsync(settings));
    }

    /// <summary>A receiver of the server, which is not started.</summary>
    public WalReceiver Receiver(bool isSynchronous = false, TimeSpan? flushEvery = null, Action<WalGap>? gapFound = null, ReplicationTarget? target = null) => new(
        new WalReceiverOptions
        {
            Cluster = Cluster, Version = 15, Server = target ?? Target, IsSynchronous = isSynchronous, FlushEvery = flushEvery ?? TimeSpan.FromMilliseconds(400),
            FirstWait = TimeSpan.FromMilliseconds(20), LongestWait = TimeSpan.FromMilliseconds(300), StoreLimit = TimeSpan.FromSeconds(2), ShutdownPatience = TimeSpan.FromSeconds(3),
        },
        Pieces, Metrics, TimeProvider.System, gapFound);

    public Task<BaseBackupManifest> BackUpAsync(WalReceiver? receiver = null, long? rate = null, JobProgress? progress = null, CancellationToken? until = null) =>
        _taker.TakeAsync(
            new BaseBackupRequest { Cluster = Cluster, Version = 15, Server = Target, Reason = "test", MaxBytesPerSecond = rate, Receiver = receiver, WalLimit = Limit },
            Pieces, progress ?? new JobProgress(), until ?? CancellationToken.None);

    public async Task<Lsn> EndAsync() => Lsn.Parse((string)(await Server.AskAsync("SELECT pg_current_wal_flush_lsn()::text"))!);

    public async Task<IReadOnlyList<string>> KeysAsync()
    {
        var keys = new List<string>();
        await foreach (var found in Faults.ListAsync("", CancellationToken.None))
            keys.Add(found.Key);
        return keys;
    }

    public Task<ArchivedWal> WalAsync(string systemId, uint timeline) => ArchivedWal.ListAsync(Faults, Cluster, systemId, timeline, CancellationToken.None);

    /// <summary>Unpacks a base backup into the data folder of a new server and lays the archive's log of its timelines beside it.</summary>
    public async Task<PgServer> RestoreAsync(BaseBackupManifest manifest, string name)
    {
        var root = Path.Combine(_folder.Path, name);
        TestServer.Binaries.User.MakeFolder(root);
        var server = TestServer.In(root);
        await server.PrepareFolderAsync(CancellationToken.None);
        await using (var tar = await Pieces.OpenAsync(manifest.Files[0].Key, manifest.Files[0].Sha256, CancellationToken.None))
            await TarFile.ExtractToDirectoryAsync(tar, server.Options.DataFolder, overwriteFiles: true);
        await UnpackAsync(manifest.Files[^1].Key, Path.Combine(server.Options.DataFolder, "backup_manifest"));
        var log = Path.Combine(root, "archived");
        Directory.CreateDirectory(log);
        await LayLogAsync(manifest.SystemId, log);
        server.WriteSettings(new Dictionary<string, string>(TestServer.Small)
        {
            ["restore_command"] = $"cp {log}/%f %p", ["recovery_target_timeline"] = "latest", ["recovery_target_action"] = "promote",
        });
        await File.WriteAllTextAsync(Path.Combine(server.Options.DataFolder, "recovery.signal"), "");
        foreach (var path in Directory.EnumerateFileSystemEntries(root, "*", SearchOption.AllDirectories).Append(root))
            TestServer.Binaries.User.Own(path);
        return server;
    }

    /// <summary>Writes the archive's log as segments, the last one of a timeline filled up with zeros, and the history files.</summary>
    private async Task LayLogAsync(string systemId, string folder)
    {
        foreach (var timeline in await ArchivedWal.ListAllAsync(Faults, Cluster, systemId, CancellationToken.None))
            foreach (var piece in timeline.Pieces.Where(p => p.End > p.Start))
            {
                var path = Path.Combine(folder, piece.Start.SegmentName(piece.Timeline));
                await using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write);
                if (file.Length < Lsn.SegmentBytes)
                    file.SetLength(Lsn.SegmentBytes);
                file.Position = piece.Start - piece.Start.SegmentStart();
                await using var stream = await Pieces.OpenAsync(piece.Key, null, CancellationToken.None);
                await stream.CopyToAsync(file);
            }
        foreach (var key in await KeysAsync())
            if (ArchiveLayout.Read(Cluster, key) is ArchiveKey.History history)
                await UnpackAsync(key, Path.Combine(folder, $"{history.Timeline:X8}.history"));
    }

    private async Task UnpackAsync(string key, string path)
    {
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        await using var stream = await Pieces.OpenAsync(key, null, CancellationToken.None);
        await stream.CopyToAsync(file);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Faults.Dispose();
        _folder.Dispose();
    }
}
