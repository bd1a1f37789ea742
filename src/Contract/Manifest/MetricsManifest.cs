namespace Groundcrew.Contract.Manifest;

/// <summary>Where a service shows its own metrics (U-22, U-25). Immutable.</summary>
public sealed record MetricsManifest
{
    /// <summary>The path to GET, on the port of the service.</summary>
    [Key(KeyKind.UrlPath, "The path to GET, on the port of the service.", Required = true, Example = "/metrics")]
    public required string Path { get; init; }
}
