using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>Judges a table whole, before anything of it is used. Pure.</summary>
internal static class RouteTableJudge
{
    private const int MaxHostLength = 253;
    private const int MaxPathLength = 1024;

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
        var seen = new Dictionary<(string, string, RouteMatch?), int>();
        for (var i = 0; i < (table.Routes?.Count ?? 0); i++)
            JudgeRoute(table.Routes![i], i, seen, problems);
        for (var i = 0; i < table.Holds.Count; i++)
            LevelJudge.Judge(table.Holds[i].Hold, $"holds[{i}].hold", problems);
        for (var i = 0; i < table.Maintenance.Count; i++)
            LevelJudge.Judge(table.Maintenance[i], $"maintenance[{i}]", problems);
        return problems.Problems;
    }

    private static void JudgeRoute(Route? route, int index, Dictionary<(string, string, RouteMatch?), int> seen, ProblemList problems)
    {
        var path = $"routes[{index}]";
        if (route is null)
        {
            problems.Add("missing", path, "The route is empty.", "Leave it out.");
            return;
        }
        JudgePlace(route, index, seen, problems);
        problems.RequireSlug($"{path}.org", route.Org);
        problems.RequireSlug($"{path}.project", route.Project);
        problems.RequireSlug($"{path}.environment", route.Environment);
        if (route.Policy is { } policy)
            RoutePolicyJudge.Judge(policy, $"{path}.policy", problems);
        JudgeDeployment(route.Deployment, route.Targets, path, problems);
        for (var i = 0; i < route.Split.Count; i++)
            JudgeDeployment(route.Split[i].Deployment, route.Split[i].Targets, $"{path}.split[{i}]", problems);
        if (route.Split.Any(s => s.Percent is < 1 or > 100) || route.Split.Sum(s => s.Percent) > 100)
            problems.Add("bad-share", $"{path}.split", "The shares are not 1 to 100 percent, or more than 100 together.", "Give each at least 1 and all at most 100.");
    }

    private static void JudgeDeployment(string? label, IReadOnlyList<Target>? targets, string path, ProblemList problems)
    {
        if (!IsLabel(label, MaxDeploymentLength))
            problems.Add("bad-name", $"{path}.deployment", $"'{label}' is not a deployment's label.",
                $"Use 1 to {MaxDeploymentLength} characters of a-z, 0-9 and '-'.");
        JudgeTargets(targets, $"{path}.targets", problems);
    }

    private static void JudgePlace(Route route, int index, Dictionary<(string, string, RouteMatch?), int> seen, ProblemList problems)
    {
        var path = $"routes[{index}]";
        if (route.Path is not ['/', ..] || route.Path.Length > MaxPathLength || route.Path.AsSpan().ContainsAnyExceptInRange('!', '~'))
            problems.Add("bad-path", $"{path}.path", $"'{route.Path}' is not a path.", $"Begin it with '/', and use at most {MaxPathLength} visible characters.");
        if (route.Match is { } match && (match.Header is null) == (match.Cookie is null))
            problems.Add("bad-match", $"{path}.match", "It must name a header or a cookie, and not both.", "Name one of them.");
        if (!IsHost(route.Host))
            problems.Add("bad-host", $"{path}.host", $"'{route.Host}' is not a host name.",
                "Use labels of 1 to 63 characters of a-z, 0-9 and '-', joined by dots, in lower case and without a port.");
        else if (!seen.TryAdd((route.Host, route.Path, route.Match), index))
            problems.Add("duplicate-host", $"{path}.host", $"'{route.Host}{route.Path}' is routed by routes[{seen[(route.Host, route.Path, route.Match)]}] already.", "Route each host and path once.");
    }

    private static bool IsHost(string? host) =>
        host is not null && host.Length <= MaxHostLength && host.Split('.').All(l => IsLabel(l, Slug.MaxLabelLength));

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
