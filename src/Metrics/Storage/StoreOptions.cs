namespace Groundcrew.Metrics;

/// <summary>How a store keeps its samples. Immutable.</summary>
public sealed record StoreOptions
{
    /// <summary>The folder that belongs to the store alone; it is made when missing.</summary>
    public required string Folder { get; init; }

    /// <summary>How long samples are kept; a block goes when all of it is older.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(15);

    /// <summary>The most bytes that blocks and log may take together, the oldest block going first; null for no limit.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>How much older than the newest sample of the store a sample may be that comes out of order; zero to take none.</summary>
    public TimeSpan OutOfOrderWindow { get; init; }

    /// <summary>The time that a block of the first level covers.</summary>
    public TimeSpan BlockRange { get; init; } = TimeSpan.FromHours(2);

    /// <summary>The most series that may be in the head at a time.</summary>
    public int MaxSeries { get; init; } = 10_000_000;

    /// <summary>How far in the future a sample may be before it is not believed.</summary>
    public TimeSpan MaxAhead { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The size at which a segment of the write log is ended.</summary>
    public long SegmentBytes { get; init; } = 128L << 20;
}
