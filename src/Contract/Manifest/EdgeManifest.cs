using System.Text.Json.Serialization;

namespace Groundcrew.Contract.Manifest;

/// <summary>The HTTP version that instances are spoken to in.</summary>
public enum EdgeProtocol
{
    /// <summary>HTTP/1.1.</summary>
    Http1,

    /// <summary>HTTP/2 without TLS, from its first byte (RFC 9113, section 3.3). gRPC needs it.</summary>
    Http2,
}

/// <summary>How an instance is chosen among those that are well.</summary>
public enum EdgeBalance
{
    /// <summary>Two are drawn, and the one with fewer requests in flight is taken.</summary>
    [JsonStringEnumMemberName("least-requests")]
    LeastRequests,

    /// <summary>One after the other.</summary>
    [JsonStringEnumMemberName("round-robin")]
    RoundRobin,
}

/// <summary>
/// How the edge treats a service's traffic, as written. What is null is as the edge has it by itself, which the reference
/// page names; in an environment it is as the service says. Immutable.
/// </summary>
public sealed record EdgeManifest
{
    /// <summary>The HTTP version that instances are spoken to in.</summary>
    [Key(KeyKind.Choice, "The HTTP version that instances are spoken to in. gRPC needs `http2`.", Example = "http1", LeftOut = "`http1`")]
    public EdgeProtocol? Protocol { get; init; }

    /// <summary>How an instance is chosen.</summary>
    [Key(KeyKind.Choice, "How an instance is chosen. `least-requests` draws two and takes the one with fewer requests in flight.",
        Example = "least-requests", LeftOut = "`least-requests`")]
    public EdgeBalance? Balance { get; init; }

    /// <summary>How long a new instance takes to get its full share of the traffic.</summary>
    [Key(KeyKind.Duration, "How long a new instance takes to get its full share of the traffic.", Min = "0s", Max = "1d", Example = "10s",
        LeftOut = "`0s`: at once")]
    public TimeSpan? SlowStart { get; init; }

    /// <summary>Time limits.</summary>
    [Key(KeyKind.Section, "Time limits.")]
    public EdgeTimeoutsManifest? Timeouts { get; init; }

    /// <summary>What is offered to another instance, and how often.</summary>
    [Key(KeyKind.Section, "What is offered to another instance, and how often: a request that no instance saw, and one that is idempotent, has no body and got no byte of an answer.")]
    public EdgeRetriesManifest? Retries { get; init; }

    /// <summary>When an instance, or the whole service, is left alone for a while.</summary>
    [Key(KeyKind.Section, "When an instance, or the whole service, is left alone for a while. No connection, no answer or a broken one is a failure; for an instance, 502, 503 and 504 are too.")]
    public EdgeBreakerManifest? Breaker { get; init; }

    /// <summary>A probe from the edge itself.</summary>
    [Key(KeyKind.Probe, "A probe from the edge itself, beside those of `health`: an instance that fails it is left out until it answers again. A path alone is the short form.", LeftOut = "`health` alone")]
    public EdgeProbeManifest? Probe { get; init; }

    /// <summary>Rates that are allowed.</summary>
    [Key(KeyKind.Limits, "Rates that are allowed. Each must allow a request; what is beyond is answered 429.", LeftOut = "none")]
    public IReadOnlyList<EdgeLimitManifest>? Limits { get; init; }

    /// <summary>How many requests may be in flight at once at one edge.</summary>
    [Key(KeyKind.Concurrency, "How many requests may be in flight at once at one edge. What is beyond waits its turn; beyond that it is answered 503. The number alone is the short form.",
        LeftOut = "not limited")]
    public EdgeConcurrencyManifest? Concurrency { get; init; }

    /// <summary>The largest request body.</summary>
    [Key(KeyKind.Size, "The largest request body. What is larger is answered 413.", Name = "maxBody", Min = "1B", Max = "1TB", Example = "20MB", LeftOut = "not limited")]
    public long? MaxBodyBytes { get; init; }

    /// <summary>Networks that may come in.</summary>
    [Key(KeyKind.Networks, "Networks that may come in: `10.0.0.0/8`, `2001:db8::/32`, or one address. Others are answered 403.", Example = "[10.0.0.0/8, \"2001:db8::/32\"]",
        LeftOut = "all")]
    public IReadOnlyList<string>? Allow { get; init; }

    /// <summary>Networks that may not come in.</summary>
    [Key(KeyKind.Networks, "Networks that may not come in; stronger than `allow`.", Example = "[10.66.0.0/16]", LeftOut = "none")]
    public IReadOnlyList<string>? Deny { get; init; }

    /// <summary>Request headers that only the inside may set, so that clients cannot.</summary>
    [Key(KeyKind.HeaderPatterns, "Request headers that only the inside may set, so that clients cannot. A `*` at the end stands for any rest, and `_` counts as `-`. `X-User-*` always is one.",
        Example = "[X-Auth-*]", LeftOut = "`X-User-*` alone")]
    public IReadOnlyList<string>? StripHeaders { get; init; }

    /// <summary>The header that names the tenant.</summary>
    [Key(KeyKind.Header, "The header that names the tenant, for limits by tenant and for the access log.", Example = "X-Tenant-Id", LeftOut = "none")]
    public string? TenantHeader { get; init; }

    /// <summary>The header that names the user.</summary>
    [Key(KeyKind.Header, "The header that names the user, for the access log.", Example = "X-User-Name", LeftOut = "none")]
    public string? UserHeader { get; init; }

    /// <summary>Whether plain HTTP is sent to HTTPS.</summary>
    [Key(KeyKind.Flag, "Whether plain HTTP is sent to HTTPS (308).", Example = "true", LeftOut = "`false`")]
    public bool? RedirectToHttps { get; init; }

    /// <summary>How long browsers keep to HTTPS.</summary>
    [Key(KeyKind.Duration, "How long browsers keep to HTTPS (Strict-Transport-Security on HTTPS answers). `0s` takes an earlier word back.", Min = "0s", Max = "3650d", Example = "365d",
        LeftOut = "nothing is said")]
    public TimeSpan? Hsts { get; init; }

    /// <summary>The cookie that keeps a client with its deployment while traffic is split.</summary>
    [Key(KeyKind.Section, "The cookie that keeps a client with its deployment while traffic is split.")]
    public EdgeStickyManifest? Sticky { get; init; }

    /// <summary>Rules for caching.</summary>
    [Key(KeyKind.CacheRules, "Rules for caching (`Cache-Control`), for good answers to GET and HEAD that say nothing of caching themselves and set no cookie. The first that fits the path counts.", LeftOut = "none")]
    public IReadOnlyList<EdgeCacheManifest>? Cache { get; init; }

    /// <summary>Compression of answers.</summary>
    [Key(KeyKind.Compression, "Compression of answers that the instance did not encode, with br or gzip as the client accepts. It costs processor time at the edge, on a slower path. `true` is the short form.",
        LeftOut = "`false`")]
    public EdgeCompressionManifest? Compress { get; init; }

    /// <summary>These, with what <paramref name="above"/> sets laid over them, key by key. Pure.</summary>
    public EdgeManifest With(EdgeManifest above) => new()
    {
        Protocol = above.Protocol ?? Protocol,
        Balance = above.Balance ?? Balance,
        SlowStart = above.SlowStart ?? SlowStart,
        Timeouts = above.Timeouts ?? Timeouts,
        Retries = above.Retries ?? Retries,
        Breaker = above.Breaker ?? Breaker,
        Probe = above.Probe ?? Probe,
        Limits = above.Limits ?? Limits,
        Concurrency = above.Concurrency ?? Concurrency,
        MaxBodyBytes = above.MaxBodyBytes ?? MaxBodyBytes,
        Allow = above.Allow ?? Allow,
        Deny = above.Deny ?? Deny,
        StripHeaders = above.StripHeaders ?? StripHeaders,
        TenantHeader = above.TenantHeader ?? TenantHeader,
        UserHeader = above.UserHeader ?? UserHeader,
        RedirectToHttps = above.RedirectToHttps ?? RedirectToHttps,
        Hsts = above.Hsts ?? Hsts,
        Sticky = above.Sticky ?? Sticky,
        Cache = above.Cache ?? Cache,
        Compress = above.Compress ?? Compress,
    };
}
