namespace Groundcrew.Contract.Manifest;

/// <summary>What a limit is counted by.</summary>
public enum EdgeLimitKey
{
    /// <summary>The client's address; of IPv6 its first 64 bits.</summary>
    Address,

    /// <summary>What stands in <c>Authorization</c>.</summary>
    Token,

    /// <summary>What stands in a header.</summary>
    Header,

    /// <summary>What stands in the header that names the tenant.</summary>
    Tenant,

    /// <summary>Everybody together.</summary>
    Route,
}

/// <summary>A rate that is allowed. Immutable.</summary>
public sealed record EdgeLimitManifest
{
    /// <summary>Its name, for metrics and the access log.</summary>
    [Key(KeyKind.Name, "Its name, for metrics and the access log. Each limit has its own.", Required = true, Example = "reads")]
    public required string Name { get; init; }

    /// <summary>How many requests.</summary>
    [Key(KeyKind.Count, "How many requests.", Required = true, Min = "1", Max = "1000000", Example = "100")]
    public required int Requests { get; init; }

    /// <summary>In which time.</summary>
    [Key(KeyKind.Duration, "In which time. What is used up comes back evenly, not at its end.", Required = true, Min = "100ms", Max = "1d", Example = "1m")]
    public required TimeSpan Per { get; init; }

    /// <summary>What it is counted by.</summary>
    [Key(KeyKind.Choice, "What it is counted by. `token` is what stands in `Authorization`, `route` counts everybody together. A request without the value is counted by its address.",
        Example = "header", LeftOut = "`header` where a `header` is named, else `address`")]
    public EdgeLimitKey? By { get; init; }

    /// <summary>The header that it is counted by.</summary>
    [Key(KeyKind.Header, "The header that it is counted by.", Example = "X-Api-Key", LeftOut = "none")]
    public string? Header { get; init; }

    /// <summary>How many may come at once.</summary>
    [Key(KeyKind.Count, "How many may come at once.", Min = "1", Max = "1000000", Example = "20", LeftOut = "as `requests`")]
    public int? Burst { get; init; }

    /// <summary>Methods that it counts.</summary>
    [Key(KeyKind.Methods, "Methods that it counts.", Example = "[GET, HEAD]", LeftOut = "all")]
    public IReadOnlyList<string>? Methods { get; init; }

    /// <summary>What it is counted by where <see cref="By"/> does not say.</summary>
    public EdgeLimitKey Counted() => By ?? (Header is null ? EdgeLimitKey.Address : EdgeLimitKey.Header);
}

/// <summary>How many requests may be in flight at once. Immutable.</summary>
public sealed record EdgeConcurrencyManifest
{
    /// <summary>In flight at once.</summary>
    [Key(KeyKind.Count, "In flight at once.", Required = true, Min = "1", Max = "1000000", Example = "200")]
    public required int Requests { get; init; }

    /// <summary>How many may wait.</summary>
    [Key(KeyKind.Count, "How many may wait.", Min = "0", Max = "1000000", Example = "100")]
    public int Waiting { get; init; }

    /// <summary>How long one may wait.</summary>
    [Key(KeyKind.Duration, "How long one may wait.", Min = "1ms", Max = "1d", Example = "5s")]
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>The cookie that keeps a client with its deployment. Immutable.</summary>
public sealed record EdgeStickyManifest
{
    /// <summary>The cookie's name.</summary>
    [Key(KeyKind.Cookie, "The cookie's name.", Required = true, Example = "crew_v")]
    public required string Cookie { get; init; }

    /// <summary>How long it lasts.</summary>
    [Key(KeyKind.Duration, "How long it lasts.", Required = true, Min = "1s", Max = "400d", Example = "1h")]
    public required TimeSpan For { get; init; }
}
