using System.Diagnostics;
using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>How a server stops (<c>pg_ctl stop --mode</c>).</summary>
internal enum StopMode
{
    /// <summary>Ends sessions, writes a checkpoint.</summary>
    Fast,

    /// <summary>Ends at once, and recovers at its next start.</summary>
    Immediate,

    /// <summary>SIGKILL to all its processes: for one that listens to nothing else. It recovers at its next start.</summary>
    Kill,
}

/// <summary>Where a server is and how it is run.</summary>
internal sealed record PgServerOptions
{
    /// <summary>Its data folder (<c>PGDATA</c>).</summary>
    public required string DataFolder { get; init; }

    /// <summary>The folder of its socket; short, since a socket's path may have 107 bytes only. See <see cref="ShortSocketFolder"/>.</summary>
    public required string SocketFolder { get; init; }

    /// <summary>Its port, also of the socket's name.</summary>
    public required int Port { get; init; }

    /// <summary>Its log file.</summary>
    public required string LogFile { get; init; }

    /// <summary>A folder that is short enough for a socket, and one server's own by its id.</summary>
    public static string ShortSocketFolder(Guid id) =>
        Path.Combine(Environment.IsPrivilegedProcess ? "/run/groundcrew-pg" : $"/tmp/groundcrew-pg-{Environment.UserName}", id.ToString("N")[^12..]);
}

/// <summary>
/// One data folder and the PostgreSQL process on it. The process is an unprivileged user's, has a session of its own and
/// outlives us; it is found again by its pid file. Thread-safe, one change at a time.
/// </summary>
#pragma warning disable CA1001 // A SemaphoreSlim whose wait handle is never taken owns nothing that would have to be disposed.
internal sealed class PgServer(PgBinaries binaries, PgServerOptions options, TimeProvider clock)
#pragma warning restore CA1001
{
    /// <summary>The superuser of the platform; only the system's users <c>root</c> and the server's own reach it, over the socket.</summary>
    public const string Superuser = "crew_admin";

    private const int Hangup = 1;
    private const int Interrupt = 2;
    private const int Quit = 3;
    private const int LongestSocketPath = 107;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    private readonly ServerFiles _files = new(options.DataFolder, binaries.User);
    private readonly SemaphoreSlim _one = new(1);

    /// <summary>Where it is.</summary>
    public PgServerOptions Options => options;

    /// <summary>The programs that it is run with.</summary>
    public PgBinaries Binaries => binaries;

    /// <summary>Its process; null when none runs on the data folder.</summary>
    public int? Pid => Process?.Pid;

    /// <summary>Its process with its start, which tells it from a later one; null when none runs on the data folder.</summary>
    public ProcessIdentity? Process => ServerProcess.Find(options.DataFolder);

    /// <summary>The major version that the data folder belongs to; null before it is made.</summary>
    public string? DataVersion => _files.Version;

    /// <summary>Whether the data folder is a standby's (<c>standby.signal</c>).</summary>
    public bool IsStandby => _files.IsStandby;

    /// <summary>
    /// Whether the server is fenced: nothing of ours starts it, whoever holds an object for it. The mark lies beside the data
    /// folder and is durable.
    /// </summary>
    public bool IsFenced
    {
        get => File.Exists(FenceMark);
        set
        {
            if (value)
                DurableFiles.Real.Replace(FenceMark, "Stopped by the control plane; it is started when the control plane says so.\n");
            else
                DurableFiles.Real.Delete(FenceMark);
        }
    }

    private string FenceMark => Path.TrimEndingDirectorySeparator(options.DataFolder) + ".fenced";

    /// <summary>Makes the data folder a standby's: from its next start it follows <c>primary_conninfo</c> and takes no writes.</summary>
    public void MarkStandby() => _files.MarkStandby();

    /// <summary>Makes the data folder: <c>initdb</c> with checksums, UTF-8, SCRAM over TCP, peer over the socket.</summary>
    /// <exception cref="JobFailedException">It could not be made; nothing of it is left.</exception>
    public async Task InitAsync(CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation);
        try
        {
            if (Directory.Exists(options.DataFolder) && Directory.EnumerateFileSystemEntries(options.DataFolder).Any())
                throw new JobFailedException($"'{options.DataFolder}' is not empty: no cluster is made there.");
            await PrepareFolderAsync(cancellation);
            try
            {
                await binaries.MustRunAsync(
                    "initdb",
                    ["-D", options.DataFolder, "--username", Superuser, "--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums", "--auth-local", "peer", "--auth-host", "scram-sha-256"],
                    cancellation);
                _files.WriteAll();
            }
            catch (Exception e) when (e is JobFailedException or IOException or OperationCanceledException)
            {
                Directory.Delete(options.DataFolder, recursive: true);
                throw;
            }
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Makes the data folder, empty and the server's user's own, for what comes by a backup.</summary>
    /// <exception cref="JobFailedException">The server's user cannot reach it.</exception>
    public async Task PrepareFolderAsync(CancellationToken cancellation)
    {
        binaries.User.MakeFolder(options.DataFolder);
        // The shell looks as the server's user, from the top, so that the folder it names is the one to open.
        const string script = """p=$1; l=$p; while [ "$p" != / ]; do cd "$p" 2>/dev/null || l=$p; p=$(dirname "$p"); done; cd "$1" 2>/dev/null || { echo "$l"; exit 1; }""";
        var seen = await binaries.RunAsync("/bin/sh", ["-c", script, "crew-look", Path.GetFullPath(options.DataFolder)], cancellation);
        if (seen.ExitCode != 0)
            throw new JobFailedException($"The user '{binaries.User.Name}', which PostgreSQL runs as, cannot reach '{seen.Output.Trim()}': let it pass with 'chmod o+x', or keep the platform's data elsewhere.");
    }

    /// <summary>
    /// Writes settings into a file that <c>postgresql.conf</c> includes, durably; they count from the next start or reload.
    /// Without <c>listen_addresses</c> among them the server listens on its socket alone.
    /// </summary>
    public void WriteSettings(IReadOnlyDictionary<string, string> settings) => _files.WriteSettings(settings);

    /// <summary>Writes who may connect (<c>pg_hba.conf</c>), durably; it counts from the next start or reload.</summary>
    /// <param name="networks">Networks (CIDR) from which a password is accepted.</param>
    public void WriteAccess(IReadOnlyList<string> networks) => _files.WriteAccess(networks);

    /// <summary>Makes a running server read its settings and access rules again.</summary>
    public void Reload()
    {
        if (Pid is { } pid)
            ProcessSignals.Send(pid, Hangup);
    }

    /// <summary>Starts it and waits until it answers, or takes part in recovery; at once when it runs.</summary>
    /// <exception cref="JobFailedException">It ended or did not answer in time; the message has the end of its log.</exception>
    public async Task StartAsync(TimeSpan limit, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation);
        try
        {
            var from = ServerLog.LengthOf(options.LogFile);
            using var child = Pid is null ? await LaunchAsync(cancellation) : null;
            await AnswersAsync(child, from, limit, cancellation);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Stops it and waits; at once when it does not run.</summary>
    /// <exception cref="JobFailedException">It did not end in time; a harder mode may help.</exception>
    public async Task StopAsync(StopMode mode, TimeSpan limit, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation);
        try
        {
            var running = Process;
            if (mode == StopMode.Kill)
                await ServerProcess.KillAllAsync(options.DataFolder, clock, cancellation);
            else if (running is not null)
                ProcessSignals.Send(running.Pid, mode == StopMode.Fast ? Interrupt : Quit);
            if (running is null)
                return;
            var since = clock.GetTimestamp();
            while (running.IsAlive())
            {
                if (clock.GetElapsedTime(since) >= limit)
                    throw new JobFailedException($"The server did not stop within {Quantity.Format(limit)}. The end of its log: {ServerLog.EndOf(options.LogFile)}");
                await Task.Delay(Look, clock, cancellation);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Makes a standby, or a server that has recovered, take writes, and waits until it does.</summary>
    /// <exception cref="JobFailedException">It did not in time.</exception>
    public async Task PromoteAsync(TimeSpan limit, CancellationToken cancellation)
    {
        await using var connection = await OpenAsync("postgres", cancellation);
        await using var command = new NpgsqlCommand("SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, $1) ELSE true END", connection) { CommandTimeout = 0 };
        command.Parameters.Add(new NpgsqlParameter { Value = (int)Math.Max(1, Math.Ceiling(limit.TotalSeconds)) });
        if (await command.ExecuteScalarAsync(cancellation) is not true)
            throw new JobFailedException($"The server does not take writes {Quantity.Format(limit)} after its promotion. The end of its log: {ServerLog.EndOf(options.LogFile)}");
        // pg_rewind reads the timeline of the new primary from its last checkpoint.
        await using var checkpoint = new NpgsqlCommand("CHECKPOINT", connection) { CommandTimeout = 0 };
        await checkpoint.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>A connection as superuser over the socket, not from a pool; the caller disposes it.</summary>
    /// <exception cref="NpgsqlException">It does not answer, or refuses.</exception>
    public async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = options.SocketFolder, Port = options.Port, Username = Superuser, Database = database,
            Pooling = false, Timeout = 10, ApplicationName = "groundcrew", GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the process, after what an earlier run left is out of its way.</summary>
    private async Task<Process> LaunchAsync(CancellationToken cancellation)
    {
        if (IsFenced)
            throw new JobFailedException("The server is fenced: it may be started only by a task that says so.");
        if (_files.Version is not { } version)
            throw new JobFailedException($"'{options.DataFolder}' holds no cluster.");
        if (version != binaries.Version.ToString())
            throw new JobFailedException($"The data folder belongs to PostgreSQL {version}, and the server is version {binaries.Version}: give it the version of its data, or restore a dump into a new one.");
        if (Path.Combine(options.SocketFolder, $".s.PGSQL.{options.Port}").Length > LongestSocketPath)
            throw new JobFailedException($"The path of the socket folder '{options.SocketFolder}' is too long for a socket.");
        await ServerProcess.KillAllAsync(options.DataFolder, clock, cancellation);
        // A pid of before may belong to another server of the same user now, and then PostgreSQL takes it for its own.
        File.Delete(Path.Combine(options.DataFolder, "postmaster.pid"));
        MakeFolders();
        File.Delete(Path.Combine(options.SocketFolder, $".s.PGSQL.{options.Port}.lock"));
        _files.WriteAll();
        return binaries.StartDetached("postgres", Arguments(), options.LogFile);
    }

    private void MakeFolders()
    {
        var above = Path.GetDirectoryName(options.SocketFolder)!;
        Directory.CreateDirectory(above);
        binaries.User.LetPass(above);
        binaries.User.MakeFolder(options.SocketFolder);
        binaries.User.MakeFolder(Path.GetDirectoryName(options.LogFile)!);
    }

    private string[] Arguments()
    {
        string[] settings =
        [
            $"port={options.Port}", $"unix_socket_directories={options.SocketFolder}", "unix_socket_permissions=0700",
            $"hba_file={_files.AccessFile}", $"ident_file={_files.IdentFile}", "logging_collector=off", "log_destination=stderr",
        ];
        return ["-D", options.DataFolder, .. settings.SelectMany(s => new[] { "-c", s })];
    }

    private async Task AnswersAsync(Process? child, long logFrom, TimeSpan limit, CancellationToken cancellation)
    {
        var since = clock.GetTimestamp();
        while (true)
        {
            if (child is { HasExited: true } || (child is null && Pid is null))
                throw new JobFailedException($"The server did not start: {ServerLog.Explain(ServerLog.EndOf(options.LogFile, logFrom))}");
            if (Pid is not null && ServerProcess.StatusOf(options.DataFolder) is "ready" or "standby")
                return;
            if (clock.GetElapsedTime(since) >= limit)
                throw new JobFailedException($"The server did not answer within {Quantity.Format(limit)} and goes on starting. The end of its log: {ServerLog.EndOf(options.LogFile, logFrom)}");
            await Task.Delay(Look, clock, cancellation);
        }
    }
}
