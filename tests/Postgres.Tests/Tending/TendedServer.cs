using Groundcrew.Postgres.OnNode;
using Groundcrew.Postgres.Tests.Clusters;
using Npgsql;
using Xunit;

namespace Groundcrew.Postgres.Tests.Tending;

/// <summary>One server for the tests of a class, with a database <c>shop</c> and <c>pg_stat_statements</c>.</summary>
public sealed class TendedServer : IAsyncLifetime
{
    internal TestServer Test { get; private set; } = null!;

    internal PgServer Server => Test.Server;

    internal ServerLook Look => ServerLook.At(Server);

    public async ValueTask InitializeAsync()
    {
        Test = await TestServer.RunAsync(new Dictionary<string, string>(TestServer.Small)
        {
            ["shared_preload_libraries"] = "pg_stat_statements", ["autovacuum"] = "off",
        });
        await SayAsync("CREATE DATABASE shop", ServerLook.Home);
        await SayAsync("CREATE EXTENSION pg_stat_statements");
    }

    public ValueTask DisposeAsync() => Test.DisposeAsync();

    internal Task<NpgsqlConnection> OpenAsync(string database = "shop") => Server.OpenAsync(database, CancellationToken.None);

    internal async Task SayAsync(string sql, string database = "shop")
    {
        await using var connection = await OpenAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    internal Task<object?> AskAsync(string sql, string database = "shop") => Test.AskAsync(sql, database);
}
