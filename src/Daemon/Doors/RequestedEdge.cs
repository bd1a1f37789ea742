using Groundcrew.Contract.Manifest;
using Groundcrew.Edge;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// From a manifest's <c>edge</c> to the policy of a route. What the manifest leaves out is as the edge has it by itself.
/// Nothing is judged here: what the manifest's reader lets pass, the edge takes. Pure.
/// </summary>
internal static class RequestedEdge
{
    public static RoutePolicy PolicyOf(EdgeManifest edge)
    {
        var policy = RoutePolicy.Default;
        return new RoutePolicy
        {
            Protocol = edge.Protocol is { } protocol ? ProtocolOf(protocol) : policy.Protocol,
            Balance = edge.Balance is { } balance ? BalanceOf(balance) : policy.Balance,
            SlowStart = edge.SlowStart ?? policy.SlowStart,
            Time = edge.Timeouts is { } time ? TimeOf(time) : policy.Time,
            Retry = edge.Retries is { } retries ? RetryOf(retries) : policy.Retry,
            Breaker = edge.Breaker is { } breaker ? BreakerOf(breaker) : policy.Breaker,
            Probe = edge.Probe is { } probe ? ProbeOf(probe) : policy.Probe,
            Rates = edge.Limits?.Select(RateOf).ToList() ?? policy.Rates,
            Concurrency = edge.Concurrency is { } limit ? new ConcurrencyLimit(limit.Requests) { Waiting = limit.Waiting, Wait = limit.Wait } : policy.Concurrency,
            MaxBodyBytes = edge.MaxBodyBytes ?? policy.MaxBodyBytes,
            Allow = edge.Allow ?? policy.Allow,
            Deny = edge.Deny ?? policy.Deny,
            StripHeaders = edge.StripHeaders ?? policy.StripHeaders,
            TenantHeader = edge.TenantHeader ?? policy.TenantHeader,
            UserHeader = edge.UserHeader ?? policy.UserHeader,
            RedirectToHttps = edge.RedirectToHttps ?? policy.RedirectToHttps,
            Hsts = edge.Hsts ?? policy.Hsts,
            Sticky = edge.Sticky is { } sticky ? new StickyPolicy(sticky.Cookie, sticky.For) : policy.Sticky,
            Cache = edge.Cache?.Select(RuleOf).ToList() ?? policy.Cache,
            Compression = edge.Compress is { Enabled: true } compress ? new CompressionPolicy { Types = compress.Types, LeastBytes = compress.MinBytes } : policy.Compression,
        };
    }

    private static TargetProtocol ProtocolOf(EdgeProtocol protocol) => protocol switch
    {
        EdgeProtocol.Http1 => TargetProtocol.Http1,
        EdgeProtocol.Http2 => TargetProtocol.Http2,
        _ => throw new ArgumentOutOfRangeException(nameof(protocol), protocol, null),
    };

    private static Balance BalanceOf(EdgeBalance balance) => balance switch
    {
        EdgeBalance.LeastRequests => Balance.LeastRequests,
        EdgeBalance.RoundRobin => Balance.RoundRobin,
        _ => throw new ArgumentOutOfRangeException(nameof(balance), balance, null),
    };

    private static RateKey KeyOf(EdgeLimitKey key) => key switch
    {
        EdgeLimitKey.Address => RateKey.Address,
        EdgeLimitKey.Token => RateKey.Token,
        EdgeLimitKey.Header => RateKey.Header,
        EdgeLimitKey.Tenant => RateKey.Tenant,
        EdgeLimitKey.Route => RateKey.Route,
        _ => throw new ArgumentOutOfRangeException(nameof(key), key, null),
    };

    private static TimeLimits TimeOf(EdgeTimeoutsManifest time) =>
        new() { Connect = time.Connect, Response = time.Response, Idle = time.Idle, Upgraded = time.Upgraded };

    private static RetryPolicy RetryOf(EdgeRetriesManifest retries) =>
        new() { Attempts = retries.Attempts, BudgetPercent = retries.BudgetPercent, BudgetMinimum = retries.Minimum };

    private static BreakerPolicy BreakerOf(EdgeBreakerManifest breaker) => new()
    {
        Failures = breaker.Failures,
        FailurePercent = breaker.FailurePercent,
        MinimumRequests = breaker.MinimumRequests,
        Window = breaker.Window,
        OpenFor = breaker.OpenFor,
        OpenAtMost = breaker.OpenAtMost,
        Trials = breaker.Trials,
    };

    private static ProbePolicy ProbeOf(EdgeProbeManifest probe) =>
        new(probe.Path) { Period = probe.Period, Timeout = probe.Timeout, Failures = probe.Failures, Successes = probe.Successes };

    private static CacheRule RuleOf(EdgeCacheManifest rule) =>
        new(rule.Path, rule.MaxAge) { SharedMaxAge = rule.SharedMaxAge, Scope = rule.For is { } kept ? ScopeOf(kept) : null, Immutable = rule.Immutable };

    private static CacheScope ScopeOf(EdgeCacheFor kept) => kept switch
    {
        EdgeCacheFor.Public => CacheScope.Public,
        EdgeCacheFor.Private => CacheScope.Private,
        _ => throw new ArgumentOutOfRangeException(nameof(kept), kept, null),
    };

    private static RateLimit RateOf(EdgeLimitManifest limit) =>
        new(limit.Name, limit.Requests, limit.Per) { By = KeyOf(limit.Counted()), Header = limit.Header, Burst = limit.Burst, Methods = limit.Methods ?? [] };
}
