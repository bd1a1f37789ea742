using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>The edge's metrics. Series are looked up when a table is made ready, never by a request. Thread-safe.</summary>
internal sealed class EdgeMeters
{
    private static readonly double[] Buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
    private readonly Metric _requests;
    private readonly Metric _byService;
    private readonly Metric _duration;
    private readonly Metric _outcomes;
    private readonly Metric _tables;
    private readonly Metric _limited;
    private readonly Metric _breakers;
    private readonly Metric _held;
    private readonly Metric.Series _inFlight;
    private readonly Metric.Series _noRoute;
    private readonly Metric.Series[] _unrouted;
    private readonly Metric.Series _retries;
    private readonly Metric.Series _ejections;

    public EdgeMeters(MetricRegistry metrics)
    {
        _requests = metrics.Counter("groundcrew_edge_requests_total", "Requests by the status that the client saw; 499 when it left first.",
            "org", "project", "route", "deployment", "status");
        _byService = metrics.Counter("http_requests_total", "Requests of a service (project and organization) by status.", "service", "status");
        _duration = metrics.Histogram("groundcrew_edge_request_duration_seconds",
            "From the first byte of a request to the last of its response; upgraded connections are left out.", Buckets, "org", "project", "route", "deployment");
        _outcomes = metrics.Counter("groundcrew_edge_outcomes_total", "Requests by how they ended: the side and the stage of each failure; without a deployment, those that found no route.",
            "org", "project", "deployment", "outcome");
        _tables = metrics.Counter("groundcrew_edge_tables_total", "Route tables that were offered, by what became of them.", "outcome");
        _limited = metrics.Counter("groundcrew_edge_rate_limited_total", "Requests beyond a rate limit (RATE_LIMIT_EXCEEDED), by the limit.", "org", "project", "limit");
        _breakers = metrics.Gauge("groundcrew_edge_breaker_open", "Whether a circuit breaker is open (1), on trial (0.5) or closed (0); without an instance, the service's own.",
            "org", "project", "environment", "instance");
        _held = metrics.Gauge("groundcrew_edge_held_requests", "Requests that wait because their service is paused.", "org", "project", "environment");
        _inFlight = metrics.Gauge("groundcrew_edge_requests_in_flight", "Requests and upgraded connections that are open now.").With();
        _noRoute = metrics.Counter("groundcrew_edge_no_route_total", "Requests for a host that no route names.").With();
        _unrouted = [.. Enum.GetValues<Outcome>().Select(o => _outcomes.With("", "", "", o.Word()))];
        _retries = metrics.Counter("groundcrew_edge_retries_total", "Requests that were offered to one more instance.").With();
        _ejections = metrics.Counter("groundcrew_edge_ejections_total", "Instances left out for a while because connections failed.").With();
    }

    public void Began() => _inFlight.Add();

    public void Ended() => _inFlight.Add(-1);

    /// <summary>A request without a route, which has no service to count it for.</summary>
    public void CountUnrouted(Outcome outcome)
    {
        if (outcome == Outcome.NoRoute)
            _noRoute.Add();
        _unrouted[(int)outcome].Add();
    }

    public void CountRetry() => _retries.Add();

    public void CountLimited(Route route, string limit) => _limited.With(route.Org, route.Project, limit).Add();

    public void CountEjection() => _ejections.Add();

    /// <summary>Fills the gauges that are read and not counted, before they are shown.</summary>
    public void Observe(EdgeTable table)
    {
        _breakers.Clear();
        _held.Clear();
        foreach (var service in table.Services)
        {
            var (name, now) = (service.Key.Name, table.Now);
            _breakers.With(name.Org, name.Project, name.Environment, "").Set(Openness(service.Key.Breaker.Status(now)));
            foreach (var target in EdgeTable.TargetsOf(service))
                _breakers.With(name.Org, name.Project, name.Environment, target.InstanceId.ToString()).Set(Openness(target.Breaker.Status(now)));
            _held.With(name.Org, name.Project, name.Environment).Set(service.First().Hold.Waiting);
        }
    }

    private static double Openness(BreakerStatus status) => status.State switch
    {
        BreakerState.Open => 1,
        BreakerState.HalfOpen => 0.5,
        _ => 0,
    };

    public void CountTable(ApplyOutcome outcome) => _tables.With(outcome switch
    {
        ApplyOutcome.Applied => "applied",
        ApplyOutcome.SameAlready => "same",
        ApplyOutcome.RefusedOlder => "older",
        ApplyOutcome.RefusedOtherPlatform => "other-platform",
        ApplyOutcome.RefusedProblems => "problems",
        ApplyOutcome.NotKept => "not-kept",
        _ => throw new System.Diagnostics.UnreachableException(),
    }).Add();

    /// <summary>A deployment left the table for good: its series would only fill the metrics.</summary>
    public void Forget(string deployment)
    {
        _requests.Remove("deployment", deployment);
        _duration.Remove("deployment", deployment);
        _outcomes.Remove("deployment", deployment);
    }

    /// <summary>What is counted of a deployment under a route.</summary>
    public BackendMeters Of(Route route, string deployment)
    {
        var service = $"{route.Project}-{route.Org}";
        var name = route.Path == "/" ? route.Host : route.Host + route.Path;
        return new BackendMeters(
            new StatusCounters(status => (_requests.With(route.Org, route.Project, name, deployment, status), _byService.With(service, status))),
            _duration.With(route.Org, route.Project, name, deployment),
            outcome => _outcomes.With(route.Org, route.Project, deployment, outcome.Word()));
    }
}

/// <summary>What is counted of a deployment under a route. Thread-safe, without a lock.</summary>
internal sealed class BackendMeters(StatusCounters requests, Metric.Series duration, Func<Outcome, Metric.Series> outcomes)
{
    private readonly Metric.Series?[] _outcomes = new Metric.Series?[Enum.GetValues<Outcome>().Length];

    public void Count(int status, Outcome outcome, double? seconds)
    {
        requests.Count(status);
        // Looked up twice at worst: the registry gives both the same series.
        (_outcomes[(int)outcome] ??= outcomes(outcome)).Add();
        if (seconds is { } took)
            duration.Observe(took);
    }
}

/// <summary>
/// The request counters of one route by status: a route answers with few different statuses, so a short array that is
/// replaced when a new one appears beats a dictionary. Thread-safe, without a lock.
/// </summary>
internal sealed class StatusCounters(Func<string, (Metric.Series Requests, Metric.Series ByService)> find)
{
    private Entry[] _known = [];

    /// <summary>Counts one request that ended with <paramref name="status"/>.</summary>
    public void Count(int status)
    {
        var entry = Find(Volatile.Read(ref _known), status) ?? Learn(status);
        entry.Requests.Add();
        entry.ByService.Add();
    }

    private static Entry? Find(Entry[] known, int status)
    {
        foreach (var entry in known)
            if (entry.Status == status)
                return entry;
        return null;
    }

    private Entry Learn(int status)
    {
        var (requests, byService) = find(status.ToString());
        var entry = new Entry(status, requests, byService);
        var seen = Volatile.Read(ref _known);
        while (Find(seen, status) is null)
        {
            var before = Interlocked.CompareExchange(ref _known, [.. seen, entry], seen);
            if (before == seen)
                break;
            seen = before;
        }
        return entry;
    }

    private sealed record Entry(int Status, Metric.Series Requests, Metric.Series ByService);
}
