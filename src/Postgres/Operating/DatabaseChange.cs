using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>One transaction that changes a database, begins its operation and audits it; what is not accepted leaves nothing behind. Thread-safe.</summary>
internal sealed class DatabaseChange(Store store, Operations operations, Audit audit, DatabaseReading reading, TimeProvider clock)
{
    public TimeProvider Clock => clock;

    /// <summary>Runs a change of a database that must be there.</summary>
    public Task<DatabaseAnswer> OfAsync(
        string action, string org, string name, Actor actor, Func<StoreContext, ClusterRow, DatabaseInfo, CancellationToken, Task<DatabaseAnswer>> change,
        CancellationToken cancellation) =>
        RunAsync(action, $"{org}/{name}", actor, async (db, cancel) =>
        {
            var row = await db.Set<ClusterRow>().AsTracking().SingleOrDefaultAsync(c => c.Org == org && c.Name == name, cancel);
            return row is null ? new DatabaseAnswer.NotFound($"database {org}/{name}") : await change(db, row, await reading.InfoAsync(db, row, cancel), cancel);
        }, cancellation);

    /// <summary>Runs a change.</summary>
    public async Task<DatabaseAnswer> RunAsync(
        string action, string subject, Actor actor, Func<StoreContext, CancellationToken, Task<DatabaseAnswer>> change, CancellationToken cancellation)
    {
        try
        {
            return await store.WriteAsync(async (db, cancel) =>
            {
                var answer = await change(db, cancel);
                if (answer is not (DatabaseAnswer.Accepted or DatabaseAnswer.Done))
                    throw new NotAcceptedException(answer);
                audit.Write(db, actor, action, subject, "accepted", new { operation = (answer as DatabaseAnswer.Accepted)?.Operation.Id });
                return answer;
            }, cancellation);
        }
        catch (NotAcceptedException refused)
        {
            return refused.Answer;
        }
    }

    /// <summary>Begins an operation on a database.</summary>
    public async Task<DatabaseAnswer> BeginAsync<TPlan>(
        StoreContext db, OperationDefinition<TPlan> definition, TPlan plan, string subject, string summary, Actor actor, IReadOnlyList<string> leases,
        CancellationToken cancellation, Guid? id = null)
        where TPlan : class
    {
        await db.SaveChangesAsync(cancellation);
        return await operations.BeginAsync(db, definition, plan, new BeginOptions { Id = id, Subject = subject, Summary = summary, Actor = actor, Leases = leases }, cancellation) switch
        {
            BeginResult.Begun begun => new DatabaseAnswer.Accepted(subject, begun.Operation),
            BeginResult.Busy busy => new DatabaseAnswer.Busy(busy.Holder),
            var other => throw new InvalidOperationException($"Without a key an operation begins or finds the lease held, and not {other}."),
        };
    }

    /// <summary>Ends the transaction without keeping anything; never leaves this class.</summary>
    private sealed class NotAcceptedException(DatabaseAnswer answer) : Exception
    {
        public DatabaseAnswer Answer { get; } = answer;
    }
}
