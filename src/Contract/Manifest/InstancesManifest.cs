using System.Collections.ObjectModel;

namespace Groundcrew.Contract.Manifest;

/// <summary>How many copies of a service run in each region. Immutable.</summary>
/// <param name="Default">In a region that is not named; null when the service does not run there.</param>
/// <param name="Regions">In the regions that are named.</param>
public sealed record InstancesManifest(int? Default, IReadOnlyDictionary<string, int> Regions)
{
    /// <summary>The key of a map that counts for the regions it does not name.</summary>
    public const string DefaultKey = "default";

    /// <summary>The same number everywhere.</summary>
    public static InstancesManifest InEveryRegion(int count) => new(count, ReadOnlyDictionary<string, int>.Empty);

    /// <summary>How many run in one region; 0 where the service does not run.</summary>
    public int CountIn(string region) => Regions.TryGetValue(region, out var count) ? count : Default ?? 0;
}
