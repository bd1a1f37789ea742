using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// The edges that this one replaced and that still finish requests, with what they said last. One that is expected and has
/// not spoken yet, or that lost its connection while its process lives, may use anything. Thread-safe.
/// </summary>
/// <param name="changed">Fires when something was heard.</param>
internal sealed class LeavingEdges(Nudge changed)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ProcessIdentity, Farewell?> _edges = [];

    /// <summary>A process that will say what it still uses. False when it is known already.</summary>
    public bool Expect(ProcessIdentity process)
    {
        lock (_gate)
            return _edges.TryAdd(process, null);
    }

    /// <summary>Whether it is still one of them.</summary>
    public bool Knows(ProcessIdentity process)
    {
        lock (_gate)
            return _edges.ContainsKey(process);
    }

    /// <summary>What it uses now.</summary>
    public void Hear(ProcessIdentity process, Farewell word)
    {
        lock (_gate)
            _edges[process] = word;
        changed.Set();
    }

    /// <summary>It uses nothing any more.</summary>
    public void Forget(ProcessIdentity process)
    {
        lock (_gate)
            _edges.Remove(process);
        changed.Set();
    }

    /// <summary>Whether one of them may still send requests by a table older than <paramref name="generation"/>.</summary>
    public bool AnyBehind(long generation)
    {
        lock (_gate)
            return IsBehind(generation);
    }

    /// <summary>Whether one of them has, or may still begin, a request to the target of the table before <paramref name="generation"/>.</summary>
    public bool MayUse(TargetState target, long generation)
    {
        lock (_gate)
            return _edges.Count > 0 && (IsBehind(generation) || Used().Any(u => IsSame(u, target.InstanceId, target.Address)));
    }

    /// <summary>
    /// Adds their requests to what drains here: to targets that were retired here, and to those that this edge never knew.
    /// A target that an edge may use without having said so counts as one request.
    /// </summary>
    public IReadOnlyList<DrainingTarget> With(IReadOnlyList<DrainingTarget> own, Snapshot current)
    {
        lock (_gate)
        {
            if (_edges.Count == 0)
                return own;
            var least = IsBehind(current.Generation) ? 1 : 0;
            var named = current.Targets.Select(t => (t.InstanceId, t.Address)).ToHashSet();
            return [.. own.Concat(Used().Where(u => !named.Contains((u.InstanceId, u.Address))))
                .GroupBy(t => (t.InstanceId, t.Address))
                .Select(g => new DrainingTarget(g.Key.InstanceId, g.Key.Address, Math.Max(least, g.Sum(t => t.InFlight)), g.Sum(t => t.Upgraded)))];
        }
    }

    private bool IsBehind(long generation) => _edges.Values.Any(e => e is null || e.Generation < generation);

    private IEnumerable<DrainingTarget> Used() => _edges.Values.SelectMany(e => e?.Targets ?? []);

    private static bool IsSame(DrainingTarget used, Guid instance, string address) => used.InstanceId == instance && used.Address == address;
}
