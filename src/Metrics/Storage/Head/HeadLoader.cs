namespace Groundcrew.Metrics;

/// <summary>Builds the head from what the log and its checkpoint hold. Used by one thread, before anyone else sees the head.</summary>
internal sealed class HeadLoader(Head head) : ILogVisitor
{
    // A series that left the head and came back has two numbers in the log; the first one stands for both.
    private readonly Dictionary<int, int> _otherNames = [];

    /// <summary>Samples whose series is not known, because a damaged place held its definition.</summary>
    public long Unknown { get; private set; }

    /// <summary>Samples seen.</summary>
    public long Samples { get; private set; }

    public void Series(int id, ReadOnlySpan<byte> packed)
    {
        if (head.Table.Of(id) is { } there && there.Labels.Packed.SequenceEqual(packed))
            return;
        if (head.Table.Find(packed, Labels.HashOf(packed)) is { } known)
        {
            _otherNames[id] = known.Id;
            head.Table.Skip(id);
        }
        else
            Add(id, Labels.FromPacked(packed));
    }

    public void Float(int id, long time, long value, bool late)
    {
        Samples++;
        if (SeriesOf(id) is not { } series)
            return;
        if (late)
            head.AppendLateLocked(series, time, value, null);
        else if (time >= head.MinValid && time > series.LastTime)
            head.AppendLocked(series, time, value);
    }

    public void Histogram(int id, long time, FloatHistogram histogram, bool late)
    {
        Samples++;
        if (SeriesOf(id) is not { } series)
            return;
        if (late)
            head.AppendLateLocked(series, time, 0, histogram);
        else if (time >= head.MinValid && time > series.LastTime)
            head.AppendLocked(series, time, histogram);
    }

    public void Deleted(int id, long from, long to)
    {
        if (SeriesOf(id) is { } series)
            head.Deleted[series.Id] = TimeRanges.With(head.Deleted.GetValueOrDefault(series.Id), from, to);
    }

    public void HeadTimes(long minValid, long max)
    {
        head.SetMinValidLocked(minValid);
        head.MaxTime = Math.Max(head.MaxTime, max);
    }

    public void HeadSeries(ref ByteReader reader)
    {
        var id = reader.Int32();
        var series = Add(id, Labels.FromPacked(reader.Counted()));
        Samples += HeadSeriesBytes.Read(ref reader, head, series);
    }

    /// <summary>Makes the index, after everything was read.</summary>
    public void Finish()
    {
        foreach (var series in head.Table.All())
            head.Postings.Add(series);
    }

    private HeadSeries Add(int id, Labels labels)
    {
        var series = new HeadSeries(labels);
        head.Table.Add(series, id);
        return series;
    }

    private HeadSeries? SeriesOf(int id)
    {
        var series = head.Table.Of(_otherNames.Count > 0 ? _otherNames.GetValueOrDefault(id, id) : id);
        if (series is null)
        {
            Unknown++;
            head.Table.Skip(id);
        }
        return series;
    }
}
