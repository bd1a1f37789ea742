namespace Groundcrew.Edge;

/// <summary>
/// How a request ended: a closed set that names the side and the stage. It stands in the access record and in
/// <c>groundcrew_edge_outcomes_total</c>; objectives and verdicts over releases are made from it.
/// </summary>
public enum Outcome
{
    /// <summary>The target's answer was passed on whole, whatever its status.</summary>
    Served,

    /// <summary>The edge answered for the platform: a challenge, or a redirect to HTTPS.</summary>
    Answered,

    /// <summary>Client: the request cannot be understood, or its body cannot be read.</summary>
    ClientBad,

    /// <summary>Client: it left before an answer began.</summary>
    ClientLeft,

    /// <summary>Client: it left while the answer was sent.</summary>
    ClientLeftMidway,

    /// <summary>Client: nothing came from it, or it took nothing, for too long.</summary>
    ClientSlow,

    /// <summary>Edge: no route for this host and path.</summary>
    NoRoute,

    /// <summary>Edge: the client's network may not come in.</summary>
    Denied,

    /// <summary>Edge: the body is larger than the route takes.</summary>
    TooLarge,

    /// <summary>Edge: beyond a rate limit.</summary>
    RateLimited,

    /// <summary>Edge: too many in flight; it was shed.</summary>
    Shed,

    /// <summary>Edge: maintenance.</summary>
    Maintenance,

    /// <summary>Edge: the service is stopped.</summary>
    Stopped,

    /// <summary>Edge: the service is paused, and it waited too long or too many wait.</summary>
    Held,

    /// <summary>Edge: no instance is ready.</summary>
    NoTarget,

    /// <summary>Edge: the service's circuit breaker is open.</summary>
    BreakerOpen,

    /// <summary>Target: no connection, within the time or at all.</summary>
    TargetUnreachable,

    /// <summary>Target: the connection ended before an answer began.</summary>
    TargetNoAnswer,

    /// <summary>Target: no answer began in time.</summary>
    TargetTimeout,

    /// <summary>Target: what it answered is not HTTP.</summary>
    TargetBadAnswer,

    /// <summary>Target: the answer broke off, or nothing of it came for too long.</summary>
    TargetCut,
}

/// <summary>Whose side an outcome is on, and its word.</summary>
internal static class Outcomes
{
    private static readonly string[] Words = [.. Enum.GetValues<Outcome>().Select(o => System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(o.ToString()))];

    /// <summary>The word of the access record and of the metric.</summary>
    public static string Word(this Outcome outcome) => Words[(int)outcome];

    /// <summary>Whether the target is to blame, so that its breaker counts it.</summary>
    public static bool IsTargets(this Outcome outcome) => outcome >= Outcome.TargetUnreachable;
}
