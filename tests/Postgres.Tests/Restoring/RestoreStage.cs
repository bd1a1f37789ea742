using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Groundcrew.Bedrock;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Groundcrew.Postgres.Tests.Taking;
using Groundcrew.Tests.Support;
using Npgsql;

namespace Groundcrew.Postgres.Tests.Restoring;

/// <summary>A real server with its archive, and a place to restore to.</summary>
internal sealed class RestoreStage : IAsyncDisposable, IClusterSecretSource
{
    private readonly TempFolder _folder = TestServer.Folder();
    private readonly List<PgServer> _restored = [];
    private int _copies;

    private RestoreStage(ArchiveStage archive) => Archive = archive;

    public ArchiveStage Archive { get; }

    public TestServer Source => Archive.Server;

    public Pieces Pieces => Archive.Pieces;

    public ArchiveOpener Opener => new(this, TimeProvider.System);

    public string ScratchFolder => _folder["scratch"];

    public ClusterRestorer Restorer => new(Opener, Place, _ => TestServer.Small, TimeProvider.System);

    public static async Task<RestoreStage> RunAsync(IReadOnlyDictionary<string, string>? settings = null) => new(await ArchiveStage.RunAsync(settings));

    /// <summary>A server that is not there yet.</summary>
    public ClusterSpec Spec() => new()
    {
        ServerId = Ids.New(TimeProvider.System), ClusterId = Guid.Empty, Name = $"copy{++_copies}", Version = 15, Port = 5432, MemoryBytes = 64 << 20,
    };

    public PgServer Place(ClusterSpec spec)
    {
        var server = new PgServer(TestServer.Binaries, new PgServerOptions
        {
            DataFolder = Path.Combine(_folder.Path, spec.Name, "data"), SocketFolder = PgServerOptions.ShortSocketFolder(spec.ServerId),
            LogFile = Path.Combine(_folder.Path, spec.Name, "log", "server.log"), Port = spec.Port,
        }, TimeProvider.System);
        _restored.Add(server);
        return server;
    }

    /// <summary>Restores, starts what came back, and says what it is.</summary>
    public async Task<(ClusterRestored Result, PgServer Server)> RestoreAsync(RecoveryTarget target, ClusterSpec? spec = null)
    {
        spec ??= Spec();
        var result = await Restorer.RestoreAsync(new(spec, ArchiveStage.Cluster, null, target, AnyArchive), Pieces, new(), CancellationToken.None);
        var server = Place(spec);
        await server.StartAsync(ArchiveStage.Limit, CancellationToken.None);
        return (result, server);
    }

    public static ArchiveSpec AnyArchive { get; } = new(new StorageSpec("/nowhere"), TimeSpan.FromSeconds(10));

    public async Task SayAsync(string sql, string database = "postgres")
    {
        await using var connection = await Source.Server.OpenAsync(database, CancellationToken.None);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Waits until the storage has all that was committed.</summary>
    public async Task StoredAsync(WalReceiver receiver)
    {
        var end = await Archive.EndAsync();
        if (!await receiver.WaitUntilStoredAsync(1, end, ArchiveStage.Limit, CancellationToken.None))
            throw new TimeoutException($"{end} was not stored: {receiver.Status}");
    }

    /// <summary>Waits until the storage is sure of a moment.</summary>
    public async Task SureAsync(WalReceiver receiver, DateTimeOffset moment)
    {
        await StoredAsync(receiver);
        await Eventually.TrueAsync(async () =>
        {
            var catalogue = await new CatalogueReader(Pieces.Storage).ReadAsync(ArchiveStage.Cluster, CancellationToken.None);
            return RecoveryWindows.Of(catalogue).Any(w => w.ToTime >= moment);
        }, $"a window up to {moment:O}");
    }

    public Task<Catalogue> CatalogueAsync() => new CatalogueReader(Pieces.Storage).ReadAsync(ArchiveStage.Cluster, CancellationToken.None);

    /// <summary>Changes one byte in the middle of the object whose key has these words.</summary>
    public async Task FlipAsync(string words) =>
        await RewriteAsync(words, bytes => bytes[bytes.Length / 2] ^= 0x10);

    public async Task RewriteAsync(string words, Action<byte[]> change)
    {
        var key = (await Archive.KeysAsync()).Single(k => k.Contains(words, StringComparison.Ordinal));
        using var bytes = new MemoryStream();
        await using (var stream = await Pieces.Storage.OpenAsync(key, CancellationToken.None))
            await stream.CopyToAsync(bytes);
        var content = bytes.ToArray();
        change(content);
        await PlainObjects.WriteAsync(Pieces.Storage, key, content, CancellationToken.None);
    }

    /// <summary>
    /// Breaks a page of a file in the only base backup, and makes every checksum of the backup fit again, as when the page was broken
    /// before the backup was taken: only the page's own checksum is wrong.
    /// </summary>
    public async Task BreakPageAsync(string path)
    {
        var manifest = (await CatalogueAsync()).Histories.Single().Bases.Single();
        var files = manifest.Files.ToList();
        var tar = await ReadAsync(files[0].Key);
        var (offset, length) = Entry(tar, path);
        tar[offset + 100] ^= 0x55;
        files[0] = await WriteAsync(files[0].Key, tar);

        var lines = Encoding.UTF8.GetString(await ReadAsync(files[^1].Key)).Split('\n');
        var line = Array.FindIndex(lines, l => l.Contains($"\"Path\": \"{path}\"", StringComparison.Ordinal));
        lines[line] = Regex.Replace(lines[line], "\"Checksum\": \"[0-9a-f]+\"", $"\"Checksum\": \"{Sum(tar.AsSpan(offset, length))}\"");
        var last = Array.FindIndex(lines, l => l.Contains("Manifest-Checksum", StringComparison.Ordinal));
        var head = string.Join('\n', lines[..last]) + "\n";
        files[^1] = await WriteAsync(files[^1].Key, Encoding.UTF8.GetBytes($"{head}\"Manifest-Checksum\": \"{Sum(Encoding.UTF8.GetBytes(head))}\"}}\n"));
        await PlainObjects.WriteAsync(
            Pieces.Storage, ArchiveLayout.BaseManifest(manifest.Cluster, manifest.SystemId, manifest.Name), ManifestJson.Write(manifest with { Files = files }), CancellationToken.None);
    }

    private async Task<byte[]> ReadAsync(string key)
    {
        using var bytes = new MemoryStream();
        await using var stream = await Pieces.OpenAsync(key, null, CancellationToken.None);
        await stream.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private async Task<BackupFile> WriteAsync(string key, byte[] content)
    {
        await using var writer = Pieces.Begin(ArchiveLayout.Bare(key));
        await writer.WriteAsync(content, CancellationToken.None);
        return await writer.CompleteAsync(CancellationToken.None);
    }

    private static (int Offset, int Length) Entry(byte[] tar, string path)
    {
        using var reader = new TarReader(new MemoryStream(tar));
        while (reader.GetNextEntry() is { } entry)
            if (entry.Name == path)
                return ((int)entry.DataOffset, (int)entry.Length);
        throw new InvalidDataException($"The backup has no file '{path}'.");
    }

    private static string Sum(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public Task<IReadOnlyDictionary<string, Secret>> AskClusterAsync(Guid clusterId, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyDictionary<string, Secret>>(new Dictionary<string, Secret>());

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _restored)
        {
            await server.StopAsync(StopMode.Kill, ArchiveStage.Limit, CancellationToken.None);
            if (Directory.Exists(server.Options.SocketFolder))
                Directory.Delete(server.Options.SocketFolder, recursive: true);
        }
        await Archive.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>The one server of a node.</summary>
internal sealed class OneServer(PgServer server) : IServers
{
    public static readonly Guid Id = Guid.Parse("0190a000-0000-7000-8000-000000000001");

    public NodeServer? Find(Guid serverId) => serverId != Id ? null : new(
        new ClusterSpec { ServerId = Id, ClusterId = Guid.Empty, Name = ArchiveStage.Cluster, Version = 15, Port = server.Options.Port, MemoryBytes = 64 << 20 }, server);
}
