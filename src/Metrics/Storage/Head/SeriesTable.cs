namespace Groundcrew.Metrics;

/// <summary>
/// The series of the head by number and by labels. Numbers are given in order and never again. Looked up with packed labels
/// without allocating. Changed under the head's lock.
/// </summary>
internal sealed class SeriesTable
{
    private const int PageShift = 10;
    private const int PageMask = (1 << PageShift) - 1;

    // A bucket: the upper half of the hash, and the number of the series; zero is empty. Open addressing, step one.
    private ulong[] _buckets = new ulong[1024];
    private HeadSeries?[]?[] _pages = new HeadSeries?[]?[16];
    private int[] _onPage = new int[16];

    /// <summary>How many series there are.</summary>
    public int Count { get; private set; }

    /// <summary>The number that the next series gets.</summary>
    public int NextId { get; private set; } = 1;

    /// <summary>The series of a number; null when it is gone.</summary>
    public HeadSeries? Of(int id)
    {
        var page = id >> PageShift;
        return (uint)page < (uint)_pages.Length ? _pages[page]?[id & PageMask] : null;
    }

    /// <summary>The series with these labels; null when there is none.</summary>
    public HeadSeries? Find(ReadOnlySpan<byte> packed, ulong hash)
    {
        for (var at = (int)hash & (_buckets.Length - 1); _buckets[at] != 0; at = (at + 1) & (_buckets.Length - 1))
            if (_buckets[at] >> 32 == hash >> 32 && Of((int)(uint)_buckets[at]) is { } series && series.Labels.Packed.SequenceEqual(packed))
                return series;
        return null;
    }

    /// <summary>Adds a series, under a number that the log names or under the next one.</summary>
    public void Add(HeadSeries series, int id = 0)
    {
        if ((Count + 1) * 4 > _buckets.Length * 3)
            Grow();
        series.Id = id == 0 ? NextId : id;
        NextId = Math.Max(NextId, series.Id + 1);
        Insert(series.Labels.Hash, series.Id);
        var page = series.Id >> PageShift;
        if (page >= _pages.Length)
        {
            Array.Resize(ref _pages, Math.Max(page + 1, _pages.Length * 2));
            Array.Resize(ref _onPage, _pages.Length);
        }
        (_pages[page] ??= new HeadSeries?[1 << PageShift])[series.Id & PageMask] = series;
        _onPage[page]++;
        Count++;
    }

    /// <summary>Takes a series out; its handle stays good.</summary>
    public void Remove(HeadSeries series)
    {
        var mask = _buckets.Length - 1;
        var at = (int)series.Labels.Hash & mask;
        while ((int)(uint)_buckets[at] != series.Id)
            at = (at + 1) & mask;
        _buckets[at] = 0;
        CloseGap(at);
        var page = series.Id >> PageShift;
        _pages[page]![series.Id & PageMask] = null;
        if (--_onPage[page] == 0)
            _pages[page] = null;
        series.Id = 0;
        Count--;
    }

    /// <summary>Never gives a number up to this one.</summary>
    public void Skip(int id) => NextId = Math.Max(NextId, id + 1);

    /// <summary>All series in the order of their numbers.</summary>
    public IEnumerable<HeadSeries> All()
    {
        foreach (var page in _pages)
            if (page is not null)
                foreach (var series in page)
                    if (series is not null)
                        yield return series;
    }

    private void Insert(ulong hash, int id)
    {
        var at = (int)hash & (_buckets.Length - 1);
        while (_buckets[at] != 0)
            at = (at + 1) & (_buckets.Length - 1);
        _buckets[at] = (hash >> 32 << 32) | (uint)id;
    }

    /// <summary>Moves back what stands behind an emptied bucket, so that a search does not end there too early.</summary>
    private void CloseGap(int gap)
    {
        var mask = _buckets.Length - 1;
        for (var at = (gap + 1) & mask; _buckets[at] != 0; at = (at + 1) & mask)
        {
            var home = (int)Of((int)(uint)_buckets[at])!.Labels.Hash & mask;
            if (((at - home) & mask) < ((at - gap) & mask))
                continue;
            _buckets[gap] = _buckets[at];
            _buckets[at] = 0;
            gap = at;
        }
    }

    private void Grow()
    {
        var old = _buckets;
        _buckets = new ulong[old.Length * 2];
        foreach (var bucket in old)
            if (bucket != 0)
                Insert(Of((int)(uint)bucket)!.Labels.Hash, (int)(uint)bucket);
    }
}
