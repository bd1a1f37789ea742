using System.Data;
using System.Data.Common;
using System.Net.Sockets;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Groundcrew.Journal;

/// <summary>A PostgreSQL database: serializable writes that are done again when they lose a race, repeatable reads.</summary>
internal sealed class PostgreSqlEngine : DatabaseEngine
{
    private readonly string _connection;

    private PostgreSqlEngine(NpgsqlConnectionStringBuilder connection)
    {
        connection.ApplicationName ??= "groundcrew";
        connection.IncludeErrorDetail = false;
        _connection = connection.ConnectionString;
        Place = $"{connection.Host}:{connection.Port}/{connection.Database}";
    }

    public override StoreEngine Kind => StoreEngine.PostgreSql;

    public override string Place { get; }

    public override int Writers => 16;

    // Any number that is ours; taken inside the transaction of a migration and let go with it.
    public override string MigrationLock => "SELECT pg_advisory_xact_lock(7238551023)";

    /// <summary>Reads a URL or a connection string; a bad one is refused without repeating it, for it may hold a password.</summary>
    public static Judged<PostgreSqlEngine> Parse(Secret connection)
    {
        try
        {
            return Judged<PostgreSqlEngine>.Good(new PostgreSqlEngine(Read(connection.Reveal())));
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return Judged<PostgreSqlEngine>.Bad([new("store-bad-connection", "store", "The connection to the store cannot be read.",
                "Write postgres://user:password@host:5432/database, or an Npgsql connection string (Host=…;Database=…;Username=…).")]);
        }
    }

    public override void Configure(DbContextOptionsBuilder options) => options.UseNpgsql(_connection);

    public override DbConnection NewConnection() => new NpgsqlConnection(_connection);

    public override string SqlOf(Migration migration) => $"{migration.Sql};\n{migration.OnPostgreSql}";

    public override async Task PrepareAsync(CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(_connection);
        await connection.OpenAsync(cancellation);
    }

    public override async Task<DbTransaction> BeginReadAsync(DbConnection connection, CancellationToken cancellation) =>
        await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellation);

    public override async Task<DbTransaction> BeginWriteAsync(DbConnection connection, CancellationToken cancellation) =>
        await connection.BeginTransactionAsync(IsolationLevel.Serializable, cancellation);

    public override bool LostRace(Exception exception) =>
        Inner<PostgresException>(exception) is { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    public override Problem? Explain(Exception exception) =>
        Inner<PostgresException>(exception) is { } refused
            ? ExplainRefusal(refused)
            : Inner<NpgsqlException>(exception) is not null
                ? new("store-unreachable", Place, $"The database server does not answer ({(Inner<SocketException>(exception) ?? exception).Message.TrimEnd('.')}).",
                    "Start the server, or correct the address in --store.")
                : null;

    public override async Task<long> SizeAsync(StoreContext db, CancellationToken cancellation) =>
        await db.Database.SqlQueryRaw<long>("SELECT pg_database_size(current_database()) AS \"Value\"").SingleAsync(cancellation);

    public override Task<Judged<StoreBackup>> BackupAsync(string file, DurableFiles files, TimeProvider clock, CancellationToken cancellation) =>
        Task.FromResult(Judged<StoreBackup>.Bad([new("store-backup-elsewhere", Place, "The store is in PostgreSQL, which has its own backups.",
            $"Use pg_dump --format=custom, or put the database under 'crew db' with a recovery schedule.")]));

    public override ValueTask DisposeAsync()
    {
        using var connection = new NpgsqlConnection(_connection);
        NpgsqlConnection.ClearPool(connection);
        return ValueTask.CompletedTask;
    }

    private Problem? ExplainRefusal(PostgresException refused) => refused.SqlState[..2] switch
    {
        "28" => new("store-refused", Place, $"The database server refused the user ({refused.MessageText}).", "Correct user and password in --store, or pg_hba.conf."),
        "3D" => new("store-missing", Place, $"There is no such database ({refused.MessageText}).", "Create it: createdb --owner=<user> <database>."),
        "42" when refused.SqlState == PostgresErrorCodes.InsufficientPrivilege =>
            new("store-read-only", Place, $"The user may not do this ({refused.MessageText}).", "Make the user of --store the owner of the database."),
        "25" => new("store-read-only", Place, $"The database is read-only ({refused.MessageText}).", "Point --store at the primary server."),
        "40" => new("store-contended", Place, $"The write lost too many races ({refused.MessageText}).", "Try again in a moment."),
        "53" or "57" or "58" or "XX" => new("store-unreachable", Place, $"The database server cannot serve now ({refused.MessageText}).", "See the server's log."),
        _ => null,
    };

    private static NpgsqlConnectionStringBuilder Read(string text)
    {
        if (!text.StartsWith("postgres://", StringComparison.Ordinal) && !text.StartsWith("postgresql://", StringComparison.Ordinal))
            return Complete(new NpgsqlConnectionStringBuilder(text));
        var url = new Uri(text);
        var user = url.UserInfo.Split(':', 2);
        var result = new NpgsqlConnectionStringBuilder
        {
            Host = url.Host,
            Port = url.IsDefaultPort || url.Port < 0 ? 5432 : url.Port,
            Database = Uri.UnescapeDataString(url.AbsolutePath.TrimStart('/')),
        };
        if (user[0].Length > 0)
            result.Username = Uri.UnescapeDataString(user[0]);
        if (user.Length > 1)
            result.Password = Uri.UnescapeDataString(user[1]);
        foreach (var pair in url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            Set(result, Uri.UnescapeDataString(parts[0]), Uri.UnescapeDataString(parts.Length > 1 ? parts[1] : ""));
        }
        return Complete(result);
    }

    /// <summary>The few parameters of libpq URLs that Npgsql names otherwise; every other one keeps its name.</summary>
    private static void Set(NpgsqlConnectionStringBuilder result, string name, string value) =>
        result[name switch
        {
            "sslmode" => "SSL Mode",
            "sslrootcert" => "Root Certificate",
            "connect_timeout" => "Timeout",
            "application_name" => "Application Name",
            _ => name,
        }] = name == "sslmode" ? value.Replace("-", "", StringComparison.Ordinal) : value;

    private static NpgsqlConnectionStringBuilder Complete(NpgsqlConnectionStringBuilder result) =>
        string.IsNullOrEmpty(result.Host) || string.IsNullOrEmpty(result.Database)
            ? throw new FormatException("Host and database are needed.")
            : result;
}
