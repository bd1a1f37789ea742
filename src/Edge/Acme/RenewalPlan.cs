namespace Groundcrew.Edge.Acme;

/// <summary>
/// What decides when a certificate is asked for next: kept with the names, one for each order. Immutable.
/// </summary>
/// <param name="NotBefore">From when the certificate that serves is good; null when there is none yet.</param>
/// <param name="NotAfter">Until when it is good; null when there is none yet.</param>
/// <param name="Failures">When the attempts since the last certificate failed, the oldest first; at most <see cref="MostKept"/>.</param>
/// <param name="WaitUntil">Until when the authority wants to be left alone; null when it did not say.</param>
public sealed record RenewalState(
    DateTimeOffset? NotBefore, DateTimeOffset? NotAfter, IReadOnlyList<DateTimeOffset> Failures, DateTimeOffset? WaitUntil)
{
    /// <summary>How many failures are remembered; more do not change the plan.</summary>
    public const int MostKept = 16;

    /// <summary>The wait after a rate limit whose end the authority did not tell.</summary>
    public static TimeSpan UntoldLimit { get; } = TimeSpan.FromHours(1);

    /// <summary>Before the first attempt.</summary>
    public static RenewalState New { get; } = new(null, null, [], null);

    /// <summary>After a certificate came: what failed before is forgotten.</summary>
    public static RenewalState AfterSuccess(DateTimeOffset notBefore, DateTimeOffset notAfter) => new(notBefore, notAfter, [], null);

    /// <summary>
    /// After an attempt that ended without a certificate, for whatever reason: an authority that limits us is not asked
    /// more often than one that fails us.
    /// </summary>
    public RenewalState AfterFailure(DateTimeOffset now, AcmeProblem problem)
    {
        var wait = problem.RetryAfter ?? (problem.IsRateLimit ? UntoldLimit : null);
        return this with
        {
            Failures = [.. Failures.TakeLast(MostKept - 1), now],
            WaitUntil = wait is { } w ? now + w : WaitUntil,
        };
    }
}

/// <summary>
/// Says when a certificate is asked for next. Two thirds into its life it is renewed; after failures the waits double
/// with some chance in them, and never are there more than <see cref="MostFailures"/> in <see cref="FailureWindow"/>,
/// which is what public authorities allow for one name. Pure.
/// </summary>
public static class RenewalPlan
{
    /// <summary>How many attempts may fail within <see cref="FailureWindow"/>.</summary>
    public const int MostFailures = 5;

    /// <summary>The span in which failures are counted.</summary>
    public static TimeSpan FailureWindow { get; } = TimeSpan.FromHours(1);

    /// <summary>The wait after the first failure, before chance takes up to half of it.</summary>
    public static TimeSpan FirstWait { get; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest wait while a certificate still serves.</summary>
    public static TimeSpan LongestWait { get; } = TimeSpan.FromHours(6);

    /// <summary>The longest wait while there is none, or when it has expired.</summary>
    public static TimeSpan LongestUrgentWait { get; } = TimeSpan.FromHours(1);

    /// <summary>When a certificate is renewed when nothing fails: two thirds into its life.</summary>
    public static DateTimeOffset RenewAt(DateTimeOffset notBefore, DateTimeOffset notAfter) =>
        notAfter <= notBefore ? notBefore : notBefore + ((notAfter - notBefore) / 3 * 2);

    /// <summary>
    /// When to make the next attempt; a time that has passed means now. While nothing changes, ask with the same
    /// <paramref name="chance"/>: it belongs to the failure, not to the question.
    /// </summary>
    /// <param name="state">What happened so far.</param>
    /// <param name="chance">From 0 to below 1, random, so that many names do not come back together.</param>
    public static DateTimeOffset NextAttempt(RenewalState state, double chance)
    {
        if (!(chance is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(chance), chance, "A chance is from 0 to below 1.");
        var next = state is { NotBefore: { } from, NotAfter: { } until } ? RenewAt(from, until) : DateTimeOffset.MinValue;
        if (state.Failures is [.., var last])
            next = Later(next, last + Wait(state, chance));
        // The attempt that comes may fail as well, and must then be the last one that the window has room for.
        if (state.Failures.Count >= MostFailures)
            next = Later(next, state.Failures[^MostFailures] + FailureWindow);
        return state.WaitUntil is { } wait ? Later(next, wait) : next;
    }

    private static TimeSpan Wait(RenewalState state, double chance)
    {
        // At most 16 failures are kept, so the shift stays far below an overflow.
        var doubled = FirstWait * (1L << Math.Min(state.Failures.Count - 1, RenewalState.MostKept));
        var longest = Longest(state);
        var full = doubled < longest ? doubled : longest;
        return full - (full / 2 * chance);
    }

    /// <summary>The last third of a life has room for at least eight attempts, however short that life is.</summary>
    private static TimeSpan Longest(RenewalState state)
    {
        if (state is not { NotBefore: { } from, NotAfter: { } until } || state.Failures[^1] >= until)
            return LongestUrgentWait;
        var share = (until - from) / 3 / 8;
        return share < FirstWait ? FirstWait : share > LongestWait ? LongestWait : share;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;
}
