using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Contract;

/// <summary>
/// What <c>crew up</c> leaves in the data folder so that every later command finds the platform: ports, base domain and
/// where the token is. The file is <c>platform.json</c>; it holds no secret.
/// </summary>
public sealed record PlatformFile
{
    /// <summary>The format of the file.</summary>
    public int Version { get; init; } = 1;

    /// <summary>The port of API and console.</summary>
    public int ControlPort { get; init; } = 8080;

    /// <summary>The port of the agent's own status.</summary>
    public int AgentPort { get; init; } = 8081;

    /// <summary>The port that traffic comes to.</summary>
    public int EdgePort { get; init; } = 8000;

    /// <summary>The port that traffic comes to over TLS.</summary>
    public int EdgeHttpsPort { get; init; } = 8443;

    /// <summary>The networks (CIDR) of proxies in front of the edge, whose word about a client's address and scheme is believed.</summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    /// <summary>The port of the edge's own status and metrics.</summary>
    public int EdgeStatusPort { get; init; } = 8084;

    /// <summary>The first of 500 ports that databases on a node get.</summary>
    public int DatabasePort { get; init; } = 15432;

    /// <summary>Where the platform's hosts live.</summary>
    public string BaseDomain { get; init; } = "localhost";

    /// <summary>The name that customers' CNAME records lead to (ZW-91); null for <c>edge.</c> and the base domain.</summary>
    public string? EdgeName { get; init; }

    /// <summary>The DNS servers that are asked about custom domains, separated by commas; null for those of the machine.</summary>
    public string? DnsServers { get; init; }

    /// <summary>Whether calls from this machine need no token (T-42).</summary>
    public bool TrustLoopback { get; init; }

    /// <summary>The region of this machine.</summary>
    public string Region { get; init; } = "local";

    /// <summary>A <c>prometheus.yml</c> whose jobs are scraped too; null for the one in the data folder, if it is there.</summary>
    public string? PrometheusConfig { get; init; }

    /// <summary>How long metrics are kept.</summary>
    public string MetricsRetention { get; init; } = "15d";

    /// <summary>The most that metrics may take on disk; null for no limit.</summary>
    public string? MetricsSize { get; init; }

    /// <summary>Whether the platform itself and its instances are left alone, because another Prometheus scrapes them.</summary>
    public bool NoOwnTargets { get; init; }

    /// <summary>The folder that is used when none is named: <c>~/.groundcrew</c>.</summary>
    public static string DefaultFolder =>
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".groundcrew");

    /// <summary>Where the admin token of a data folder lies.</summary>
    public static string AdminTokenOf(string folder) => Path.Combine(folder, "control", "admin.token");

    /// <summary>Where the file of a data folder lies.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, "platform.json");

    /// <summary>Reads the file of a data folder; null when <c>crew up</c> was never called for it.</summary>
    /// <exception cref="InvalidDataException">The file is there but cannot be read as one.</exception>
    public static PlatformFile? Read(string folder)
    {
        var path = PathIn(folder);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<PlatformFile>(File.ReadAllText(path), Json.Options);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{path}' cannot be read: {e.Message} Remove it and run 'crew up' again.", e);
        }
    }

    /// <summary>Writes the file durably.</summary>
    public void Write(string folder, DurableFiles files) =>
        files.Replace(PathIn(folder), JsonSerializer.Serialize(this, Json.Indented));
}
