namespace Groundcrew.Postgres;

/// <summary>How an <see cref="S3Storage"/> behaves; tests make it small.</summary>
internal sealed record S3Limits
{
    /// <summary>What production has.</summary>
    public static S3Limits Default { get; } = new();

    /// <summary>The size of the first parts of an object; what is not larger is put at once. S3 wants 5 MiB at least.</summary>
    public int PartBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>How many parts of an object are on their way at once; later, larger ones are fewer.</summary>
    public int PartsInFlight { get; init; } = 3;

    /// <summary>How many objects one request deletes or lists; S3 takes 1000 at most.</summary>
    public int PageSize { get; init; } = 1000;

    /// <summary>When no byte moved for so long, a request is broken off and tried again.</summary>
    public TimeSpan Stall { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Putting the parts of a large object together takes a server some time, without a byte.</summary>
    public TimeSpan CompletionStall { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often a request is tried, beside the tries of the SDK.</summary>
    public int Tries { get; init; } = 5;

    /// <summary>The pause before the second try; each later one is twice as long.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How often the SDK tries again by itself.</summary>
    public int SdkRetries { get; init; } = 2;

    /// <summary>
    /// The size of a part by its number, from 1. An object has 10 000 parts at most, so that the parts of a large one grow: 32 GB
    /// in parts of 8 MiB, 416 GB in all.
    /// </summary>
    public int PartSize(int number) => number <= 4000 ? PartBytes : number <= 8000 ? PartBytes * 4 : PartBytes * 16;

    /// <summary>The most parts that S3 takes.</summary>
    public const int MaxParts = 10_000;
}
