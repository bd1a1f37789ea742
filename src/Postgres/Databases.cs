using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>
/// The database clusters: made, looked at, changed, removed. Backups and restores are <see cref="DatabaseBackups"/>, moves between
/// servers <see cref="DatabaseMoves"/>. Thread-safe.
/// </summary>
public sealed class Databases
{
    private readonly DatabaseChange _change;
    private readonly DatabaseReading _reading;
    private readonly DatabaseSecrets _secrets;
    private readonly Nodes _nodes;
    private readonly Audit _audit;
    private readonly DatabasesOptions _options;
    private readonly CreateOperation _create;
    private readonly RemoveOperation _remove;
    private readonly ChangeOperation _settings;

    internal Databases(
        Operations operations, DatabaseChange change, DatabaseReading reading, DatabaseSecrets secrets, Nodes nodes, Audit audit, DatabasesOptions options,
        CreateOperation create, RemoveOperation remove, ChangeOperation settings)
    {
        (_change, _reading, _secrets, _nodes, _audit, _options) = (change, reading, secrets, nodes, audit, options);
        (_create, _remove, _settings) = (create, remove, settings);
        operations.Register(create.Definition);
        operations.Register(remove.Definition);
        operations.Register(settings.Definition);
    }

    /// <summary>What a new cluster begins with: its backups go where the platform's go.</summary>
    public DatabaseSettings Beginning => new()
    {
        Archive = _options.BackupUrl is { } url ? new ArchiveSpec(new StorageSpec(url), TimeSpan.FromSeconds(10)) : null,
    };

    /// <summary>All clusters, or those of one organization, by name; those that were removed are among them.</summary>
    public Task<IReadOnlyList<DatabaseInfo>> ListAsync(string? org, CancellationToken cancellation) => _reading.ListAsync(org, cancellation);

    /// <summary>One cluster; null when there is none.</summary>
    public Task<DatabaseInfo?> FindAsync(string org, string name, CancellationToken cancellation) => _reading.FindAsync(org, name, cancellation);

    /// <summary>
    /// Makes a cluster, or takes in one that somebody else runs. A name that was removed, or could not be made, is made anew: its
    /// backups stay beside the new ones.
    /// </summary>
    public Task<DatabaseAnswer> CreateAsync(CreateDatabase request, Actor actor, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        problems.RequireSlug("org", request.Org);
        problems.RequireSlug("name", request.Name);
        if (!problems.IsEmpty)
            return Task.FromResult<DatabaseAnswer>(new DatabaseAnswer.Refused(problems.Problems));
        var settings = DatabaseRules.Filled(request.Name, request.Settings);
        if (request.ExternalUrl is { } url)
            DatabaseRules.JudgeExternal(url, problems);
        else
            DatabaseRules.Judge(settings, problems);
        if (request.Port is < 1024 or > 65535)
            problems.Add("out-of-range", "port", $"{request.Port} is not a port for a database.", "Use 1024 to 65535.");
        if (!problems.IsEmpty)
            return Task.FromResult<DatabaseAnswer>(new DatabaseAnswer.Refused(problems.Problems));
        return _change.RunAsync("database.create", $"{request.Org}/{request.Name}", actor, (db, cancel) => request.ExternalUrl is null
            ? CreateAsync(db, request with { Settings = settings }, actor, cancel)
            : RegisterAsync(db, request, actor, cancel), cancellation);
    }

    /// <summary>Changes what a cluster should be; what is the same already is done at once.</summary>
    public Task<DatabaseAnswer> ChangeAsync(
        string org, string name, Func<DatabaseSettings, DatabaseSettings> change, Secret? storageCredentials, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.change", org, name, actor, async (db, row, info, cancel) =>
        {
            if (NotOurs(info, "change the settings of") is { } words)
                return new DatabaseAnswer.Conflict(words);
            if (info.State != DatabaseState.Ready)
                return new DatabaseAnswer.Conflict($"{info.Subject} is {info.Health}: there is nothing to change.");
            var settings = change(info.Settings);
            var problems = new ProblemList();
            DatabaseRules.Judge(settings, problems);
            if (settings.Version != info.Settings.Version)
                problems.Add("bad-version", "version", $"{info.Subject} is of version {info.Settings.Version}; a change of the major version is a move to another cluster.",
                    "Make a new one, and restore a dump into it.");
            if (settings.Standbys != info.Settings.Standbys)
                problems.Add("not-here", "standbys", "Standbys are added and taken away by name.", "Use: crew db standby add, crew db standby remove.");
            if (!problems.IsEmpty)
                return new DatabaseAnswer.Refused(problems.Problems);
            if (storageCredentials is not null)
                await _secrets.SetAsync(db, org, name, ClusterSecrets.Storage, storageCredentials, actor, cancel);
            if (DatabaseReading.Written(settings) == row.Settings)
                return new DatabaseAnswer.Done(info.Subject);
            await _secrets.MakeAsync(db, org, name, settings, actor, cancel);
            return await _change.BeginAsync(db, _settings.Definition, new ChangePlan(row.Id, info.Subject, info.Settings, settings), info.Subject,
                $"change {info.Subject}", actor, [DatabaseReading.LeaseOf(row.Id)], cancel);
        }, cancellation);

    /// <summary>Removes a cluster: its servers and files go, its backups stay. Its name has to be said once more.</summary>
    public Task<DatabaseAnswer> RemoveAsync(string org, string name, string? confirm, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.remove", org, name, actor, async (db, row, info, cancel) =>
        {
            if (confirm != name && confirm != info.Subject)
                return new DatabaseAnswer.Refused([new Problem("confirm", "confirm", $"The data of {info.Subject} is removed with it; only its backups stay.", $"Confirm with its name: '{name}'.")]);
            if (info.State == DatabaseState.Removed)
                return new DatabaseAnswer.Done(info.Subject);
            if (row.IsExternal)
            {
                row.State = DatabaseState.Removed;
                return new DatabaseAnswer.Done(info.Subject);
            }
            return await _change.BeginAsync(db, _remove.Definition, new RemovePlan(row.Id, info.Subject), info.Subject, $"remove {info.Subject}", actor,
                [DatabaseReading.LeaseOf(row.Id), DatabaseReading.BackupLeaseOf(row.Id)], cancel);
        }, cancellation);

    /// <summary>How to connect with a login; the first one when none is named. Null when there is no such database, login or address yet. Audited.</summary>
    public async Task<DatabaseConnection?> ConnectAsync(string org, string name, string? login, Actor actor, CancellationToken cancellation)
    {
        if (await FindAsync(org, name, cancellation) is not { State: DatabaseState.Ready } info)
            return null;
        var found = login is null ? info.Settings.Logins is [var first, ..] ? first : null : info.Settings.Logins.FirstOrDefault(l => l.Name == login);
        if ((found is null && !info.IsExternal) || await _secrets.RevealAsync(org, DatabaseSecrets.UrlOf(name, info.IsExternal ? null : found!.Name), cancellation) is not { } url)
            return null;
        await _audit.WriteAsync(actor, "database.connect", info.Subject, "ok", new { login = found?.Name }, cancellation: cancellation);
        var uri = info.IsExternal ? new Uri(url.Reveal()) : null;
        return info.IsExternal
            ? new DatabaseConnection(uri!.UserInfo.Split(':')[0], uri.UserInfo.Split(':')[0], uri.AbsolutePath.TrimStart('/'), url)
            : new DatabaseConnection(found!.Name, found.Role, found.Databases.Count > 0 ? found.Databases[0] : info.Settings.Databases[0].Name, url);
    }

    /// <summary>Why something cannot be done with a database that somebody else runs; null when it is ours.</summary>
    internal static string? NotOurs(DatabaseInfo info, string what) => info.IsExternal
        ? $"{info.Subject} is run by somebody else, and the platform cannot {what} it: that needs its files. Make one of our own (crew db create), or do it where it runs." : null;

    private async Task<DatabaseAnswer> CreateAsync(StoreContext db, CreateDatabase request, Actor actor, CancellationToken cancellation)
    {
        var settings = request.Settings;
        var (row, refused) = await RowAsync(db, request, actor, cancellation);
        if (refused is not null)
            return refused;
        var workers = (await _nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Worker && n.State == NodeState.Ready && !_nodes.IsDown(n)).ToList();
        var taken = await TakenAsync(db, cancellation);
        var primary = ClusterPlanning.Place(workers, taken, settings.MemoryBytes, request.Node, request.Port, null, _options, () => Ids.New(_change.Clock));
        if (primary.Value is not { } placed)
            return new DatabaseAnswer.Refused(primary.Problems);
        PlacedServer? standby = null;
        if (settings.Standbys > 0)
        {
            var isLocal = settings.Listen.All(a => a is "127.0.0.1" or "::1");
            var second = ClusterPlanning.Place(
                isLocal ? [.. workers.Where(w => w.Id == placed.NodeId)] : workers, [.. taken, (placed.NodeId, placed.Port, settings.MemoryBytes)], settings.MemoryBytes,
                null, null, placed.NodeId, _options, () => Ids.New(_change.Clock));
            if (second.Value is null)
                return new DatabaseAnswer.Refused(second.Problems);
            standby = second.Value;
        }
        await _secrets.MakeAsync(db, request.Org, request.Name, settings, actor, cancellation);
        if (request.StorageCredentials is { } credentials)
            await _secrets.SetAsync(db, request.Org, request.Name, ClusterSecrets.Storage, credentials, actor, cancellation);
        var now = _change.Clock.StoreNow();
        await db.SaveChangesAsync(cancellation);
        await CreateOperation.AddServerAsync(db, row!.Id, placed, ServerRole.Primary, now, cancellation);
        if (settings.Archive is not null)
            await DefaultSchedules.AddAsync(db, row.Id, now, _change.Clock, cancellation);
        return await _change.BeginAsync(db, _create.Definition,
            new CreatePlan { ClusterId = row.Id, Name = $"{request.Org}/{request.Name}", Primary = placed, Standby = standby }, $"{request.Org}/{request.Name}",
            $"create {request.Org}/{request.Name}: PostgreSQL {settings.Version} on {placed.Hostname}, port {placed.Port}", actor, [DatabaseReading.LeaseOf(row.Id)], cancellation, row.Operation);
    }

    private async Task<DatabaseAnswer> RegisterAsync(StoreContext db, CreateDatabase request, Actor actor, CancellationToken cancellation)
    {
        var (row, refused) = await RowAsync(db, request, actor, cancellation);
        if (refused is not null)
            return refused;
        row!.State = DatabaseState.Ready;
        await _secrets.SetAsync(db, request.Org, request.Name, "url", request.ExternalUrl!, actor, cancellation);
        return new DatabaseAnswer.Done($"{request.Org}/{request.Name}");
    }

    internal async Task<(ClusterRow? Row, DatabaseAnswer? Refused)> RowAsync(StoreContext db, CreateDatabase request, Actor actor, CancellationToken cancellation)
    {
        var subject = $"{request.Org}/{request.Name}";
        var row = await db.Set<ClusterRow>().AsTracking().SingleOrDefaultAsync(c => c.Org == request.Org && c.Name == request.Name, cancellation);
        if (row is { State: DatabaseState.Creating or DatabaseState.Ready })
            return (null, new DatabaseAnswer.Conflict($"There is a database {subject} already. Look at it: crew db info {subject}"));
        var archive = $"{request.Org}-{request.Name}";
        if (await db.Set<ClusterRow>().AnyAsync(c => c.Org + "-" + c.Name == archive && (c.Org != request.Org || c.Name != request.Name), cancellation))
            return (null, new DatabaseAnswer.Conflict($"The backups of {subject} would lie where another database's are: both are called '{archive}' there. Choose another name."));
        var now = _change.Clock.StoreNow();
        if (row is null)
        {
            row = new ClusterRow
            {
                Id = Ids.New(_change.Clock), Org = request.Org, Name = request.Name, State = DatabaseState.Creating, IsExternal = false, Settings = "",
                Operation = Guid.Empty, Actor = actor.Name, CreatedAt = now,
            };
            db.Add(row);
        }
        (row.State, row.IsExternal, row.Settings) = (DatabaseState.Creating, request.ExternalUrl is not null, DatabaseReading.Written(request.Settings));
        (row.Operation, row.Actor, row.CreatedAt, row.Why, row.RestoredFrom, row.FirstBackupBegunAt) = (Ids.New(_change.Clock), actor.Name, now, null, null, null);
        return (row, null);
    }

    internal static async Task<IReadOnlyList<(Guid Node, int Port, long Memory)>> TakenAsync(StoreContext db, CancellationToken cancellation)
    {
        var servers = await db.Set<ServerRow>().Join(db.Set<ClusterRow>(), s => s.ClusterId, c => c.Id, (s, c) => new { s.NodeId, s.Port, c.Settings }).ToListAsync(cancellation);
        return [.. servers.Select(s => (s.NodeId, s.Port, System.Text.Json.JsonSerializer.Deserialize<DatabaseSettings>(s.Settings, Json.Options)!.MemoryBytes))];
    }
}
