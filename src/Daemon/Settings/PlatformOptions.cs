using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Edge;

namespace Groundcrew.Daemon.Settings;

/// <summary>
/// The options that <c>up</c> and <c>serve</c> share. What is not given comes from the data folder's
/// <c>platform.json</c>, and then from the defaults.
/// </summary>
internal sealed class PlatformOptions
{
    private readonly Option<int?> _controlPort = Port("--control-port", "Port of API and console (default 8080).");
    private readonly Option<int?> _agentPort = Port("--agent-port", "Port of the agent's status (default 8081).");
    private readonly Option<int?> _edgePort = Port("--edge-port", "Port that traffic comes to (default 8000).");
    private readonly Option<int?> _edgeHttpsPort = Port("--edge-https-port", "Port that traffic comes to over TLS, and that redirects to HTTPS name (default 8443).");
    private readonly Option<int?> _edgeStatusPort = Port("--edge-status-port", "Port of the edge's status and metrics (default 8084).");
    private readonly Option<int?> _databasePort = Port("--database-port", "First of the 500 ports that databases on a node get (default 15432).");
    private readonly Option<string?> _trustedProxies = new("--trusted-proxies")
    {
        Description = "Networks of proxies in front of the edge, with commas, such as 10.0.0.0/8,2001:db8::/32: X-Forwarded-For and X-Forwarded-Proto are believed of them alone (default none).",
    };

    private readonly Option<string?> _baseDomain = new("--base-domain") { Description = "Where the platform's hosts live (default localhost)." };
    private readonly Option<string?> _edgeName = new("--edge-name") { Description = "The name that customers' CNAME records lead to (default edge.<base domain>)." };
    private readonly Option<string?> _dnsServers = new("--dns-servers") { Description = "Up to three DNS servers, as address or address:port with commas between, that are asked about custom domains (default: those of this machine)." };
    private readonly Option<string?> _region = new("--region") { Description = "The region of this machine (default local)." };
    private readonly Option<string?> _hostname = new("--hostname") { Description = "The name of this machine in the fleet (default: its own)." };
    private readonly Option<bool?> _trustLoopback = new("--trust-loopback") { Description = "Let programs on this machine call the API without a token, as admin. Off by default." };
    private readonly Option<string?> _store = new("--store") { Description = "File that holds a PostgreSQL connection (postgres://…) for the control plane's store; without it, SQLite in the data folder." };
    private readonly Option<string?> _listen = new("--listen") { Description = "Address that the control plane and the status doors listen on (default 127.0.0.1)." };
    private readonly Option<string?> _control = new("--control") { Description = "Address of the control plane, for an agent or edge on another machine." };

    private readonly Option<string?> _prometheusConfig = new("--prometheus-config") { Description = "A prometheus.yml whose jobs are scraped too, read again when it changes (default: prometheus.yml in the data folder, if it is there)." };
    private readonly Option<string?> _metricsRetention = new("--metrics-retention") { Description = "How long metrics are kept, such as 90d (default 15d)." };
    private readonly Option<string?> _metricsSize = new("--metrics-size") { Description = "The most that metrics may take on disk, such as 20Gi; the oldest go first (default: no limit)." };
    private readonly Option<bool?> _noOwnTargets = new("--no-own-targets") { Description = "Do not scrape the platform itself and its instances, because another Prometheus does. Off by default." };

    private IEnumerable<Option> All => [_controlPort, _agentPort, _edgePort, _edgeHttpsPort, _edgeStatusPort, _databasePort, _trustedProxies, _baseDomain, _edgeName, _dnsServers, _region, _hostname, _trustLoopback, _store, _listen, _control, _prometheusConfig, _metricsRetention, _metricsSize, _noOwnTargets];

    public void AddTo(Command command)
    {
        foreach (var option in All)
            command.Options.Add(option);
    }

    /// <summary>What holds for this call, judged whole.</summary>
    public Judged<RoleSettings> Read(ParseResult parsed, string data)
    {
        var problems = new ProblemList();
        var before = Before(data, problems);
        var platform = before with
        {
            ControlPort = parsed.GetValue(_controlPort) ?? before.ControlPort,
            AgentPort = parsed.GetValue(_agentPort) ?? before.AgentPort,
            EdgePort = parsed.GetValue(_edgePort) ?? before.EdgePort,
            EdgeHttpsPort = parsed.GetValue(_edgeHttpsPort) ?? before.EdgeHttpsPort,
            TrustedProxies = parsed.GetValue(_trustedProxies)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? before.TrustedProxies,
            EdgeStatusPort = parsed.GetValue(_edgeStatusPort) ?? before.EdgeStatusPort,
            DatabasePort = parsed.GetValue(_databasePort) ?? before.DatabasePort,
            BaseDomain = (parsed.GetValue(_baseDomain) ?? before.BaseDomain).Trim('.').ToLowerInvariant(),
            EdgeName = (parsed.GetValue(_edgeName) ?? before.EdgeName)?.Trim('.').ToLowerInvariant(),
            DnsServers = parsed.GetValue(_dnsServers) ?? before.DnsServers,
            Region = parsed.GetValue(_region) ?? before.Region,
            TrustLoopback = parsed.GetValue(_trustLoopback) ?? false,
            PrometheusConfig = parsed.GetValue(_prometheusConfig) is { } file ? Path.GetFullPath(file) : before.PrometheusConfig,
            MetricsRetention = parsed.GetValue(_metricsRetention) ?? before.MetricsRetention,
            MetricsSize = parsed.GetValue(_metricsSize) ?? before.MetricsSize,
            NoOwnTargets = parsed.GetValue(_noOwnTargets) ?? before.NoOwnTargets,
        };
        JudgePorts(problems,
            (_controlPort, platform.ControlPort), (_agentPort, platform.AgentPort), (_edgePort, platform.EdgePort), (_edgeHttpsPort, platform.EdgeHttpsPort),
            (_edgeStatusPort, platform.EdgeStatusPort), (_databasePort, platform.DatabasePort));
        EdgeOptions.JudgeTrustedProxies(platform.TrustedProxies, _trustedProxies.Name, problems);
        problems.RequireSlug("--region", platform.Region);
        if (Uri.CheckHostName(platform.BaseDomain) != UriHostNameType.Dns)
            problems.Add("bad-domain", "--base-domain", $"'{platform.BaseDomain}' is not a domain.", "Use a name such as apps.example.org.");
        if (platform.EdgeName is { } edgeName && Uri.CheckHostName(edgeName) != UriHostNameType.Dns)
            problems.Add("bad-domain", "--edge-name", $"'{edgeName}' is not a name.", "Use one such as edge.example.org, which leads to the edges.");
        if (platform.DnsServers is { } servers && DnsServers.Parse(servers) is null)
            problems.Add("bad-address", "--dns-servers", $"'{servers}' are not addresses of DNS servers.", "Use one to three such as 10.0.0.2 or 10.0.0.2:5353, with commas between.");
        var hostname = parsed.GetValue(_hostname) ?? Environment.MachineName;
        if (string.IsNullOrWhiteSpace(hostname) || hostname.Length > 253)
            problems.Add("bad-name", "--hostname", $"'{hostname}' is not a hostname.", "Use the machine's name.");
        var listen = parsed.GetValue(_listen) ?? "127.0.0.1";
        if (!IPAddress.TryParse(listen, out _))
            problems.Add("bad-address", "--listen", $"'{listen}' is not an address.", "Use one such as 127.0.0.1 or 0.0.0.0.");
        var control = parsed.GetValue(_control) ?? $"http://127.0.0.1:{platform.ControlPort}";
        if (!Uri.TryCreate(control, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            problems.Add("bad-address", "--control", $"'{control}' is not an address.", "Use one such as http://10.0.0.1:8080.");
        var store = StoreConnection(parsed.GetValue(_store), problems);
        var metrics = MetricsOf(platform, problems);
        return problems.IsEmpty
            ? Judged<RoleSettings>.Good(new RoleSettings(data, platform, address!, hostname, store, listen) { Metrics = metrics })
            : Judged<RoleSettings>.Bad(problems.Problems);
    }

    private static MetricsSettings MetricsOf(PlatformFile platform, ProblemList problems)
    {
        if (platform.PrometheusConfig is { } config && !File.Exists(config))
            problems.Add("no-file", "--prometheus-config", $"There is no file '{config}'.", "Name a prometheus.yml that is there.");
        var retention = Quantity.ParseDuration(platform.MetricsRetention);
        if (retention is null || retention < TimeSpan.FromHours(2) || retention > TimeSpan.FromDays(36_500))
            problems.Add("bad-duration", "--metrics-retention", $"'{platform.MetricsRetention}' is not a time that metrics can be kept.", "Use 2h to 36500d, such as 90d.");
        var size = platform.MetricsSize is { } text ? Quantity.ParseBytes(text) : null;
        if (platform.MetricsSize is not null && size is null or < 64 * 1024 * 1024)
            problems.Add("bad-size", "--metrics-size", $"'{platform.MetricsSize}' is not a size that metrics fit into.", "Use at least 64Mi, such as 20Gi.");
        return new MetricsSettings(platform.PrometheusConfig, retention ?? TimeSpan.Zero, size, !platform.NoOwnTargets);
    }

    private static PlatformFile Before(string data, ProblemList problems)
    {
        try
        {
            return PlatformFile.Read(data) ?? new PlatformFile();
        }
        catch (InvalidDataException e)
        {
            problems.Add("bad-file", PlatformFile.PathIn(data), e.Message, "Correct the file, or remove it.");
            return new PlatformFile();
        }
    }

    private static void JudgePorts(ProblemList problems, params ReadOnlySpan<(Option<int?> Option, int Port)> ports)
    {
        for (var i = 0; i < ports.Length; i++)
        {
            var (option, port) = ports[i];
            if (port is < 1 or > 65535)
                problems.Add("bad-port", option.Name, $"{port} is not a port.", "Use 1 to 65535.");
            foreach (var (other, same) in ports[..i])
                if (same == port)
                    problems.Add("same-port", option.Name, $"{port} is the port of {other.Name} too.", "Give each of the five its own.");
        }
    }

    /// <summary>The options as they were given, for the processes that <c>up</c> starts.</summary>
    public IEnumerable<string> Pass(ParseResult parsed) =>
        All.Select(parsed.GetResult).OfType<OptionResult>().Where(o => !o.Implicit)
            .SelectMany(o => o.Tokens.Select(t => t.Value).Prepend(o.Option.Name));

    /// <summary>A connection holds a password: it is read from a file, for arguments are visible to everybody on the machine.</summary>
    private static Secret? StoreConnection(string? file, ProblemList problems)
    {
        if (file is null)
            return null;
        if (File.Exists(file))
            return new Secret(File.ReadAllText(file).Trim());
        problems.Add("no-file", "--store", $"There is no file '{file}'.", "Write the connection (postgres://user:password@host/database) into a private file and name it here.");
        return null;
    }

    private static Option<int?> Port(string name, string description) => new(name) { Description = description };
}
