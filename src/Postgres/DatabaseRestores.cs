using System.Globalization;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;

namespace Groundcrew.Postgres;

/// <summary>A wish to restore.</summary>
public sealed record WantedRestore
{
    /// <summary>The moment; none of its properties for the latest.</summary>
    public RecoveryTarget Target { get; init; } = new();

    /// <summary>Which of the histories of the archive, when there are several; null for the newest.</summary>
    public string? SystemId { get; init; }

    /// <summary>The name of a dump, to be restored as another database of the same cluster; null for the whole cluster.</summary>
    public string? Dump { get; init; }

    /// <summary>The name of the copy, or of the database that the dump becomes; null to have it chosen.</summary>
    public string? As { get; init; }

    /// <summary>Replaces what is there, instead of making a copy beside it.</summary>
    public bool InPlace { get; init; }

    /// <summary>In place: the name once more.</summary>
    public string? Confirm { get; init; }

    /// <summary>In place: goes without a backup of what is there now.</summary>
    public bool WithoutSafetyBackup { get; init; }

    /// <summary>A copy: the hostname of the node; null to have it chosen.</summary>
    public string? Node { get; init; }
}

/// <summary>What a restore will do, before it does it.</summary>
/// <param name="Subject">The database.</param>
/// <param name="Into">What it is restored to: a copy, itself, or another database.</param>
/// <param name="Backup">The base backup or the dump that it begins with.</param>
/// <param name="Target">The moment, in words.</param>
/// <param name="Bytes">How much has to be fetched.</param>
/// <param name="WalPieces">How many pieces of the log are replayed.</param>
/// <param name="Timeline">The timeline that it follows; 0 for a dump.</param>
/// <param name="Lost">What will be missing, in sentences.</param>
/// <param name="Stops">The services that are stopped meanwhile.</param>
/// <param name="Steps">What is done, in order.</param>
public sealed record RestorePreview(
    string Subject, string Into, string Backup, string Target, long Bytes, int WalPieces, uint Timeline, IReadOnlyList<string> Lost, IReadOnlyList<string> Stops,
    IReadOnlyList<string> Steps);

/// <summary>Restores databases: a plan first, then the deed. Thread-safe.</summary>
public sealed class DatabaseRestores
{
    private const int MaxName = 40;
    private readonly DatabaseChange _change;
    private readonly DatabaseReading _reading;
    private readonly Databases _databases;
    private readonly Archives _archives;
    private readonly DatabaseSecrets _secrets;
    private readonly IDatabaseClients _clients;
    private readonly Nodes _nodes;
    private readonly DatabasesOptions _options;
    private readonly RestoreOperations _restores;
    private readonly RestoreDumpOperation _dump;

    internal DatabaseRestores(
        Operations operations, DatabaseChange change, DatabaseReading reading, Databases databases, Archives archives, DatabaseSecrets secrets, IDatabaseClients clients,
        Nodes nodes, DatabasesOptions options, RestoreOperations restores, RestoreDumpOperation dump)
    {
        (_change, _reading, _databases, _archives, _secrets) = (change, reading, databases, archives, secrets);
        (_clients, _nodes, _options, _restores, _dump) = (clients, nodes, options, restores, dump);
        operations.Register(restores.Copy);
        operations.Register(restores.InPlace);
        operations.Register(dump.Definition);
    }

    /// <summary>What a restore would do, and what would be lost; its problems when it cannot be done. Null when there is no such database.</summary>
    public async Task<Judged<RestorePreview>?> PlanAsync(string org, string name, WantedRestore wanted, CancellationToken cancellation)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } info)
            return null;
        var judged = await JudgeAsync(info, wanted, cancellation);
        return judged.Value is { } found ? Judged<RestorePreview>.Good(await PreviewAsync(info, wanted, found, cancellation)) : Judged<RestorePreview>.Bad(judged.Problems);
    }

    /// <summary>Restores.</summary>
    public async Task<DatabaseAnswer> RestoreAsync(string org, string name, WantedRestore wanted, Actor actor, CancellationToken cancellation)
    {
        if (await _reading.FindAsync(org, name, cancellation) is not { } info)
            return new DatabaseAnswer.NotFound($"database {org}/{name}");
        var judged = await JudgeAsync(info, wanted, cancellation);
        if (judged.Value is not { } found)
            return new DatabaseAnswer.Refused(judged.Problems);
        if (wanted.InPlace && wanted.Confirm != name && wanted.Confirm != info.Subject)
            return new DatabaseAnswer.Refused([new Problem("confirm", "confirm", $"What is in {info.Subject} now is replaced.", $"Look at the plan first (--plan), and confirm with its name: '{name}'.")]);
        return await _change.OfAsync(wanted.InPlace ? "database.restore-in-place" : "database.restore", org, name, actor, (db, row, now, cancel) =>
            wanted.Dump is not null ? BeginDumpAsync(db, row, now, wanted, found, actor, cancel)
            : wanted.InPlace ? BeginInPlaceAsync(db, row, now, wanted, found, actor, cancel)
            : BeginCopyAsync(db, now, wanted, found, actor, cancel), cancellation);
    }

    /// <summary>What was found for a wish: the plan of a cluster, or a dump.</summary>
    private sealed record Found(Catalogue Catalogue, RecoveryPlan? Plan, DumpManifest? Dump, string As);

    private async Task<Judged<Found>> JudgeAsync(DatabaseInfo info, WantedRestore wanted, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        if (Databases.NotOurs(info, "restore") is { } words)
            problems.Add("external", "", words, "Restore it where it runs.");
        if (wanted.InPlace && (wanted.As is not null || wanted.Dump is not null))
            problems.Add("in-place", "inPlace", "A restore in place has no other name, and a dump is always restored beside what is there.", "Take out 'as', 'dump' or 'in place'.");
        if (wanted.InPlace && info.State != DatabaseState.Ready)
            problems.Add("in-place", "inPlace", $"{info.Subject} is {info.Health}: there is nothing to replace.", "Restore it as a copy: --as NAME.");
        if (!problems.IsEmpty)
            return Judged<Found>.Bad(problems.Problems);
        Catalogue catalogue;
        try
        {
            catalogue = await _archives.ReadAsync(info, cancellation);
        }
        catch (IOException e)
        {
            return Judged<Found>.Bad([new Problem("archive-unreadable", "", $"The archive of {info.Subject} cannot be read: {e.Message}", "Mend that, and ask again.")]);
        }
        if (wanted.Dump is { } name)
        {
            if (catalogue.Dumps.FirstOrDefault(d => d.Name == name) is not { } dump)
                return Judged<Found>.Bad([new Problem("unknown-backup", "dump", $"{info.Subject} has no dump '{name}'.", $"crew db backups {info.Subject} lists them.")]);
            var database = wanted.As ?? $"{dump.Database}_{dump.StartedAt.UtcDateTime.ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture)}";
            DatabaseRules.JudgeIdentifier("as", database, problems);
            if (info.Settings.Databases.Any(d => d.Name == database))
                problems.Add("taken", "as", $"{info.Subject} has a database '{database}' already.", "Name another one: --as NAME.");
            return problems.IsEmpty ? Judged<Found>.Good(new Found(catalogue, null, dump, database)) : Judged<Found>.Bad(problems.Problems);
        }
        var plan = RecoveryPlanning.Plan(catalogue, wanted.SystemId, wanted.Target);
        if (plan.Value is null)
            return Judged<Found>.Bad(plan.Problems);
        var copy = wanted.InPlace ? info.Name : wanted.As ?? await FreeNameAsync(info, cancellation);
        if (!wanted.InPlace)
            problems.RequireSlug("as", copy);
        return problems.IsEmpty ? Judged<Found>.Good(new Found(catalogue, plan.Value, null, copy)) : Judged<Found>.Bad(problems.Problems);
    }

    private async Task<RestorePreview> PreviewAsync(DatabaseInfo info, WantedRestore wanted, Found found, CancellationToken cancellation)
    {
        if (found.Dump is { } dump)
            return new RestorePreview(info.Subject, $"database '{found.As}' of {info.Subject}", dump.Name, $"as at {Text(dump.StartedAt)}", dump.File.Bytes, 0, 0,
                [$"The copy has nothing that was committed after {Text(dump.StartedAt)}. What is there now stays as it is."], [], _dump.Definition.Steps.Select(s => s.Name).ToList());
        var plan = found.Plan!;
        var lost = RecoveryPlanning.Loss(found.Catalogue, plan, _change.Clock.GetUtcNow());
        var operation = wanted.InPlace ? _restores.InPlace : _restores.Copy;
        var stops = wanted.InPlace ? await _clients.ListAsync(info.Org, SecretsOf(info), cancellation) : [];
        return new RestorePreview(
            info.Subject, wanted.InPlace ? $"{info.Subject} itself" : $"a copy beside it, {info.Org}/{found.As}", plan.Base.Name, Words(plan.Target), plan.Bytes, plan.Wal.Count,
            plan.Timeline, wanted.InPlace ? lost : [.. lost.Select(l => l), "What is there now stays as it is."], stops, [.. operation.Steps.Select(s => s.Name)]);
    }

    private async Task<DatabaseAnswer> BeginCopyAsync(StoreContext db, DatabaseInfo source, WantedRestore wanted, Found found, Actor actor, CancellationToken cancellation)
    {
        var settings = source.Settings with { Standbys = 0, Archive = null, GoneRoles = [] };
        var (row, refused) = await _databases.RowAsync(db, new CreateDatabase(source.Org, found.As, settings, wanted.Node, null, null, null), actor, cancellation);
        if (refused is not null)
            return refused;
        row!.RestoredFrom = $"{source.Subject}, {found.Plan!.Base.Name}, {Words(found.Plan.Target)}";
        await db.SaveChangesAsync(cancellation);
        var workers = (await _nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Worker && n.State == NodeState.Ready && !_nodes.IsDown(n)).ToList();
        // A folder is seen from the node that wrote it; a bucket from everywhere.
        var near = source.Settings.Archive!.Storage.Url.StartsWith("s3:", StringComparison.Ordinal) ? null : source.Primary?.Hostname;
        var judged = ClusterPlanning.Place(
            workers, await Databases.TakenAsync(db, cancellation), settings.MemoryBytes, wanted.Node ?? (workers.Exists(w => w.Hostname == near) ? near : null), null, null, _options,
            () => Ids.New(_change.Clock));
        if (judged.Value is not { } placed)
            return new DatabaseAnswer.Refused(judged.Problems);
        await _secrets.MakeAsync(db, source.Org, found.As, settings, actor, cancellation, hasKeyOfAnother: true);
        await _secrets.CopyArchiveAsync(db, source.Org, source.Name, found.As, actor, cancellation);
        var copy = await _reading.GetAsync(db, row.Id, cancellation);
        var spec = ClusterPlanning.SpecOf(copy, new DatabaseServerInfo(placed.ServerId, placed.NodeId, placed.Hostname, ServerRole.Primary, placed.Port, ClusterDesire.Running, null));
        var plan = new RestorePlan
        {
            ClusterId = row.Id, Org = source.Org, Name = found.As, Server = placed, JobId = Ids.New(_change.Clock),
            Work = new RestoreCluster(spec, source.ArchiveName, found.Plan.SystemId, wanted.Target, source.Settings.Archive!),
        };
        return await _change.BeginAsync(db, _restores.Copy, plan, copy.Subject, $"restore {source.Subject} as {copy.Subject}: {Words(wanted.Target)}", actor,
            [DatabaseReading.LeaseOf(row.Id), DatabaseReading.RestoreLeaseOf(source.Id)], cancellation, row.Operation);
    }

    private async Task<DatabaseAnswer> BeginInPlaceAsync(
        StoreContext db, ClusterRow row, DatabaseInfo info, WantedRestore wanted, Found found, Actor actor, CancellationToken cancellation)
    {
        if (info.Primary is not { } primary)
            return new DatabaseAnswer.Conflict($"{info.Subject} has no server to restore to. Restore it as a copy: --as NAME.");
        var archive = info.Settings.Archive!;
        var standby = info.Servers.FirstOrDefault(s => s.Role == ServerRole.Standby);
        row.Operation = Ids.New(_change.Clock);
        var plan = new RestorePlan
        {
            ClusterId = row.Id, Org = info.Org, Name = info.Name, Server = new PlacedServer(primary.Id, primary.NodeId, primary.Hostname, primary.Port),
            Standby = standby is null ? null : new PlacedServer(standby.Id, standby.NodeId, standby.Hostname, standby.Port),
            JobId = Ids.New(_change.Clock), Secrets = SecretsOf(info),
            Work = new RestoreCluster(ClusterPlanning.SpecOf(info, primary), info.ArchiveName, found.Plan!.SystemId, wanted.Target, archive),
            SafetyJobId = wanted.WithoutSafetyBackup ? null : Ids.New(_change.Clock),
            Safety = wanted.WithoutSafetyBackup ? null : new TakeBaseBackup(primary.Id, archive, "before-restore"),
        };
        return await _change.BeginAsync(db, _restores.InPlace, plan, info.Subject, $"restore {info.Subject} in place: {Words(wanted.Target)}", actor,
            [DatabaseReading.LeaseOf(row.Id), DatabaseReading.BackupLeaseOf(row.Id), DatabaseReading.RestoreLeaseOf(row.Id)], cancellation, row.Operation);
    }

    private Task<DatabaseAnswer> BeginDumpAsync(
        StoreContext db, ClusterRow row, DatabaseInfo info, WantedRestore wanted, Found found, Actor actor, CancellationToken cancellation)
    {
        if (info is not { State: DatabaseState.Ready, Primary: { Desire: ClusterDesire.Running } primary })
            return Task.FromResult<DatabaseAnswer>(new DatabaseAnswer.Conflict($"{info.Subject} is {info.Health}: no server of it runs that could take the dump in."));
        var plan = new RestoreDumpPlan(row.Id, info.Subject, primary.NodeId, primary.Hostname, Ids.New(_change.Clock),
            new RestoreDump(primary.Id, info.ArchiveName, wanted.Dump!, found.As, info.Settings.Owner, info.Settings.Archive!));
        return _change.BeginAsync(db, _dump.Definition, plan, info.Subject, $"restore {wanted.Dump} as database {found.As} of {info.Subject}", actor,
            [DatabaseReading.LeaseOf(row.Id), DatabaseReading.RestoreLeaseOf(row.Id)], cancellation);
    }

    private async Task<string> FreeNameAsync(DatabaseInfo info, CancellationToken cancellation)
    {
        for (var number = 1; ; number++)
        {
            var tail = number == 1 ? "-copy" : $"-copy-{number}";
            var name = info.Name[..Math.Min(info.Name.Length, MaxName - tail.Length)].TrimEnd('-') + tail;
            if (await _reading.FindAsync(info.Org, name, cancellation) is null or { State: DatabaseState.Failed or DatabaseState.Removed })
                return name;
        }
    }

    internal static IReadOnlyList<string> SecretsOf(DatabaseInfo info) =>
        [DatabaseSecrets.UrlOf(info.Name), .. info.Settings.Logins.Select(l => DatabaseSecrets.UrlOf(info.Name, l.Name))];

    private static string Words(RecoveryTarget target) => target switch
    {
        { Time: { } time } => $"as at {Text(time)}",
        { Position: { } place } => $"up to {place}",
        { Name: { } point } => $"up to the point '{point}'",
        _ => "the latest that there is",
    };

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
