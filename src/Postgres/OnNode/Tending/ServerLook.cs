using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Looks at a server, ours or any other that can be reached: what it does, how large it is, how its log is followed. Each look is
/// one statement in a read-only transaction with a time limit, so that a look never becomes the trouble. Thread-safe.
/// </summary>
/// <param name="open">Opens a connection to a database of the server.</param>
/// <param name="limit">How long one statement may take.</param>
internal sealed partial class ServerLook(Func<string, CancellationToken, Task<NpgsqlConnection>> open, TimeSpan limit)
{
    // The server's own limit comes first; this one is for a server that does not answer at all.
    private const int PatienceSeconds = 5;

    /// <summary>The database for what concerns the whole server.</summary>
    public const string Home = "postgres";

    /// <summary>How long a statement may run before it is called long (LO-29).</summary>
    public static readonly TimeSpan LongRunning = TimeSpan.FromSeconds(10);

    /// <summary>How long a look may take, when nobody says otherwise.</summary>
    public static readonly TimeSpan UsualLimit = TimeSpan.FromSeconds(10);

    /// <summary>Looks at a server of this node.</summary>
    public static ServerLook At(PgServer server) => new(server.OpenAsync, UsualLimit);

    /// <summary>The morning's health check: everything that needs a look, in words (LO-04).</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<HealthView> HealthAsync(CancellationToken cancellation)
    {
        var (version, started) = (await ReadAsync(Home, "SELECT current_setting('server_version'), pg_postmaster_start_time()",
            r => (r.GetString(0), r.GetFieldValue<DateTimeOffset>(1)), cancellation))[0];
        var health = new HealthView(
            version, started, await ConnectionsAsync(cancellation), await DatabasesAsync(cancellation), await LongRunningAsync(LongRunning, cancellation),
            await BlockedAsync(cancellation), await ReplicationAsync(cancellation), []);
        return health with { Findings = HealthFindings.Of(health) };
    }

    /// <summary>
    /// How a statement would be run, and how it went (<c>EXPLAIN ANALYZE</c>: ZM-97, LO-60, AZ-102). It is run in a read-only
    /// transaction with the time limit, and nothing of it stays. It may read all that the connection's role may.
    /// </summary>
    /// <exception cref="IOException">The server does not answer, or refused it; the message is the server's.</exception>
    public async Task<IReadOnlyList<string>> ExplainAsync(string database, string statement, CancellationToken cancellation) =>
        await ReadAsync(database, "EXPLAIN (ANALYZE, BUFFERS, FORMAT TEXT) " + statement, r => r.GetString(0), cancellation);

    /// <summary>Reads the rows of one statement.</summary>
    internal async Task<List<T>> ReadAsync<T>(
        string database, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellation, params NpgsqlParameter[] parameters)
    {
        try
        {
            await using var connection = await open(database, cancellation);
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await using (var begin = new NpgsqlCommand(
                $"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {(long)limit.TotalMilliseconds}; SET LOCAL lock_timeout = {(long)limit.TotalMilliseconds}",
                connection, transaction))
                await begin.ExecuteNonQueryAsync(cancellation);
            // A batch takes one statement for each command: nothing behind a semicolon leaves the transaction.
            await using var batch = new NpgsqlBatch(connection, transaction) { Timeout = (int)Math.Ceiling(limit.TotalSeconds) + PatienceSeconds };
            var command = new NpgsqlBatchCommand(sql);
            command.Parameters.AddRange(parameters);
            batch.BatchCommands.Add(command);
            var rows = new List<T>();
            await using (var reader = await batch.ExecuteReaderAsync(cancellation))
                while (await reader.ReadAsync(cancellation))
                    rows.Add(row(reader));
            await transaction.RollbackAsync(cancellation);
            return rows;
        }
        catch (PostgresException e)
        {
            throw new IOException($"The server refused a look at database '{database}': {e.MessageText} ({e.SqlState}).", e);
        }
        catch (NotSupportedException e)
        {
            throw new IOException("One statement at a time is looked at.", e);
        }
        catch (NpgsqlException e)
        {
            throw new IOException($"The server does not answer for database '{database}': {e.Message}", e);
        }
    }

    /// <summary>
    /// The tables that somebody has locked, or waits to lock, against everybody: asking PostgreSQL for the size of one would wait, so its
    /// size of the last statistics has to do.
    /// </summary>
    internal const string Locked = """
        locked AS MATERIALIZED (SELECT coalesce(i.indrelid, l.relation) AS oid FROM pg_locks l LEFT JOIN pg_index i ON i.indexrelid = l.relation
          WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        """;

    private static DateTimeOffset? Time(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);

    private static double? Number(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetDouble(column);

    private static long? Count(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static Lsn? Place(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : Lsn.Parse(row.GetString(column));
}
