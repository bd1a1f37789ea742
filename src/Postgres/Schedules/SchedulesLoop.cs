using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>
/// Begins what schedules ask for. A slot that was missed, or many of them, is made up for once; one whose database is busy waits
/// for its turn.
/// </summary>
internal sealed class SchedulesLoop(Store store, DatabaseReading reading, DatabaseBackups backups, ISignals signals, Nudge wake, TimeProvider clock) : ILoop
{
    private static readonly Actor Asker = Actor.Platform("schedule");

    public string Name => "database-schedules";

    public TimeSpan Every => TimeSpan.FromSeconds(15);

    public Nudge Wake => wake;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var rows = await store.ReadAsync((db, cancel) => db.Set<ScheduleRow>().OrderBy(s => s.HandledUntil).ThenBy(s => s.Id).ToListAsync(cancel), cancellation);
        var now = clock.GetUtcNow();
        var (begun, waiting) = (0, 0);
        foreach (var row in rows.Where(r => CronTimes.Read("", r.Cron, r.Zone, r.Jitter, r.Id).Value?.After(r.HandledUntil) is { } due && due <= now))
        {
            var info = await reading.GetAsync(row.ClusterId, cancellation);
            // What is being made, or is stopped on purpose, misses nothing; it is made up for once.
            if (info.State != DatabaseState.Ready || info.Primary is { Desire: not ClusterDesire.Running })
            {
                waiting++;
                continue;
            }
            switch (await BeginAsync(info, row, cancellation))
            {
                case DatabaseAnswer.Accepted:
                    begun++;
                    break;
                case DatabaseAnswer.Busy:
                    waiting++;
                    break;
                case var other:
                    await HandledAsync(info, row, other, now, cancellation);
                    break;
            }
        }
        return $"{begun} begun, {waiting} wait for their turn, of {rows.Count}";
    }

    private Task<DatabaseAnswer> BeginAsync(DatabaseInfo info, ScheduleRow row, CancellationToken cancellation) => row.Kind switch
    {
        ScheduleKind.Base => backups.BackupAsync(info.Org, info.Name, "schedule", null, Asker, cancellation, row.Id),
        ScheduleKind.Dump => backups.DumpAsync(info.Org, info.Name, row.Database, row.Template, "schedule", Asker, cancellation, row.Id),
        ScheduleKind.Verify => backups.VerifyAsync(info.Org, info.Name, null, VerifyLevel.Tool, Asker, cancellation, row.Id),
        ScheduleKind.Drill => backups.DrillAsync(info.Org, info.Name, new RecoveryTarget(), Asker, cancellation, row.Id),
        ScheduleKind.Upkeep => backups.UpkeepAsync(info.Org, info.Name, row.Database, Upkeep.Vacuum, [], Asker, cancellation, row.Id),
        ScheduleKind.Prune => backups.PruneAsync(info.Org, info.Name, Asker, cancellation, row.Id),
        _ => throw new InvalidOperationException($"There is no schedule of the kind {row.Kind}."),
    };

    /// <summary>Nothing was begun: there was nothing to do, or it could not be.</summary>
    private async Task HandledAsync(DatabaseInfo info, ScheduleRow row, DatabaseAnswer answer, DateTimeOffset now, CancellationToken cancellation)
    {
        var why = answer switch
        {
            DatabaseAnswer.Conflict conflict => conflict.Words,
            DatabaseAnswer.Refused refused => string.Join("; ", refused.Problems),
            DatabaseAnswer.NotFound missing => $"There is no {missing.What}.",
            _ => null,
        };
        await store.WriteAsync(async (db, cancel) =>
        {
            if (await db.Set<ScheduleRow>().AsTracking().SingleOrDefaultAsync(s => s.Id == row.Id, cancel) is not { } kept)
                return;
            (kept.HandledUntil, kept.LastStartedAt, kept.LastEndedAt, kept.IsLastGood, kept.LastWords) = (now, now, now, why is null, why ?? "There was nothing to do.");
            kept.LastOperation = null;
        }, cancellation);
        if (why is not null)
            signals.Raise(new Signal("database-schedule-failed", info.Subject, $"The {row.Kind.ToString().ToLowerInvariant()} of {info.Subject} by its schedule '{row.Cron}' could not begin: {why}", SignalUrgency.Warning, now));
    }
}

/// <summary>Lets nodes forget jobs that are over.</summary>
internal sealed class JobsLoop(Jobs jobs, Operations operations) : ILoop
{
    public string Name => "database-jobs";

    public TimeSpan Every => TimeSpan.FromMinutes(1);

    public Nudge Wake { get; } = new();

    public async Task<string> RunAsync(CancellationToken cancellation) =>
        $"{await jobs.SweepAsync(async (id, cancel) => (await operations.FindAsync(id, cancel))?.State is OperationState.Running or OperationState.Undoing or OperationState.Stuck, cancellation)} jobs forgotten";
}
