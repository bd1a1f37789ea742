using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>Judges a table whole, before anything of it is used. Pure.</summary>
internal static class RouteTableJudge
{
    private const int MaxHostLength = 253;

    /// <summary>Two slugs, a nanoid and two hyphens.</summary>
    private const int MaxDeploymentLength = (2 * Slug.MaxLength) + Ids.NanoLength + 2;

    /// <summary>Everything that is wrong with it; empty when it may serve.</summary>
    public static IReadOnlyList<Problem> Judge(RouteTable table)
    {
        var problems = new ProblemList();
        if (table.Generation < 1)
            problems.Add("bad-generation", "generation", $"{table.Generation} is no generation.", "Generations start at 1.");
        if (table.Platform == Guid.Empty)
            problems.Add("missing", "platform", "The table does not say whose it is.", "Name the platform.");
        if (table.Routes is null)
            problems.Add("missing", "routes", "There is no list of routes.", "Send an empty list when nothing is routed.");
        var hosts = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < (table.Routes?.Count ?? 0); i++)
            JudgeRoute(table.Routes![i], i, hosts, problems);
        return problems.Problems;
    }

    private static void JudgeRoute(Route? route, int index, Dictionary<string, int> hosts, ProblemList problems)
    {
        var path = $"routes[{index}]";
        if (route is null)
        {
            problems.Add("missing", path, "The route is empty.", "Leave it out.");
            return;
        }
        JudgeHost(route.Host, index, hosts, problems);
        problems.RequireSlug($"{path}.org", route.Org);
        problems.RequireSlug($"{path}.project", route.Project);
        problems.RequireSlug($"{path}.environment", route.Environment);
        if (!IsLabel(route.Deployment, MaxDeploymentLength))
            problems.Add("bad-name", $"{path}.deployment", $"'{route.Deployment}' is not a deployment's label.",
                $"Use 1 to {MaxDeploymentLength} characters of a-z, 0-9 and '-'.");
        if (route.ActivityTimeout <= TimeSpan.Zero || route.ActivityTimeout > Route.MaxActivityTimeout)
            problems.Add("bad-duration", $"{path}.activityTimeout", $"{route.ActivityTimeout} is no time to wait.",
                $"Use more than 0 and at most {Quantity.Format(Route.MaxActivityTimeout)}.");
        JudgeTargets(route.Targets, $"{path}.targets", problems);
    }

    private static void JudgeHost(string? host, int index, Dictionary<string, int> hosts, ProblemList problems)
    {
        var path = $"routes[{index}].host";
        if (host is null || host.Length > MaxHostLength || !host.Split('.').All(l => IsLabel(l, Slug.MaxLabelLength)))
            problems.Add("bad-host", path, $"'{host}' is not a host name.",
                "Use labels of 1 to 63 characters of a-z, 0-9 and '-', joined by dots, in lower case and without a port.");
        else if (!hosts.TryAdd(host, index))
            problems.Add("duplicate-host", path, $"'{host}' is routed by routes[{hosts[host]}] already.", "Route each host once.");
    }

    private static void JudgeTargets(IReadOnlyList<Target>? targets, string path, ProblemList problems)
    {
        if (targets is null)
            problems.Add("missing", path, "There is no list of targets.", "Send an empty list when no instance is ready.");
        var seen = new HashSet<(Guid, string)>();
        for (var i = 0; i < (targets?.Count ?? 0); i++)
        {
            var (target, at) = (targets![i], $"{path}[{i}]");
            if (target is null)
            {
                problems.Add("missing", at, "The target is empty.", "Leave it out.");
                continue;
            }
            if (target.InstanceId == Guid.Empty)
                problems.Add("missing", $"{at}.instanceId", "The target names no instance.", "Give the instance's id.");
            if (!IsAddress(target.Address))
                problems.Add("bad-address", $"{at}.address", $"'{target.Address}' is not an address.", "Use host:port, such as 127.0.0.1:20001.");
            else if (!seen.Add((target.InstanceId, target.Address)))
                problems.Add("duplicate-target", at, $"'{target.Address}' is a target of this route already.", "Name each target once.");
            problems.RequireSlug($"{at}.region", target.Region);
        }
    }

    private static bool IsLabel(string? text, int maxLength) =>
        text is { Length: > 0 } && text.Length <= maxLength && text[0] != '-' && text[^1] != '-'
        && text.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');

    private static bool IsAddress(string? address)
    {
        if (address is null || address.Length > MaxHostLength + 6)
            return false;
        var colon = address.LastIndexOf(':');
        return colon > 0
            && address.AsSpan(colon + 1) is { Length: > 0 and <= 5 } digits
            && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535
            && IsAddressHost(address[..colon]);
    }

    private static bool IsAddressHost(string host) => Uri.CheckHostName(host) switch
    {
        UriHostNameType.IPv6 => host[0] == '[',
        UriHostNameType.IPv4 or UriHostNameType.Dns => true,
        _ => false,
    };
}
