using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Groundcrew.Journal.Tests;

/// <summary>A schema as sorted lines, "table.column type nullability key": from the model, and from the database.</summary>
internal static class SchemaReader
{
    public static IReadOnlyList<string> OfModel(StoreContext db)
    {
        var lines = new List<string>();
        foreach (var entity in db.Model.GetEntityTypes())
        {
            var table = StoreObjectIdentifier.Table(entity.GetTableName()!);
            foreach (var property in entity.GetProperties())
                lines.Add(Line(table.Name, property.GetColumnName(table)!, property.GetColumnType(), property.IsColumnNullable(table), property.IsPrimaryKey()));
        }
        return Sorted(lines);
    }

    public static async Task<IReadOnlyList<string>> OfDatabaseAsync(StoreContext db, StoreEngine engine, CancellationToken cancellation)
    {
        var columns = await db.Database.SqlQueryRaw<Column>(engine == StoreEngine.Sqlite ? Sqlite : PostgreSql).ToListAsync(cancellation);
        return Sorted(columns.Select(c => Line(c.TableName, c.ColumnName, c.ColumnType, c.Nullable != 0, c.InKey != 0)));
    }

    private const string Sqlite = """
        SELECT m.name AS "TableName", c.name AS "ColumnName", lower(c.type) AS "ColumnType", CASE c."notnull" WHEN 0 THEN 1 ELSE 0 END AS "Nullable", c.pk AS "InKey"
        FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
        """;

    private const string PostgreSql = """
        SELECT c.table_name::text AS "TableName", c.column_name::text AS "ColumnName", c.data_type::text AS "ColumnType",
            CASE c.is_nullable WHEN 'YES' THEN 1 ELSE 0 END AS "Nullable",
            CASE WHEN EXISTS (SELECT 1 FROM information_schema.key_column_usage k JOIN information_schema.table_constraints t USING (constraint_schema, constraint_name)
                WHERE t.constraint_type = 'PRIMARY KEY' AND k.table_name = c.table_name AND k.column_name = c.column_name) THEN 1 ELSE 0 END AS "InKey"
        FROM information_schema.columns c WHERE c.table_schema = 'public'
        """;

    private static string Line(string table, string column, string type, bool nullable, bool key) =>
        $"{table}.{column} {type} {(nullable ? "null" : "not null")}{(key ? " key" : "")}";

    private static IReadOnlyList<string> Sorted(IEnumerable<string> lines) => [.. lines.Order(StringComparer.Ordinal)];

    private sealed record Column(string TableName, string ColumnName, string ColumnType, int Nullable, int InKey);
}
