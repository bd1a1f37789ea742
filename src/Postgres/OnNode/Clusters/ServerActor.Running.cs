using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Postgres.OnNode;

/// <summary>What an actor does for a server that should run.</summary>
internal sealed partial class ServerActor
{
    private const double LeastRoom = 32 * 1024 * 1024;
    private static readonly TimeSpan Steady = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan NewsLast = TimeSpan.FromMinutes(10);
    private const string Removed = "has already been removed";
    private static readonly string[] Diverged =
    [
        Removed, "forked off current database system timeline", "is ahead of the WAL flush position",
        "is behind recovery timeline", "database system identifier differs", "is not a child of database system timeline", "is not in this server's history",
    ];

    private readonly ServerHealth _health = new();
    private IReadOnlyDictionary<string, Secret> _secrets = new Dictionary<string, Secret>();
    private ProcessIdentity? _process;
    private long _startedAt;
    private long? _notFollowingSince;
    private long _logFrom;
    private bool _isNewTask;
    private bool _isAccessDone;
    private long _accessAt;
    private bool _isConfigured;
    private AccessOutcome _access = new([], new Dictionary<string, int>());
    private string _news = "";
    private long _newsAt;
    private int _crashes;

    private async Task RunWantedAsync(CancellationToken cancellation)
    {
        var spec = _record.Spec;
        var server = Server() ?? throw new JobFailedException($"PostgreSQL {spec.Version} is not installed on this node: install the package postgresql-{spec.Version}.");
        SeeCrash(server);
        // After a failure the next try waits; a new task has reset it.
        if (_process is null && _backing.Wait > TimeSpan.Zero)
            return;
        _parts.LetPass(server.Binaries.User);
        _folder.Prepare(server.Binaries.User);
        _secrets = await _parts.Secrets.GetAsync(spec, _folder, _isNewTask, cancellation);
        if (server.IsFenced)
            server.IsFenced = false;
        _node = new(spec, server);
        await SettleAsync(spec, server, cancellation);
        await PromoteIfWantedAsync(spec, server, cancellation);
        Configure(spec, server);
        server = await RestartIfWantedAsync(spec, server, cancellation);
        await StartAsync(server, cancellation);
        await PromoteIfWantedAsync(spec, server, cancellation);
        Configure(spec, server);
        _isNewTask = false;
        await LookAsync(spec, server, cancellation);
    }

    /// <summary>The server at the port on which it runs, or will run; null when its version is not installed.</summary>
    private PgServer? Server(string? data = null)
    {
        if (PgBinaries.Find(_record.Spec.Version) is not { } binaries)
            return null;
        var running = ServerProcess.Find(_folder.Data) is null ? null : ServerProcess.PortOf(_folder.Data);
        var options = Place(_record.Spec, _folder) with { Port = running ?? _record.Spec.Port };
        if (_node?.Server is { } known && data is null && known.Options == options)
            return known;
        return new(binaries, data is null ? options : options with { DataFolder = data }, _parts.Clock);
    }

    /// <summary>Where a server is.</summary>
    public static PgServerOptions Place(ClusterSpec spec, ServerFolder folder) => new()
    {
        DataFolder = folder.Data, SocketFolder = PgServerOptions.ShortSocketFolder(spec.ServerId), Port = spec.Port, LogFile = folder.LogFile,
    };

    private void SeeCrash(PgServer server)
    {
        if (_process is null || server.Process == _process)
            return;
        if (server.Process is null)
        {
            _crashes = _parts.Clock.GetElapsedTime(_startedAt) > Steady ? 1 : _crashes + 1;
            var said = ServerLog.EndOf(server.Options.LogFile, _logFrom);
            News($"its process ended at {_parts.Clock.GetUtcNow():u} and it was started again{(_crashes > 1 ? $", {_crashes} times in a row" : "")}{(ServerLog.MeaningOf(said) is { } means ? $": {means}" : "")}");
            _parts.Log.LogWarning("The server {Id} of cluster {Name}: {News}. The end of its log: {Said}", _record.Spec.ServerId, _record.Spec.Name, _news, said);
            if (_crashes > 1)
            {
                _backing.Failed(_crashes);
                Tell(ServerState.Starting, _news);
            }
        }
        _process = null;
        _isAccessDone = false;
    }

    /// <summary>Sees to it that the data folder is one of the wanted role.</summary>
    private async Task SettleAsync(ClusterSpec spec, PgServer server, CancellationToken cancellation)
    {
        var data = Data(server);
        if (spec.Role == ServerRole.Primary)
        {
            if (_folder.IsRewinding)
                throw new JobFailedException("Its data were being rewound to follow another server when it was made a primary, and are not whole: make the other server the primary, or restore a backup.");
            if (data.IsThere)
                return;
            if (_record.SystemId is not null)
                throw new JobFailedException($"Its data folder '{_folder.Data}' is gone, and an empty one is not made in its place: bring the disk back, or restore a backup.");
            Tell(ServerState.Preparing, "a new cluster is made");
            await data.InitAsync(cancellation);
            return;
        }
        var primary = Primary(spec, server);
        if (!data.IsThere)
        {
            Tell(ServerState.Preparing, $"the primary at {primary.Place} is copied");
            await data.CopyAsync(primary, cancellation);
            News($"copied from {primary.Place}");
        }
        else if (_folder.IsRewinding || !server.IsStandby)
            await FollowAsync(server, primary, cancellation);
    }

    private async Task FollowAsync(PgServer server, PrimaryLink primary, CancellationToken cancellation, bool isLogGone = false)
    {
        Tell(ServerState.Preparing, $"it is made to follow {primary.Place}", _process?.Pid);
        await _health.CloseAsync();
        _process = null;
        await StopAsync(server, cancellation);
        await _parts.Archive.LeaveAsync(_record.Spec.ServerId);
        News(await Data(server).FollowAsync(primary, isLogGone, cancellation));
        (_isConfigured, _notFollowingSince) = (false, null);
        _parts.Log.LogInformation("The server {Id} of cluster {Name}: {News}", _record.Spec.ServerId, _record.Spec.Name, _news);
    }

    private async Task PromoteIfWantedAsync(ClusterSpec spec, PgServer server, CancellationToken cancellation)
    {
        if (spec.Role != ServerRole.Primary || !server.IsStandby || ServerProcess.StatusOf(server.Options.DataFolder) != "ready")
            return;
        Tell(ServerState.Starting, "it becomes the primary", server.Pid);
        await server.PromoteAsync(_parts.Options.PromoteLimit, cancellation);
        News($"became the primary at {_parts.Clock.GetUtcNow():u}");
        (_isConfigured, _isAccessDone) = (false, false);
    }

    /// <summary>Something happened that people should know of for a while.</summary>
    private void News(string news) => (_news, _newsAt) = (news, _parts.Clock.GetTimestamp());

    /// <summary>Writes its settings and access rules, and has a running server read them.</summary>
    private void Configure(ClusterSpec spec, PgServer server)
    {
        if (_isConfigured)
            return;
        var settings = ClusterSettings.Of(spec, DiskSpace.Of(_folder.Data)?.Bytes ?? 0);
        if (spec.Role == ServerRole.Standby)
        {
            var primary = Primary(spec, server);
            primary.WritePassFile();
            settings["primary_conninfo"] = primary.Words(null);
            settings["primary_slot_name"] = primary.Slot;
        }
        server.WriteSettings(settings);
        server.WriteAccess(spec.Networks);
        server.Reload();
        _isConfigured = true;
    }

    private async Task<PgServer> RestartIfWantedAsync(ClusterSpec spec, PgServer server, CancellationToken cancellation)
    {
        if (spec.Restarts <= _record.Restarts)
            return server;
        if (server.Pid is not null)
        {
            Tell(ServerState.Starting, "it is restarted, as asked", server.Pid);
            await _health.CloseAsync();
            _process = null;
            await StopAsync(server, cancellation);
        }
        Remember(_record with { Restarts = spec.Restarts });
        server = Server() ?? server;
        _node = new(spec, server);
        return server;
    }

    private async Task StartAsync(PgServer server, CancellationToken cancellation)
    {
        if (server.Process is { } running && running == _process)
            return;
        var isAdopted = server.Pid is not null;
        if (!isAdopted)
        {
            Tell(ServerState.Starting, _news);
            _logFrom = ServerLog.LengthOf(server.Options.LogFile);
        }
        await server.StartAsync(_parts.Options.StartLimit, cancellation);
        (_process, _startedAt, _isAccessDone) = (server.Process, _parts.Clock.GetTimestamp(), false);
        _parts.Log.LogInformation("The server {Id} of cluster {Name} {How}, pid {Pid}.", _record.Spec.ServerId, _record.Spec.Name, isAdopted ? "was found running" : "was started", _process?.Pid);
    }

    private async Task LookAsync(ClusterSpec spec, PgServer server, CancellationToken cancellation)
    {
        var seen = await _health.LookAsync(server, ClusterSettings.Derive(spec.MemoryBytes, 0, spec.Settings).Keys.Append("listen_addresses").Append("synchronous_standby_names"), cancellation);
        Remember(_record with { SystemId = seen.SystemId });
        List<string> words = [];
        if (seen.Role == ServerRole.Primary)
        {
            await AccessAsync(spec, server, cancellation);
            words.AddRange(_access.Problems);
            await ArchiveAsync(spec, server);
        }
        else if (spec.Role == ServerRole.Primary)
            words.Add("it recovers and takes no writes yet");
        else
            await StandbyAsync(spec, server, seen, words, cancellation);
        Judge(spec, server, seen, words);
        if (ServerLog.LengthOf(server.Options.LogFile) > ServerLog.MostKept)
            await ServerLog.TurnAsync(server.Binaries, server.Options.LogFile, cancellation);
    }

    /// <summary>Says how it is. Words that say that something is missing make it degraded, news alone do not.</summary>
    private void Judge(ClusterSpec spec, PgServer server, HealthSeen seen, List<string> words)
    {
        words.AddRange(ClusterSettings.Judge(spec.Settings, spec.MemoryBytes, "settings").Select(p => p.ToString()));
        if (Space() is { AvailableBytes: < LeastRoom } space)
            words.Add(NoRoom(space));
        if (seen.Replication.Slots.Any(s => s.State == "lost"))
            words.Add($"the log that was kept for {string.Join(", ", seen.Replication.Slots.Where(s => s.State == "lost").Select(s => s.Name))} is lost, for its reader was away too long");
        var pending = server.Options.Port == spec.Port ? seen.PendingRestart : [.. seen.PendingRestart, "port"];
        var state = words.Count == 0 ? ServerState.Ready : ServerState.Degraded;
        List<string> told = [.. words];
        if (pending.Count > 0)
            told.Add($"a restart is needed for {string.Join(", ", pending)}");
        if (_access.Leaving.Count > 0)
            told.Add($"still used: {string.Join(", ", _access.Leaving.Select(l => $"the role '{l.Key}' by {l.Value} session{(l.Value == 1 ? "" : "s")}"))}");
        if (_news.Length > 0 && _parts.Clock.GetElapsedTime(_newsAt) < NewsLast)
            told.Add(_news);
        if (state == ServerState.Ready && _parts.Clock.GetElapsedTime(_startedAt) > Steady)
            _crashes = 0;
        _backing.Reset();
        Publish(new(
            state, string.Join("; ", told), seen.Role, seen.SystemId, seen.Timeline, seen.Position, _parts.Archive.StatusOf(spec.ServerId), seen.Settings, _process?.Pid,
            seen.Replication, pending, _access.Leaving));
    }

    /// <summary>What is left of the disk of its data; null when there is none yet.</summary>
    private FileSystemSpace? Space() => Directory.Exists(_folder.Data) ? DiskSpace.Of(_folder.Data) : null;

    private static string NoRoom(FileSystemSpace space) => $"there is no room left on the disk of its data: {Quantity.FormatBytes((long)space.AvailableBytes)} are free";

    private async Task AccessAsync(ClusterSpec spec, PgServer server, CancellationToken cancellation)
    {
        // What was missing may have been brought meanwhile, such as the package of an extension.
        if (!_isAccessDone || (_access.Problems.Count > 0 && _parts.Clock.GetElapsedTime(_accessAt) > Steady))
        {
            _access = await new ClusterAccess(server, spec, _secrets).ApplyAsync(cancellation);
            Data(server).RemoveOld();
            (_isAccessDone, _accessAt) = (true, _parts.Clock.GetTimestamp());
        }
        else if (_access.Leaving.Count > 0)
            _access = _access with { Leaving = (await new ClusterAccess(server, spec, _secrets).ApplyGoneAsync(cancellation)).Leaving };
    }

    private async Task ArchiveAsync(ClusterSpec spec, PgServer server)
    {
        if (spec.Archive is not null)
            _parts.Archive.Keep(new(spec, server), _secrets);
        else
            await _parts.Archive.LeaveAsync(spec.ServerId);
    }

    /// <summary>
    /// A standby that receives nothing has a slot made on its primary, and after a while, when the primary itself says that the
    /// two have parted, is rewound or copied anew. A primary that cannot be reached is waited for.
    /// </summary>
    private async Task StandbyAsync(ClusterSpec spec, PgServer server, HealthSeen seen, List<string> words, CancellationToken cancellation)
    {
        _access = new([], new Dictionary<string, int>());
        await _parts.Archive.LeaveAsync(spec.ServerId);
        if (seen.Replication.Slots.Any(s => !s.IsActive && s.Name.StartsWith("crew_", StringComparison.Ordinal)))
            await DropSlotsAsync(server, cancellation);
        if (seen.Replication.IsStreaming)
        {
            _notFollowingSince = null;
            _logFrom = ServerLog.LengthOf(server.Options.LogFile);
            Data(server).RemoveOld();
            return;
        }
        _notFollowingSince ??= _parts.Clock.GetTimestamp();
        var primary = Primary(spec, server);
        var said = ServerLog.EndOf(server.Options.LogFile, _logFrom);
        words.Add($"it receives nothing from its primary at {primary.Place}");
        try
        {
            await primary.PrepareAsync(null, cancellation);
        }
        catch (JobFailedException e)
        {
            words.Add(e.Message);
            return;
        }
        if (_parts.Clock.GetElapsedTime(_notFollowingSince.Value) < _parts.Options.FollowLimit || !Diverged.Any(d => said.Contains(d, StringComparison.Ordinal)))
            return;
        _parts.Log.LogWarning("The server {Id} of cluster {Name} cannot follow as it is: {Said}", spec.ServerId, spec.Name, said);
        // A rewind finds nothing that diverged where only the log between is missing.
        await FollowAsync(server, primary, cancellation, isLogGone: said.Contains(Removed, StringComparison.Ordinal));
        _wake.Set();
    }

    /// <summary>Slots of the time when it was the primary would keep its log for ever.</summary>
    private static async Task DropSlotsAsync(PgServer server, CancellationToken cancellation)
    {
        await using var connection = await server.OpenAsync("postgres", cancellation);
        await using var command = new Npgsql.NpgsqlCommand(@"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name LIKE 'crew\_%'", connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private ServerData Data(PgServer server) => new(_folder, server, Server(_folder.NewData) ?? server, _parts.Options.Files);

    private PrimaryLink Primary(ClusterSpec spec, PgServer server)
    {
        if (spec.PrimaryHost is null || spec.PrimaryPort is null)
            throw new JobFailedException("It should be a standby, and the task does not say of which primary.");
        var primary = new PrimaryLink(spec, _folder.PassFile, _secrets[ClusterSecrets.Replication], server.Binaries.User);
        primary.WritePassFile();
        return primary;
    }
}
