using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>Begins one operation inside a write: key first, then leases, then the rows.</summary>
internal sealed class OperationBeginning(StoreContext db, TimeProvider clock)
{
    private const int MaxKey = 200;

    public async Task<(BeginResult Result, RunRecord? Record)> BeginAsync(
        OperationDefinition definition, object plan, BeginOptions options, CancellationToken cancellation)
    {
        if (await EarlierAsync(options, cancellation) is { } earlier)
            return (earlier, null);
        string[] keys = [.. options.Leases.Distinct(StringComparer.Ordinal)];
        var leases = await db.Set<LeaseRow>().Where(l => keys.Contains(l.Key)).ToListAsync(cancellation);
        // The first in the caller's order, which is the one it cares about most.
        if (leases.Where(l => l.OperationId is not null).MinBy(l => Array.IndexOf(keys, l.Key)) is { } held)
            return (new BeginResult.Busy(await OperationReading.ViewAsync(db, held.OperationId!.Value, cancellation) ?? throw Lost(held), held.Key), null);
        var row = NewRow(definition, plan, options);
        db.Add(row);
        var steps = NewSteps(row, definition);
        db.AddRange(steps);
        // The row first: leases refer to it.
        await db.SaveChangesAsync(cancellation);
        var generations = keys.Select((key, position) => KeyValuePair.Create(key, Acquire(leases, key, position, row))).ToDictionary(StringComparer.Ordinal);
        await db.SaveChangesAsync(cancellation);
        var view = OperationReading.ToView(row, steps);
        return (new BeginResult.Begun(view), new RunRecord(view, Undoing: false, null, row.Plan, generations, keys.Length > 0 ? generations[keys[0]] : Generation.None, []));
    }

    private async Task<BeginResult?> EarlierAsync(BeginOptions options, CancellationToken cancellation)
    {
        if (options.IdempotencyKey is not { } key)
            return null;
        if (options.RequestHash is null || key.Length is 0 or > MaxKey)
            throw new ArgumentException($"An idempotency key has 1 to {MaxKey} characters and comes with a request hash.", nameof(options));
        var earlier = await db.Set<OperationRow>().AsNoTracking()
            .FirstOrDefaultAsync(o => o.ActorId == options.Actor.Id && o.RequestKey == key, cancellation);
        if (earlier is null)
            return null;
        var view = (await OperationReading.ViewAsync(db, earlier.Id, cancellation))!;
        return earlier.RequestHash == options.RequestHash ? new BeginResult.Replayed(view) : new BeginResult.KeyReused(view);
    }

    private Generation Acquire(List<LeaseRow> leases, string key, int position, OperationRow row)
    {
        var lease = leases.Find(l => l.Key == key);
        if (lease is null)
        {
            lease = new LeaseRow { Key = key, Generation = 0, Position = position, AcquiredAt = row.CreatedAt };
            db.Add(lease);
        }
        (lease.OperationId, lease.Generation, lease.Position, lease.AcquiredAt) = (row.Id, lease.Generation + 1, position, row.CreatedAt);
        return new Generation(lease.Generation);
    }

    private OperationRow NewRow(OperationDefinition definition, object plan, BeginOptions options) => new()
    {
        Id = options.Id ?? Ids.New(clock),
        Kind = definition.Kind,
        Subject = options.Subject,
        Summary = options.Summary,
        ActorId = options.Actor.Id,
        Actor = options.Actor.Name,
        Plan = Readable(definition, JsonSerializer.Serialize(plan, plan.GetType(), Json.Options)),
        State = OperationState.Running,
        CreatedAt = clock.StoreNow(),
        RequestKey = options.IdempotencyKey,
        RequestHash = options.RequestHash,
    };

    /// <summary>A plan that could not be read back must fail here, where nothing has begun, and not after a crash.</summary>
    private static string Readable(OperationDefinition definition, string plan)
    {
        _ = definition.ReadPlan(plan);
        return plan;
    }

    /// <summary>The first step counts as started with the operation, which saves a write.</summary>
    private static List<StepRow> NewSteps(OperationRow row, OperationDefinition definition) =>
    [
        .. definition.StepNames.Select((name, k) => new StepRow
        {
            OperationId = row.Id,
            Position = k,
            Name = name,
            State = k == 0 ? StepState.Running : StepState.Pending,
            Attempt = k == 0 ? 1 : 0,
            StartedAt = k == 0 ? row.CreatedAt : null,
        }),
    ];

    private static InvalidDataException Lost(LeaseRow held) => new($"The lease '{held.Key}' names an operation that is not there.");
}
