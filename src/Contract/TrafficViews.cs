namespace Groundcrew.Contract;

/// <summary>The edges and what is laid over the traffic: <c>GET /api/v1/edge</c>.</summary>
/// <param name="Generation">The route table that edges should serve.</param>
/// <param name="Edges">Every edge, by hostname.</param>
/// <param name="Holds">Environments whose traffic is paused or closed.</param>
/// <param name="Splits">Environments whose traffic is split.</param>
/// <param name="Maintenance">Times of maintenance.</param>
/// <param name="Drains">Instances that were taken out of traffic.</param>
public sealed record EdgesView(
    long Generation, IReadOnlyList<EdgeView> Edges, IReadOnlyList<HoldView> Holds, IReadOnlyList<SplitView> Splits,
    IReadOnlyList<MaintenanceView> Maintenance, IReadOnlyList<DrainView> Drains);

/// <summary>One edge, as it said last.</summary>
/// <param name="Id">The edge's id.</param>
/// <param name="Hostname">The machine.</param>
/// <param name="Region">The region's code.</param>
/// <param name="State">current (serves what it should), behind, refused (says why not) or silent (not heard of lately).</param>
/// <param name="Serving">The generation of the route table that it serves; 0 when it never said.</param>
/// <param name="Expected">The generation that it should serve.</param>
/// <param name="LastSeen">When it was heard of last.</param>
/// <param name="Problem">Why it refused what it was given.</param>
/// <param name="Draining">Instances that left its table and still carry requests.</param>
public sealed record EdgeView(
    Guid Id, string Hostname, string Region, string State, long Serving, long Expected, DateTimeOffset LastSeen, string? Problem,
    IReadOnlyList<DrainingView> Draining);

/// <summary>An instance that an edge drains.</summary>
/// <param name="Instance">The instance's id.</param>
/// <param name="Address">Its address.</param>
/// <param name="InFlight">Requests whose answer has not ended, upgraded ones included.</param>
/// <param name="Upgraded">How many of them are upgraded connections, such as WebSockets.</param>
public sealed record DrainingView(Guid Instance, string Address, int InFlight, int Upgraded);

/// <summary>How the edges took a change. It holds in any case; who lacks it gets it when it can.</summary>
/// <param name="Generation">The route table that has it.</param>
/// <param name="Confirmed">Whether every edge that is there serves it.</param>
/// <param name="Problem">Why not.</param>
/// <param name="Silent">Edges, by hostname, that say nothing: they take it when they are back, and cut off, they route without it.</param>
public sealed record ConfirmationView(long Generation, bool Confirmed, string? Problem, IReadOnlyList<string> Silent);

/// <summary>How the traffic of an environment is held back.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="State">open, paused (requests wait) or closed (they are answered 503).</param>
/// <param name="Message">What the public is told while it is closed.</param>
/// <param name="MaxWait">How long a request waits at most while it is paused.</param>
/// <param name="MaxWaiting">How many wait at most at one edge.</param>
/// <param name="Since">Since when; null while it is open.</param>
/// <param name="Actor">Who did it; null while it is open.</param>
/// <param name="Confirmation">How the edges took it; null in lists.</param>
public sealed record HoldView(
    string Org, string Project, string Environment, string State, string? Message, string? MaxWait, int? MaxWaiting, DateTimeOffset? Since,
    string? Actor, ConfirmationView? Confirmation);

/// <summary>How the traffic of an environment is split.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Current">The label that the environment points at; null when it points nowhere.</param>
/// <param name="CurrentPercent">What that takes.</param>
/// <param name="Shares">What others take; empty when it is not split.</param>
/// <param name="Since">Since when; null when it is not split.</param>
/// <param name="Actor">Who split it; null when it is not split.</param>
/// <param name="Confirmation">How the edges took it; null when nothing was changed.</param>
public sealed record SplitView(
    string Org, string Project, string Environment, string? Current, int CurrentPercent, IReadOnlyList<ShareView> Shares, DateTimeOffset? Since,
    string? Actor, ConfirmationView? Confirmation);

/// <summary>What one deployment takes of a split.</summary>
/// <param name="Deployment">The label.</param>
/// <param name="Percent">How much.</param>
/// <param name="Ready">Its instances that are ready; with none, its share goes to the current deployment.</param>
public sealed record ShareView(string Deployment, int Percent, int Ready);

/// <summary>A time of maintenance (ZM-111).</summary>
/// <param name="Id">Its id.</param>
/// <param name="Org">Whose traffic; null for all organizations.</param>
/// <param name="Message">What the public is told; null for a plain sentence.</param>
/// <param name="RetryAfter">When clients may come again; null for what the edge says by default.</param>
/// <param name="RetryAfterIsRemaining">Whether they are told what is left until the end.</param>
/// <param name="Since">When it began.</param>
/// <param name="Until">When it ends by itself; null when it does not.</param>
/// <param name="Exempt">Paths that are served all the same.</param>
/// <param name="Actor">Who began it.</param>
/// <param name="Confirmation">How the edges took it; null in lists.</param>
public sealed record MaintenanceView(
    Guid Id, string? Org, string? Message, string? RetryAfter, bool RetryAfterIsRemaining, DateTimeOffset Since, DateTimeOffset? Until,
    IReadOnlyList<string> Exempt, string Actor, ConfirmationView? Confirmation);

/// <summary>Instances that take no new requests and run on: of a deployment, or of a node.</summary>
/// <param name="Deployment">The deployment's label; null for those of a node.</param>
/// <param name="Instance">The one instance; null for all.</param>
/// <param name="Node">The node's hostname; null for those of a deployment.</param>
/// <param name="State">draining (requests are in flight, or an edge has not said that none is), drained or serving (given back).</param>
/// <param name="InFlight">Requests that edges still have in flight to them, upgraded ones included.</param>
/// <param name="Upgraded">How many of these are upgraded connections, such as WebSockets: they keep nothing from being drained.</param>
/// <param name="Since">Since when; null when they were given back.</param>
/// <param name="Actor">Who did it; null when they were given back.</param>
/// <param name="Confirmation">How the edges took it; null in lists.</param>
public sealed record DrainView(
    string? Deployment, Guid? Instance, string? Node, string State, int InFlight, int Upgraded, DateTimeOffset? Since, string? Actor,
    ConfirmationView? Confirmation);
