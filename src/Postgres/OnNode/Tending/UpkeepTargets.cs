using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>One step of upkeep.</summary>
/// <param name="Words">What it is, for people.</param>
/// <param name="Relation">The table or index, quoted.</param>
/// <param name="Statement">What is run.</param>
/// <param name="Bytes">Its size before.</param>
/// <param name="LeavesBehind">Whether it leaves an index behind when it is broken off.</param>
internal sealed record UpkeepTarget(string Words, string Relation, string Statement, long Bytes, bool LeavesBehind);

/// <summary>Which tables and indexes need upkeep, the worst first.</summary>
internal static class UpkeepTargets
{
    private const long LeastBloatBytes = 1 << 20;
    private const double LeastBloatShare = 0.3;

    /// <summary>Tables with dead rows, or with changes that their statistics do not know; or those that are named.</summary>
    public static Task<List<UpkeepTarget>> TablesAsync(NpgsqlConnection connection, IReadOnlyList<string> only, CancellationToken cancellation) =>
        ReadAsync(connection, $"""
            WITH {ServerLook.Locked}
            SELECT s.schemaname, s.relname, CASE WHEN s.relid IN (SELECT oid FROM locked) THEN c.relpages * 8192::int8 ELSE pg_table_size(s.relid) END
            FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
            WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND s.schemaname NOT LIKE 'pg\_toast%' AND s.schemaname <> 'information_schema' AND CASE
              WHEN cardinality($1) > 0 THEN s.relname = ANY ($1) OR s.schemaname || '.' || s.relname = ANY ($1)
              WHEN s.schemaname = 'pg_catalog' THEN s.n_dead_tup > 1000
              ELSE s.n_dead_tup > 0 OR s.n_mod_since_analyze > 0 OR s.n_ins_since_vacuum > 0 OR greatest(s.last_analyze, s.last_autoanalyze) IS NULL OR age(c.relfrozenxid) > 100000000 END
            ORDER BY age(c.relfrozenxid) > 1000000000 DESC, s.n_dead_tup DESC, s.n_mod_since_analyze DESC, 1, 2
            """,
            r =>
            {
                var name = SqlText.Name(r.GetString(0), r.GetString(1));
                return new UpkeepTarget($"VACUUM (ANALYZE) {r.GetString(0)}.{r.GetString(1)}", name, $"VACUUM (ANALYZE) {name}", r.GetInt64(2), false);
            },
            only, cancellation);

    /// <summary>Indexes of which much is worth nothing; or those that are named, or all of a table that is named.</summary>
    public static async Task<List<UpkeepTarget>> IndexesAsync(
        NpgsqlConnection connection, Func<string, CancellationToken, Task<NpgsqlConnection>> open, Maintain work, CancellationToken cancellation)
    {
        if (work.Only.Count > 0)
            return await ReadAsync(connection, $"""
                WITH {ServerLook.Locked}
                SELECT n.nspname, c.relname, CASE WHEN t.oid IN (SELECT oid FROM locked) THEN c.relpages * 8192::int8 ELSE pg_relation_size(c.oid) END
                FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind = 'i' AND NOT i.indisexclusion AND n.nspname <> 'pg_catalog' AND n.nspname NOT LIKE 'pg\_toast%'
                  AND (c.relname = ANY ($1) OR n.nspname || '.' || c.relname = ANY ($1) OR t.relname = ANY ($1) OR n.nspname || '.' || t.relname = ANY ($1))
                ORDER BY 3 DESC, 1, 2
                """, r => Rebuild(r.GetString(0), r.GetString(1), r.GetInt64(2)), work.Only, cancellation);
        var indexes = await new ServerLook(open, TimeSpan.FromMinutes(1)).IndexesAsync(work.Database, cancellation);
        return
        [
            .. indexes.Where(i => i.BloatBytes >= LeastBloatBytes && i.BloatBytes >= LeastBloatShare * i.Bytes)
                .OrderByDescending(i => i.BloatBytes).Select(i => Rebuild(i.Schema, i.Name, i.Bytes)),
        ];
    }

    /// <summary>Indexes that a rebuild left, quoted; those that are being built now are not among them.</summary>
    public static Task<List<string>> LeftoversAsync(NpgsqlConnection connection, CancellationToken cancellation) =>
        ReadAsync(connection, """
            SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname NOT LIKE 'pg\_toast%'
              AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid) ORDER BY 1, 2
            """, r => SqlText.Name(r.GetString(0), r.GetString(1)), [], cancellation);

    /// <summary>The size of a table without its indexes, or of an index; 0 when it is gone.</summary>
    public static async Task<long> SizeAsync(NpgsqlConnection connection, string relation, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("SELECT coalesce(pg_table_size(to_regclass($1)), 0)", connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = relation });
        return (long)(await command.ExecuteScalarAsync(cancellation))!;
    }

    private static UpkeepTarget Rebuild(string schema, string index, long bytes) => new(
        $"REINDEX {schema}.{index}", SqlText.Name(schema, index), $"REINDEX INDEX CONCURRENTLY {SqlText.Name(schema, index)}", bytes, true);

    private static async Task<List<T>> ReadAsync<T>(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> row, IReadOnlyList<string> only, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        if (sql.Contains("$1", StringComparison.Ordinal))
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. only] });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellation))
            rows.Add(row(reader));
        return rows;
    }
}
