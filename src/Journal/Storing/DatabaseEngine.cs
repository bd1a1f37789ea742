using System.Data.Common;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>What differs between the two databases. Thread-safe.</summary>
internal abstract class DatabaseEngine : IAsyncDisposable
{
    public abstract StoreEngine Kind { get; }

    /// <summary>Where it is, for people; without a password.</summary>
    public abstract string Place { get; }

    /// <summary>How many writes run at the same time.</summary>
    public abstract int Writers { get; }

    public abstract void Configure(DbContextOptionsBuilder options);

    /// <summary>Makes sure that the database is there and whole. Throws what <see cref="Explain"/> explains.</summary>
    public abstract Task PrepareAsync(CancellationToken cancellation);

    public abstract DbConnection NewConnection();

    /// <summary>The lock that lets one process migrate at a time; empty where the transaction itself is that lock.</summary>
    public abstract string MigrationLock { get; }

    public abstract string SqlOf(Migration migration);

    public abstract Task<DbTransaction> BeginReadAsync(DbConnection connection, CancellationToken cancellation);

    public abstract Task<DbTransaction> BeginWriteAsync(DbConnection connection, CancellationToken cancellation);

    /// <summary>Whether the transaction lost against another one, and doing it again is right.</summary>
    public abstract bool LostRace(Exception exception);

    /// <summary>What a failure of the database means to a person; null when it is not one of the database's own.</summary>
    public abstract Problem? Explain(Exception exception);

    /// <summary>The same while opening, when failures of the file system are the database's too.</summary>
    public virtual Problem? ExplainOpening(Exception exception) => Explain(exception);

    public abstract Task<long> SizeAsync(StoreContext db, CancellationToken cancellation);

    public abstract Task<Judged<StoreBackup>> BackupAsync(string file, DurableFiles files, TimeProvider clock, CancellationToken cancellation);

    public abstract ValueTask DisposeAsync();

    /// <summary>The failure that EF Core wrapped, if it did.</summary>
    protected static T? Inner<T>(Exception? exception)
        where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
            if (exception is T found)
                return found;
        return null;
    }
}
