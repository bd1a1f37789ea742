using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Edge;

namespace Groundcrew.Daemon.Doors;

/// <summary>From what is laid over the traffic to what the contract shows. Pure.</summary>
internal static class TrafficViews
{
    public static ConfirmationView Of(EdgesAnswer a) => new(a.Generation, a.Problem is null, a.Problem, a.Silent);

    public static EdgeView Of(EdgeInfo e) => new(
        e.Node.Id, e.Node.Hostname, e.Node.Region,
        !e.IsHeard ? "silent" : e.IsCurrent ? "current" : e.Problem is not null ? "refused" : "behind",
        e.Serving, e.Expected, e.Node.LastSeen, e.Problem,
        [.. e.Draining.OrderBy(t => t.InstanceId).Select(t => new DrainingView(t.InstanceId, t.Address, t.InFlight, t.Upgraded))]);

    public static HoldView Of(EnvironmentKey where, HoldInfo? info, ConfirmationView? confirmation) => new(
        where.Org, where.Project, where.Environment,
        info?.Hold.Kind switch { null => "open", HoldKind.Paused => "paused", _ => "closed" }, info?.Hold.Message,
        info is { Hold: { Kind: HoldKind.Paused } paused } ? Quantity.Format(paused.MaxWait) : null,
        info is { Hold: { Kind: HoldKind.Paused, MaxWaiting: var most } } ? most : null,
        info?.Hold.Since, info?.Actor, confirmation);

    public static HoldView Of(HoldInfo info) => Of(new EnvironmentKey(info.Org, info.Project, info.Environment), info, null);

    public static SplitView Of(SplitInfo s, ConfirmationView? confirmation) => new(
        s.Where.Org, s.Where.Project, s.Where.Environment, s.Current, s.Current is null ? 0 : 100 - s.Shares.Sum(x => x.Percent),
        [.. s.Shares.Select(x => new ShareView(x.Deployment, x.Percent, x.Ready))], s.Since, s.Actor, confirmation);

    public static MaintenanceView Of(MaintenanceInfo info, ConfirmationView? confirmation)
    {
        var m = info.Maintenance;
        return new MaintenanceView(
            info.Id, m.Org, m.Message, m.RetryAfter == TimeSpan.Zero ? null : Quantity.Format(m.RetryAfter), m.RetryAfterIsRemaining, m.Since, m.Until,
            m.Exempt, info.Actor, confirmation);
    }

    public static DrainView Of(DrainInfo d) => new(
        d.Deployment, d.InstanceId, d.Node, d.InFlight > d.Upgraded ? "draining" : "drained", d.InFlight, d.Upgraded, d.Since, d.Actor, null);
}
