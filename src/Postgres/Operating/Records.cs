using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>A drill that ended.</summary>
/// <param name="Id">Its operation.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="IsGood">Whether everything passed.</param>
/// <param name="Backup">The base backup that it began with; null when nothing came back.</param>
/// <param name="Target">The moment that it aimed at; null for the latest.</param>
/// <param name="Took">The measured recovery time.</param>
/// <param name="Lost">The measured recovery point.</param>
/// <param name="Findings">What did not pass.</param>
public sealed record DrillInfo(
    Guid Id, DateTimeOffset StartedAt, DateTimeOffset EndedAt, bool IsGood, string? Backup, DateTimeOffset? Target, TimeSpan Took, TimeSpan Lost, IReadOnlyList<string> Findings);

/// <summary>What drills measured. Thread-safe.</summary>
internal sealed class DrillRecords(Store store, TimeProvider clock)
{
    /// <summary>Keeps what a drill measured; again changes nothing.</summary>
    public Task AddAsync(StepContext<JobPlan> context, DrillDone drill, CancellationToken cancellation) => store.WriteAsync(async (db, cancel) =>
    {
        if (await db.Set<DrillRow>().AnyAsync(d => d.Id == context.Operation, cancel))
            return;
        db.Add(new DrillRow
        {
            Id = context.Operation, ClusterId = context.Plan.ClusterId, Operation = context.Operation, StartedAt = context.StepStartedAt, EndedAt = clock.StoreNow(),
            IsGood = drill.IsGood, Backup = drill.Restored?.Backup, Target = ((RunDrill)context.Plan.Work).Target.Time, Took = drill.Took, Lost = drill.Lost,
            Findings = string.Join('\n', drill.Findings.Select(f => f.ReplaceLineEndings(" "))),
        });
    }, cancellation);

    /// <summary>The newest drills of a cluster, newest first.</summary>
    public Task<IReadOnlyList<DrillInfo>> ListAsync(Guid clusterId, int most, CancellationToken cancellation) =>
        store.ReadAsync<IReadOnlyList<DrillInfo>>(async (db, cancel) =>
        {
            var rows = await db.Set<DrillRow>().Where(d => d.ClusterId == clusterId).OrderByDescending(d => d.StartedAt).Take(most).ToListAsync(cancel);
            return [.. rows.Select(d => new DrillInfo(
                d.Id, d.StartedAt, d.EndedAt, d.IsGood, d.Backup, d.Target, d.Took, d.Lost, d.Findings.Split('\n', StringSplitOptions.RemoveEmptyEntries)))];
        }, cancellation);
}

/// <summary>What came of a schedule's operations. Thread-safe.</summary>
internal sealed class ScheduleRecords(ISignals signals, TimeProvider clock)
{
    /// <summary>Keeps that an operation began, in the transaction that begins it: no slot begins two.</summary>
    public static async Task BegunAsync(StoreContext db, Guid? scheduleId, Guid operation, DateTimeOffset now, CancellationToken cancellation)
    {
        if (scheduleId is null || await db.Set<ScheduleRow>().AsTracking().SingleOrDefaultAsync(s => s.Id == scheduleId, cancellation) is not { } row)
            return;
        (row.HandledUntil, row.LastOperation, row.LastStartedAt, row.LastEndedAt, row.IsLastGood, row.LastWords) = (now, operation, now, null, null, null);
    }

    /// <summary>Keeps how an operation ended, in the transaction of its end.</summary>
    public async Task EndedAsync(StoreContext db, Guid? scheduleId, OperationOutcome outcome)
    {
        if (scheduleId is null || await db.Set<ScheduleRow>().AsTracking().SingleOrDefaultAsync(s => s.Id == scheduleId) is not { } row)
            return;
        (row.LastEndedAt, row.IsLastGood, row.LastWords) = (clock.StoreNow(), outcome is OperationOutcome.Succeeded, outcome switch
        {
            OperationOutcome.Succeeded succeeded => succeeded.Text,
            OperationOutcome.RolledBack back => back.Why,
            OperationOutcome.Stuck stuck => stuck.Why,
            _ => null,
        });
        if (row.IsLastGood != false)
            return;
        var cluster = await db.Set<ClusterRow>().SingleAsync(c => c.Id == row.ClusterId);
        var (subject, words) = ($"{cluster.Org}/{cluster.Name}", row.LastWords);
        db.AfterCommit(() => signals.Raise(new Signal("database-schedule-failed", subject,
            $"The {row.Kind.ToString().ToLowerInvariant()} of {subject} by its schedule '{row.Cron}' failed: {words} It is tried again at its next time; by hand: crew db {Verb(row.Kind)} {subject}",
            SignalUrgency.Warning, clock.GetUtcNow())));
    }

    private static string Verb(ScheduleKind kind) => kind switch
    {
        ScheduleKind.Base => "backup",
        ScheduleKind.Prune => "retention --apply",
        ScheduleKind.Upkeep => "vacuum",
        _ => kind.ToString().ToLowerInvariant(),
    };
}
