using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>A schedule as it is asked for.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Cron">Minute, hour, day, month and weekday.</param>
/// <param name="Zone">A time zone of the IANA database; UTC when it is null.</param>
/// <param name="Jitter">It begins up to so much later, always by the same.</param>
/// <param name="Database">Dumps and upkeep: which database; null for the first.</param>
/// <param name="Template">Dumps: the template of their names (T-49); null for the usual.</param>
public sealed record WantedSchedule(ScheduleKind Kind, string? Cron, string? Zone, TimeSpan Jitter, string? Database = null, string? Template = null);

/// <summary>A schedule as others see it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Wanted">What was asked for.</param>
/// <param name="NextAt">When it begins next; null when it never does.</param>
/// <param name="LastOperation">What it began last; null when it has not yet.</param>
/// <param name="LastStartedAt">When.</param>
/// <param name="LastEndedAt">When that ended; null while it moves.</param>
/// <param name="IsLastGood">How.</param>
/// <param name="LastWords">In words.</param>
public sealed record ScheduleInfo(
    Guid Id, WantedSchedule Wanted, DateTimeOffset? NextAt, Guid? LastOperation, DateTimeOffset? LastStartedAt, DateTimeOffset? LastEndedAt, bool? IsLastGood, string? LastWords);

/// <summary>What a cluster gets that says nothing of schedules (ZM-50, ZM-56, U-48, U-49): proofs included.</summary>
internal static class DefaultSchedules
{
    public static IReadOnlyList<WantedSchedule> All { get; } =
    [
        new(ScheduleKind.Base, "0 2 * * *", "UTC", TimeSpan.FromMinutes(30)),
        new(ScheduleKind.Verify, "0 4 * * *", "UTC", TimeSpan.FromMinutes(30)),
        new(ScheduleKind.Prune, "0 5 * * *", "UTC", TimeSpan.FromMinutes(30)),
        new(ScheduleKind.Drill, "0 6 * * SUN", "UTC", TimeSpan.FromHours(1)),
        new(ScheduleKind.Upkeep, "0 3 * * SUN", "UTC", TimeSpan.FromMinutes(30)),
    ];

    public static Task AddAsync(StoreContext db, Guid clusterId, DateTimeOffset now, TimeProvider clock, CancellationToken cancellation) =>
        ReplaceAsync(db, clusterId, All, now, clock, cancellation);

    /// <summary>Sets the schedules of a cluster; one that stays the same keeps what it was and what came of it.</summary>
    public static async Task ReplaceAsync(
        StoreContext db, Guid clusterId, IReadOnlyList<WantedSchedule> wanted, DateTimeOffset now, TimeProvider clock, CancellationToken cancellation)
    {
        var rows = await db.Set<ScheduleRow>().AsTracking().Where(s => s.ClusterId == clusterId).ToListAsync(cancellation);
        foreach (var one in wanted)
        {
            if (rows.Find(r => DatabaseSchedules.WantedOf(r) == one with { Zone = one.Zone ?? "UTC" }) is { } same)
            {
                rows.Remove(same);
                continue;
            }
            db.Add(new ScheduleRow
            {
                Id = Ids.New(clock), ClusterId = clusterId, Kind = one.Kind, Cron = one.Cron!, Zone = one.Zone ?? "UTC", Jitter = one.Jitter, Database = one.Database,
                Template = one.Template, HandledUntil = now,
            });
        }
        db.RemoveRange(rows);
        await db.SaveChangesAsync(cancellation);
    }
}

/// <summary>The schedules of databases: looked at and replaced as a list. Thread-safe.</summary>
public sealed class DatabaseSchedules
{
    private const int Most = 50;
    private readonly Store _store;
    private readonly DatabaseChange _change;
    private readonly Nudge _wake;

    internal DatabaseSchedules(Store store, DatabaseChange change, Nudge wake) => (_store, _change, _wake) = (store, change, wake);

    /// <summary>The schedules of a cluster, the next one first.</summary>
    public Task<IReadOnlyList<ScheduleInfo>> ListAsync(Guid clusterId, CancellationToken cancellation) =>
        _store.ReadAsync<IReadOnlyList<ScheduleInfo>>(async (db, cancel) =>
        {
            var rows = await db.Set<ScheduleRow>().Where(s => s.ClusterId == clusterId).ToListAsync(cancel);
            return [.. rows.Select(InfoOf).OrderBy(s => s.NextAt ?? DateTimeOffset.MaxValue).ThenBy(s => s.Id)];
        }, cancellation);

    /// <summary>Sets all schedules of a cluster.</summary>
    public Task<DatabaseAnswer> SetAsync(string org, string name, IReadOnlyList<WantedSchedule> wanted, Actor actor, CancellationToken cancellation) =>
        _change.OfAsync("database.schedules", org, name, actor, async (db, row, info, cancel) =>
        {
            if (Databases.NotOurs(info, "back up") is { } words)
                return new DatabaseAnswer.Conflict(words);
            var problems = Judge(wanted, info.Settings);
            if (problems.Count > 0)
                return new DatabaseAnswer.Refused(problems);
            await DefaultSchedules.ReplaceAsync(db, row.Id, wanted, _change.Clock.StoreNow(), _change.Clock, cancel);
            db.AfterCommit(_wake.Set);
            return new DatabaseAnswer.Done(info.Subject);
        }, cancellation);

    internal static IReadOnlyList<Problem> Judge(IReadOnlyList<WantedSchedule> wanted, DatabaseSettings settings)
    {
        var problems = new ProblemList();
        if (wanted.Count > Most)
            problems.Add("too-many", "schedules", $"{wanted.Count} schedules are too many.", $"Use at most {Most}.");
        foreach (var (index, one) in wanted.Index())
        {
            var path = $"schedules[{index}]";
            problems.AddRange(CronTimes.Read(path, one.Cron, one.Zone, one.Jitter, Guid.Empty).Problems);
            if (one.Database is { } database && settings.Databases.All(d => d.Name != database))
                problems.Add("unknown-database", $"{path}.database", $"There is no database '{database}'.", $"Name one of: {string.Join(", ", settings.Databases.Select(d => d.Name))}.");
            if (one.Template is { } template)
                BackupNames.Judge($"{path}.template", template, problems);
            if (one.Kind is not (ScheduleKind.Upkeep) && settings.Archive is null)
                problems.Add("no-backups", path, "The database has no place for backups.", "Give it one: crew db change ORG/NAME --backups-to /srv/backups");
        }
        return problems.Problems;
    }

    internal static WantedSchedule WantedOf(ScheduleRow row) => new(row.Kind, row.Cron, row.Zone, row.Jitter, row.Database, row.Template);

    internal static ScheduleInfo InfoOf(ScheduleRow row) => new(
        row.Id, WantedOf(row), CronTimes.Read("", row.Cron, row.Zone, row.Jitter, row.Id).Value?.After(row.HandledUntil), row.LastOperation, row.LastStartedAt,
        row.LastEndedAt, row.IsLastGood, row.LastWords);
}
