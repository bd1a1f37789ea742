namespace Groundcrew.Edge;

/// <summary>The settings of one edge. Immutable; the defaults are what production starts with.</summary>
public sealed record EdgeOptions
{
    /// <summary>The folder that holds the last table (<c>routes.json</c>) and the access log (<c>access.log</c>).</summary>
    public required string StateFolder { get; init; }

    /// <summary>
    /// The networks (CIDR) of proxies in front of the edge: of them alone a word about the client's address and scheme is
    /// believed, by <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c>.
    /// </summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    /// <summary>The port that clients are sent to for HTTPS, as they see it.</summary>
    public int HttpsPort { get; init; } = 443;

    /// <summary>What <c>Retry-After</c> says when a route has no instance.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many access records may wait to be written; further ones are dropped and counted.</summary>
    public int AccessLogCapacity { get; init; } = 16_384;

    /// <summary>The size in bytes at which the access log is rotated.</summary>
    public long AccessLogMaxBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>How many files of the access log are kept, the current one included.</summary>
    public int AccessLogFiles { get; init; } = 5;
}
