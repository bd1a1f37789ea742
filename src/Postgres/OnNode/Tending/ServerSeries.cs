namespace Groundcrew.Postgres.OnNode;

/// <summary>One statement whose rows are series; see <see cref="ServerMetrics"/>. The names are postgres_exporter's, and the guides'. Immutable.</summary>
/// <param name="Prefix">What the names of its metrics begin with.</param>
/// <param name="Help">What it is about.</param>
/// <param name="Sql">The statement.</param>
/// <param name="Growing">The columns that only grow.</param>
internal sealed record ServerSeries(string Prefix, string Help, string Sql, params string[] Growing)
{
    /// <summary>The settings that rules and dashboards compare with.</summary>
    public static readonly string[] Settings =
    [
        "max_connections", "superuser_reserved_connections", "shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "max_wal_size", "min_wal_size",
        "wal_keep_size", "max_slot_wal_keep_size", "checkpoint_timeout", "checkpoint_completion_target", "max_worker_processes", "max_parallel_workers", "max_wal_senders",
        "max_replication_slots", "autovacuum", "autovacuum_max_workers", "autovacuum_freeze_max_age", "fsync", "full_page_writes", "synchronous_commit", "data_checksums",
        "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "max_locks_per_transaction", "random_page_cost", "effective_io_concurrency",
    ];

    /// <summary>What concerns a database, read inside of it.</summary>
    public static readonly IReadOnlyList<ServerSeries> OfDatabase =
    [
        new("pg_stat_user_tables", "Statistics of a table", $"""
            WITH {ServerLook.Locked}
            SELECT s.schemaname::text, s.relname::text, seq_scan, seq_tup_read, coalesce(idx_scan, 0) AS idx_scan, coalesce(idx_tup_fetch, 0) AS idx_tup_fetch, n_tup_ins, n_tup_upd,
              n_tup_del, n_tup_hot_upd, n_live_tup, n_dead_tup, n_mod_since_analyze,
              extract(epoch FROM coalesce(last_vacuum, 'epoch'))::float8 AS last_vacuum, extract(epoch FROM coalesce(last_autovacuum, 'epoch'))::float8 AS last_autovacuum,
              extract(epoch FROM coalesce(last_analyze, 'epoch'))::float8 AS last_analyze, extract(epoch FROM coalesce(last_autoanalyze, 'epoch'))::float8 AS last_autoanalyze,
              vacuum_count, autovacuum_count, analyze_count, autoanalyze_count,
              CASE WHEN l.oid IS NULL THEN pg_total_relation_size(relid) END AS size_bytes, CASE WHEN l.oid IS NULL THEN pg_table_size(relid) END AS table_size_bytes,
              CASE WHEN l.oid IS NULL THEN pg_indexes_size(relid) END AS index_size_bytes
            FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid LEFT JOIN (SELECT DISTINCT oid FROM locked) l ON l.oid = s.relid
            ORDER BY c.relpages DESC, 1, 2 LIMIT 200
            """, "seq_scan", "seq_tup_read", "idx_scan", "idx_tup_fetch", "n_tup_ins", "n_tup_upd", "n_tup_del", "n_tup_hot_upd", "vacuum_count", "autovacuum_count", "analyze_count", "autoanalyze_count"),
        new("pg_statio_user_tables", "Blocks of a table", """
            SELECT s.schemaname::text, s.relname::text, coalesce(heap_blks_read, 0) AS heap_blocks_read, coalesce(heap_blks_hit, 0) AS heap_blocks_hit,
              coalesce(idx_blks_read, 0) AS idx_blocks_read, coalesce(idx_blks_hit, 0) AS idx_blocks_hit
            FROM pg_statio_user_tables s JOIN pg_class c ON c.oid = s.relid ORDER BY c.relpages DESC, 1, 2 LIMIT 200
            """, "heap_blocks_read", "heap_blocks_hit", "idx_blocks_read", "idx_blocks_hit"),
    ];

    private static readonly ServerSeries[] Always =
    [
        new("pg_static", "Version of the server", "SELECT version() AS version, current_setting('server_version') AS short_version, 1 AS \"=pg_static\""),
        new("pg_postmaster", "When the server was started", "SELECT extract(epoch FROM pg_postmaster_start_time())::float8 AS start_time_seconds"),
        new("pg_database", "A database", """
            SELECT datname::text, pg_database_size(oid) AS size_bytes, datconnlimit AS connection_limit FROM pg_database WHERE datallowconn
            """),
        new("pg_database_wraparound", "How old the oldest row of a database is, in transactions", """
            SELECT datname::text, age(datfrozenxid) AS age_datfrozenxid_seconds, mxid_age(datminmxid) AS age_datminmxid_seconds FROM pg_database WHERE datallowconn
            """),
        new("pg_stat_activity", "Connections", """
            SELECT coalesce(a.datname::text, '') AS datname, s.state, coalesce(a.usename::text, '') AS usename, coalesce(a.application_name, '') AS application_name,
              coalesce(a.backend_type, '') AS backend_type, coalesce(a.wait_event_type, '') AS wait_event_type, coalesce(a.wait_event, '') AS wait_event,
              count(*) AS count, coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0)::float8 AS max_tx_duration
            FROM pg_stat_activity a CROSS JOIN LATERAL (SELECT coalesce(a.state, 'disabled') AS state) s GROUP BY 1, 2, 3, 4, 5, 6, 7
            """),
        // A state that nobody is in is there with zero, so that a rule about it has something to look at.
        new("database_connections", "Connections of the guides' names", """
            SELECT (count(*) FILTER (WHERE state = 'active')) AS "=database_connections_active", (count(*) FILTER (WHERE state = 'idle')) AS "=database_connections_idle",
              (count(*) FILTER (WHERE state LIKE 'idle in transaction%')) AS "=database_connections_idle_in_transaction",
              count(*) AS "=database_connections_total", current_setting('max_connections')::int4 AS "=database_connections_max"
            FROM pg_stat_activity WHERE backend_type = 'client backend'
            """),
        new("pg_stat_database", "Statistics of a database", """
            SELECT datid::text AS datid, coalesce(datname::text, '') AS datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, tup_fetched, tup_inserted,
              tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, blk_read_time, blk_write_time, coalesce(checksum_failures, 0) AS checksum_failures,
              extract(epoch FROM stats_reset)::float8 AS stats_reset
            FROM pg_stat_database
            """, "xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_returned", "tup_fetched", "tup_inserted", "tup_updated", "tup_deleted", "conflicts", "temp_files",
            "temp_bytes", "deadlocks", "blk_read_time", "blk_write_time", "checksum_failures"),
        new("pg_locks", "Locks", """
            SELECT d.datname::text, lower(m.mode) AS mode, count(l.mode) AS count
            FROM pg_database d CROSS JOIN (VALUES ('AccessShareLock'), ('RowShareLock'), ('RowExclusiveLock'), ('ShareUpdateExclusiveLock'), ('ShareLock'),
              ('ShareRowExclusiveLock'), ('ExclusiveLock'), ('AccessExclusiveLock'), ('SIReadLock')) m(mode)
            LEFT JOIN pg_locks l ON l.database = d.oid AND l.mode = m.mode WHERE d.datallowconn GROUP BY 1, 2
            """),
        new("pg_long_running_transactions", "Transactions that run longer than a minute", """
            SELECT count(*) AS "=pg_long_running_transactions", coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS oldest_timestamp_seconds
            FROM pg_stat_activity WHERE state IS DISTINCT FROM 'idle' AND xact_start < clock_timestamp() - interval '1 minute' AND query NOT LIKE 'autovacuum:%'
            """),
        new("pg_replication", "How far a standby is behind", """
            SELECT l.lag AS lag, l.lag AS lag_seconds, pg_is_in_recovery() AS is_replica FROM (SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0
              WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
              ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())) END::float8 AS lag) l
            """),
        new("pg_stat_replication", "One that follows the server", """
            SELECT application_name, coalesce(host(client_addr), '') AS client_addr, state, coalesce(s.slot_name::text, '') AS slot_name,
              pg_wal_lsn_diff(h.at, r.replay_lsn)::float8 AS pg_wal_lsn_diff, pg_wal_lsn_diff(h.at, r.flush_lsn)::float8 AS flush_lsn_diff
            FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
            CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS at) h
            """),
        new("pg_replication_slot", "A replication slot", """
            SELECT slot_name::text, slot_type, active AS slot_is_active,
              pg_wal_lsn_diff(h.at, restart_lsn)::float8 AS "=pg_replication_slots_pg_wal_lsn_diff", safe_wal_size AS safe_wal_size_bytes
            FROM pg_replication_slots
            CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS at) h
            """),
        new("pg_wal", "The files of the log", "SELECT count(*) AS segments, coalesce(sum(size), 0) AS size_bytes FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"),
        new("pg_stat_wal", "The log that was written", "SELECT wal_records AS records_total, wal_fpi AS fpi_total, wal_bytes AS bytes_total FROM pg_stat_wal", "records_total", "fpi_total", "bytes_total"),
    ];

    private static readonly ServerSeries Writer = new("pg_stat_bgwriter", "Statistics of the background writer and of checkpoints", """
        SELECT checkpoints_timed AS checkpoints_timed_total, checkpoints_req AS checkpoints_req_total, checkpoint_write_time AS checkpoint_write_time_total,
          checkpoint_sync_time AS checkpoint_sync_time_total, buffers_checkpoint AS buffers_checkpoint_total, buffers_clean AS buffers_clean_total,
          maxwritten_clean AS maxwritten_clean_total, buffers_backend AS buffers_backend_total, buffers_backend_fsync AS buffers_backend_fsync_total,
          buffers_alloc AS buffers_alloc_total, extract(epoch FROM stats_reset)::float8 AS stats_reset_total
        FROM pg_stat_bgwriter
        """,
        "checkpoints_timed_total", "checkpoints_req_total", "checkpoint_write_time_total", "checkpoint_sync_time_total", "buffers_checkpoint_total", "buffers_clean_total",
        "maxwritten_clean_total", "buffers_backend_total", "buffers_backend_fsync_total", "buffers_alloc_total");

    // Version 17 moved the checkpoints into a view of their own.
    private static readonly ServerSeries[] WriterSince17 =
    [
        new("pg_stat_bgwriter", "Statistics of the background writer", """
            SELECT buffers_clean AS buffers_clean_total, maxwritten_clean AS maxwritten_clean_total, buffers_alloc AS buffers_alloc_total FROM pg_stat_bgwriter
            """, "buffers_clean_total", "maxwritten_clean_total", "buffers_alloc_total"),
        new("pg_stat_checkpointer", "Statistics of checkpoints", """
            SELECT num_timed AS num_timed_total, num_requested AS num_requested_total, write_time AS write_time_total, sync_time AS sync_time_total,
              buffers_written AS buffers_written_total FROM pg_stat_checkpointer
            """, "num_timed_total", "num_requested_total", "write_time_total", "sync_time_total", "buffers_written_total"),
    ];

    /// <summary>What concerns the whole server, by its major version.</summary>
    public static IEnumerable<ServerSeries> OfServer(int version) => version >= 17 ? [.. Always, .. WriterSince17] : [.. Always, Writer];

    /// <summary>The suffix of a setting's metric and the factor to its base unit: bytes and seconds.</summary>
    public static (string Suffix, double Factor) UnitOf(string unit) => unit switch
    {
        "B" => ("_bytes", 1),
        "kB" => ("_bytes", 1024),
        "8kB" => ("_bytes", 8192),
        "MB" => ("_bytes", 1 << 20),
        "GB" => ("_bytes", 1 << 30),
        "16MB" => ("_bytes", 16 << 20),
        "ms" => ("_seconds", 0.001),
        "s" => ("_seconds", 1),
        "min" => ("_seconds", 60),
        _ => ("", 1),
    };
}
