using System.Data.Common;
using Groundcrew.Bedrock;

namespace Groundcrew.Journal;

/// <summary>
/// Brings the schema to what the program knows: each migration once, in its own transaction, recorded in
/// <c>schema_migrations</c>. Refuses a schema that a newer program made and a migration that was changed afterwards.
/// </summary>
internal sealed class Migrator(DatabaseEngine engine, IReadOnlyList<IStorePart> parts, TimeProvider clock)
{
    private const string Table =
        "CREATE TABLE IF NOT EXISTS schema_migrations (room text NOT NULL, number bigint NOT NULL, name text NOT NULL, applied_at bigint NOT NULL, checksum text NOT NULL, PRIMARY KEY (room, number))";

    /// <summary>Applies what is missing. Returns what is in the way; empty when the schema is now the program's.</summary>
    public async Task<IReadOnlyList<Problem>> RunAsync(CancellationToken cancellation)
    {
        await using var connection = engine.NewConnection();
        await connection.OpenAsync(cancellation);
        await InTransactionAsync(connection, transaction => ExecuteAsync(connection, transaction, Table, cancellation), cancellation);
        var problems = Judge(await AppliedAsync(connection, null, cancellation));
        if (problems.Count > 0)
            return problems;
        foreach (var (room, migration) in parts.SelectMany(p => p.Migrations.Select(m => (p.Room, m))))
        {
            try
            {
                await InTransactionAsync(connection, transaction => ApplyAsync(connection, transaction, room, migration, cancellation), cancellation);
            }
            catch (DbException e) when (engine.Explain(e) is null)
            {
                return [new("store-migration-failed", $"{room}/{migration.Number}", $"The migration '{migration.Name}' failed ({e.Message.TrimEnd('.')}).",
                    "This migration changed nothing. Start the earlier program, or restore the backup that was made before the upgrade with 'crew store backup'.")];
            }
        }
        return [];
    }

    private List<Problem> Judge(List<Applied> applied)
    {
        var problems = new List<Problem>();
        foreach (var done in applied)
        {
            var known = parts.FirstOrDefault(p => p.Room == done.Room)?.Migrations.FirstOrDefault(m => m.Number == done.Number);
            if (known is null)
            {
                problems.Add(new("store-newer-schema", $"{done.Room}/{done.Number}",
                    $"A newer program changed the store ('{done.Name}' is unknown here).",
                    "Start the newer program, or restore the backup that was made before the upgrade with 'crew store backup'."));
            }
            else if (known.Checksum != done.Checksum)
            {
                problems.Add(new("store-changed-migration", $"{done.Room}/{done.Number}",
                    $"The migration '{done.Name}' is not what was applied to this store.",
                    "Use the program that made this store; a released migration never changes."));
            }
        }
        return problems;
    }

    private async Task ApplyAsync(DbConnection connection, DbTransaction transaction, string room, Migration migration, CancellationToken cancellation)
    {
        // Looked up again inside the transaction: another control plane may have been first.
        var applied = await AppliedAsync(connection, transaction, cancellation);
        if (applied.Exists(a => a.Room == room && a.Number == migration.Number))
            return;
        await ExecuteAsync(connection, transaction, engine.SqlOf(migration), cancellation);
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = "INSERT INTO schema_migrations (room, number, name, applied_at, checksum) VALUES (@room, @number, @name, @at, @checksum)";
        Add(command, "room", room);
        Add(command, "number", (long)migration.Number);
        Add(command, "name", migration.Name);
        Add(command, "at", StoreTime.ToMicroseconds(clock.GetUtcNow()));
        Add(command, "checksum", migration.Checksum);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private async Task InTransactionAsync(DbConnection connection, Func<DbTransaction, Task> work, CancellationToken cancellation)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        if (engine.MigrationLock.Length > 0)
            await ExecuteAsync(connection, transaction, engine.MigrationLock, cancellation);
        await work(transaction);
        await transaction.CommitAsync(cancellation);
    }

    private static async Task<List<Applied>> AppliedAsync(DbConnection connection, DbTransaction? transaction, CancellationToken cancellation)
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = "SELECT room, number, name, checksum FROM schema_migrations ORDER BY room, number";
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var applied = new List<Applied>();
        while (await reader.ReadAsync(cancellation))
            applied.Add(new(reader.GetString(0), reader.GetInt64(1), reader.GetString(2), reader.GetString(3)));
        return applied;
    }

    private static async Task ExecuteAsync(DbConnection connection, DbTransaction transaction, string sql, CancellationToken cancellation)
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // The text is a migration in the program, never input.
        command.CommandText = sql;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static void Add(DbCommand command, string name, object value)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = name;
        parameter.Value = value;
        command.Parameters.Add(parameter);
    }

    private sealed record Applied(string Room, long Number, string Name, string Checksum);
}
