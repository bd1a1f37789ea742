using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What a server says of itself in one look.</summary>
/// <param name="Role">What it is.</param>
/// <param name="Position">The end of its log: written, or replayed.</param>
/// <param name="Timeline">Its timeline.</param>
/// <param name="SystemId">PostgreSQL's number of the cluster.</param>
/// <param name="Replication">Who follows it, or whom it follows.</param>
/// <param name="Settings">The settings that were asked about, as they are in force.</param>
/// <param name="PendingRestart">Those that wait for a restart.</param>
internal sealed record HealthSeen(
    ServerRole Role, Lsn Position, uint Timeline, string SystemId, ReplicationStatus Replication,
    IReadOnlyDictionary<string, string> Settings, IReadOnlyList<string> PendingRestart);

/// <summary>Looks at a server every few seconds over one connection that stays open. Not thread-safe: its actor's alone.</summary>
internal sealed class ServerHealth : IAsyncDisposable
{
    private const int MostSeconds = 5;

    // A receiver whose log is gone from the primary streams for a moment, too, before it ends and is started again.
    private const string Self = """
        SELECT r.is_standby,
          (CASE WHEN r.is_standby THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END)::text,
          CASE WHEN r.is_standby THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
          (SELECT system_identifier FROM pg_control_system())::text,
          r.is_standby AND EXISTS (SELECT FROM pg_stat_wal_receiver w JOIN pg_stat_activity a USING (pid)
            WHERE w.status = 'streaming' AND w.latest_end_lsn IS NOT NULL AND a.backend_start < now() - interval '0.5 seconds'),
          (CASE WHEN r.is_standby THEN coalesce(pg_last_wal_receive_lsn(), '0/0') ELSE '0/0' END)::text,
          (CASE WHEN NOT r.is_standby THEN NULL
            WHEN pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_last_wal_replay_lsn() THEN CASE WHEN EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0 END
            ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END)::float8
        FROM (SELECT pg_is_in_recovery() AS is_standby) r
        """;

    private const string Slots = """
        SELECT s.slot_name::text, s.active, coalesce(s.wal_status, ''), greatest(coalesce(pg_wal_lsn_diff(h.here, s.restart_lsn), 0), 0)::bigint,
          coalesce(r.flush_lsn, '0/0')::text, coalesce(r.replay_lsn, '0/0')::text, extract(epoch FROM r.replay_lag)::float8,
          coalesce(r.sync_state IN ('sync', 'quorum'), false)
        FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid,
          (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS here) h
        ORDER BY 1
        """;

    private const string InForce = "SELECT name, current_setting(name), pending_restart FROM pg_settings WHERE name = ANY($1) OR pending_restart";

    private NpgsqlConnection? _connection;
    private string? _openedFor;

    /// <summary>Looks once.</summary>
    /// <param name="server">The server.</param>
    /// <param name="names">The settings to tell.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="NpgsqlException">It does not answer.</exception>
    public async Task<HealthSeen> LookAsync(PgServer server, IEnumerable<string> names, CancellationToken cancellation)
    {
        try
        {
            var connection = await ConnectionAsync(server, cancellation);
            await using var batch = new NpgsqlBatch(connection) { Timeout = MostSeconds };
            batch.BatchCommands.Add(new NpgsqlBatchCommand(Self));
            batch.BatchCommands.Add(new NpgsqlBatchCommand(Slots));
            batch.BatchCommands.Add(new NpgsqlBatchCommand(InForce) { Parameters = { new NpgsqlParameter { Value = names.ToArray() } } });
            await using var reader = await batch.ExecuteReaderAsync(cancellation);
            return await ReadAsync(reader, cancellation);
        }
        catch
        {
            await CloseAsync();
            throw;
        }
    }

    /// <summary>Closes the connection; the next look opens another.</summary>
    public async Task CloseAsync()
    {
        if (_connection is { } connection)
            await connection.DisposeAsync();
        _connection = null;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await CloseAsync();

    private async Task<NpgsqlConnection> ConnectionAsync(PgServer server, CancellationToken cancellation)
    {
        var place = $"{server.Options.SocketFolder}:{server.Options.Port}";
        if (_connection is not null && _openedFor == place)
            return _connection;
        await CloseAsync();
        _openedFor = place;
        return _connection = await server.OpenAsync("postgres", cancellation);
    }

    private static async Task<HealthSeen> ReadAsync(NpgsqlDataReader reader, CancellationToken cancellation)
    {
        await reader.ReadAsync(cancellation);
        var (role, position, timeline) = (reader.GetBoolean(0) ? ServerRole.Standby : ServerRole.Primary, Lsn.Parse(reader.GetString(1)), (uint)reader.GetInt32(2));
        var (system, isStreaming, received) = (reader.GetString(3), reader.GetBoolean(4), Lsn.Parse(reader.GetString(5)));
        var delay = SecondsOf(reader, 6);
        await reader.NextResultAsync(cancellation);
        var slots = new List<SlotStatus>();
        while (await reader.ReadAsync(cancellation))
            slots.Add(new(
                reader.GetString(0), reader.GetBoolean(1), reader.GetString(2), reader.GetInt64(3), Lsn.Parse(reader.GetString(4)), Lsn.Parse(reader.GetString(5)),
                SecondsOf(reader, 6), reader.GetBoolean(7)));
        await reader.NextResultAsync(cancellation);
        var settings = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var pending = new List<string>();
        while (await reader.ReadAsync(cancellation))
        {
            settings[reader.GetString(0)] = reader.GetString(1);
            if (reader.GetBoolean(2))
                pending.Add(reader.GetString(0));
        }
        return new(role, position, timeline, system, new(isStreaming, received, delay, slots), settings, pending);
    }

    private static TimeSpan? SecondsOf(NpgsqlDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : TimeSpan.FromSeconds(Math.Max(0, reader.GetDouble(column)));
}
