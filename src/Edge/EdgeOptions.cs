namespace Groundcrew.Edge;

/// <summary>The settings of one edge. Immutable; the defaults are what production starts with.</summary>
public sealed record EdgeOptions
{
    /// <summary>The folder that holds the last table (<c>routes.json</c>) and the access log (<c>access.log</c>).</summary>
    public required string StateFolder { get; init; }

    /// <summary>How long a connection to an instance may take to open before the next instance is tried.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The most instances that one request is offered to, the first included.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>How many connections in a row must fail before an instance is left out for a while.</summary>
    public int EjectAfter { get; init; } = 2;

    /// <summary>How long such an instance is left out.</summary>
    public TimeSpan EjectFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What <c>Retry-After</c> says when a route has no instance.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many access records may wait to be written; further ones are dropped and counted.</summary>
    public int AccessLogCapacity { get; init; } = 16_384;

    /// <summary>The size in bytes at which the access log is rotated.</summary>
    public long AccessLogMaxBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>How many files of the access log are kept, the current one included.</summary>
    public int AccessLogFiles { get; init; } = 5;
}
