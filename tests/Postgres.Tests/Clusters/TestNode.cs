using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>The secrets of a test; the control plane may be away.</summary>
internal sealed class TestSecrets : IClusterSecretSource
{
    public Dictionary<string, Secret> Values { get; } = new()
    {
        ["shop"] = new("pw-of-shop-4711"), ["crm"] = new("pw-of-crm-4712"), ["reader"] = new("pw-of-reader-4713"), ["next"] = new("pw-of-next-4714"),
        [ClusterSecrets.Replication] = new("pw:of\\replica-4715"), [ClusterSecrets.Admin] = new("pw-of-admin-4716"),
    };

    public bool IsAway { get; set; }

    public int Asked { get; private set; }

    public Task<IReadOnlyDictionary<string, Secret>> AskClusterAsync(Guid clusterId, CancellationToken cancellation)
    {
        Asked++;
        return IsAway ? throw new IOException("the control plane is away") : Task.FromResult<IReadOnlyDictionary<string, Secret>>(new Dictionary<string, Secret>(Values));
    }
}

/// <summary>Remembers whose log it was told to keep.</summary>
internal sealed class TestArchive : IArchiveKeeper
{
    private readonly Dictionary<Guid, NodeServer> _kept = [];

    public NodeServer? KeptOf(Guid serverId)
    {
        lock (_kept)
            return _kept.GetValueOrDefault(serverId);
    }

    public void Keep(NodeServer server, IReadOnlyDictionary<string, Secret> secrets)
    {
        lock (_kept)
            _kept[server.Spec.ServerId] = server;
    }

    public Task LeaveAsync(Guid serverId)
    {
        lock (_kept)
            _kept.Remove(serverId);
        return Task.CompletedTask;
    }

    public ArchiveStatus? StatusOf(Guid serverId) => KeptOf(serverId) is null ? null : new ArchiveStatus(default, default, null, null, []);
}

/// <summary>A node of one test with real servers; everything is ended and removed with it.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, NodeTask> _tasks = [];
    private SmallDisk? _disk;
    private long _generation;

    public TestNode()
    {
        ServerUser.Find().LetPass(_folder.Path);
        Host = Make();
        Host.Start();
    }

    public TestSecrets Secrets { get; } = new();

    public TestArchive Archive { get; } = new();

    public ClusterHost Host { get; private set; }

    /// <summary>The folder of all servers.</summary>
    public string Clusters => Path.Combine(_folder.Path, "agent", "clusters");

    /// <summary>A small primary with two databases, two owners and a reader of the first.</summary>
    public static ClusterSpec Shop() => new()
    {
        ServerId = Ids.New(TimeProvider.System), ClusterId = Ids.New(TimeProvider.System), Name = "acme-main", Version = 15, Port = FreePort.Next(), MemoryBytes = ClusterSettings.LeastMemory,
        Settings = new Dictionary<string, string> { ["max_connections"] = "30" },
        Databases = [new("shop", "shop_owner", ["pg_trgm"]), new("crm", "crm_owner", [])],
        Roles = [new("shop_owner", "shop", []), new("crm_owner", "crm", []), new("reader", "reader", ["shop"])],
    };

    /// <summary>A standby of a primary on the same machine.</summary>
    public static ClusterSpec StandbyOf(ClusterSpec primary) => primary with
    {
        ServerId = Ids.New(TimeProvider.System),
        Role = ServerRole.Standby,
        Port = FreePort.Next(),
        PrimaryHost = "127.0.0.1",
        PrimaryPort = primary.Port,
    };

    /// <summary>Puts a server's folder on a small disk of its own.</summary>
    public async Task MountAsync(ClusterSpec spec, string size) => _disk = await SmallDisk.MountAsync(Path.Combine(Clusters, spec.ServerId.ToString()), size);

    /// <summary>Hands the whole list of tasks over, with this one in it.</summary>
    public void Want(ClusterSpec spec)
    {
        _tasks[$"cluster-{spec.ServerId}"] = new($"cluster-{spec.ServerId}", ClusterSpec.TaskKind, ++_generation, JsonSerializer.SerializeToElement(spec, Json.Options));
        Host.Apply([.. _tasks.Values]);
    }

    public ServerStatus? StatusOf(ClusterSpec spec)
    {
        var report = Host.Current().FirstOrDefault(r => r.Key == $"cluster-{spec.ServerId}");
        return report is null || (_tasks.TryGetValue(report.Key, out var task) && report.Generation < task.Generation) ? null : report.Status.Deserialize<ServerStatus>(Json.Options);
    }

    /// <summary>Waits until a server's status is so.</summary>
    public async Task<ServerStatus> SeeAsync(ClusterSpec spec, Func<ServerStatus, bool> isSo, string what)
    {
        ServerStatus? status = null;
        try
        {
            await Eventually.TrueAsync(() => (status = StatusOf(spec)) is not null && isSo(status), what);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; the last was {status}", e);
        }
        return status!;
    }

    public Task<ServerStatus> SeeAsync(ClusterSpec spec, ServerState state) => SeeAsync(spec, s => s.State == state, state.ToString());

    /// <summary>Wants it and waits until it is ready.</summary>
    public async Task<PgServer> RunAsync(ClusterSpec spec)
    {
        Want(spec);
        await SeeAsync(spec, ServerState.Ready);
        return Host.Find(spec.ServerId)!.Server;
    }

    /// <summary>A connection over TCP with a password.</summary>
    public static async Task<NpgsqlConnection> ConnectAsync(ClusterSpec spec, string role, string password, string database)
    {
        var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={spec.Port};Username={role};Password={password};Database={database};Pooling=false;Timeout=10");
        try
        {
            await connection.OpenAsync();
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public static async Task<object?> AskAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Ends the agent's part and begins another on the same folder, as after a restart of the agent.</summary>
    public async Task RestartAsync()
    {
        await Host.DisposeAsync();
        Host = Make();
        Host.Start();
        Host.Apply([.. _tasks.Values]);
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        foreach (var server in Directory.EnumerateDirectories(Clusters))
            await ServerProcess.KillAllAsync(Path.Combine(server, "data"), TimeProvider.System, CancellationToken.None);
        foreach (var task in _tasks.Values)
            if (task.Payload.Deserialize<ClusterSpec>(Json.Options) is { } spec && PgServerOptions.ShortSocketFolder(spec.ServerId) is var sockets && Directory.Exists(sockets))
                Directory.Delete(sockets, recursive: true);
        if (_disk is not null)
            await _disk.DisposeAsync();
        _folder.Dispose();
    }

    private ClusterHost Make() => new(
        new()
        {
            StateFolder = Path.Combine(_folder.Path, "agent"), LookEvery = TimeSpan.FromSeconds(0.2), WatchEvery = TimeSpan.FromSeconds(0.05),
            FollowLimit = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromSeconds(1),
        },
        Secrets, Archive, TimeProvider.System, NullLogger<ClusterHost>.Instance);
}
