using System.Collections.ObjectModel;

namespace Groundcrew.Contract.Manifest;

/// <summary>
/// A system as its manifest <c>crew.yaml</c> describes it: what was asked, with the defaults filled in. The properties
/// with a key are the one source of the reader, the JSON schema and the reference page. Immutable.
/// </summary>
public sealed record SystemManifest
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "crew.yaml";

    /// <summary>The environment that customers see. It always exists.</summary>
    public const string Production = "production";

    /// <summary>The organization that owns the services.</summary>
    [Key(KeyKind.Name, "The organization that owns the services.", Name = "system", Required = true, Example = "acme")]
    public required string Organization { get; init; }

    /// <summary>The services by name; each is a project of the organization.</summary>
    [Key(KeyKind.Services, "The services by name; each is a project of the organization. At least one.", Required = true, ExampleName = "web")]
    public required IReadOnlyDictionary<string, ServiceManifest> Services { get; init; }

    /// <summary>The PostgreSQL clusters by name.</summary>
    [Key(KeyKind.Databases, "The PostgreSQL clusters by name. `crew deploy` makes those that are missing, before it deploys; services get their address by `databases`.", ExampleName = "main")]
    public IReadOnlyDictionary<string, DatabaseManifest> Databases { get; init; } = ReadOnlyDictionary<string, DatabaseManifest>.Empty;

    /// <summary>The environments that any service names, and production, which comes first; the rest in order of the alphabet.</summary>
    public IReadOnlyList<string> EnvironmentNames =>
    [
        Production,
        .. Services.Values.SelectMany(service => service.Environments.Keys)
            .Where(name => name != Production).Distinct().Order(StringComparer.Ordinal),
    ];

    /// <summary>
    /// What holds for each service, by name, in one environment. An environment that no service names has the services'
    /// own settings, without domains.
    /// </summary>
    public IReadOnlyDictionary<string, ServiceSettings> For(string environment) =>
        Services.ToDictionary(service => service.Key, service => service.Value.For(environment));
}
