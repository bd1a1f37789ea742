using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>One moment of a database, held open for <c>pg_dump --snapshot</c>. Not thread-safe.</summary>
internal sealed class DumpSnapshot : IAsyncDisposable
{
    private const string Files = """
        SELECT c.oid::int8, n.nspname || '.' || c.relname, c.relfilenode::int8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'
        """;

    private readonly NpgsqlConnection _connection;
    private readonly string _database;

    private DumpSnapshot(NpgsqlConnection connection, string database) => (_connection, _database) = (connection, database);

    /// <summary>PostgreSQL's name for it.</summary>
    public string Id { get; private set; } = "";

    /// <summary>The moment, by the server's clock.</summary>
    public DateTimeOffset At { get; private set; }

    /// <summary>The size of the database.</summary>
    public long Bytes { get; private set; }

    /// <summary>Takes one.</summary>
    /// <exception cref="NpgsqlException">The server does not answer, or has no such database.</exception>
    public static async Task<DumpSnapshot> TakeAsync(PgServer server, string database, CancellationToken cancellation)
    {
        var snapshot = new DumpSnapshot(await server.OpenAsync(database, cancellation), database);
        try
        {
            await using (var begin = new NpgsqlCommand(
                "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", snapshot._connection))
                await begin.ExecuteNonQueryAsync(cancellation);
            await using var export = new NpgsqlCommand("SELECT pg_export_snapshot(), clock_timestamp(), pg_database_size(current_database())", snapshot._connection);
            await using var reader = await export.ExecuteReaderAsync(cancellation);
            await reader.ReadAsync(cancellation);
            (snapshot.Id, snapshot.At, snapshot.Bytes) = (reader.GetString(0), reader.GetFieldValue<DateTimeOffset>(1), reader.GetInt64(2));
            return snapshot;
        }
        catch
        {
            await snapshot.DisposeAsync();
            throw;
        }
    }

    /// <summary>The tables whose files are others now than at the moment of the snapshot.</summary>
    public async Task<IReadOnlyList<string>> RewrittenAsync(PgServer server, CancellationToken cancellation)
    {
        var then = await FilesAsync(_connection, cancellation);
        await using var connection = await server.OpenAsync(_database, cancellation);
        var now = await FilesAsync(connection, cancellation);
        return [.. then.Where(t => now.TryGetValue(t.Key, out var file) && file.File != t.Value.File).Select(t => t.Value.Name)];
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static async Task<Dictionary<long, (string Name, long File)>> FilesAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Files, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var files = new Dictionary<long, (string Name, long File)>();
        while (await reader.ReadAsync(cancellation))
            files[reader.GetInt64(0)] = (reader.GetString(1), reader.GetInt64(2));
        return files;
    }
}
