using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Postgres;
using DatabaseView = Groundcrew.Contract.DatabaseView;

namespace Groundcrew.Daemon.Doors;

/// <summary>From what the room Postgres knows to what the contract shows.</summary>
internal static class DatabaseWords
{
    public static IResult Answer(DatabaseAnswer answer) => answer switch
    {
        DatabaseAnswer.Accepted or DatabaseAnswer.Done => new Accepted(ChangeOf(answer)),
        DatabaseAnswer.Refused { Problems: var problems } when problems.Any(p => p.Code is "no-node" or "no-capacity") =>
            Answers.Problem(503, ProblemCodes.NoCapacity, problems[0].ToString(), problems),
        DatabaseAnswer.Refused refused => Answers.BadInput(refused.Problems),
        DatabaseAnswer.NotFound missing => Answers.NotFound(missing.What),
        DatabaseAnswer.Busy busy => Answers.Problem(409, ProblemCodes.OperationInProgress,
            $"Operation {busy.Holder.Id} works on it now: {busy.Holder.Summary}. Follow it: crew operations watch {busy.Holder.Id}"),
        DatabaseAnswer.Conflict conflict => Answers.Problem(409, ProblemCodes.Conflict, conflict.Words),
        _ => throw new InvalidOperationException($"{answer} is not one of the answers."),
    };

    public static DatabaseChangeView ChangeOf(DatabaseAnswer answer) => answer switch
    {
        DatabaseAnswer.Accepted accepted => new DatabaseChangeView(accepted.Subject, accepted.Operation.Id),
        DatabaseAnswer.Done done => new DatabaseChangeView(done.Subject, null),
        _ => throw new InvalidOperationException($"{answer} changed nothing."),
    };

    public static DatabaseView Of(DatabaseInfo d)
    {
        var primary = d.Servers.FirstOrDefault(s => s.Role == ServerRole.Primary)?.Status;
        return new DatabaseView
        {
            Id = d.Id, Org = d.Org, Name = d.Name, State = d.Health, Why = d.Why, Version = d.Settings.Version, MemoryBytes = d.Settings.MemoryBytes,
            Servers = [.. d.Servers.Select(s => Of(s, primary))],
            Databases = [.. d.Settings.Databases.Select(x => new DatabasePart(x.Name, x.Extensions))],
            Logins = [.. d.Settings.Logins.Select(l => new DatabaseLoginView(l.Name, l.Role, l.Databases, l.ConnectionLimit))],
            Settings = d.Settings.Parameters, Listen = d.Settings.Listen, Networks = d.Settings.Networks, Backups = Of(d.Settings.Archive), Retention = Of(d.Settings.Retention),
            Objectives = new ObjectivesPart(Span(d.Settings.Objectives.RecoveryTime), Span(d.Settings.Objectives.RecoveryPoint)),
            Checks = [.. d.Settings.Checks.Select(c => new CheckPart(c.Database, c.Sql, c.Words))],
            RestoredFrom = d.RestoredFrom, Moving = d.Moving, Operation = d.Operation, Actor = d.Actor, CreatedAt = d.CreatedAt,
        };
    }

    public static RetentionPart Of(RetentionPolicy policy) => new(Span(policy.BaseFor), policy.BaseCount, Span(policy.DumpsFor), policy.DumpCount);

    public static BackupsView Of(BackupsInfo info) => new()
    {
        Backups = [.. info.Seen.Backups.Select(Of)],
        Windows = [.. info.Seen.Windows.OrderBy(w => w.FromTime).Select(w => new RecoveryWindowView(
            w.Base, w.FromTime, w.ToTime, w.From.ToString(), w.To.ToString(), w.Timeline, w.SystemId))],
        Uncovered = [.. info.Seen.Uncovered.Select(u => new UncoveredView(u.From, u.To))],
        Bytes = info.Seen.Bytes, WalBytes = info.Seen.WalBytes, Unfinished = info.Seen.Unfinished,
        Problems = info.Problem is null ? info.Seen.Problems : [info.Problem, .. info.Seen.Problems],
        ReadAt = info.ReadAt, RestorableUntil = info.Seen.Newest,
    };

    public static ScheduleView Of(ScheduleInfo s) => new(
        s.Id, WordOf(s.Wanted.Kind), s.Wanted.Cron!, s.Wanted.Zone ?? "UTC", Quantity.Format(s.Wanted.Jitter), s.Wanted.Database, s.Wanted.Template, s.NextAt, s.LastStartedAt,
        s.LastStartedAt is null ? null : s.IsLastGood switch { null => "running", true => "succeeded", false => "failed" }, s.LastWords, s.LastOperation);

    public static DrillView Of(DrillInfo d) => new(
        d.Id, d.StartedAt, d.EndedAt, d.IsGood, d.Backup, d.Target, Math.Round(d.Took.TotalSeconds, 3), Math.Round(d.Lost.TotalSeconds, 3), d.Findings);

    public static string WordOf(ScheduleKind kind) => kind switch
    {
        ScheduleKind.Base => "backup",
        ScheduleKind.Prune => "retention",
        _ => Views.Word(kind),
    };

    public static ScheduleKind? KindOf(string? word) => Enum.GetValues<ScheduleKind>().Cast<ScheduleKind?>().FirstOrDefault(k => WordOf(k!.Value) == word);

    private static DatabaseServerView Of(DatabaseServerInfo s, ServerStatus? primary) => new()
    {
        Id = s.Id, Node = s.Hostname, Port = s.Port, Role = Views.Word(s.Role), State = s.Status is { } status ? Views.Word(status.State) : "unknown",
        Words = s.Status?.Words is { Length: > 0 } words ? words : null, Position = s.Status?.Position.ToString(), Timeline = s.Status?.Timeline,
        LagBytes = s.Role == ServerRole.Standby && primary is not null && s.Status is not null ? Math.Max(0, primary.Position - s.Status.Position) : null,
        ArchivedUntil = s.Status?.Archive?.CaughtUpAt, ArchiveProblem = s.Status?.Archive?.Problem, Derived = s.Status?.Settings ?? new Dictionary<string, string>(),
    };

    private static DatabaseBackupView Of(BackupSeen b) => new()
    {
        Name = b.Name, Kind = b.IsDump ? "dump" : "base", Database = b.Database,
        State = b.IsDamaged ? "damaged" : b.RestoredAt is not null ? "restored" : b.VerifiedAt is not null ? "verified" : "good",
        StartedAt = b.StartedAt, StoppedAt = b.StoppedAt, Bytes = b.Bytes, PlainBytes = b.PlainBytes, Version = b.Version, Sha256 = b.Sha256, Start = b.Start?.ToString(),
        Stop = b.Stop?.ToString(), SystemId = b.SystemId, Timeline = b.IsDump ? null : b.Timeline, Reason = b.Reason, VerifiedAt = b.VerifiedAt, VerifiedBy = b.VerifiedBy,
        RestoredAt = b.RestoredAt, IsKept = b.IsKept,
    };

    private static BackupTarget? Of(ArchiveSpec? archive) => archive is null ? null : new BackupTarget
    {
        To = archive.Storage.Url, Endpoint = archive.Storage.Endpoint, Region = archive.Storage.Region, Every = Quantity.Format(archive.FlushEvery),
        Synchronous = archive.IsSynchronous, Compression = Views.Word(archive.Compression), Encrypted = archive.IsEncrypted,
    };

    private static string? Span(TimeSpan? span) => span is { } given ? Quantity.Format(given) : null;

    /// <summary>Accepted, with the way to its operation.</summary>
    private sealed class Accepted(DatabaseChangeView change) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            if (change.Operation is { } operation)
                httpContext.Response.Headers.Location = $"/api/v1/operations/{operation}";
            return Answers.View(change, 202).ExecuteAsync(httpContext);
        }
    }
}
