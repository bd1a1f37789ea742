namespace Groundcrew.Postgres.OnNode;

/// <summary>What a receiver keeps, and how. Immutable.</summary>
internal sealed record WalReceiverOptions
{
    /// <summary>The cluster's name, the first part of every key.</summary>
    public required string Cluster { get; init; }

    /// <summary>The server's major version; another one is refused in words.</summary>
    public required int Version { get; init; }

    /// <summary>The primary. Its application name becomes <see cref="WalReceiver.Name"/>.</summary>
    public required ReplicationTarget Server { get; init; }

    /// <summary>The most time that acknowledged transactions may be missing in the storage while it answers.</summary>
    public TimeSpan FlushEvery { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>RPO 0: what comes is stored at once, and confirmed when the storage has it.</summary>
    public bool IsSynchronous { get; init; }

    /// <summary>The slot by which the server keeps what is not stored yet.</summary>
    public string Slot { get; init; } = WalReceiver.Name;

    /// <summary>The wait before the second attempt to reach a server or storage; it doubles up to <see cref="LongestWait"/>.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait between two attempts.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the storage may take for one object before it is asked again.</summary>
    public TimeSpan StoreLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a server that shuts down is kept waiting for a storage that does not answer.</summary>
    public TimeSpan ShutdownPatience { get; init; } = TimeSpan.FromSeconds(10);
}
