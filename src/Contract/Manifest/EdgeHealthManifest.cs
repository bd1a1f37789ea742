namespace Groundcrew.Contract.Manifest;

/// <summary>The time limits of a service's traffic. Immutable.</summary>
public sealed record EdgeTimeoutsManifest
{
    /// <summary>How long a connection to an instance may take to open.</summary>
    [Key(KeyKind.Duration, "How long a connection to an instance may take to open.", Min = "10ms", Max = "1d", Example = "2s")]
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>From the request's last byte to the head of the answer.</summary>
    [Key(KeyKind.Duration, "From the request's last byte to the head of the answer.", Min = "10ms", Max = "1d", Example = "60s")]
    public TimeSpan Response { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long nothing at all may move in a request or an answer that has begun.</summary>
    [Key(KeyKind.Duration, "How long nothing at all may move in a request or an answer that has begun.", Min = "10ms", Max = "1d", Example = "60s")]
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The same for upgraded connections, such as WebSockets.</summary>
    [Key(KeyKind.Duration, "The same for upgraded connections, such as WebSockets.", Min = "10ms", Max = "1d", Example = "1h")]
    public TimeSpan Upgraded { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>What is offered to another instance. Immutable.</summary>
public sealed record EdgeRetriesManifest
{
    /// <summary>The most instances that one request is offered to, the first included.</summary>
    [Key(KeyKind.Count, "The most instances that one request is offered to, the first included.", Min = "1", Max = "10", Example = "3")]
    public int Attempts { get; init; } = 3;

    /// <summary>How much of the traffic of the last ten seconds may be retries.</summary>
    [Key(KeyKind.Percent, "How much of the traffic of the last ten seconds may be retries.", Name = "budget", Min = "1%", Max = "100%", Example = "20%")]
    public int BudgetPercent { get; init; } = 20;

    /// <summary>Retries a second that are allowed beside the budget.</summary>
    [Key(KeyKind.Count, "Retries a second that are allowed beside the budget, so that little traffic has some too.", Min = "0", Max = "10000", Example = "10")]
    public int Minimum { get; init; } = 10;
}

/// <summary>When an instance, or the service, is left alone for a while. Immutable.</summary>
public sealed record EdgeBreakerManifest
{
    /// <summary>Failures in a row that open it.</summary>
    [Key(KeyKind.Count, "Failures in a row that open it.", Min = "1", Max = "10000", Example = "5")]
    public int Failures { get; init; } = 5;

    /// <summary>The share of failures that opens it.</summary>
    [Key(KeyKind.Percent, "The share of failures that opens it.", Name = "failureRate", Min = "1%", Max = "100%", Example = "50%")]
    public int FailurePercent { get; init; } = 50;

    /// <summary>How many requests the share is judged by, at least.</summary>
    [Key(KeyKind.Count, "How many requests the share is judged by, at least.", Min = "1", Max = "1000000", Example = "20")]
    public int MinimumRequests { get; init; } = 20;

    /// <summary>The time over which the share is counted.</summary>
    [Key(KeyKind.Duration, "The time over which the share is counted.", Min = "100ms", Max = "1d", Example = "10s")]
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long it stays open the first time.</summary>
    [Key(KeyKind.Duration, "How long it stays open the first time. Each time after that takes twice as long.", Min = "10ms", Max = "1d", Example = "5s")]
    public TimeSpan OpenFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long it stays open at most.</summary>
    [Key(KeyKind.Duration, "How long it stays open at most; not less than `openFor`.", Min = "10ms", Max = "1d", Example = "1m")]
    public TimeSpan OpenAtMost { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How many requests may try it when the time has passed, and how many must go well.</summary>
    [Key(KeyKind.Count, "How many requests may try it when the time has passed, and how many must go well.", Min = "1", Max = "1000", Example = "1")]
    public int Trials { get; init; } = 1;
}

/// <summary>A probe from the edge. Immutable.</summary>
public sealed record EdgeProbeManifest
{
    /// <summary>The path to GET.</summary>
    [Key(KeyKind.UrlPath, "The path to GET. 200 to 399 is good.", Required = true, Example = "/healthz")]
    public required string Path { get; init; }

    /// <summary>The time from one probe to the next.</summary>
    [Key(KeyKind.Duration, "The time from one probe to the next.", Min = "100ms", Max = "1h", Example = "5s")]
    public TimeSpan Period { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one probe may take.</summary>
    [Key(KeyKind.Duration, "How long one probe may take.", Min = "10ms", Max = "60s", Example = "2s")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How many failures in a row leave an instance out.</summary>
    [Key(KeyKind.Count, "How many failures in a row leave an instance out.", Min = "1", Max = "100", Example = "2")]
    public int Failures { get; init; } = 2;

    /// <summary>How many good answers in a row take it back.</summary>
    [Key(KeyKind.Count, "How many good answers in a row take it back.", Min = "1", Max = "100", Example = "1")]
    public int Successes { get; init; } = 1;
}
