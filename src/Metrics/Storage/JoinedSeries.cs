namespace Groundcrew.Metrics;

/// <summary>One series that lies in several places.</summary>
internal sealed class JoinedSeries : StoredSeries
{
    private readonly List<(long MinTime, long MaxTime, StoredSeries Series)> _parts;

    private JoinedSeries(List<(long MinTime, long MaxTime, StoredSeries Series)> parts) => _parts = parts;

    public override Labels Labels => _parts[0].Series.Labels;

    /// <summary>Brings the series of several places together, in the order of their labels; each place has them in that order.</summary>
    public static List<StoredSeries> Join(List<(long MinTime, long MaxTime, IReadOnlyList<StoredSeries> Series)> places)
    {
        places.Sort(static (a, b) => a.MinTime.CompareTo(b.MinTime));
        var joined = new List<StoredSeries>(places.Max(p => p.Series.Count));
        var next = new PriorityQueue<int, (Labels Labels, int Place)>(Comparer<(Labels Labels, int Place)>.Create(static (a, b) =>
            LabelOrder.Compare(a.Labels, b.Labels) is var order && order != 0 ? order : a.Place.CompareTo(b.Place)));
        var at = new int[places.Count];
        for (var i = 0; i < places.Count; i++)
            next.Enqueue(i, (places[i].Series[0].Labels, i));
        while (next.Count > 0)
        {
            var parts = new List<(long, long, StoredSeries)>();
            Labels? labels = null;
            while (next.TryPeek(out var place, out var first) && (labels is null || first.Labels.Equals(labels)))
            {
                labels = first.Labels;
                var (min, max, series) = places[place];
                parts.Add((min, max, series[at[place]]));
                if (++at[place] < series.Count)
                    next.DequeueEnqueue(place, (series[at[place]].Labels, place));
                else
                    next.Dequeue();
            }
            joined.Add(parts.Count == 1 ? parts[0].Item3 : new JoinedSeries(parts));
        }
        return joined;
    }

    public override void Read(long from, long to, SampleBuffer into)
    {
        for (var i = 0; i < _parts.Count;)
        {
            var (min, max, series) = _parts[i++];
            if (i == _parts.Count || _parts[i].MinTime > max)
            {
                if (min <= to && max >= from)
                    series.Read(from, to, into);
                continue;
            }
            var merged = ReadAlone(series, from, to);
            for (; i < _parts.Count && _parts[i].MinTime <= max; i++)
            {
                max = Math.Max(max, _parts[i].MaxTime);
                var both = new SampleBuffer();
                SampleMerge.Merge(merged, ReadAlone(_parts[i].Series, from, to), both);
                merged = both;
            }
            SampleMerge.Copy(merged, 0, merged.Count, into);
        }
    }

    private static SampleBuffer ReadAlone(StoredSeries series, long from, long to)
    {
        var read = new SampleBuffer();
        series.Read(from, to, read);
        return read;
    }
}
