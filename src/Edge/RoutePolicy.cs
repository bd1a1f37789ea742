namespace Groundcrew.Edge;

/// <summary>
/// How the traffic of a route is treated. Immutable; every default is safe to run with. It is judged with the table:
/// durations are more than zero and at most a day where nothing else is said, shares 1 to 100 percent, counts 1 or more.
/// </summary>
public sealed record RoutePolicy
{
    /// <summary>What holds where a route says nothing.</summary>
    public static readonly RoutePolicy Default = new();

    /// <summary>The HTTP version that targets are spoken to in. gRPC needs <see cref="TargetProtocol.Http2"/>.</summary>
    public TargetProtocol Protocol { get; init; }

    /// <summary>How a target is chosen.</summary>
    public Balance Balance { get; init; } = Balance.LeastRequests;

    /// <summary>How long a target that is new takes to get its full share; zero for at once, at most a day.</summary>
    public TimeSpan SlowStart { get; init; }

    /// <summary>Time limits.</summary>
    public TimeLimits Time { get; init; } = new();

    /// <summary>What is offered again, and how often.</summary>
    public RetryPolicy Retry { get; init; } = new();

    /// <summary>When a target or the whole service is left alone for a while.</summary>
    public BreakerPolicy Breaker { get; init; } = new();

    /// <summary>Asking targets how they are, from here; null leaves that to the agents.</summary>
    public ProbePolicy? Probe { get; init; }

    /// <summary>Rates that are allowed; each must allow a request. Their names differ. They go on counting when a newer table names them with equal settings.</summary>
    public IReadOnlyList<RateLimit> Rates { get; init; } = [];

    /// <summary>How many requests may be in flight at once; null for no limit.</summary>
    public ConcurrencyLimit? Concurrency { get; init; }

    /// <summary>The largest request body in bytes; null for no limit.</summary>
    public long? MaxBodyBytes { get; init; }

    /// <summary>Networks that may come in, such as <c>10.0.0.0/8</c>, <c>2001:db8::/32</c> or one address; empty for all.</summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    /// <summary>Networks that may not come in; stronger than <see cref="Allow"/>.</summary>
    public IReadOnlyList<string> Deny { get; init; } = [];

    /// <summary>
    /// Request headers that say who somebody is and that only the inside may set; <c>X-User-*</c> always is one. A trailing
    /// <c>*</c> stands for any rest. Case does not matter, and <c>_</c> counts as <c>-</c>. What a message needs, such as
    /// <c>Host</c>, cannot be named.
    /// </summary>
    public IReadOnlyList<string> StripHeaders { get; init; } = [];

    /// <summary>The header that names the tenant, for limits and the access record; null for none.</summary>
    public string? TenantHeader { get; init; }

    /// <summary>The header that names the user, for the access record; null for none.</summary>
    public string? UserHeader { get; init; }

    /// <summary>Whether plain HTTP is sent to HTTPS (308).</summary>
    public bool RedirectToHttps { get; init; }

    /// <summary>Strict-Transport-Security (RFC 6797) on HTTPS answers, up to ten years; zero takes it back, null sends none.</summary>
    public TimeSpan? Hsts { get; init; }

    /// <summary>Whether a client stays with the deployment that a weighted split gave it; null for no.</summary>
    public StickyPolicy? Sticky { get; init; }

    /// <summary>
    /// What <c>Cache-Control</c> says on good answers to GET and HEAD whose target said nothing of caching and set no cookie.
    /// The first rule that fits the path counts; null for none.
    /// </summary>
    public IReadOnlyList<CacheRule>? Cache { get; init; }

    /// <summary>Which answers are compressed, as far as the client accepts it; null for none.</summary>
    public CompressionPolicy? Compression { get; init; }
}

/// <summary>The HTTP version that targets are spoken to in, always without TLS.</summary>
public enum TargetProtocol
{
    /// <summary>HTTP/1.1.</summary>
    Http1,

    /// <summary>HTTP/2 with prior knowledge (RFC 9113, section 3.3).</summary>
    Http2,
}

/// <summary>How a target is chosen among those that are well.</summary>
public enum Balance
{
    /// <summary>Two are drawn and the one with fewer requests in flight is taken ("power of two choices").</summary>
    LeastRequests,

    /// <summary>One after the other.</summary>
    RoundRobin,
}

/// <summary>The time limits of a route.</summary>
public sealed record TimeLimits
{
    /// <summary>How long a connection to a target may take to open.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>From the request's last byte to the answer's head.</summary>
    public TimeSpan Response { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long nothing at all may move, in either direction, in a request or an answer that has begun. Every byte begins it anew.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The same for upgraded connections, such as WebSockets.</summary>
    public TimeSpan Upgraded { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>
/// What is offered to another target: a request that no target saw, and one that is idempotent (RFC 9110, section 9.2.2),
/// has no body and got no byte of an answer.
/// </summary>
public sealed record RetryPolicy
{
    /// <summary>The most targets that one request is offered to, the first included.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>How much of the traffic of the last ten seconds may be retries, in percent: a service that fails is not made to fail faster.</summary>
    public int BudgetPercent { get; init; } = 20;

    /// <summary>Retries a second that are allowed beside the budget, so that little traffic has some too; zero for none.</summary>
    public int BudgetMinimum { get; init; } = 10;
}

/// <summary>
/// Passive health. A target is left out when <see cref="Failures"/> requests in a row failed (no connection, no answer,
/// a broken answer, or 502, 503 and 504), or when <see cref="FailurePercent"/> of at least
/// <see cref="MinimumRequests"/> in <see cref="Window"/> did. After <see cref="OpenFor"/>, which doubles up to
/// <see cref="OpenAtMost"/>, a few requests try it again: when as many as <see cref="Trials"/> went well it is taken again,
/// and one that failed leaves it out again. The doubling is forgotten after <see cref="OpenAtMost"/> of health. The service as a whole has the same breaker over all its targets.
/// </summary>
public sealed record BreakerPolicy
{
    /// <summary>Failures in a row that open it.</summary>
    public int Failures { get; init; } = 5;

    /// <summary>The share of failures in percent that opens it.</summary>
    public int FailurePercent { get; init; } = 50;

    /// <summary>How many requests the share is judged by, at least.</summary>
    public int MinimumRequests { get; init; } = 20;

    /// <summary>The time over which the share is counted.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long it stays open the first time.</summary>
    public TimeSpan OpenFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long it stays open at most; not less than <see cref="OpenFor"/>.</summary>
    public TimeSpan OpenAtMost { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How many requests may try a target at once when the time has passed, and how many must go well.</summary>
    public int Trials { get; init; } = 1;
}

/// <summary>An active probe from the edge: GET, and any 2xx or 3xx is well.</summary>
/// <param name="Path">What is asked: begins with <c>/</c>, ASCII, with or without a query.</param>
public sealed record ProbePolicy(string Path)
{
    /// <summary>How often.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long an answer may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Failures in a row after which a target is left out.</summary>
    public int Failures { get; init; } = 2;

    /// <summary>Good answers in a row after which it is taken again.</summary>
    public int Successes { get; init; } = 1;
}

/// <summary>What a rate is counted by.</summary>
public enum RateKey
{
    /// <summary>The client's address; of IPv6, the /64.</summary>
    Address,

    /// <summary>The bearer token, as its digest.</summary>
    Token,

    /// <summary>The value of <see cref="RateLimit.Header"/>.</summary>
    Header,

    /// <summary>The value of <see cref="RoutePolicy.TenantHeader"/>.</summary>
    Tenant,

    /// <summary>All requests of the route together.</summary>
    Route,
}

/// <summary>A token bucket for each value of its key: <see cref="Requests"/> every <see cref="Per"/>, and at once as many as <see cref="Burst"/>.</summary>
/// <param name="Name">Its name, for metrics and answers: a slug.</param>
/// <param name="Requests">How many.</param>
/// <param name="Per">In which time.</param>
public sealed record RateLimit(string Name, int Requests, TimeSpan Per)
{
    /// <summary>What it is counted by. A request without a value for it is counted by its address.</summary>
    public RateKey By { get; init; } = RateKey.Address;

    /// <summary>The header that <see cref="RateKey.Header"/> reads.</summary>
    public string? Header { get; init; }

    /// <summary>How many may come at once; null for <see cref="Requests"/>.</summary>
    public int? Burst { get; init; }

    /// <summary>Methods that it counts, in upper case as requests have them; empty for all.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];
}

/// <summary>How many requests of a route may be in flight at one edge. What comes beyond waits its turn; beyond that it is shed with 503.</summary>
/// <param name="Requests">In flight at once.</param>
public sealed record ConcurrencyLimit(int Requests)
{
    /// <summary>How many may wait; zero sheds what is beyond at once.</summary>
    public int Waiting { get; init; }

    /// <summary>How long one may wait.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>A cookie that keeps a client with its deployment of a weighted split.</summary>
/// <param name="Cookie">Its name (RFC 6265: a token).</param>
/// <param name="For">How long it lasts, up to 400 days, which is what browsers keep.</param>
public sealed record StickyPolicy(string Cookie, TimeSpan For);

/// <summary>How long answers of some paths may be kept by caches (RFC 9111, section 5.2.2).</summary>
/// <param name="Path">Which paths: one whole, or with a <c>*</c> at its end for any rest. Begins with <c>/</c>, ASCII, without a query.</param>
/// <param name="MaxAge">How long an answer may be used without asking, up to ten years; parts of seconds are dropped.</param>
public sealed record CacheRule(string Path, TimeSpan MaxAge)
{
    /// <summary>The same for caches that many share; null for <see cref="MaxAge"/>. Not for <see cref="CacheScope.Private"/>.</summary>
    public TimeSpan? SharedMaxAge { get; init; }

    /// <summary>Who may keep it; null leaves it to the cache, which judges by the request.</summary>
    public CacheScope? Scope { get; init; }

    /// <summary>Whether what stands there never changes (RFC 8246).</summary>
    public bool Immutable { get; init; }
}

/// <summary>Who may keep an answer.</summary>
public enum CacheScope
{
    /// <summary>Everybody, also answers to requests that said who asks.</summary>
    Public,

    /// <summary>The client alone.</summary>
    Private,
}

/// <summary>
/// Which answers are compressed (br or gzip, by RFC 9110, section 12.5.3): those that the target did not encode, did not
/// mark <c>no-transform</c> and gave no digest of. Server-sent events and parts never are.
/// </summary>
public sealed record CompressionPolicy
{
    /// <summary>Media types: whole, <c>text/*</c>, or <c>*+json</c> for all that end so; null for what is usually text.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>An answer that says that it is smaller, in bytes, stays as it is.</summary>
    public long LeastBytes { get; init; } = 1024;
}
