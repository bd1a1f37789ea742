namespace Groundcrew.Edge;

/// <summary>
/// A time in which the public is told to come back later: 503 for every path but the exempt ones (ZM-111, AZ-57).
/// Immutable; part of what the control plane sends to the edge.
/// </summary>
/// <param name="Org">Whose traffic; null for all organizations.</param>
/// <param name="Message">What the public is told; null for <c>Scheduled maintenance in progress</c>.</param>
/// <param name="RetryAfter">What clients are told to wait; zero for an hour (T-10).</param>
/// <param name="RetryAfterIsRemaining">Whether they are told what is left until <paramref name="Until"/> instead, where there is an end.</param>
/// <param name="Since">When it begins, in UTC.</param>
/// <param name="Until">When it ends, in UTC, exclusive; null for when it is taken away.</param>
/// <param name="Exempt">
/// Paths that are served all the same, beside the health paths and <c>/metrics</c> (T-09): whole, or with a trailing
/// <c>*</c> for any rest.
/// </param>
public sealed record Maintenance(
    string? Org, string? Message, TimeSpan RetryAfter, bool RetryAfterIsRemaining, DateTimeOffset Since, DateTimeOffset? Until, IReadOnlyList<string> Exempt);
