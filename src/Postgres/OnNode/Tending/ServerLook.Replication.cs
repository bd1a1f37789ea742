namespace Groundcrew.Postgres.OnNode;

/// <summary>How the log is written and followed.</summary>
internal sealed partial class ServerLook
{
    private const string Here = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END";

    /// <summary>Who follows the server, and whom it keeps its log for.</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<ReplicationView> ReplicationAsync(CancellationToken cancellation)
    {
        var own = (await ReadAsync(Home, $"""
            SELECT pg_is_in_recovery(), ({Here})::text, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()::text END,
              CASE WHEN NOT pg_is_in_recovery() THEN NULL WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8
            """,
            r => (IsStandby: r.GetBoolean(0), Position: Place(r, 1) ?? default, Received: Place(r, 2), Lag: Number(r, 3)), cancellation))[0];
        var followers = await ReadAsync(Home, $"""
            SELECT application_name, host(client_addr), state, sync_state, sent_lsn::text, flush_lsn::text, replay_lsn::text,
              coalesce(pg_wal_lsn_diff({Here}, flush_lsn), 0)::int8, extract(epoch FROM flush_lag)::float8, extract(epoch FROM replay_lag)::float8
            FROM pg_stat_replication ORDER BY application_name, pid
            """,
            r => new FollowerView(
                r.GetString(0), Text(r, 1), Text(r, 2) ?? "", Text(r, 3) ?? "", Place(r, 4), Place(r, 5), Place(r, 6), r.GetInt64(7), Number(r, 8), Number(r, 9)),
            cancellation);
        var slots = await ReadAsync(Home, $"""
            SELECT slot_name, slot_type = 'logical', active, coalesce(pg_wal_lsn_diff({Here}, restart_lsn), 0)::int8, wal_status, safe_wal_size
            FROM pg_replication_slots ORDER BY slot_name
            """,
            r => new SlotView(r.GetString(0), r.GetBoolean(1), r.GetBoolean(2), r.GetInt64(3), Text(r, 4), Count(r, 5)), cancellation);
        return new(own.IsStandby, own.Position, own.Received, own.Lag, followers, slots);
    }

    /// <summary>How the server writes its log and its checkpoints.</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<WritingView> WritingAsync(CancellationToken cancellation)
    {
        var version = (await ReadAsync(Home, "SELECT current_setting('server_version_num')::int4", r => r.GetInt32(0), cancellation))[0];
        // Version 17 counts checkpoints in a view of their own and no longer knows what sessions wrote.
        var checkpoints = version >= 170000
            ? "SELECT num_timed AS timed, num_requested AS requested, write_time, sync_time, buffers_written AS written, 0::int8 AS backend FROM pg_stat_checkpointer"
            : "SELECT checkpoints_timed AS timed, checkpoints_req AS requested, checkpoint_write_time AS write_time, checkpoint_sync_time AS sync_time, buffers_checkpoint AS written, buffers_backend AS backend FROM pg_stat_bgwriter";
        return (await ReadAsync(Home, $"""
            SELECT w.wal_bytes::int8, w.stats_reset, (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir())::int8, c.timed, c.requested, c.write_time, c.sync_time, c.written,
              b.buffers_clean, c.backend, (SELECT checkpoint_time FROM pg_control_checkpoint())
            FROM pg_stat_wal w, pg_stat_bgwriter b, ({checkpoints}) c
            """,
            r => new WritingView(
                r.GetInt64(0), Time(r, 1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetDouble(5) / 1000, r.GetDouble(6) / 1000, r.GetInt64(7), r.GetInt64(8),
                r.GetInt64(9), r.GetFieldValue<DateTimeOffset>(10)), cancellation))[0];
    }
}
