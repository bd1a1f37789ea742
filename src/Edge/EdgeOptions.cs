using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>The settings of one edge. Immutable; the defaults are what production starts with.</summary>
public sealed record EdgeOptions
{
    /// <summary>The folder that holds the last table (<c>routes.json</c>), the last certificates (<c>certificates.json</c>) and the access log (<c>access.log</c>).</summary>
    public required string StateFolder { get; init; }

    /// <summary>
    /// The networks (CIDR) of proxies in front of the edge: of them alone a word about the client's address and scheme is
    /// believed, by <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c>.
    /// </summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    /// <summary>Adds a problem for each of <see cref="TrustedProxies"/> that is no network.</summary>
    public static void JudgeTrustedProxies(IReadOnlyList<string> networks, string path, ProblemList problems) => AddressSet.Parse(networks, path, problems);

    /// <summary>The port that clients are sent to for HTTPS, as they see it.</summary>
    public int HttpsPort { get; init; } = 443;

    /// <summary>What <c>Retry-After</c> says when a route has no instance.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many bytes of access records may wait to be written; further records are dropped and counted.</summary>
    public int AccessLogBuffer { get; init; } = 8 * 1024 * 1024;

    /// <summary>The size in bytes at which the access log is rotated.</summary>
    public long AccessLogMaxBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>How many files of the access log are kept, the current one included.</summary>
    public int AccessLogFiles { get; init; } = 5;

    /// <summary>
    /// How long requests may still take in an edge that was replaced; then they are cut. More than an instance may be silent
    /// (<see cref="TimeLimits.Idle"/>) by default, so that a request that is merely slow ends by itself.
    /// </summary>
    public TimeSpan LeaveRequestsAfter { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long upgraded connections, such as WebSockets, may stay in an edge that was replaced.</summary>
    public TimeSpan LeaveUpgradesAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long a connection must have been quiet before an edge that was replaced closes it: its client may be sending the
    /// next request, and learns from the answer that it must open another connection.
    /// </summary>
    public TimeSpan CloseQuietAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the two edges wait for each other while one takes over; after that the old one serves on.</summary>
    public TimeSpan TakeOverWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Who this edge says it is to others of its state folder; its own process outside of tests.</summary>
    internal ProcessIdentity Process { get; init; } = ProcessIdentity.Self;

    /// <summary>The one user whose processes may take over; its own outside of tests.</summary>
    internal uint User { get; init; } = Descriptors.OwnUser();
}
