namespace Groundcrew.Metrics;

/// <summary>A view of the head and the blocks, which stay as they are while it is open.</summary>
internal sealed class StoreReader : IMetricReader
{
    private readonly Head _head;
    private readonly List<Block> _blocks;
    private readonly long _generation;
    private readonly long _minValid;
    private readonly ReaderMoment _moment;
    private bool _isClosed;

    public StoreReader(Head head, BlockSet blocks)
    {
        _head = head;
        // Under one lock: a range is in the head or in a block, never in neither.
        head.State.EnterReadLock();
        _generation = head.PinLocked();
        _minValid = head.MinValid;
        _moment = new(head.Later.Open());
        _blocks = blocks.Take();
        head.State.ExitReadLock();
    }

    public IReadOnlyList<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default)
    {
        var parts = new List<(long MinTime, long MaxTime, IReadOnlyList<StoredSeries> Series)>();
        foreach (var block in _blocks)
            if (block.Overlaps(from, to) && block.Select(from, to, matchers, cancellation) is { Count: > 0 } found)
                parts.Add((block.MinTime, block.MaxTime - 1, found));
        var inHead = _head.Select(_moment, _minValid, from, to, matchers, cancellation);
        if (inHead.Count > 0)
            parts.Add((inHead.Min(s => s.MinTime), long.MaxValue, inHead));
        return parts.Count switch { 0 => [], 1 => parts[0].Series, _ => JoinedSeries.Join(parts) };
    }

    public IReadOnlyList<string> LabelNames(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
        Texts(null, from, to, matchers, cancellation);

    public IReadOnlyList<string> LabelValues(string name, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation = default) =>
        Texts(name, from, to, matchers, cancellation);

    public void Dispose()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        _head.Later.Close(_moment.Place);
        _head.Unpin(_generation);
        foreach (var block in _blocks)
            block.Release();
    }

    private List<string> Texts(string? name, long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var block in _blocks)
            if (block.Overlaps(from, to))
                HeadSelection.AddTexts(block.Index, name, matchers, found, cancellation);
        _head.State.EnterReadLock();
        try
        {
            if ((_head.MinTime <= to || _head.LateSamples > 0) && _head.MaxTime >= from)
                HeadSelection.AddTexts(_head.Postings, name, matchers, found, cancellation);
        }
        finally
        {
            _head.State.ExitReadLock();
        }
        var sorted = found.ToList();
        sorted.Sort(StringComparer.Ordinal);
        return sorted;
    }
}
