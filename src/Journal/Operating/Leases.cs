using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>Looks at leases: who moves something now.</summary>
public static class Leases
{
    /// <summary>
    /// The operation that holds a lease; null when it is free. In a write transaction the answer holds until its end.
    /// </summary>
    public static Task<Guid?> HolderAsync(StoreContext db, string key, CancellationToken cancellation = default) =>
        db.Set<LeaseRow>().AsNoTracking().Where(l => l.Key == key).Select(l => l.OperationId).SingleOrDefaultAsync(cancellation);
}
