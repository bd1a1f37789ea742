namespace Groundcrew.Edge;

/// <summary>What is done with the traffic of a route that is held.</summary>
public enum HoldKind
{
    /// <summary>Requests wait until traffic is resumed, within the bounds of the hold.</summary>
    Paused,

    /// <summary>Requests are answered at once: 503 with the hold's message.</summary>
    Stopped,
}

/// <summary>
/// Traffic that a person or an operation holds back, as a level: it holds until another or none is applied. Immutable.
/// </summary>
/// <param name="Kind">What is done with it.</param>
/// <param name="Message">What the public is told while it is stopped; null for a plain sentence.</param>
/// <param name="MaxWait">How long a request waits at most while it is paused, from its arrival; after that it is answered 504.</param>
/// <param name="MaxWaiting">How many requests wait at most at one edge; what comes beyond is answered 503.</param>
/// <param name="Since">When it began, in UTC.</param>
public sealed record Hold(HoldKind Kind, string? Message, TimeSpan MaxWait, int MaxWaiting, DateTimeOffset Since);

/// <summary>A hold on every route of a service.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Hold">What is done.</param>
public sealed record ServiceHold(string Org, string Project, string Environment, Hold Hold);
