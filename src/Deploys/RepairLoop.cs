using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>What should change so that a running deployment has its instances where they may be: pure.</summary>
/// <param name="Start">Instances to start.</param>
/// <param name="End">Instances to take out of traffic and stop: every one of them has a ready replacement.</param>
/// <param name="Abandon">The same on nodes that are down: their word is not waited for, and they count as gone.</param>
/// <param name="Waiting">What cannot be done now, and why; null when nothing is missing.</param>
internal sealed record RepairPlan(IReadOnlyList<Placed> Start, IReadOnlyList<Guid> End, IReadOnlyList<Guid> Abandon, string? Waiting)
{
    public bool IsEmpty => Start.Count == 0 && End.Count == 0 && Abandon.Count == 0;

    /// <summary>
    /// Instances on nodes that drain or are down leave a region when as many others serve there; until then,
    /// replacements are started on nodes that may take them. Never ends the last healthy copy. One that a person took out
    /// of traffic is there, so that nothing is started for it, and does not serve, so that no other leaves because of it.
    /// </summary>
    public static RepairPlan For(
        ServiceSettings settings, IReadOnlyList<InstanceInfo> instances, IReadOnlyList<NodeInfo> workers, Drains.Drained drained, Func<NodeInfo, bool> isDown, Func<Guid> newId)
    {
        var start = new List<Placed>();
        // Those that left the table before a crash, and were not stopped yet.
        var leave = instances.Where(i => i.Phase == InstancePhase.Withdrawn).ToList();
        string? waiting = null;
        var byId = workers.ToDictionary(n => n.Id);
        foreach (var region in instances.Where(i => i.Phase == InstancePhase.Serving).GroupBy(i => i.Region))
        {
            var wanted = settings.InstancesIn(region.Key);
            var leaving = region.Where(i => !byId.TryGetValue(i.NodeId, out var node) || node.State == NodeState.Draining || isDown(node)).ToList();
            if (leaving.Count == 0)
                continue;
            var staying = region.Except(leaving).ToList();
            var candidates = workers.Where(n => n.Region == region.Key && n.State == NodeState.Ready && !isDown(n) && !drained.HoldsNode(n.Id)).ToList();
            var missing = wanted - staying.Count;
            if (missing > 0)
            {
                var placed = candidates.Count == 0 ? null : Placement.Choose(candidates, _ => missing, [], settings.Limits, newId);
                waiting ??= placed?.Value is null ? placed?.Problems[0].Message ?? $"No other node of region '{region.Key}' can take its instances." : null;
                start.AddRange(placed?.Value ?? []);
            }
            else
            {
                var ready = staying.Where(i => i.TakesTraffic).ToList();
                var serving = ready.Count(i => !drained.Holds(i));
                // One that does not serve is missed by nobody.
                leave.AddRange(leaving.Where(i => (drained.Holds(i) ? ready.Count : serving) >= wanted));
                if (serving < wanted && ready.Count >= wanted)
                    waiting ??= $"{ready.Count - serving} of the instances that would stay in region '{region.Key}' are drained: crew edge undrain gives them back";
            }
        }
        var down = leave.Where(i => !byId.TryGetValue(i.NodeId, out var node) || isDown(node)).Select(i => i.Id).ToList();
        return new RepairPlan(start, [.. leave.Select(i => i.Id).Except(down)], down, waiting);
    }
}

/// <summary>
/// Moves instances away from nodes that drain or are down (ZW-49), for every deployment that runs and that no operation
/// moves now. Waits for nothing: what still drains is looked at again the next time.
/// </summary>
internal sealed class RepairLoop(
    Store store, Nodes nodes, Instances instances, Routes routes, Retirement retirement, TimeProvider clock) : ILoop
{
    /// <summary>Longer than any instance may take to leave; whoever is older is gone, and was ended by somebody else.</summary>
    private static readonly TimeSpan LongestLeave = TimeSpan.FromHours(25);

    /// <summary>Since when this control plane sees instances leave, which have a time for it; another one counts anew. Runs never overlap.</summary>
    private readonly Dictionary<Guid, DateTimeOffset> _leaving = [];

    public string Name => "repair";

    public TimeSpan Every => TimeSpan.FromSeconds(5);

    public Nudge Wake => nodes.Changed;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        var labels = await store.ReadAsync((db, cancel) => db.Set<DeploymentRow>()
            .Where(d => d.Status == DeploymentStatus.Active || d.Status == DeploymentStatus.Inactive).Select(d => d.Label).ToListAsync(cancel), cancellation);
        var words = new List<string>();
        foreach (var label in labels)
        {
            var (plan, settings) = await store.WriteAsync((db, cancel) => RepairAsync(db, label, cancel), cancellation);
            var leaving = plan.End.Concat(plan.Abandon).ToDictionary(id => id, id => _leaving.GetValueOrDefault(id, clock.GetUtcNow()));
            foreach (var (id, since) in leaving)
                _leaving[id] = since;
            var stopped = leaving.Count == 0 ? [] : await retirement.StopDrainedAsync(leaving, plan.Abandon, settings, cancellation);
            foreach (var id in stopped)
                _leaving.Remove(id);
            if (!plan.IsEmpty || plan.Waiting is not null)
                words.Add($"{label}: {plan.Start.Count} started, {stopped.Count} moved away, {leaving.Count - stopped.Count} leaving{(plan.Waiting is { } why ? $" ({why})" : "")}");
        }
        foreach (var old in _leaving.Where(l => clock.GetUtcNow() - l.Value > LongestLeave).Select(l => l.Key).ToList())
            _leaving.Remove(old);
        return words.Count == 0 ? $"{labels.Count} deployments are where they should be" : string.Join("; ", words);
    }

    private async Task<(RepairPlan, ServiceSettings)> RepairAsync(StoreContext db, string label, CancellationToken cancellation)
    {
        var row = await db.Set<DeploymentRow>().SingleAsync(d => d.Label == label, cancellation);
        var settings = Deployments.SettingsOf(row);
        if (await Leases.HolderAsync(db, Deployments.LeaseOf(row.ProjectId, row.Environment), cancellation) is not null
            || await Leases.HolderAsync(db, StopPlan.LeaseOf(label), cancellation) is not null)
            return (new RepairPlan([], [], [], null), settings);
        var workers = (await nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Worker).ToList();
        var drained = await Drains.AllAsync(db, cancellation);
        var plan = RepairPlan.For(settings, await instances.ListAsync(db, label, cancellation), workers, drained, nodes.IsDown, () => Ids.New(clock));
        foreach (var placed in plan.Start)
            await instances.PlaceAsync(db, placed.NodeId, settings.Spec(row, placed), cancellation);
        if (plan.End.Count > 0 || plan.Abandon.Count > 0)
        {
            await instances.WithdrawAsync(db, [.. plan.End, .. plan.Abandon], cancellation);
            await routes.PublishAsync(db, cancellation);
        }
        return (plan, settings);
    }
}
