using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Wiring;
using Groundcrew.Journal;
using Groundcrew.Postgres;
using Groundcrew.Postgres.OnNode;
using DatabaseView = Groundcrew.Contract.DatabaseView;

namespace Groundcrew.Daemon.Doors;

/// <summary>Databases: made, looked at, backed up, restored, moved (U-47..U-59).</summary>
internal static class DatabasesDoor
{
    private const int MostDrills = 100;

    public static void MapDatabases(this RouteGroupBuilder api)
    {
        var all = api.MapGroup("/databases").WithTags("databases");
        all.MapGet("", ListAsync).NeedsInAnyOrg(Role.Viewer).Produces<DatabaseView[]>();
        all.MapPost("", CreateAsync).NeedsInAnyOrg(Role.Admin).Accepts<DatabaseRequest>("application/json").Produces<DatabaseChangeView>(202);
        all.MapPost("apply", ApplyAsync).NeedsInAnyOrg(Role.Deployer).Accepts<ApplyDatabases>("application/json").Produces<DatabaseChangeView[]>(202);
        var one = all.MapGroup("{org}/{name}");
        one.MapGet("", FindAsync).Needs(Role.Viewer).Produces<DatabaseView>();
        one.MapPatch("", ChangeAsync).Needs(Role.Admin).Accepts<DatabaseRequest>("application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("remove", RemoveAsync).Needs(Role.Admin).Accepts<RemoveDatabase>("application/json").Produces<DatabaseChangeView>(202);
        one.MapGet("connection", ConnectAsync).Needs(Role.Admin).Produces<DatabaseConnectionView>();
        MapBackups(one);
        one.MapPost("switchover", (HttpContext http, string org, string name, DatabaseMoves moves, CancellationToken cancel) =>
            AnswerAsync(moves.SwitchoverAsync(org, name, http.Actor(), cancel))).Needs(Role.OnCall).Produces<DatabaseChangeView>(202);
        one.MapPost("failover", FailoverAsync).Needs(Role.OnCall).Accepts<FailoverDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("standby", AddStandbyAsync).Needs(Role.Admin).Accepts<AddStandby>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("standby/remove", (HttpContext http, string org, string name, DatabaseMoves moves, CancellationToken cancel) =>
            AnswerAsync(moves.RemoveStandbyAsync(org, name, http.Actor(), cancel))).Needs(Role.Admin).Produces<DatabaseChangeView>(202);
        one.MapPost("rotate", RotateAsync).Needs(Role.Admin).Accepts<RotateDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("upkeep", UpkeepAsync).Needs(Role.OnCall).Accepts<UpkeepDatabase>("application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("cancel", CancelAsync).Needs(Role.OnCall).Accepts<CancelDatabaseWork>("application/json").Produces<DatabaseChangeView>(202);
        one.MapGet("health", (string org, string name, DatabaseLooks looks, CancellationToken cancel) =>
            LookAsync<DatabaseHealthView>(looks, org, name, ServerAspect.Health, null, null, null, cancel)).Needs(Role.Viewer).Produces<DatabaseHealthView>();
        one.MapGet("statements", (string org, string name, string? database, string? order, int? limit, DatabaseLooks looks, CancellationToken cancel) =>
            LookAsync<DatabaseStatementsView>(looks, org, name, ServerAspect.Statements, database, order, limit, cancel)).Needs(Role.Viewer).Produces<DatabaseStatementsView>();
        one.MapGet("tables", (string org, string name, string? database, int? limit, DatabaseLooks looks, CancellationToken cancel) =>
            LookAsync<DatabaseTablesView>(looks, org, name, ServerAspect.Tables, database, null, limit, cancel)).Needs(Role.Viewer).Produces<DatabaseTablesView>();
    }

    private static void MapBackups(RouteGroupBuilder one)
    {
        one.MapGet("backups", BackupsAsync).Needs(Role.Viewer).Produces<BackupsView>();
        one.MapGet("drills", DrillsAsync).Needs(Role.Viewer).Produces<DrillView[]>();
        one.MapGet("schedules", SchedulesAsync).Needs(Role.Viewer).Produces<ScheduleView[]>();
        one.MapPut("schedules", SetSchedulesAsync).Needs(Role.Admin).Accepts<SchedulePart[]>("application/json").Produces<ScheduleView[]>();
        one.MapGet("retention", RetentionAsync).Needs(Role.Viewer).Produces<RetentionView>();
        one.MapPost("retention", (HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancel) =>
            AnswerAsync(backups.PruneAsync(org, name, http.Actor(), cancel))).Needs(Role.Admin).Produces<DatabaseChangeView>(202);
        one.MapPost("backup", BackupAsync).Needs(Role.OnCall).Accepts<BackupDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("dump", DumpAsync).Needs(Role.OnCall).Accepts<DumpDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("verify", VerifyAsync).Needs(Role.OnCall).Accepts<VerifyDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("drill", DrillAsync).Needs(Role.OnCall).Accepts<DrillDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("restore", RestoreAsync).Needs(Role.OnCall).Accepts<RestoreDatabase>(true, "application/json").Produces<DatabaseChangeView>(202);
        one.MapPost("restore/plan", PlanAsync).Needs(Role.Viewer).Accepts<RestoreDatabase>(true, "application/json").Produces<RestorePlanView>();
    }

    private static async Task<IResult> ListAsync(HttpContext http, Databases databases, bool? removed, int? limit, string? cursor, CancellationToken cancellation)
    {
        var size = Paging.SizeOf(limit);
        var listed = (await databases.ListAsync(http.Actor().Org, cancellation))
            .Where(d => (removed == true || d.State != DatabaseState.Removed) && (cursor is null || string.CompareOrdinal(d.Subject, cursor) > 0))
            .OrderBy(d => d.Subject, StringComparer.Ordinal).Take(size + 1).ToList();
        return Answers.View(Paging.Cut(http, listed, size, d => d.Subject).Select(DatabaseWords.Of).ToArray());
    }

    private static async Task<IResult> FindAsync(string org, string name, Databases databases, CancellationToken cancellation) =>
        await databases.FindAsync(org, name, cancellation) is { } found ? Answers.View(DatabaseWords.Of(found)) : Answers.NotFound($"database {org}/{name}");

    private static async Task<IResult> CreateAsync(HttpContext http, Databases databases, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync<DatabaseRequest>(http);
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var actor = http.Actor();
        if (!actor.Allows(Role.Admin, request.Org))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' may only act in {actor.Org}.");
        var judged = RequestedDatabase.New(databases.Beginning, request);
        return judged.Value is { } wanted ? await AnswerAsync(databases.CreateAsync(wanted, actor, cancellation)) : Answers.BadInput(judged.Problems);
    }

    private static async Task<IResult> ApplyAsync(HttpContext http, DatabasesOfManifests manifests, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new ApplyDatabases(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var judged = RequestedDatabase.Of(request);
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        var actor = http.Actor();
        if (!actor.Allows(Role.Deployer, wanted.Org))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' may only act in {actor.Org}.");
        var made = new List<DatabaseChangeView>();
        foreach (var database in wanted.Databases)
        {
            var answer = await manifests.ApplyAsync(database, actor, cancellation);
            if (answer is not (DatabaseAnswer.Accepted or DatabaseAnswer.Done))
                return DatabaseWords.Answer(answer);
            made.Add(DatabaseWords.ChangeOf(answer));
        }
        return Answers.View(made, 202);
    }

    private static async Task<IResult> ChangeAsync(HttpContext http, string org, string name, Databases databases, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync<DatabaseRequest>(http);
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var judged = RequestedDatabase.Change(request);
        return judged.Value is { } change
            ? await AnswerAsync(databases.ChangeAsync(org, name, change, RequestedDatabase.CredentialsOf(request), http.Actor(), cancellation))
            : Answers.BadInput(judged.Problems);
    }

    private static async Task<IResult> RemoveAsync(HttpContext http, string org, string name, Databases databases, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new RemoveDatabase(null));
        return body.Value is { } request ? await AnswerAsync(databases.RemoveAsync(org, name, request.Confirm, http.Actor(), cancellation)) : Answers.BadInput(body.Problems);
    }

    private static async Task<IResult> ConnectAsync(HttpContext http, string org, string name, string? login, Databases databases, CancellationToken cancellation)
    {
        if (await databases.FindAsync(org, name, cancellation) is null)
            return Answers.NotFound($"database {org}/{name}");
        if (await databases.ConnectAsync(org, name, login, http.Actor(), cancellation) is not { } connection)
            return Answers.NotFound($"{(login is null ? "login" : $"login '{login}'")} of {org}/{name} with an address yet; crew db info {org}/{name} shows its logins and where it stands");
        http.Response.Headers.CacheControl = "no-store";
        // The one place where a database's password leaves for a person: opened at the last moment, and audited.
        return Answers.View(new DatabaseConnectionView(connection.Login, connection.Role, connection.Database, connection.Url.Reveal()));
    }

    private static async Task<IResult> BackupsAsync(string org, string name, DatabaseBackups backups, CancellationToken cancellation) =>
        await backups.SeenAsync(org, name, cancellation) is { } seen ? Answers.View(DatabaseWords.Of(seen)) : Answers.NotFound($"database {org}/{name}");

    private static async Task<IResult> DrillsAsync(string org, string name, int? limit, Databases databases, DatabaseBackups backups, CancellationToken cancellation) =>
        await databases.FindAsync(org, name, cancellation) is { } found
            ? Answers.View((await backups.DrillsAsync(found.Id, Math.Clamp(limit ?? MostDrills, 1, MostDrills), cancellation)).Select(DatabaseWords.Of).ToArray())
            : Answers.NotFound($"database {org}/{name}");

    private static async Task<IResult> SchedulesAsync(string org, string name, Databases databases, DatabaseSchedules schedules, CancellationToken cancellation) =>
        await databases.FindAsync(org, name, cancellation) is { } found
            ? Answers.View((await schedules.ListAsync(found.Id, cancellation)).Select(DatabaseWords.Of).ToArray())
            : Answers.NotFound($"database {org}/{name}");

    private static async Task<IResult> SetSchedulesAsync(
        HttpContext http, string org, string name, Databases databases, DatabaseSchedules schedules, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, Array.Empty<SchedulePart>);
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var judged = RequestedDatabase.Schedules(request);
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        var answer = await schedules.SetAsync(org, name, wanted, http.Actor(), cancellation);
        return answer is DatabaseAnswer.Done ? await SchedulesAsync(org, name, databases, schedules, cancellation) : DatabaseWords.Answer(answer);
    }

    private static async Task<IResult> RetentionAsync(string org, string name, Databases databases, DatabaseBackups backups, CancellationToken cancellation)
    {
        if (await databases.FindAsync(org, name, cancellation) is not { } found)
            return Answers.NotFound($"database {org}/{name}");
        var judged = await backups.PlanRetentionAsync(org, name, cancellation);
        return judged?.Value is { } plan
            ? Answers.View(new RetentionView(DatabaseWords.Of(found.Settings.Retention), plan.Delete, plan.Keys.Count, plan.Bytes, plan.Kept))
            : Answers.Problem(409, ProblemCodes.Conflict, judged?.Problems[0].ToString() ?? "", judged?.Problems);
    }

    private static async Task<IResult> BackupAsync(HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new BackupDatabase(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        long? rate = request.MaxRate is { } text ? Quantity.ParseBytes(text) ?? 0 : null;
        return rate is < 32 * 1024
            ? Answers.BadInput([new Problem("bad-quantity", "maxRate", $"'{request.MaxRate}' is not a rate.", "Use bytes a second, 32Ki or more, such as 50Mi.")])
            : await AnswerAsync(backups.BackupAsync(org, name, Reason(request.Reason), rate, http.Actor(), cancellation));
    }

    private static async Task<IResult> DumpAsync(HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new DumpDatabase(null, null, null));
        return body.Value is { } request
            ? await AnswerAsync(backups.DumpAsync(org, name, request.Database, request.Template, Reason(request.Reason), http.Actor(), cancellation)) : Answers.BadInput(body.Problems);
    }

    private static async Task<IResult> VerifyAsync(HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new VerifyDatabase(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        return request.Level is null or "checksums" or "tool"
            ? await AnswerAsync(backups.VerifyAsync(org, name, request.Backup, request.Level == "tool" ? VerifyLevel.Tool : VerifyLevel.Checksums, http.Actor(), cancellation))
            : Answers.BadInput([new Problem("unknown-choice", "level", $"'{request.Level}' is not a level.", "Use checksums or tool; a drill is the third: crew db drill.")]);
    }

    private static async Task<IResult> DrillAsync(HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new DrillDatabase(null));
        return body.Value is { } request
            ? await AnswerAsync(backups.DrillAsync(org, name, new RecoveryTarget(request.Time), http.Actor(), cancellation)) : Answers.BadInput(body.Problems);
    }

    private static async Task<IResult> RestoreAsync(HttpContext http, string org, string name, DatabaseRestores restores, CancellationToken cancellation)
    {
        var judged = RequestedDatabase.Restore(await Body.ReadAsync<RestoreDatabase>(http));
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        if (wanted.InPlace && !http.Actor().Allows(Role.Admin, org))
            return Answers.Problem(403, ProblemCodes.Forbidden, "A restore in place replaces data: it needs the role admin. A copy beside it needs on-call.");
        return await AnswerAsync(restores.RestoreAsync(org, name, wanted, http.Actor(), cancellation));
    }

    private static async Task<IResult> PlanAsync(HttpContext http, string org, string name, DatabaseRestores restores, CancellationToken cancellation)
    {
        var judged = RequestedDatabase.Restore(await Body.ReadAsync<RestoreDatabase>(http));
        if (judged.Value is not { } wanted)
            return Answers.BadInput(judged.Problems);
        return await restores.PlanAsync(org, name, wanted, cancellation) switch
        {
            null => Answers.NotFound($"database {org}/{name}"),
            { Value: { } plan } => Answers.View(new RestorePlanView(
                plan.Subject, plan.Into, plan.Backup, plan.Target, plan.Bytes, plan.WalPieces, plan.Timeline, plan.Lost, plan.Stops, plan.Steps)),
            var refused => Answers.BadInput(refused.Problems),
        };
    }

    private static async Task<IResult> FailoverAsync(HttpContext http, string org, string name, DatabaseMoves moves, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new FailoverDatabase(null));
        return body.Value is { } request ? await AnswerAsync(moves.FailoverAsync(org, name, request.OldIsOff == true, http.Actor(), cancellation)) : Answers.BadInput(body.Problems);
    }

    private static async Task<IResult> AddStandbyAsync(HttpContext http, string org, string name, DatabaseMoves moves, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new AddStandby(null));
        return body.Value is { } request ? await AnswerAsync(moves.AddStandbyAsync(org, name, request.Node, http.Actor(), cancellation)) : Answers.BadInput(body.Problems);
    }

    private static async Task<IResult> RotateAsync(HttpContext http, string org, string name, DatabaseMoves moves, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new RotateDatabase(null));
        return body.Value is { } request ? await AnswerAsync(moves.RotateAsync(org, name, request.Login, http.Actor(), cancellation)) : Answers.BadInput(body.Problems);
    }

    private static async Task<IResult> UpkeepAsync(HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new UpkeepDatabase(null, null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        return request.Work is "vacuum" or "reindex"
            ? await AnswerAsync(backups.UpkeepAsync(
                org, name, request.Database, request.Work == "vacuum" ? Upkeep.Vacuum : Upkeep.Reindex, request.Only ?? [], http.Actor(), cancellation))
            : Answers.BadInput([new Problem("unknown-choice", "work", $"'{request.Work}' is no upkeep.", "Use vacuum or reindex.")]);
    }

    private static async Task<IResult> CancelAsync(HttpContext http, string org, string name, DatabaseBackups backups, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new CancelDatabaseWork(null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        return request.Operation is { } operation
            ? await AnswerAsync(backups.CancelAsync(org, name, operation, http.Actor(), cancellation))
            : Answers.BadInput([new Problem("missing", "operation", "No operation is named.", "crew operations names those that run.")]);
    }

    private static async Task<IResult> LookAsync<T>(
        DatabaseLooks looks, string org, string name, ServerAspect what, string? database, string? order, int? limit, CancellationToken cancellation)
        where T : class
    {
        if (!TryOrder(order, out var by))
            return Answers.BadInput([new Problem("unknown-choice", "order", $"'{order}' is not an order.", $"Use {string.Join(", ", Enum.GetNames<StatementOrder>()).ToLowerInvariant()}.")]);
        return await looks.LookAsync(org, name, what, database, by, Math.Clamp(limit ?? 20, 1, 1000), cancellation) switch
        {
            null => Answers.NotFound($"database {org}/{name}"),
            { Problem: { } problem } => Answers.Problem(503, ProblemCodes.Conflict, problem),
            // What the node looked at has the names of the contract's views; what they leave out is left out here.
            { Answer: { } answer } => Answers.View(answer.Deserialize<T>(Json.Options)),
            _ => Answers.Problem(503, ProblemCodes.Conflict, "The node gave no answer. Its agent may be of another version."),
        };
    }

    private static bool TryOrder(string? order, out StatementOrder by)
    {
        by = StatementOrder.Total;
        return order is null || (Enum.TryParse(order, ignoreCase: true, out by) && order.All(char.IsAsciiLetter));
    }

    private static string Reason(string? reason) => string.IsNullOrWhiteSpace(reason) ? "request" : reason.Length > 200 ? reason[..200] : reason;

    private static async Task<IResult> AnswerAsync(Task<DatabaseAnswer> answer) => DatabaseWords.Answer(await answer);
}
