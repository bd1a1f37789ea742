using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>Reads operations from the journal.</summary>
internal static class OperationReading
{
    public static async Task<OperationView?> ViewAsync(StoreContext db, Guid id, CancellationToken cancellation)
    {
        var row = await db.Set<OperationRow>().AsNoTracking().FirstOrDefaultAsync(o => o.Id == id, cancellation);
        return row is null ? null : ToView(row, await StepsAsync(db, [id], cancellation));
    }

    public static async Task<IReadOnlyList<OperationLine>> LinesAsync(StoreContext db, Guid id, CancellationToken cancellation) =>
        await db.Set<LineRow>().AsNoTracking().Where(l => l.OperationId == id).OrderBy(l => l.Number)
            .Select(l => new OperationLine(l.Number, l.At, l.Step, l.Text)).ToListAsync(cancellation);

    public static async Task<OperationEvent.Snapshot?> SnapshotAsync(StoreContext db, Guid id, CancellationToken cancellation) =>
        await ViewAsync(db, id, cancellation) is { } view ? new OperationEvent.Snapshot(view, await LinesAsync(db, id, cancellation)) : null;

    public static async Task<Page<OperationView>> ListAsync(
        StoreContext db, OperationFilter filter, int limit, PageCursor? cursor, CancellationToken cancellation)
    {
        var query = db.Set<OperationRow>().AsNoTracking();
        if (filter.Kind is { } kind)
            query = query.Where(o => o.Kind == kind);
        if (filter.Subject is { } subject)
            query = query.Where(o => o.Subject == subject);
        if (filter.SubjectPrefix is { } prefix)
            query = query.Where(o => o.Subject.StartsWith(prefix));
        if (filter.State is { } state)
            query = query.Where(o => o.State == state);
        if (cursor is not null)
            query = query.Where(o => o.CreatedAt < cursor.At || (o.CreatedAt == cursor.At && o.Id.CompareTo(cursor.Id) < 0));
        var rows = await query.OrderByDescending(o => o.CreatedAt).ThenByDescending(o => o.Id).Take(limit + 1).ToListAsync(cancellation);
        var shown = rows.Take(limit).ToList();
        var steps = await StepsAsync(db, [.. shown.Select(o => o.Id)], cancellation);
        var next = rows.Count > limit ? new PageCursor(shown[^1].CreatedAt, shown[^1].Id) : null;
        return new([.. shown.Select(o => ToView(o, steps))], next);
    }

    /// <summary>Everything that a start has to take up, oldest first.</summary>
    public static async Task<IReadOnlyList<RunRecord>> UnfinishedAsync(StoreContext db, CancellationToken cancellation)
    {
        var ids = await db.Set<OperationRow>().Where(o => o.State == OperationState.Running || o.State == OperationState.Undoing)
            .OrderBy(o => o.CreatedAt).ThenBy(o => o.Id).Select(o => o.Id).ToListAsync(cancellation);
        var records = new List<RunRecord>();
        foreach (var id in ids)
            records.Add((await RecordAsync(db, id, cancellation))!);
        return records;
    }

    public static async Task<RunRecord?> RecordAsync(StoreContext db, Guid id, CancellationToken cancellation)
    {
        var row = await db.Set<OperationRow>().AsNoTracking().FirstOrDefaultAsync(o => o.Id == id, cancellation);
        if (row is null)
            return null;
        var view = ToView(row, await StepsAsync(db, [id], cancellation));
        var held = await db.Set<LeaseRow>().AsNoTracking().Where(l => l.OperationId == id).OrderBy(l => l.Position).ToListAsync(cancellation);
        var leases = held.ToDictionary(l => l.Key, l => new Generation(l.Generation), StringComparer.Ordinal);
        var first = held.Count > 0 ? leases[held[0].Key] : Generation.None;
        return new RunRecord(view, row.Undoing, row.Conclusion, row.Plan, leases, first, await LinesAsync(db, id, cancellation));
    }

    public static OperationView ToView(OperationRow row, IReadOnlyList<StepRow> steps) => new(
        row.Id, row.Kind, row.Subject, row.Summary, row.Actor, row.State, row.Outcome, row.Why, row.CreatedAt, row.EndedAt, row.LinesDropped,
        [.. steps.Where(s => s.OperationId == row.Id).OrderBy(s => s.Position).Select(s => new StepView(s.Name, s.State, s.Attempt, s.StartedAt, s.EndedAt, s.Words))]);

    private static async Task<IReadOnlyList<StepRow>> StepsAsync(StoreContext db, IReadOnlyList<Guid> ids, CancellationToken cancellation) =>
        await db.Set<StepRow>().AsNoTracking().Where(s => ids.Contains(s.OperationId)).ToListAsync(cancellation);
}
