using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Npgsql;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>A real server of one test in a folder of its own; stopped and removed with it.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Small, and otherwise as in production.</summary>
    public static readonly IReadOnlyDictionary<string, string> Small = new Dictionary<string, string>
    {
        ["shared_buffers"] = "16MB", ["max_connections"] = "20", ["wal_level"] = "replica", ["max_wal_senders"] = "10", ["wal_log_hints"] = "on",
    };

    private readonly TempFolder? _folder;

    private TestServer(TempFolder? folder, PgServer server) => (_folder, Server) = (folder, server);

    public static PgBinaries Binaries { get; } = PgBinaries.Find(15) ?? throw new InvalidOperationException("PostgreSQL 15 is not installed: run eng/setup.");

    public PgServer Server { get; }

    /// <summary>A folder that the server's user can pass.</summary>
    public static TempFolder Folder()
    {
        var folder = new TempFolder();
        ServerUser.Find().LetPass(folder.Path);
        return folder;
    }

    public static PgServer In(string folder) => new(
        Binaries,
        new PgServerOptions
        {
            DataFolder = Path.Combine(folder, "data"), SocketFolder = Path.Combine(folder, "run"), LogFile = Path.Combine(folder, "log", "server.log"), Port = FreePort.Next(),
        },
        TimeProvider.System);

    /// <summary>A server that runs, made anew.</summary>
    public static async Task<TestServer> RunAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var folder = Folder();
        var test = new TestServer(folder, In(folder.Path));
        await test.Server.InitAsync(CancellationToken.None);
        test.Server.WriteSettings(settings ?? Small);
        await test.Server.StartAsync(Limit, CancellationToken.None);
        return test;
    }

    /// <summary>What one statement answers in its first column of its first row.</summary>
    public static async Task<object?> AskAsync(PgServer server, string sql, string database = "postgres")
    {
        await using var connection = await server.OpenAsync(database, CancellationToken.None);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    public Task<object?> AskAsync(string sql, string database = "postgres") => AskAsync(Server, sql, database);

    public async ValueTask DisposeAsync()
    {
        await Server.StopAsync(StopMode.Kill, Limit, CancellationToken.None);
        _folder?.Dispose();
    }
}
