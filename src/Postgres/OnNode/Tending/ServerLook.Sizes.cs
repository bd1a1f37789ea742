using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>How large everything is, and what of it is worth nothing.</summary>
internal sealed partial class ServerLook
{
    // The sum of the columns' mean widths tells how long a row is; with the head of a row (23 bytes, aligned to 24) and its
    // pointer (4) it tells how many pages the rows would fill if there were nothing else in them.
    private const string TablesSql = $"""
        WITH {Locked}, sized AS (
          SELECT c.*, n.nspname, CASE WHEN l.oid IS NULL THEN pg_total_relation_size(c.oid) ELSE c.relpages * 8192::int8 END AS total,
            CASE WHEN l.oid IS NULL THEN pg_relation_size(c.oid) ELSE c.relpages * 8192::int8 END AS own,
            CASE WHEN l.oid IS NULL THEN pg_indexes_size(c.oid) ELSE 0 END AS indexes
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN (SELECT DISTINCT oid FROM locked) l ON l.oid = c.oid
          WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%')
        SELECT c.nspname, c.relname, c.total, c.own, c.indexes, coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
          greatest(0, c.own - CASE WHEN c.reltuples <= 0 OR w.width IS NULL THEN c.own ELSE
            ceil(c.reltuples * (28 + ceil(w.width / 8.0) * 8) / (8168 * coalesce((
              SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 100) / 100)) * 8192 END)::int8,
          greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze), coalesce(s.n_mod_since_analyze, 0),
          coalesce(s.seq_scan, 0), coalesce(s.seq_tup_read, 0), s.idx_scan, age(c.relfrozenxid)::int8
        FROM sized c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
        LEFT JOIN LATERAL (SELECT sum(avg_width * (1 - null_frac)) AS width FROM pg_stats p WHERE p.schemaname = c.nspname AND p.tablename = c.relname AND NOT p.inherited) w ON true
        ORDER BY 3 DESC, 1, 2 LIMIT $1
        """;

    // An entry of a b-tree has a head of 8 bytes and a pointer of 4, and pages are built 90 % full. Entries that share a row's
    // key take less, so the estimate never calls an index bloated that is not.
    private const string IndexesSql = $"""
        WITH {Locked}
        SELECT n.nspname, t.relname, c.relname, z.own,
          CASE WHEN m.amname <> 'btree' OR c.reltuples <= 0 OR w.width IS NULL OR w.columns < i.indnkeyatts THEN NULL ELSE
            greatest(0, z.own - 8192 - ceil(c.reltuples * (12 + ceil(w.width / 8.0) * 8) / (8152 * 0.9)) * 8192)::int8 END,
          coalesce(s.idx_scan, 0), coalesce(s.idx_tup_read, 0), coalesce(s.idx_tup_fetch, 0),
          i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisreplident, i.indisvalid,
          (SELECT min(o.indexrelid::regclass::text) FROM pg_index o
           WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid AND o.indisvalid AND o.indkey::text = i.indkey::text AND o.indclass::text = i.indclass::text
             AND o.indoption::text = i.indoption::text AND coalesce(pg_get_expr(o.indexprs, o.indrelid), '') = coalesce(pg_get_expr(i.indexprs, i.indrelid), '')
             AND coalesce(pg_get_expr(o.indpred, o.indrelid), '') = coalesce(pg_get_expr(i.indpred, i.indrelid), '')),
          pg_get_indexdef(i.indexrelid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN LATERAL (SELECT CASE WHEN t.oid IN (SELECT oid FROM locked) THEN c.relpages * 8192::int8 ELSE pg_relation_size(c.oid) END AS own) z ON true
        JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.indexrelid
        LEFT JOIN LATERAL (
          SELECT sum(p.avg_width * (1 - p.null_frac)) AS width, count(*) AS columns FROM pg_stats p JOIN pg_attribute a ON a.attname = p.attname
          WHERE p.schemaname = n.nspname AND NOT p.inherited AND (
            (p.tablename = t.relname AND a.attrelid = t.oid AND a.attnum = ANY (i.indkey)) OR (p.tablename = c.relname AND a.attrelid = c.oid))) w ON true
        WHERE c.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_t%'
        ORDER BY 6 DESC, 4 DESC, 1, 3
        """;

    /// <summary>The databases, the largest first (LO-27), with how near their wrap-around is.</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<IReadOnlyList<DatabaseView>> DatabasesAsync(CancellationToken cancellation) =>
        await ReadAsync(Home, """
            SELECT d.datname, pg_get_userbyid(d.datdba), pg_database_size(d.oid), coalesce(s.numbackends, 0), coalesce(s.xact_commit, 0), coalesce(s.xact_rollback, 0),
              (100.0 * s.blks_hit / nullif(s.blks_hit + s.blks_read, 0))::float8, coalesce(s.deadlocks, 0), coalesce(s.temp_bytes, 0), s.checksum_failures,
              age(d.datfrozenxid)::int8, mxid_age(d.datminmxid)::int8
            FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid WHERE d.datallowconn AND NOT d.datistemplate ORDER BY 3 DESC, 1
            """,
            r => new DatabaseView(
                r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt32(3), r.GetInt64(4), r.GetInt64(5), Number(r, 6),
                r.GetInt64(7), r.GetInt64(8), Count(r, 9), r.GetInt64(10), r.GetInt64(11)), cancellation);

    /// <summary>The tables of a database, the largest first (LO-28, LO-56).</summary>
    /// <param name="database">The database.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<IReadOnlyList<TableView>> TablesAsync(string database, int limit, CancellationToken cancellation) =>
        await ReadAsync(database, TablesSql,
            r => new TableView(
                r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6), r.GetInt64(7), Time(r, 8), Time(r, 9),
                r.GetInt64(10), r.GetInt64(11), r.GetInt64(12), Count(r, 13), r.GetInt64(14)),
            cancellation, new NpgsqlParameter<int> { TypedValue = limit });

    /// <summary>The indexes of a database, those that are used most first (ZM-49).</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<IReadOnlyList<IndexView>> IndexesAsync(string database, CancellationToken cancellation) =>
        await ReadAsync(database, IndexesSql,
            r => new IndexView(
                r.GetString(0), r.GetString(1), r.GetString(2), r.GetInt64(3), Count(r, 4), r.GetInt64(5), r.GetInt64(6), r.GetInt64(7), r.GetBoolean(8), r.GetBoolean(9),
                Text(r, 10), r.GetString(11)), cancellation);

    /// <summary>Where an index may be missing: foreign keys without one, and large tables that are read whole more often than not.</summary>
    /// <exception cref="IOException">The server does not answer.</exception>
    public async Task<IReadOnlyList<MissingIndex>> MissingIndexesAsync(string database, CancellationToken cancellation)
    {
        var keys = await ReadAsync(database, """
            SELECT n.nspname, c.relname, k.conname, k.confrelid::regclass::text,
              ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, at) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num ORDER BY u.at)
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
              SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
                AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
            ORDER BY c.relpages DESC, 1, 2, 3
            """,
            r => ForeignKey(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<string[]>(4)), cancellation);
        var scans = await ReadAsync(database, """
            SELECT schemaname, relname, seq_scan, seq_tup_read / seq_scan, coalesce(idx_scan, 0) FROM pg_stat_user_tables
            WHERE seq_scan >= 50 AND seq_tup_read / seq_scan >= 10000 AND seq_scan > coalesce(idx_scan, 0) ORDER BY seq_tup_read DESC LIMIT 50
            """,
            r => new MissingIndex(r.GetString(0), r.GetString(1), [],
                $"It was read from one end to the other {r.GetInt64(2)} times, {r.GetInt64(3)} rows each, and by an index {r.GetInt64(4)} times.", null), cancellation);
        return [.. keys, .. scans];
    }

    private static MissingIndex ForeignKey(string schema, string table, string key, string other, string[] columns) => new(
        schema, table, columns, $"Foreign key {key} has no index: each delete from {other} reads the whole table.",
        $"CREATE INDEX CONCURRENTLY ON {SqlText.Name(schema, table)} ({string.Join(", ", columns.Select(SqlText.Name))})");
}
