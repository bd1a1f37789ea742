using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>
/// Keeps the edges' table true to what instances report: one that is not ready leaves, one that is comes back. What people
/// laid over the traffic and that has ended is forgotten.
/// </summary>
internal sealed class RoutesLoop(Store store, Nodes nodes, Instances instances, Routes routes, TimeProvider clock) : ILoop
{
    public string Name => "routes";

    public TimeSpan Every => TimeSpan.FromSeconds(5);

    public Nudge Wake => nodes.Changed;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        // A table that is not ours: the store went back to an older backup, and ours must become the newest again.
        var atLeast = await routes.ForeignAsync(cancellation) + 1 ?? 0;
        var generation = await store.WriteAsync(async (db, cancel) =>
        {
            await TableLevels.SweepAsync(db, instances, nodes, clock.GetUtcNow(), cancel);
            return await routes.PublishAsync(db, cancel, atLeast);
        }, cancellation);
        return $"route table {generation}";
    }
}

/// <summary>Stops deployments whose rollback window ended (ZW-79, ZW-80), and that have no share of a split.</summary>
internal sealed class RetireLoop(Store store, Operations operations, Instances instances, Retirement retirement, TimeProvider clock) : ILoop
{
    public string Name => "retire";

    public TimeSpan Every => TimeSpan.FromSeconds(1);

    public Nudge Wake => retirement.Wake;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var due = await store.ReadAsync((db, cancel) => db.Set<DeploymentRow>()
            .Where(d => d.Status == DeploymentStatus.Inactive && d.KeptUntil != null && d.KeptUntil <= now && !db.Set<SplitRow>().Any(s => s.Deployment == d.Label))
            .OrderBy(d => d.KeptUntil).Take(100).Select(d => d.Label).ToListAsync(cancel), cancellation);
        var begun = 0;
        foreach (var label in due)
            if (await store.WriteAsync((db, cancel) => BeginStopAsync(db, label, cancel), cancellation))
                begun++;
        return $"{begun} of {due.Count} deployments begin to stop";
    }

    /// <summary>
    /// Takes the instances out of traffic in the transaction that begins the stop, so that no rollback can count on them
    /// from then on; while an operation moves the environment, it waits for the next round.
    /// </summary>
    private async Task<bool> BeginStopAsync(StoreContext db, string label, CancellationToken cancellation)
    {
        var row = await db.Set<DeploymentRow>().SingleAsync(d => d.Label == label, cancellation);
        var pointed = await db.Set<EnvironmentRow>().AnyAsync(e => e.Current == label, cancellation);
        var shares = await db.Set<SplitRow>().AnyAsync(s => s.Deployment == label, cancellation);
        if (row.Status != DeploymentStatus.Inactive || pointed || shares
            || await Leases.HolderAsync(db, Deployments.LeaseOf(row.ProjectId, row.Environment), cancellation) is not null)
            return false;
        var ids = (await instances.ListAsync(db, label, cancellation)).Select(i => i.Id).ToList();
        await instances.WithdrawAsync(db, ids, cancellation);
        var settings = Deployments.SettingsOf(row);
        var begun = await operations.BeginAsync(
            db, retirement.Stop, new StopPlan(label, ids, settings.Drain, settings.WebSocketGrace),
            new BeginOptions
            {
                Subject = $"{row.Org}/{row.Project}", Summary = $"stop {label}: its rollback window ended", Actor = Actor.Platform("retire"),
                Leases = [StopPlan.LeaseOf(label)],
            },
            cancellation);
        return begun is BeginResult.Begun;
    }
}
