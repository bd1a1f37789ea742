namespace Groundcrew.Edge;

/// <summary>A deployment as a route uses it: its targets, its share, and what is counted of it. Thread-safe.</summary>
internal sealed class BackendState(string deployment, int percent, Balance balance, long slowStart, TargetState[] targets, BackendMeters meters)
{
    private uint _turn;

    public string Deployment => deployment;

    /// <summary>What an access record says of it.</summary>
    public byte[] InLog { get; } = AccessRecord.Member("deployment", deployment);

    /// <summary>Its share of the route's traffic; of the route's own deployment 0: it takes what is left.</summary>
    public int Percent => percent;

    public IReadOnlyList<TargetState> Targets => targets;

    public bool HasTargets => targets.Length > 0;

    /// <summary>Counts one request that ended.</summary>
    /// <param name="status">The status that the client saw.</param>
    /// <param name="outcome">How it ended.</param>
    /// <param name="seconds">How long it took; null when that says nothing, as of an upgraded connection.</param>
    public void Count(int status, Outcome outcome, double? seconds) => meters.Count(status, outcome, seconds);

    /// <summary>
    /// A target that was not <paramref name="tried"/>; those that are not well are left out unless all are. Null when none is left.
    /// Least requests draws two and takes the less busy one ("power of two choices", Mitzenmacher 1996).
    /// </summary>
    public TargetState? Pick(ReadOnlySpan<TargetState?> tried, long now)
    {
        var count = targets.Length;
        if (count == 0)
            return null;
        var first = balance == Balance.RoundRobin ? (int)(Interlocked.Increment(ref _turn) % (uint)count) : count == 1 ? 0 : Random.Shared.Next(count);
        if (balance == Balance.RoundRobin || count == 1)
            return IsGood(targets[first], tried, now) ? targets[first] : Search(first, tried, now);
        var second = (first + 1 + Random.Shared.Next(count - 1)) % count;
        var (a, b) = (targets[first], targets[second]);
        var (goodA, goodB) = (IsGood(a, tried, now), IsGood(b, tried, now));
        if (goodA && goodB)
            return a.Load(now, slowStart) <= b.Load(now, slowStart) ? a : b;
        return goodA ? a : goodB ? b : Search(first, tried, now);
    }

    private TargetState? Search(int start, ReadOnlySpan<TargetState?> tried, long now)
    {
        TargetState? unwell = null;
        for (var i = 0; i < targets.Length; i++)
        {
            var target = targets[(start + i) % targets.Length];
            if (tried.Contains(target))
                continue;
            if (target.IsWell(now))
                return target;
            unwell ??= target;
        }
        return unwell;
    }

    private static bool IsGood(TargetState target, ReadOnlySpan<TargetState?> tried, long now) =>
        target.IsWell(now) && !tried.Contains(target);
}
