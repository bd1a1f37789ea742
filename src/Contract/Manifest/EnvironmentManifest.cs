using System.Collections.ObjectModel;

namespace Groundcrew.Contract.Manifest;

/// <summary>What differs for one service in one environment (U-05). Immutable.</summary>
public sealed record EnvironmentManifest
{
    /// <summary>How many copies run in each region of this environment.</summary>
    [Key(KeyKind.Instances, "How many copies run in each region of this environment.", Min = "1", Max = "100", Example = "1",
        LeftOut = "as the service says")]
    public InstancesManifest? Instances { get; init; }

    /// <summary>What one instance may use here.</summary>
    [Key(KeyKind.Section, "What one instance may use here. A key that is left out counts as the service says.", Example = "{memory: 128Mi}")]
    public ResourcesManifest? Resources { get; init; }

    /// <summary>Plain variables that are added or replaced here.</summary>
    [Key(KeyKind.Variables, "Plain variables that are added or replaced here.", Example = "{GREETING: hello from staging}")]
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Secret variables that are added or replaced here.</summary>
    [Key(KeyKind.SecretNames, "Secret variables that are added or replaced here.", Example = "{DB_PASSWORD: staging-db-password}")]
    public IReadOnlyDictionary<string, string> Secrets { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Addresses of databases that are added or replaced here.</summary>
    [Key(KeyKind.DatabaseNames, "Addresses of databases that are added or replaced here.", Example = "{DATABASE_URL: main-staging}")]
    public IReadOnlyDictionary<string, string> Databases { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Domains of your own that lead here.</summary>
    [Key(KeyKind.Domains, "Domains of your own that lead here.", Example = "[staging.acme.org]",
        LeftOut = "none; for `production` those of the service")]
    public IReadOnlyList<string>? Domains { get; init; }

    /// <summary>How the edge treats the traffic here.</summary>
    [Key(KeyKind.Section, "How the edge treats the traffic here. A key that is left out counts as the service says; one that stands here counts whole.", Example = "{maxBody: 50MB}")]
    public EdgeManifest? Edge { get; init; }
}
