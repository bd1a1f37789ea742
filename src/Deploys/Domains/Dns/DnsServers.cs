using System.Net;

namespace Groundcrew.Deploys;

/// <summary>Which servers are asked. Pure but for the reading of the machine's own list.</summary>
public static class DnsServers
{
    /// <summary>The port of DNS.</summary>
    public const int Port = 53;

    /// <summary>More are never asked (resolv.conf(5), MAXNS).</summary>
    private const int Most = 3;
    private const string MachineFile = "/etc/resolv.conf";

    /// <summary>
    /// Reads addresses with an optional port, separated by commas: <c>10.0.0.2</c>, <c>10.0.0.2:5353</c>, <c>[2001:db8::1]:53</c>.
    /// Null when one is no address, or there are none or more than three.
    /// </summary>
    public static IReadOnlyList<IPEndPoint>? Parse(string text)
    {
        var servers = new List<IPEndPoint>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!IPEndPoint.TryParse(part, out var server))
                return null;
            servers.Add(server.Port == 0 ? new IPEndPoint(server.Address, Port) : server);
        }
        return servers.Count <= Most ? servers : null;
    }

    /// <summary>The servers of this machine; that on loopback when it names none (resolv.conf(5)).</summary>
    internal static IReadOnlyList<IPEndPoint> OfMachine() => File.Exists(MachineFile) ? Of(File.ReadLines(MachineFile)) : Of([]);

    /// <summary>The servers that lines of a <c>resolv.conf</c> name.</summary>
    internal static IReadOnlyList<IPEndPoint> Of(IEnumerable<string> lines)
    {
        var servers = lines.Select(l => l.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            .Where(w => w.Length > 1 && w[0] == "nameserver").Select(w => IPAddress.TryParse(w[1], out var address) ? address : null)
            .OfType<IPAddress>().Take(Most).Select(a => new IPEndPoint(a, Port)).ToList();
        return servers.Count > 0 ? servers : [new IPEndPoint(IPAddress.Loopback, Port)];
    }
}
