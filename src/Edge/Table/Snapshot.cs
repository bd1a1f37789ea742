namespace Groundcrew.Edge;

/// <summary>A table made ready to serve. Immutable; replaced as a whole.</summary>
internal sealed class Snapshot
{
    private readonly Dictionary<string, RouteState>.AlternateLookup<ReadOnlySpan<char>> _byHost;

    public Snapshot(RouteTable? table, string digest, IEnumerable<RouteState> routes, IReadOnlySet<TargetState> targets)
    {
        (Table, Digest, Targets) = (table, digest, targets);
        var byHost = new Dictionary<string, RouteState>(StringComparer.OrdinalIgnoreCase);
        foreach (var route in routes)
            byHost.Add(route.Route.Host, route);
        _byHost = byHost.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Before any table.</summary>
    public static Snapshot Empty { get; } = new(null, "", [], new HashSet<TargetState>());

    /// <summary>As it was applied; null before any.</summary>
    public RouteTable? Table { get; }

    public long Generation => Table?.Generation ?? 0;

    /// <summary>Tells two tables of one generation apart.</summary>
    public string Digest { get; }

    /// <summary>Every target of every route, once.</summary>
    public IReadOnlySet<TargetState> Targets { get; }

    /// <summary>The route of a host name without port, in any case; null when there is none.</summary>
    public RouteState? Find(ReadOnlySpan<char> host) => _byHost.TryGetValue(host, out var route) ? route : null;
}
