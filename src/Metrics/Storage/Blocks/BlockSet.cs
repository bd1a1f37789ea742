namespace Groundcrew.Metrics;

/// <summary>The blocks that are served. Thread-safe.</summary>
internal sealed class BlockSet
{
    private readonly Lock _gate = new();
    private List<Block> _blocks = [];

    public int Count => All.Count;

    public long Bytes => All.Sum(b => b.Meta.Bytes);

    /// <summary>As they are now, by their begin; not held open.</summary>
    public IReadOnlyList<Block> All
    {
        get
        {
            lock (_gate)
                return _blocks;
        }
    }

    /// <summary>All of them, each held open until it is released.</summary>
    public List<Block> Take()
    {
        lock (_gate)
        {
            foreach (var block in _blocks)
                block.Hold();
            return [.. _blocks];
        }
    }

    /// <summary>Swaps some for others at one moment. What leaves is closed, and deleted if it says so, when nobody reads it any more.</summary>
    public void Swap(IReadOnlyCollection<Block> leaving, IReadOnlyCollection<Block> coming)
    {
        lock (_gate)
            _blocks = [.. _blocks.Except(leaving).Concat(coming).OrderBy(b => b.MinTime).ThenBy(b => b.Meta.Id, StringComparer.Ordinal)];
        foreach (var block in leaving)
            block.Release();
    }
}
