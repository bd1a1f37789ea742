using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// Where each series of the head stands in the order of labels, so that a selection of very many sorts numbers. Made when it
/// is first asked for; then only series that are new are compared. Series come and go under the head's lock, and are asked
/// for under its read lock.
/// </summary>
internal sealed class SeriesRanks
{
    private readonly Lock _gate = new();
    private List<HeadSeries> _ordered = [];
    private List<HeadSeries> _new = [];

    /// <summary>A series is new.</summary>
    public void Add(HeadSeries series) => _new.Add(series);

    /// <summary>Forgets the series that left.</summary>
    public void DropGone()
    {
        // One that left and came back at once cannot be: both need the head's lock, and the ranks are cleaned before it is free.
        _ordered.RemoveAll(static s => s.Id == 0);
        _new.RemoveAll(static s => s.Id == 0);
    }

    /// <summary>The ranks of some series: numbers in the order of their labels, good among themselves.</summary>
    public int[] Of(List<HeadSeries> series)
    {
        lock (_gate)
        {
            if (_new.Count > 0)
                Merge();
            var ranks = new int[series.Count];
            for (var i = 0; i < ranks.Length; i++)
                ranks[i] = series[i].Rank;
            return ranks;
        }
    }

    private void Merge()
    {
        _new.Sort(static (a, b) => LabelOrder.Compare(a.Labels, b.Labels));
        var merged = _ordered.Count == 0 ? _new : new List<HeadSeries>(_ordered.Count + _new.Count);
        if (_ordered.Count > 0)
        {
            var old = CollectionsMarshal.AsSpan(_ordered);
            foreach (var series in _new)
            {
                var before = CountBefore(old, series.Labels);
                merged.AddRange(old[..before]);
                merged.Add(series);
                old = old[before..];
            }
            merged.AddRange(old);
        }
        for (var i = 0; i < merged.Count; i++)
            merged[i].Rank = i;
        (_ordered, _new) = (merged, []);
    }

    private static int CountBefore(ReadOnlySpan<HeadSeries> ordered, Labels labels)
    {
        int low = 0, high = ordered.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (LabelOrder.Compare(ordered[middle].Labels, labels) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
