#pragma warning disable MA0025, CS9113 // A sketch: whoever builds this part takes the line out.
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>How a server stops (<c>pg_ctl stop --mode</c>).</summary>
internal enum StopMode
{
    /// <summary>Ends sessions, writes a checkpoint.</summary>
    Fast,

    /// <summary>Ends at once, and recovers at its next start.</summary>
    Immediate,
}

/// <summary>Where a server is and how it is run.</summary>
internal sealed record PgServerOptions
{
    /// <summary>Its data folder (<c>PGDATA</c>).</summary>
    public required string DataFolder { get; init; }

    /// <summary>The folder of its socket; short, since a socket's path may have 107 bytes only.</summary>
    public required string SocketFolder { get; init; }

    /// <summary>Its port, also of the socket's name.</summary>
    public required int Port { get; init; }

    /// <summary>Its log file.</summary>
    public required string LogFile { get; init; }
}

/// <summary>
/// One data folder and the PostgreSQL process on it. The process is an unprivileged user's, has a session of its own and
/// outlives us; it is found again by its pid file. Thread-safe, one change at a time.
/// </summary>
internal sealed class PgServer(PgBinaries binaries, PgServerOptions options, TimeProvider clock)
{
    /// <summary>The superuser of the platform; only the system's users <c>root</c> and the server's own reach it, over the socket.</summary>
    public const string Superuser = "crew_admin";

    /// <summary>Where it is.</summary>
    public PgServerOptions Options => options;

    /// <summary>The programs that it is run with.</summary>
    public PgBinaries Binaries => binaries;

    /// <summary>Its process; null when none runs on the data folder.</summary>
    public int? Pid => throw new NotImplementedException();

    /// <summary>Makes the data folder: <c>initdb</c> with checksums, UTF-8, SCRAM over TCP, peer over the socket.</summary>
    public Task InitAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Writes settings into a file that <c>postgresql.conf</c> includes, durably; they count from the next start or reload.</summary>
    public void WriteSettings(IReadOnlyDictionary<string, string> settings) => throw new NotImplementedException();

    /// <summary>Starts it and waits until it answers, or takes part in recovery; at once when it runs.</summary>
    /// <exception cref="JobFailedException">It ended or did not answer in time; the message has the end of its log.</exception>
    public Task StartAsync(TimeSpan limit, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Stops it and waits; at once when it does not run.</summary>
    public Task StopAsync(StopMode mode, TimeSpan limit, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Makes a standby, or a server that has recovered, take writes, and waits until it does.</summary>
    public Task PromoteAsync(TimeSpan limit, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>A connection as superuser over the socket; the caller disposes it.</summary>
    public Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancellation) => throw new NotImplementedException();
}

/// <summary>The programs of one major version of PostgreSQL, and the user that they run as. Immutable.</summary>
internal sealed class PgBinaries
{
    /// <summary>Finds a version in the usual places (<c>/usr/lib/postgresql/15/bin</c>); null when it is not installed.</summary>
    public static PgBinaries? Find(int version) => throw new NotImplementedException();

    /// <summary>The path of one program.</summary>
    public string PathOf(string program) => throw new NotImplementedException();
}
