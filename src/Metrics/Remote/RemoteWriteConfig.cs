namespace Groundcrew.Metrics;

/// <summary>One of <c>remote_write</c>. Immutable.</summary>
public sealed record RemoteWriteConfig
{
    /// <summary>Where to.</summary>
    public required Uri Url { get; init; }

    /// <summary>Its name in metrics, unique; empty when the file gives none.</summary>
    public string Name { get; init; } = "";

    /// <summary>How long a request may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Headers of every request.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>How it is called.</summary>
    public HttpSettings Http { get; init; } = new() { FollowRedirects = true };

    /// <summary>Rules for what is sent.</summary>
    public IReadOnlyList<RelabelRule> RelabelRules { get; init; } = [];

    /// <summary>Whether native histograms are sent; they are dropped otherwise.</summary>
    public bool SendNativeHistograms { get; init; }

    /// <summary>Whether requests are <c>io.prometheus.write.v2.Request</c>, of remote write 2.0.</summary>
    public bool IsSecondVersion { get; init; }

    /// <summary>How the queue behaves.</summary>
    public QueueConfig Queue { get; init; } = new();
}

/// <summary>The section <c>queue_config</c>. Immutable.</summary>
public sealed record QueueConfig
{
    /// <summary>Samples that wait for one shard at most.</summary>
    public int Capacity { get; init; } = 10_000;

    /// <summary>The fewest requests that go on at once.</summary>
    public int MinShards { get; init; } = 1;

    /// <summary>The most requests that go on at once.</summary>
    public int MaxShards { get; init; } = 50;

    /// <summary>The most samples of one request.</summary>
    public int MaxSamplesPerSend { get; init; } = 2000;

    /// <summary>How long a sample waits for others.</summary>
    public TimeSpan BatchSendDeadline { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The first pause after a failure, which doubles.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromMilliseconds(30);

    /// <summary>The longest pause.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether "429 Too Many Requests" is tried again.</summary>
    public bool RetryOnHttp429 { get; init; }

    /// <summary>Samples older than this are dropped instead of sent; zero for never.</summary>
    public TimeSpan SampleAgeLimit { get; init; }
}
