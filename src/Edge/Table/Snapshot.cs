namespace Groundcrew.Edge;

/// <summary>A table made ready to serve. Immutable; replaced as a whole.</summary>
internal sealed class Snapshot
{
    private readonly Dictionary<string, RouteState[]>.AlternateLookup<ReadOnlySpan<char>> _byHost;

    public Snapshot(RouteTable? table, string digest, IEnumerable<RouteState> routes, IReadOnlySet<TargetState> targets)
    {
        (Table, Digest, Targets, Routes) = (table, digest, targets, [.. routes]);
        Maintenance = new MaintenanceGate(table?.Maintenance ?? []);
        var byHost = Routes.GroupBy(r => r.Route.Host, StringComparer.OrdinalIgnoreCase).ToDictionary(
            g => g.Key, g => g.OrderByDescending(r => r.Route.Path.Length).ThenBy(r => r.Route.Match is null).ToArray(), StringComparer.OrdinalIgnoreCase);
        _byHost = byHost.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Before any table.</summary>
    public static Snapshot Empty { get; } = new(null, "", [], new HashSet<TargetState>());

    /// <summary>As it was applied; null before any.</summary>
    public RouteTable? Table { get; }

    public long Generation => Table?.Generation ?? 0;

    /// <summary>Tells two tables of one generation apart.</summary>
    public string Digest { get; }

    public IReadOnlyList<RouteState> Routes { get; }

    public MaintenanceGate Maintenance { get; }

    /// <summary>Every target of every route, once.</summary>
    public IReadOnlySet<TargetState> Targets { get; }

    /// <summary>The route that fits a request best; null when none does. Hosts are found in any case.</summary>
    public RouteState? Find(Exchange exchange)
    {
        if (!_byHost.TryGetValue(exchange.HostName, out var routes))
            return null;
        foreach (var route in routes)
            if (IsBelow(exchange.Path, route.Route.Path) && route.Fits(exchange))
                return route;
        return null;
    }

    /// <summary>A handful at any time, so that they are simply looked through.</summary>
    public string? ChallengeOf(ReadOnlySpan<char> host, ReadOnlySpan<char> token)
    {
        foreach (var challenge in Table?.Challenges ?? [])
            if (host.Equals(challenge.Host, StringComparison.OrdinalIgnoreCase) && token.SequenceEqual(challenge.Token))
                return challenge.Answer;
        return null;
    }

    /// <summary>A prefix ends where a segment does.</summary>
    private static bool IsBelow(string path, string prefix) =>
        prefix.Length == 1
        || (path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || prefix[^1] == '/' || path[prefix.Length] == '/'));
}
