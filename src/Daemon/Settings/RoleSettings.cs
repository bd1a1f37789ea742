using Groundcrew.Bedrock;
using Groundcrew.Contract;

namespace Groundcrew.Daemon.Settings;

/// <summary>What one role process was told.</summary>
/// <param name="Data">The data folder.</param>
/// <param name="Platform">Ports, base domain and region.</param>
/// <param name="ControlAddress">Where the control plane answers.</param>
/// <param name="Hostname">The name of this machine in the fleet.</param>
/// <param name="Store">A PostgreSQL connection; null for the embedded store.</param>
/// <param name="Listen">The address that the control plane and the agent listen on.</param>
internal sealed record RoleSettings(string Data, PlatformFile Platform, Uri ControlAddress, string Hostname, Secret? Store, string Listen)
{
    /// <summary>The sub-folder of a role.</summary>
    public string FolderOf(string role) => Path.Combine(Data, role);

    /// <summary>The token with which agents and edges dial in; the control plane leaves one in the data folder.</summary>
    public string NodeTokenFile { get; init; } = Path.Combine(Data, "node.token");

    /// <summary>What the control plane scrapes and keeps.</summary>
    public MetricsSettings Metrics { get; init; } = new(null, TimeSpan.FromDays(15), null, OwnTargets: true);
}

/// <summary>What the control plane scrapes and keeps.</summary>
/// <param name="ConfigFile">A <c>prometheus.yml</c>; null for the one in the data folder, if it is there.</param>
/// <param name="Retention">How long samples are kept.</param>
/// <param name="MaxBytes">The most bytes that they may take; null for no limit.</param>
/// <param name="OwnTargets">Whether the platform itself and its instances are scraped.</param>
internal sealed record MetricsSettings(string? ConfigFile, TimeSpan Retention, long? MaxBytes, bool OwnTargets);

/// <summary>The program's version, as the build stamped it.</summary>
internal static class ProgramVersion
{
    public static string Text { get; } = typeof(ProgramVersion).Assembly.GetName().Version!.ToString(3);
}
