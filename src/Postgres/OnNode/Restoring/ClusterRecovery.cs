using System.Globalization;
using System.Text.RegularExpressions;
using Groundcrew.Bedrock;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What is recovered, and where. Immutable.</summary>
internal sealed record RecoveryRequest
{
    /// <summary>The archive.</summary>
    public required Pieces Pieces { get; init; }

    /// <summary>What it holds.</summary>
    public required Catalogue Catalogue { get; init; }

    /// <summary>What to do.</summary>
    public required RecoveryPlan Plan { get; init; }

    /// <summary>The server: its data folder is not there yet, and it should listen to nobody.</summary>
    public required PgServer Server { get; init; }

    /// <summary>For the log, until it is replayed.</summary>
    public required string WalFolder { get; init; }

    /// <summary>For table spaces, by their numbers; they stay there.</summary>
    public required string SpacesFolder { get; init; }

    /// <summary>How it is run; what it listens on is not among them.</summary>
    public required IReadOnlyDictionary<string, string> Settings { get; init; }
}

/// <summary>
/// Makes a data folder from an archive and recovers it to a moment: the base backup is fetched and compared with PostgreSQL's own
/// manifest, the log is fetched meanwhile, the server replays it and is promoted. It runs afterwards, and listens on its socket
/// alone. What is half there after a failure is the caller's to remove. Thread-safe.
/// </summary>
internal sealed partial class ClusterRecovery(TimeProvider clock)
{
    private const string TargetNotReached = "recovery ended before configured recovery target was reached";
    private static readonly TimeSpan StartLimit = TimeSpan.FromHours(1);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    /// <summary>Does it.</summary>
    /// <exception cref="BackupStorageException">Something of the backup is missing or damaged, or the storage does not answer.</exception>
    /// <exception cref="JobFailedException">It could not be recovered; the message has the server's words.</exception>
    public async Task<ClusterRestored> RunAsync(RecoveryRequest request, JobProgress progress, CancellationToken cancellation)
    {
        var began = clock.GetTimestamp();
        await FetchAsync(request, progress, cancellation);
        await VerifyAsync(request.Server, request.Plan.Base.Name, progress, cancellation);
        await DemandNoSpacesAsync(request, cancellation);
        var settings = await PrepareAsync(request, cancellation);
        progress.Say("replaying the log");
        var lastCommit = await RecoverAsync(request, settings, cancellation);
        var restored = await MeasureAsync(request, began, lastCommit, cancellation);
        request.Server.WriteSettings(settings);
        Directory.Delete(request.WalFolder, recursive: true);
        return restored;
    }

    /// <summary>Compares an unpacked base backup with the manifest that PostgreSQL made of it (<c>pg_verifybackup</c>).</summary>
    /// <exception cref="BackupStorageException">It is another.</exception>
    public static async Task VerifyAsync(PgServer server, string backup, JobProgress progress, CancellationToken cancellation)
    {
        progress.Say("comparing every file with PostgreSQL's manifest");
        // The log is not in the folder; replaying it checks it.
        var seen = await server.Binaries.RunAsync("pg_verifybackup", ["--no-parse-wal", "--quiet", server.Options.DataFolder], cancellation);
        if (seen.ExitCode != 0)
            throw new BackupStorageException(StorageFailure.Damaged, $"Base backup '{backup}' is not what PostgreSQL's manifest says: {seen.Words}");
    }

    private static async Task FetchAsync(RecoveryRequest request, JobProgress progress, CancellationToken cancellation)
    {
        var (plan, user) = (request.Plan, request.Server.Binaries.User);
        progress.Expect(plan.Base.Files.Sum(f => f.PlainBytes) + WalFiles.Of(plan).Sum(w => w.Parts.Sum(p => p.Length)));
        progress.Say($"fetching {plan.Base.Name} and the log behind it");
        await request.Server.PrepareFolderAsync(cancellation);
        user.MakeFolder(request.WalFolder);
        var history = request.Catalogue.Histories.First(h => h.SystemId == plan.SystemId);
        var highest = history.Wal.Select(w => w.Timeline).Concat(history.Bases.Select(b => b.Timeline)).Concat(history.Forks.Select(f => f.Timeline)).Max();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var unpacking = new BaseUnpacker(request.Pieces, user).UnpackAsync(plan.Base, request.Server.Options.DataFolder, request.SpacesFolder, progress.Add, both.Token);
        var fetching = WalFolder.FetchAsync(request.Pieces, plan, highest, request.WalFolder, user, progress.Add, both.Token);
        if ((await Task.WhenAny(unpacking, fetching)).IsFaulted)
            await both.CancelAsync();
        await Task.WhenAll(unpacking, fetching);
    }

    /// <summary>
    /// A table space that was made behind the base backup would be made again where it was, and PostgreSQL empties that folder
    /// first: on the machine of the original it would be the original's. So the log is looked through before it is replayed.
    /// </summary>
    private static async Task DemandNoSpacesAsync(RecoveryRequest request, CancellationToken cancellation)
    {
        foreach (var timeline in WalFiles.Of(request.Plan).GroupBy(w => w.Name[..8], StringComparer.Ordinal))
        {
            // It complains of the end of the log, which is no failure here.
            var seen = await request.Server.Binaries.RunAsync(
                "pg_waldump", ["--rmgr", "Tablespace", "--path", request.WalFolder, timeline.First().Name, timeline.Last().Name], cancellation);
            if (NewSpace().Match(seen.Output) is { Success: true } found)
                throw new JobFailedException($"Behind base backup '{request.Plan.Base.Name}' a table space was made at {found.Groups["place"].Value}, and replaying that would empty this folder: restore to a moment before, or take a new base backup and restore to one after it.");
        }
    }

    /// <summary>Takes out of the folder what belongs to the life of the server that it was copied from.</summary>
    private static async Task<Dictionary<string, string>> PrepareAsync(RecoveryRequest request, CancellationToken cancellation)
    {
        var (server, data) = (request.Server, request.Server.Options.DataFolder);
        var control = await server.Binaries.MustRunAsync("pg_controldata", ["-D", data], cancellation);
        var settings = new Dictionary<string, string>(request.Settings, StringComparer.Ordinal);
        foreach (var (name, value) in RecoverySettings.FromControlData(control.Output))
            settings[name] = value;
        string[] files = [.. new[] { "crew.conf", "postgresql.conf", "postgresql.auto.conf" }.Select(f => Path.Combine(data, f)).Where(File.Exists)];
        if (!settings.ContainsKey("shared_preload_libraries") && RecoverySettings.Preloaded(files.SelectMany(f => File.ReadLines(f))) is { } libraries)
            settings["shared_preload_libraries"] = libraries;
        var auto = Path.Combine(data, "postgresql.auto.conf");
        Write(server, auto, File.Exists(auto) ? RecoverySettings.WithoutForeign(await File.ReadAllTextAsync(auto, cancellation)) : "");
        // The links to table spaces are made already, and lead to other folders than the map says.
        foreach (var gone in new[] { "tablespace_map", "standby.signal", "backup_manifest", "postmaster.pid", "postmaster.opts" })
            File.Delete(Path.Combine(data, gone));
        Write(server, Path.Combine(data, "recovery.signal"), "");
        server.WriteAccess([]);
        return settings;
    }

    private static void Write(PgServer server, string path, string text)
    {
        DurableFiles.Real.Replace(path, text);
        server.Binaries.User.Own(path);
    }

    /// <summary>
    /// Recovers. PostgreSQL takes it for a failure when the log ends before a target; the plan has made sure that nothing is missing up
    /// to it, so then all of the log is what was wanted.
    /// </summary>
    /// <returns>When the last transaction was committed, if it took two runs; the second may have had nothing to replay.</returns>
    private async Task<DateTimeOffset?> RecoverAsync(RecoveryRequest request, Dictionary<string, string> settings, CancellationToken cancellation)
    {
        var (server, plan) = (request.Server, request.Plan);
        var from = ServerLog.LengthOf(server.Options.LogFile);
        if (await TryAsync(isOpenEnded: false) is not { } failure)
            return null;
        var said = ServerLog.EndOf(server.Options.LogFile, from);
        if (!said.Contains(TargetNotReached, StringComparison.Ordinal))
            throw failure;
        if (plan.Target.Name is { } name)
            throw new JobFailedException($"The log of the archive has no point of the name '{name}' behind {plan.Base.Name}: give a time, or the name as pg_create_restore_point was given it.", failure);
        await server.StopAsync(StopMode.Immediate, TimeSpan.FromMinutes(1), cancellation);
        return await TryAsync(isOpenEnded: true) is { } second ? throw second : LastCommit(said);

        async Task<JobFailedException?> TryAsync(bool isOpenEnded)
        {
            var recovering = new Dictionary<string, string>(settings, StringComparer.Ordinal);
            foreach (var (name, value) in RecoverySettings.Of(plan, request.WalFolder, isOpenEnded))
                recovering[name] = value;
            server.WriteSettings(recovering);
            try
            {
                await server.StartAsync(StartLimit, cancellation);
                await PromotedAsync(server, from, cancellation);
                return null;
            }
            catch (JobFailedException e)
            {
                return e;
            }
        }
    }

    /// <summary>Waits until the server has recovered and takes writes; however long the log is.</summary>
    private async Task PromotedAsync(PgServer server, long logFrom, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                await using var connection = await server.OpenAsync(ServerLook.Home, cancellation);
                await using var command = new NpgsqlCommand("SELECT NOT pg_is_in_recovery()", connection);
                if (await command.ExecuteScalarAsync(cancellation) is true)
                    return;
            }
            catch (NpgsqlException) when (server.Pid is not null)
            {
                // It recovers still, and lets nobody in meanwhile.
            }
            catch (NpgsqlException e)
            {
                throw new JobFailedException($"The server ended while it recovered: {ServerLog.Explain(ServerLog.EndOf(server.Options.LogFile, logFrom))}", e);
            }
            await Task.Delay(Look, clock, cancellation);
        }
    }

    private async Task<ClusterRestored> MeasureAsync(RecoveryRequest request, long began, DateTimeOffset? lastCommit, CancellationToken cancellation)
    {
        await using var connection = await request.Server.OpenAsync(ServerLook.Home, cancellation);
        await using var command = new NpgsqlCommand("""
            SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(), substring(pg_walfile_name(pg_current_wal_lsn()) FOR 8),
              (SELECT system_identifier::text FROM pg_control_system()), pg_current_wal_lsn()::text
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        await reader.ReadAsync(cancellation);
        if (reader.GetString(3) != request.Plan.SystemId)
            throw new BackupStorageException(StorageFailure.Damaged, $"What came back is cluster {reader.GetString(3)} and not {request.Plan.SystemId}.");
        return new(
            request.Plan.Base.Name, Lsn.Parse(reader.GetString(reader.IsDBNull(0) ? 4 : 0)),
            reader.IsDBNull(1) ? lastCommit : reader.GetFieldValue<DateTimeOffset>(1),
            uint.Parse(reader.GetString(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), clock.GetElapsedTime(began));
    }

    private static DateTimeOffset? LastCommit(string log) =>
        LastCompleted().Matches(log).LastOrDefault() is { } match
        && DateTimeOffset.TryParse(match.Groups["at"].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at) ? at : null;

    [GeneratedRegex("desc: CREATE \\d+ \"(?<place>/[^\"]*)\"", RegexOptions.CultureInvariant)]
    private static partial Regex NewSpace();

    [GeneratedRegex(@"last completed transaction was at log time (?<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*[+-]\d\d)", RegexOptions.CultureInvariant)]
    private static partial Regex LastCompleted();
}
