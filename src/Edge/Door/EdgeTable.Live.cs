namespace Groundcrew.Edge;

/// <summary>What the table tells of the moment, for whoever looks inside: breakers, limits, routes. No request comes here.</summary>
public sealed partial class EdgeTable
{
    /// <summary>The present, for breakers.</summary>
    internal long Now => _clock.GetTimestamp();

    /// <summary>The routes of each service that the table names.</summary>
    internal IEnumerable<IGrouping<ServiceState, RouteState>> Services => Volatile.Read(ref _current).Routes.GroupBy(r => r.Service);

    /// <summary>The breakers of every service and target, as they are now (AZ-48).</summary>
    public IReadOnlyList<ServiceBreakers> Breakers() =>
    [
        .. Services.Select(s => new ServiceBreakers(
            s.Key.Name.ToString(), s.Key.Breaker.Status(Now),
            [.. TargetsOf(s).Select(t => new TargetBreaker(t.InstanceId, t.Address, t.Breaker.Status(Now)))])),
    ];

    /// <summary>What limits and holds hold back now, of every service.</summary>
    public IReadOnlyList<ServiceLimits> Limits() =>
    [
        .. Services.Select(s =>
        {
            var (gate, hold) = (s.Key.Concurrency, s.First().Hold);
            return new ServiceLimits(
                s.Key.Name.ToString(), hold.Current, hold.Waiting, gate?.InFlight, gate?.Most, gate?.Waiting, gate?.Shed,
                [.. s.SelectMany(r => r.Rates).Distinct().Select(r => new LiveRate(r.Limit, r.Kept, r.Refused))], s.Key.Retries.Refused);
        }),
    ];

    /// <summary>The routes that serve, with what is in flight to their targets, and what still drains, as one consistent view of both.</summary>
    public LiveRoutes Routes()
    {
        lock (_gate)
        {
            var now = Now;
            return new LiveRoutes(
                _current.Generation,
                [.. _current.Routes.Select(r => new LiveRoute(
                    r.Route.Host, r.Route.Path, r.Route.Match, r.Service.Name.ToString(), [.. r.Backends.Select(b => new LiveBackend(
                        b.Deployment, b.Percent > 0 ? b.Percent : 100 - r.Backends.Sum(o => o.Percent),
                        [.. b.Targets.Select(t => new LiveTarget(t.InstanceId, t.Address, t.IsWell(now), t.InFlight, t.Upgraded))]))]))],
                Status().Draining);
        }
    }

    /// <summary>The targets of a service, each once.</summary>
    internal static IEnumerable<TargetState> TargetsOf(IGrouping<ServiceState, RouteState> service) => service.SelectMany(r => r.Targets).Distinct();
}
