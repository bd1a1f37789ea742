using System.Net;
using Groundcrew.Bedrock;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>One route of the table that serves, with everything that a request needs of it ready at hand. Thread-safe.</summary>
internal sealed class RouteState
{
    private readonly TargetState[] _targets;

    public RouteState(Route route, TargetState[] targets, EdgeMeters meters)
    {
        Route = route;
        _targets = targets;
        Requests = meters.RequestsOf(route);
        Duration = meters.DurationOf(route);
        Forwarding = new ForwarderRequestConfig
        {
            ActivityTimeout = route.ActivityTimeout,
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    public Route Route { get; }

    public ForwarderRequestConfig Forwarding { get; }

    public StatusCounters Requests { get; }

    public Metric.Series Duration { get; }

    /// <summary>
    /// Two targets are drawn and the less busy one is taken ("power of two choices"); ejected ones are left out unless
    /// all are. Null when none is left that was not <paramref name="tried"/>.
    /// </summary>
    public TargetState? Pick(ReadOnlySpan<TargetState?> tried, long now)
    {
        var count = _targets.Length;
        if (count == 0)
            return null;
        var first = count == 1 ? 0 : Random.Shared.Next(count);
        var second = count == 1 ? 0 : (first + 1 + Random.Shared.Next(count - 1)) % count;
        var (a, b) = (_targets[first], _targets[second]);
        var (goodA, goodB) = (IsGood(a, tried, now), IsGood(b, tried, now));
        if (goodA && goodB)
            return a.InFlight <= b.InFlight ? a : b;
        return goodA ? a : goodB ? b : Search(first, tried, now);
    }

    private TargetState? Search(int start, ReadOnlySpan<TargetState?> tried, long now)
    {
        TargetState? ejected = null;
        for (var i = 0; i < _targets.Length; i++)
        {
            var target = _targets[(start + i) % _targets.Length];
            if (tried.Contains(target))
                continue;
            if (!target.IsEjected(now))
                return target;
            ejected ??= target;
        }
        return ejected;
    }

    private static bool IsGood(TargetState target, ReadOnlySpan<TargetState?> tried, long now) =>
        !target.IsEjected(now) && !tried.Contains(target);
}
