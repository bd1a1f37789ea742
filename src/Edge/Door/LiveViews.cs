namespace Groundcrew.Edge;

/// <summary>The breakers of a service at this edge (AZ-48): an entry of <c>GET /debug/circuit-breakers</c>.</summary>
/// <param name="Service">Organization, project and environment, with <c>/</c> between them.</param>
/// <param name="Breaker">The service's own.</param>
/// <param name="Targets">Those of its instances.</param>
public sealed record ServiceBreakers(string Service, BreakerStatus Breaker, IReadOnlyList<TargetBreaker> Targets);

/// <summary>The breaker of an instance.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Address">Its address.</param>
/// <param name="Breaker">Its breaker.</param>
public sealed record TargetBreaker(Guid Instance, string Address, BreakerStatus Breaker);

/// <summary>What holds the requests of a service back at this edge: an entry of <c>GET /debug/limits</c>.</summary>
/// <param name="Service">Organization, project and environment, with <c>/</c> between them.</param>
/// <param name="Hold">The hold; null for none.</param>
/// <param name="Held">Requests that wait because of it.</param>
/// <param name="InFlight">Requests in flight; null where they are not limited.</param>
/// <param name="InFlightAtMost">How many may be; null where they are not limited.</param>
/// <param name="Waiting">Requests that wait for one of these places; null where they are not limited.</param>
/// <param name="Shed">Requests that found no place, since the limit was set; null where they are not limited.</param>
/// <param name="Rates">Limits by rate.</param>
/// <param name="RetriesRefused">Retries that the budget did not allow.</param>
public sealed record ServiceLimits(
    string Service, Hold? Hold, int Held, int? InFlight, int? InFlightAtMost, int? Waiting, long? Shed, IReadOnlyList<LiveRate> Rates, long RetriesRefused);

/// <summary>A limit by rate.</summary>
/// <param name="Limit">What it holds to.</param>
/// <param name="Keys">For how many values of what it counts by it keeps a bucket.</param>
/// <param name="Refused">Requests that it turned away, since it was set.</param>
public sealed record LiveRate(RateLimit Limit, int Keys, long Refused);

/// <summary>The routes of this edge with what is in flight.</summary>
/// <param name="Generation">The table that serves; 0 for none.</param>
/// <param name="Routes">In the order of the table.</param>
/// <param name="Draining">Instances that no route names any more and that still carry requests.</param>
public sealed record LiveRoutes(long Generation, IReadOnlyList<LiveRoute> Routes, IReadOnlyList<DrainingTarget> Draining);

/// <summary>One route.</summary>
/// <param name="Host">The host.</param>
/// <param name="Path">Where it begins.</param>
/// <param name="Match">What a request must carry; null for nothing.</param>
/// <param name="Service">Organization, project and environment, with <c>/</c> between them.</param>
/// <param name="Backends">Its own deployment, and then those that take a share.</param>
public sealed record LiveRoute(string Host, string Path, RouteMatch? Match, string Service, IReadOnlyList<LiveBackend> Backends);

/// <summary>A deployment that serves a route.</summary>
/// <param name="Deployment">Its label.</param>
/// <param name="Percent">What it takes of the route's traffic, 0 to 100.</param>
/// <param name="Targets">Its instances.</param>
public sealed record LiveBackend(string Deployment, int Percent, IReadOnlyList<LiveTarget> Targets);

/// <summary>An instance that may take requests.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Address">Its address.</param>
/// <param name="IsWell">Whether this edge gives it requests: neither its breaker nor the edge's probes leave it out.</param>
/// <param name="InFlight">Requests to it that have not ended, over all routes, upgraded ones included.</param>
/// <param name="Upgraded">How many of them are upgraded connections, such as WebSockets.</param>
public sealed record LiveTarget(Guid Instance, string Address, bool IsWell, int InFlight, int Upgraded);
