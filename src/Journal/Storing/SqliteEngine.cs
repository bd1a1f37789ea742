using System.Data;
using System.Data.Common;
using Groundcrew.Bedrock;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Groundcrew.Journal;

/// <summary>
/// One SQLite file in WAL mode with synchronous=FULL: a commit is on disk before it returns (sqlite.org/pragma.html),
/// readers see a snapshot and do not wait for the writer.
/// </summary>
internal sealed class SqliteEngine : DatabaseEngine
{
    private const int Busy = 5, Locked = 6, ReadOnly = 8, IoError = 10, Corrupt = 11, Full = 13, CannotOpen = 14, NotADatabase = 26;
    private readonly string _file;
    private readonly string _connection;
    private FileStream? _lock;

    public SqliteEngine(string folder)
    {
        SQLitePCL.Batteries_V2.Init();
        _file = Path.Combine(Path.GetFullPath(folder), "store.db");
        _connection = ConnectionTo(_file, pooling: true);
    }

    public override StoreEngine Kind => StoreEngine.Sqlite;

    public override string Place => _file;

    public override int Writers => 1;

    public override string MigrationLock => "";

    public override void Configure(DbContextOptionsBuilder options) =>
        options.UseSqlite(_connection).AddInterceptors(new Pragmas());

    public override DbConnection NewConnection() => new SqliteConnection(_connection);

    public override string SqlOf(Migration migration) => $"{migration.Sql};\n{migration.OnSqlite}";

    public override async Task PrepareAsync(CancellationToken cancellation)
    {
        // Made by us, so that it is private from its first byte; the -wal and -shm files take its mode.
        if (!File.Exists(_file))
            DurableFiles.Real.Replace(_file, "");
        TakeLock();
        await using var connection = new SqliteConnection(_connection);
        await connection.OpenAsync(cancellation);
        Run(connection, "PRAGMA journal_mode=WAL");
        Pragmas.Apply(connection);
        var verdict = Run(connection, "PRAGMA quick_check(3)") as string;
        if (verdict != "ok")
            throw new SqliteException($"quick_check: {verdict}", Corrupt);
    }

    public override async Task<DbTransaction> BeginReadAsync(DbConnection connection, CancellationToken cancellation)
    {
        var transaction = ((SqliteConnection)connection).BeginTransaction(IsolationLevel.Serializable, deferred: true);
        return await Task.FromResult<DbTransaction>(transaction);
    }

    public override async Task<DbTransaction> BeginWriteAsync(DbConnection connection, CancellationToken cancellation)
    {
        var transaction = ((SqliteConnection)connection).BeginTransaction(IsolationLevel.Serializable, deferred: false);
        return await Task.FromResult<DbTransaction>(transaction);
    }

    public override bool LostRace(Exception exception) => Inner<SqliteException>(exception) is { SqliteErrorCode: Busy or Locked };

    public override Problem? Explain(Exception exception)
    {
        const string Restore = "Stop the control plane, put the newest file of 'crew store backup' in its place (remove store.db-wal and store.db-shm), and start again.";
        return Inner<SqliteException>(exception) is not { } failure ? null : failure.SqliteErrorCode switch
        {
            Corrupt or NotADatabase => new("store-corrupt", _file, $"The store file is damaged ({failure.Message.TrimEnd('.')}).", Restore),
            ReadOnly or CannotOpen => ReadOnlyProblem(failure.Message.TrimEnd('.')),
            Full => new("store-full", _file, "The disk of the store is full.", "Free some space; nothing that was acknowledged is lost."),
            IoError => new("store-io", _file, $"Reading or writing the store failed ({failure.Message.TrimEnd('.')}).", "Check the disk and the kernel log; if the file is damaged: " + Restore),
            Busy or Locked => new("store-busy", _file, "Another program holds the store.", "End the other program that has the file open; only one control plane may use it."),
            _ => null,
        };
    }

    public override Problem? ExplainOpening(Exception exception) =>
        exception is UnauthorizedAccessException or IOException ? ReadOnlyProblem(exception.Message.TrimEnd('.')) : Explain(exception);

    public override Task<long> SizeAsync(StoreContext db, CancellationToken cancellation) =>
        Task.FromResult(new[] { _file, _file + "-wal" }.Select(f => new FileInfo(f)).Where(f => f.Exists).Sum(f => f.Length));

    public override Task<Judged<StoreBackup>> BackupAsync(string file, DurableFiles files, TimeProvider clock, CancellationToken cancellation) =>
        Task.Run(() => BackupHereAsync(Path.GetFullPath(file), files, clock, cancellation), cancellation);

    public override ValueTask DisposeAsync()
    {
        using var connection = new SqliteConnection(_connection);
        SqliteConnection.ClearPool(connection);
        _lock?.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Two control planes on one file would each run every operation. The kernel holds this lock for the process and
    /// lets it go with it. A file of its own, for closing any handle of the database drops SQLite's own locks (fcntl(2)).
    /// </summary>
    private void TakeLock()
    {
        var file = Path.ChangeExtension(_file, ".lock");
        if (!File.Exists(file))
            DurableFiles.Real.Replace(file, "");
        try
        {
            _lock = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.None);
        }
        catch (IOException e) when (File.Exists(file))
        {
            throw new SqliteException($"'{file}' is held: {e.Message}", Busy);
        }
    }

    private async Task<Judged<StoreBackup>> BackupHereAsync(string file, DurableFiles files, TimeProvider clock, CancellationToken cancellation)
    {
        var at = clock.GetUtcNow();
        var copy = Path.Combine(Path.GetDirectoryName(file)!, $".{Path.GetFileName(file)}.{Ids.NewNano()}.copy");
        try
        {
            files.Replace(copy, "");
            await CopyAndVerifyAsync(copy, cancellation);
            await files.ReplaceAsync(file, async (stream, token) =>
            {
                await using var source = File.OpenRead(copy);
                await source.CopyToAsync(stream, token);
                return true;
            }, cancellation);
            return Judged<StoreBackup>.Good(new StoreBackup(file, new FileInfo(file).Length, at));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SqliteException)
        {
            return Judged<StoreBackup>.Bad([new("store-backup-failed", file, $"The backup was not made ({e.Message.TrimEnd('.')}).", "Choose a file on a disk with space that the control plane may write to.")]);
        }
        finally
        {
            // Asked for first: deleting in a folder that is not there would throw.
            foreach (var left in new[] { copy, copy + "-journal", copy + "-wal", copy + "-shm" }.Where(File.Exists))
                File.Delete(left);
        }
    }

    /// <summary>SQLite's online backup: a consistent copy while others write, checked before it counts.</summary>
    private async Task CopyAndVerifyAsync(string copy, CancellationToken cancellation)
    {
        await using var source = new SqliteConnection(_connection);
        await source.OpenAsync(cancellation);
        await using var target = new SqliteConnection(ConnectionTo(copy, pooling: false));
        await target.OpenAsync(cancellation);
        source.BackupDatabase(target);
        Run(target, "PRAGMA journal_mode=DELETE");
        if (Run(target, "PRAGMA integrity_check(3)") as string is var verdict && verdict != "ok")
            throw new SqliteException($"the copy is damaged: {verdict}", Corrupt);
    }

    private Problem ReadOnlyProblem(string why) => new(
        "store-read-only", _file, $"The store cannot be written ({why}).",
        "Make the folder and its files writable for the user of the control plane, and the disk mounted for writing; if the file was lost, restore it from 'crew store backup'.");

    private static string ConnectionTo(string file, bool pooling) => new SqliteConnectionStringBuilder
    {
        DataSource = file,
        Mode = SqliteOpenMode.ReadWrite,
        ForeignKeys = true,
        Pooling = pooling,
        DefaultTimeout = 30,
    }.ToString();

    private static object? Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>Connection-wide settings, set each time one is taken from the pool.</summary>
    private sealed class Pragmas : DbConnectionInterceptor
    {
        public static void Apply(DbConnection connection)
        {
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;";
            command.ExecuteNonQuery();
        }

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

        public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Apply(connection);
            return Task.CompletedTask;
        }
    }
}
