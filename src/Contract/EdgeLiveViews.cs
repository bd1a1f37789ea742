namespace Groundcrew.Contract;

/// <summary>An edge that did not say what it was asked.</summary>
/// <param name="Edge">Its hostname.</param>
/// <param name="Why">Why not.</param>
public sealed record UnansweredView(string Edge, string Why);

/// <summary>The circuit breakers of all edges (AZ-48): <c>GET /api/v1/edge/breakers</c> and <c>GET /debug/circuit-breakers</c>.</summary>
/// <param name="Breakers">By service, edge and instance; a service's own first.</param>
/// <param name="Unanswered">Edges whose breakers are missing here.</param>
public sealed record EdgeBreakersView(IReadOnlyList<BreakerView> Breakers, IReadOnlyList<UnansweredView> Unanswered);

/// <summary>A circuit breaker, as one edge has it.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Edge">The edge's hostname.</param>
/// <param name="Instance">The instance; null for the service's own, over all its instances.</param>
/// <param name="Address">The instance's address; null for the service's own.</param>
/// <param name="State">closed (traffic flows), open (it gets none) or half-open (a few requests try it).</param>
/// <param name="FailuresInARow">Failures since the last success.</param>
/// <param name="Requests">Requests in the window of the policy.</param>
/// <param name="FailurePercent">How many of them failed, in percent.</param>
/// <param name="OpenUntil">When it may be tried again; null when it is not open.</param>
/// <param name="Opened">How often it was opened since the edge knows it.</param>
public sealed record BreakerView(
    string Org, string Project, string Environment, string Edge, Guid? Instance, string? Address, string State, int FailuresInARow, long Requests,
    int FailurePercent, DateTimeOffset? OpenUntil, long Opened);

/// <summary>What holds requests back at the edges: <c>GET /api/v1/edge/limits</c>. Each edge counts for itself.</summary>
/// <param name="Limits">By service and edge.</param>
/// <param name="Unanswered">Edges whose limits are missing here.</param>
public sealed record EdgeLimitsView(IReadOnlyList<LimitsView> Limits, IReadOnlyList<UnansweredView> Unanswered);

/// <summary>What holds the requests of a service back at one edge.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Edge">The edge's hostname.</param>
/// <param name="State">open, paused (requests wait) or closed (they are answered 503).</param>
/// <param name="Held">Requests that wait because it is paused.</param>
/// <param name="InFlight">Requests in flight; null where they are not limited, as are the next three.</param>
/// <param name="InFlightAtMost">How many may be.</param>
/// <param name="Waiting">Requests that wait for a place.</param>
/// <param name="Shed">Requests that got none, since the limit was set.</param>
/// <param name="Rates">Limits by rate.</param>
/// <param name="RetriesRefused">Retries that the budget did not allow.</param>
public sealed record LimitsView(
    string Org, string Project, string Environment, string Edge, string State, int Held, int? InFlight, int? InFlightAtMost, int? Waiting, long? Shed,
    IReadOnlyList<RateView> Rates, long RetriesRefused);

/// <summary>A limit by rate, at one edge.</summary>
/// <param name="Name">Its name.</param>
/// <param name="By">What it counts by: address, token, tenant, header or route.</param>
/// <param name="Requests">How many are allowed in <paramref name="Per"/>.</param>
/// <param name="Per">The time, such as <c>1m</c>.</param>
/// <param name="Burst">How many may come at once.</param>
/// <param name="Keys">For how many values of what it counts by it keeps a bucket.</param>
/// <param name="Refused">Requests that it turned away, since it was set.</param>
public sealed record RateView(string Name, string By, int Requests, string Per, int Burst, int Keys, long Refused);

/// <summary>The routes as each edge has them: <c>GET /api/v1/edge/routes</c>.</summary>
/// <param name="Differ">Whether the edges that answered do not route alike.</param>
/// <param name="Edges">By hostname.</param>
/// <param name="Unanswered">Edges whose routes are missing here.</param>
public sealed record EdgeRoutesView(bool Differ, IReadOnlyList<EdgeTableView> Edges, IReadOnlyList<UnansweredView> Unanswered);

/// <summary>The routes of one edge.</summary>
/// <param name="Edge">The edge's hostname.</param>
/// <param name="Generation">The route table that it serves; 0 for none.</param>
/// <param name="Routes">By host and path.</param>
/// <param name="Draining">Instances that no route names any more and that still carry requests.</param>
public sealed record EdgeTableView(string Edge, long Generation, IReadOnlyList<EdgeRouteView> Routes, IReadOnlyList<DrainingView> Draining);

/// <summary>A route of an edge.</summary>
/// <param name="Host">The host.</param>
/// <param name="Path">Where it begins, such as <c>/</c>.</param>
/// <param name="Match">What a request must carry, as <c>header NAME=VALUE</c> or <c>cookie NAME=VALUE</c>; null for nothing.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Deployments">Who serves it: its own deployment, and then those that take a share.</param>
public sealed record EdgeRouteView(
    string Host, string Path, string? Match, string Org, string Project, string Environment, IReadOnlyList<EdgeBackendView> Deployments);

/// <summary>A deployment that serves a route.</summary>
/// <param name="Deployment">Its label.</param>
/// <param name="Percent">What it takes of the route's traffic.</param>
/// <param name="Targets">Its instances; with none, what others have takes its share.</param>
public sealed record EdgeBackendView(string Deployment, int Percent, IReadOnlyList<EdgeTargetView> Targets);

/// <summary>An instance that a route names.</summary>
/// <param name="Instance">The instance's id.</param>
/// <param name="Address">Its address.</param>
/// <param name="State">ready, or left-out (by its breaker, or by the edge's own probes).</param>
/// <param name="InFlight">Requests to it that have not ended, over all routes of this edge, upgraded ones included.</param>
/// <param name="Upgraded">How many of them are upgraded connections, such as WebSockets.</param>
public sealed record EdgeTargetView(Guid Instance, string Address, string State, int InFlight, int Upgraded);
