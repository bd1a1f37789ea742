namespace Groundcrew.Edge;

/// <summary>
/// Whether maintenance holds a request. Immutable, made with the table; asking allocates nothing, and costs nothing
/// while there is no maintenance.
/// </summary>
internal sealed class MaintenanceGate(IReadOnlyList<Maintenance> maintenances)
{
    /// <summary>An organization's own comes before one for all, and says its own words.</summary>
    private readonly Maintenance[] _all = [.. maintenances.Where(m => m.Org is not null), .. maintenances.Where(m => m.Org is null)];

    /// <summary>Whether there is none at all, so that nobody has to ask for the time.</summary>
    public bool IsOpen => _all.Length == 0;

    /// <summary>The maintenance that holds a request for a path (without query) at a time; null when it is served.</summary>
    public Maintenance? Holds(string org, ReadOnlySpan<char> path, DateTimeOffset now)
    {
        foreach (var maintenance in _all)
        {
            if ((maintenance.Org is null || maintenance.Org == org) && now >= maintenance.Since && !(now >= maintenance.Until)
                && !IsExempt(path, maintenance.Exempt))
                return maintenance;
        }
        return null;
    }

    /// <summary>Whether a path is served in any case: what says how the service is, and what the maintenance itself leaves out.</summary>
    private static bool IsExempt(ReadOnlySpan<char> path, IReadOnlyList<string> exempt)
    {
        // A path that climbs is not below what it begins with.
        if (path.Contains("/..", StringComparison.Ordinal))
            return false;
        if (path is "/health" or "/ready" or "/live" or "/healthz" or "/readyz" or "/livez" or "/metrics" || path.StartsWith("/health/"))
            return true;
        for (var i = 0; i < exempt.Count; i++)
        {
            var rule = exempt[i].AsSpan();
            if (rule is [.., '*'] ? path.StartsWith(rule[..^1]) : path.SequenceEqual(rule))
                return true;
        }
        return false;
    }
}
