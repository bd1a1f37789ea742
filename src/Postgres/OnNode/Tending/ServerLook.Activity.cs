using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What a server does now, and what it did most.</summary>
internal sealed partial class ServerLook
{
    private const string RunningColumns = """
        a.pid, coalesce(a.datname, ''), coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
        coalesce(extract(epoch FROM clock_timestamp() - a.query_start), 0)::float8, extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
        a.wait_event_type || ': ' || a.wait_event, pg_blocking_pids(a.pid), coalesce(a.query, '')
        """;

    /// <summary>The connections (LO-26).</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<ConnectionsView> ConnectionsAsync(CancellationToken cancellation)
    {
        var rows = await ReadAsync(Home, """
            SELECT coalesce(datname, ''), coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''), count(*)::int4,
              coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0)::float8, (count(*) FILTER (WHERE wait_event_type = 'Lock'))::int4,
              current_setting('max_connections')::int4, current_setting('superuser_reserved_connections')::int4
            FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4
            """,
            r => (Group: new ConnectionGroup(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt32(4), r.GetDouble(5)),
                Waiting: r.GetInt32(6), Max: r.GetInt32(7), Reserved: r.GetInt32(8)), cancellation);
        int With(Func<string, bool> state) => rows.Where(r => state(r.Group.State)).Sum(r => r.Group.Count);
        return new(
            rows[0].Max, rows[0].Reserved, With(_ => true), With(s => s is "active"), With(s => s is "idle"),
            With(s => s.StartsWith("idle in transaction", StringComparison.Ordinal)), rows.Sum(r => r.Waiting), [.. rows.Select(r => r.Group)]);
    }

    /// <summary>What runs longer than that, the oldest first (LO-29). A transaction that is held open counts with its last statement.</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<IReadOnlyList<RunningStatement>> LongRunningAsync(TimeSpan longerThan, CancellationToken cancellation) =>
        await ReadAsync(Home, $"""
            SELECT {RunningColumns} FROM pg_stat_activity a
            WHERE a.backend_type = 'client backend' AND a.state <> 'idle' AND a.pid <> pg_backend_pid()
              AND a.query_start < clock_timestamp() - make_interval(secs => $1)
            ORDER BY a.query_start
            """,
            Running, cancellation, new NpgsqlParameter<double> { TypedValue = longerThan.TotalSeconds });

    /// <summary>What waits for a lock, and who holds it.</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<IReadOnlyList<BlockedStatement>> BlockedAsync(CancellationToken cancellation)
    {
        var all = await ReadAsync(Home, $"""
            WITH blocked AS MATERIALIZED (SELECT pid, pg_blocking_pids(pid) AS by FROM pg_stat_activity WHERE wait_event_type = 'Lock')
            SELECT {RunningColumns}, (
              SELECT l.mode || ' on ' || l.locktype || coalesce(' ' || l.relation::regclass::text, '') FROM pg_locks l
              WHERE l.pid = a.pid AND NOT l.granted LIMIT 1)
            FROM pg_stat_activity a
            WHERE a.pid IN (SELECT pid FROM blocked) OR a.pid IN (SELECT unnest(by) FROM blocked) ORDER BY a.query_start
            """,
            r => (Statement: Running(r), Lock: Text(r, 10)), cancellation);
        return
        [
            .. from one in all
               where one.Lock is not null && one.Statement.BlockedBy.Count > 0
               select new BlockedStatement(one.Statement, one.Lock, [.. all.Where(b => one.Statement.BlockedBy.Contains(b.Statement.Pid)).Select(b => b.Statement)]),
        ];
    }

    /// <summary>The statements that cost the most, from <c>pg_stat_statements</c> (T-45).</summary>
    /// <param name="database">The database that the extension is in; it counts for the whole server.</param>
    /// <param name="order">By what they are ranked.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<StatementsView> StatementsAsync(string database, StatementOrder order, int limit, CancellationToken cancellation)
    {
        var found = (await ReadAsync(database, """
            SELECT (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'),
              current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%', current_setting('server_version_num')::int4
            """, r => (Schema: Text(r, 0), IsLoaded: r.GetBoolean(1), Version: r.GetInt32(2)), cancellation))[0];
        if (!found.IsLoaded)
            return new("pg_stat_statements is not loaded: name it in shared_preload_libraries and start the server again.", null, []);
        if (found.Schema is null)
            return new($"pg_stat_statements is not in database '{database}': run CREATE EXTENSION pg_stat_statements there.", null, []);
        var schema = SqlText.Name(found.Schema);
        var time = found.Version >= 130000 ? "exec_time" : "time";
        var since = found.Version < 140000 ? null : (await ReadAsync(database, $"SELECT stats_reset FROM {schema}.pg_stat_statements_info", r => Time(r, 0), cancellation))[0];
        var rows = await ReadAsync(database, $"""
            SELECT coalesce(d.datname, ''), coalesce(r.rolname, ''), s.query, s.calls, s.total_{time}, s.mean_{time}, s.max_{time}, s.rows,
              s.shared_blks_hit, s.shared_blks_read
            FROM {schema}.pg_stat_statements s LEFT JOIN pg_database d ON d.oid = s.dbid LEFT JOIN pg_roles r ON r.oid = s.userid
            ORDER BY {Column(order, time)} DESC, s.queryid LIMIT $1
            """,
            r => new StatementView(
                r.GetString(0), r.GetString(1), Text(r, 2) ?? "", r.GetInt64(3), r.GetDouble(4), r.GetDouble(5), r.GetDouble(6), r.GetInt64(7), r.GetInt64(8), r.GetInt64(9)),
            cancellation, new NpgsqlParameter<int> { TypedValue = limit });
        return new(null, since, rows);
    }

    private static string Column(StatementOrder order, string time) => order switch
    {
        StatementOrder.Mean => $"s.mean_{time}",
        StatementOrder.Total => $"s.total_{time}",
        StatementOrder.Longest => $"s.max_{time}",
        StatementOrder.Calls => "s.calls",
        StatementOrder.Rows => "s.rows",
        StatementOrder.Reads => "s.shared_blks_read",
        _ => throw new ArgumentOutOfRangeException(nameof(order), order, "Statements cannot be ranked by this."),
    };

    private static RunningStatement Running(NpgsqlDataReader row) => new(
        row.GetInt32(0), row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4), row.GetDouble(5), Number(row, 6), Text(row, 7),
        row.GetFieldValue<int[]>(8), row.GetString(9));
}
