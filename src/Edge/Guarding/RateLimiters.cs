namespace Groundcrew.Edge;

/// <summary>
/// The rate limiters of all routes, kept across tables: a limit that the next table names with equal settings for the
/// same environment goes on counting where it was. Thread-safe; used when a table is applied, never by a request.
/// </summary>
internal sealed class RateLimiters(TimeProvider clock, int capacity = RateLimiter.DefaultCapacity)
{
    private readonly Kept<Key, RateLimiter> _kept = new(k => new RateLimiter(k.Limit, clock, capacity), new SameSettings());

    /// <summary>All of them with whose they are, for metrics.</summary>
    public IReadOnlyList<KeyValuePair<Key, RateLimiter>> All => _kept.All;

    /// <summary>Begins to name the limits of a table.</summary>
    public Naming Begin() => new(_kept.Begin());

    /// <summary>Whose a limiter is.</summary>
    internal readonly record struct Key(string Org, string Project, string Environment, RateLimit Limit);

    /// <summary>The limits that one table names.</summary>
    internal sealed class Naming(Kept<Key, RateLimiter>.Naming naming)
    {
        /// <summary>The limiters of a route, in the order of its limits.</summary>
        public RateLimiter[] Of(string org, string project, string environment, IReadOnlyList<RateLimit> limits) =>
            [.. limits.Select(l => naming.Of(new Key(org, project, environment, l)))];

        /// <summary>The table serves: limiters that it did not name are dropped.</summary>
        public void End() => naming.End();
    }

    /// <summary>A list in a record is equal only to itself; here its words count.</summary>
    private sealed class SameSettings : IEqualityComparer<Key>
    {
        public bool Equals(Key x, Key y) =>
            x with { Limit = Bare(x.Limit) } == y with { Limit = Bare(y.Limit) }
            && x.Limit.Methods.SequenceEqual(y.Limit.Methods, StringComparer.Ordinal);

        public int GetHashCode(Key key) => HashCode.Combine(key.Org, key.Project, key.Environment, key.Limit.Name);

        private static RateLimit Bare(RateLimit limit) => limit with { Methods = [] };
    }
}
