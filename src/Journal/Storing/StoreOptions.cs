using Groundcrew.Bedrock;

namespace Groundcrew.Journal;

/// <summary>Which database engine holds the store.</summary>
public enum StoreEngine
{
    /// <summary>One file on this machine, the default.</summary>
    Sqlite,

    /// <summary>A PostgreSQL server, version 15 or later.</summary>
    PostgreSql,
}

/// <summary>Where the control plane's store is. Immutable.</summary>
public sealed record StoreOptions
{
    /// <summary>The control plane's own data folder (<c>&lt;data&gt;/control</c>); the SQLite file is <c>store.db</c> in it.</summary>
    public required string Folder { get; init; }

    /// <summary>
    /// A <c>postgres://user:password@host:port/database</c> URL or an Npgsql connection string; null for SQLite.
    /// A secret, for it usually holds a password.
    /// </summary>
    public Secret? Connection { get; init; }

    /// <summary>How many writes may wait for their turn before further ones are refused by <see cref="StoreBusyException"/>.</summary>
    public int MaxWaitingWrites { get; init; } = 1024;
}

/// <summary>What the store is, for the status page. Immutable.</summary>
/// <param name="Engine">The database engine.</param>
/// <param name="Place">The file, or host, port and database; never a password.</param>
/// <param name="SizeBytes">What it takes on disk.</param>
/// <param name="Schema">The highest applied migration of each room.</param>
/// <param name="PlatformId">The id that was made with the store.</param>
public sealed record StoreState(
    StoreEngine Engine, string Place, long SizeBytes, IReadOnlyDictionary<string, int> Schema, Guid PlatformId);

/// <summary>A finished backup of the store.</summary>
/// <param name="File">The full path of the backup.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="At">When it was taken; everything committed before is in it.</param>
public sealed record StoreBackup(string File, long SizeBytes, DateTimeOffset At);

/// <summary>The write was not begun: too many wait already. Trying again later is safe.</summary>
public sealed class StoreBusyException(int waiting)
    : Exception($"The store is busy: {waiting} writes wait for their turn. Try again in a moment.");

/// <summary>The database failed while the store was open: a full disk, a lost server, a damaged file. Nothing was committed.</summary>
public sealed class StoreFailedException(Problem problem, Exception inner) : Exception(problem.ToString(), inner)
{
    /// <summary>What happened and what to do.</summary>
    public Problem Problem { get; } = problem;
}
