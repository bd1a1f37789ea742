namespace Groundcrew.Edge;

/// <summary>What the edge serves, and which instances it still needs although its table no longer names them.</summary>
/// <param name="Generation">The table that serves; 0 when there is none.</param>
/// <param name="Draining">
/// Instances that no route names any more and that still carry requests. One that is in neither the table of
/// <paramref name="Generation"/> nor here has zero in flight for good: it may be stopped (invariant 4).
/// </param>
public sealed record EdgeStatus(long Generation, IReadOnlyList<DrainingTarget> Draining);

/// <summary>An instance that is being drained.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Address">Its address.</param>
/// <param name="InFlight">Requests whose response has not ended, upgraded ones included.</param>
/// <param name="Upgraded">How many of them are upgraded connections, such as WebSockets.</param>
public sealed record DrainingTarget(Guid InstanceId, string Address, int InFlight, int Upgraded);
