namespace Groundcrew.Metrics;

/// <summary>
/// The newest samples, in memory. One lock: what changes is changed by one at a time, and readers take what they need of
/// many series at one moment. Names ending in "Locked" say that the caller holds it.
/// </summary>
internal sealed class Head : IDisposable
{
    private readonly SortedDictionary<long, int> _readers = [];
    private long _generation;

    public Head() => Postings = new(Table);

    /// <summary>The lock.</summary>
    public ReaderWriterLockSlim State { get; } = new(LockRecursionPolicy.NoRecursion);

    public SlotPool Slots { get; } = new();

    public SeriesTable Table { get; } = new();

    public HeadPostings Postings { get; }

    /// <summary>The order of the series.</summary>
    public SeriesRanks Ranks => Postings.Ranks;

    /// <summary>What came while readers were open.</summary>
    public LaterSamples Later { get; } = new();

    /// <summary>What was deleted of series that are here.</summary>
    public Dictionary<int, TimeRanges> Deleted { get; } = [];

    /// <summary>Samples in order before this time are in blocks, and no longer here.</summary>
    public long MinValid { get; private set; } = long.MinValue;

    /// <summary>Samples in order before this time are not taken any more, because they are being written to a block.</summary>
    public long AppendFloor { get; set; } = long.MinValue;

    /// <summary>The newest sample; <see cref="long.MinValue"/> while there is none.</summary>
    public long MaxTime { get; set; } = long.MinValue;

    /// <summary>Not later than the oldest sample in order; <see cref="long.MaxValue"/> while there is none.</summary>
    public long MinTime { get; private set; } = long.MaxValue;

    /// <summary>Chunks of histograms.</summary>
    public int HistogramChunks { get; private set; }

    /// <summary>Samples out of order that wait for their block.</summary>
    public long LateSamples { get; set; }

    /// <summary>Everything that is asked for, at the cost of two interlocked steps.</summary>
    public int ChunkCount => Slots.Used + HistogramChunks;

    /// <summary>Adds a float that was judged.</summary>
    public void AppendLocked(HeadSeries series, long time, long value)
    {
        if (series.Open.Count == 0 || !XorChunk.TryAppend(Slots.Payload(series.Slot), ref series.Open, time, value))
        {
            CloseChunk(series);
            series.Slot = Slots.Take(series.Slot, time, value);
            XorChunk.Begin(ref series.Open, time, value);
            if (series.More is { } more)
                more.LastHistogram = null;
        }
        Saw(time);
    }

    /// <summary>Adds a histogram that was judged.</summary>
    public void AppendLocked(HeadSeries series, long time, FloatHistogram histogram)
    {
        var more = series.More ??= new();
        var last = more.LastHistogram is not null && more.Histograms.Count > 0 ? more.Histograms[^1] : null;
        if (last is null || !last.TryAppend(time, histogram))
        {
            CloseChunk(series);
            more.Histograms.Add(new(time, histogram, histogram.HintAfter(more.LastHistogram)));
            HistogramChunks++;
        }
        more.LastHistogram = histogram;
        series.Open = new() { Time = time };
        Saw(time);
    }

    /// <summary>Gives a series a chunk of histograms from a file; how many there are in it.</summary>
    public int AddHistogramsLocked(HeadSeries series, ref ByteReader from)
    {
        var chunk = HistogramChunk.Load(ref from);
        (series.More ??= new()).Histograms.Add(chunk);
        HistogramChunks++;
        // The next histogram is compared with the last one, but begins a chunk of its own.
        series.More.LastHistogram = series.Open.Time == chunk.LastTime && series.Open.Count == 0 ? chunk.Last() : null;
        Saw(Math.Max(chunk.FirstTime, MinValid));
        return chunk.Count;
    }

    /// <summary>Keeps a sample out of order; false when there is one at that time already.</summary>
    public bool AppendLateLocked(HeadSeries series, long time, long value, FloatHistogram? histogram)
    {
        if (!(series.More ??= new()).AddLate(time, value, histogram))
            return false;
        LateSamples++;
        MaxTime = Math.Max(MaxTime, time);
        return true;
    }

    /// <summary>Ends the chunk of floats that grows.</summary>
    public void CloseChunk(HeadSeries series)
    {
        if (series.Open.Count > 0)
            Slots.Close(series.Slot, series.Open.Count, series.Open.Bits);
        series.Open.Count = 0;
    }

    /// <summary>Says that samples in order before a time are in blocks. The chunks stay until <see cref="TruncateLocked"/>.</summary>
    public void SetMinValidLocked(long time)
    {
        _generation++;
        MinValid = Math.Max(MinValid, time);
        AppendFloor = Math.Max(AppendFloor, MinValid);
        MinTime = Math.Max(MinTime, MinValid);
    }

    /// <summary>A reader opens: what is here for it stays here, see <see cref="CanTruncateLocked"/>.</summary>
    public long PinLocked()
    {
        lock (_readers)
        {
            _readers[_generation] = _readers.GetValueOrDefault(_generation) + 1;
            return _generation;
        }
    }

    /// <summary>Whether no reader is open that was opened before the newest blocks were there: such a one finds their samples only here.</summary>
    public bool CanTruncateLocked()
    {
        lock (_readers)
            return _readers.Count == 0 || _readers.First().Key == _generation;
    }

    /// <summary>It is closed.</summary>
    public void Unpin(long generation)
    {
        lock (_readers)
            if (--_readers[generation] == 0)
                _readers.Remove(generation);
    }

    /// <summary>The oldest sample in order that is really there; <see cref="long.MaxValue"/> when there is none.</summary>
    public long OldestLocked()
    {
        var oldest = long.MaxValue;
        foreach (var series in Table.All())
        {
            var slot = series.Slot;
            while (slot != 0 && Slots.Before(slot) is not 0 and var before && Slots.FirstTime(slot) > MinValid)
                slot = before;
            if (slot != 0 && series.LastTime >= MinValid)
                oldest = Math.Min(oldest, Math.Max(Slots.FirstTime(slot), MinValid));
            if (series.More is { Histograms: { Count: > 0 } chunks } && chunks[^1].LastTime >= MinValid)
                oldest = Math.Min(oldest, Math.Max(chunks[0].FirstTime, MinValid));
        }
        return oldest;
    }

    /// <summary>
    /// Frees the chunks that are wholly before <see cref="MinValid"/>, and the series that hold nothing then; gives how many
    /// series went.
    /// </summary>
    public int TruncateLocked()
    {
        var gone = 0;
        foreach (var series in Table.All().ToList())
        {
            DropChunks(series);
            if (!series.IsEmpty)
                continue;
            gone++;
            Deleted.Remove(series.Id);
            Table.Remove(series);
            (series.Open, series.More) = (new() { Time = HeadSeries.Never }, null);
        }
        foreach (var (id, ranges) in Deleted.ToList())
            if (ranges.Before(MinValid))
                Deleted.Remove(id);
        if (gone > 0)
            Postings.Rebuild();
        Slots.Trim();
        return gone;
    }

    /// <inheritdoc/>
    public void Dispose() => State.Dispose();

    /// <summary>Widens the time that the head covers.</summary>
    public void Saw(long time)
    {
        MaxTime = Math.Max(MaxTime, time);
        MinTime = Math.Min(MinTime, time);
    }

    private void DropChunks(HeadSeries series)
    {
        if (series.More is { } more)
        {
            // The oldest chunks go; one that reaches over the border stays whole, and readers do not look before the border.
            var old = more.Histograms.FindIndex(c => c.LastTime >= MinValid);
            old = old < 0 ? more.Histograms.Count : old;
            HistogramChunks -= old;
            more.Histograms.RemoveRange(0, old);
            if (more.Histograms.Count == 0)
                more.LastHistogram = null;
        }
        if (series.Slot == 0 || Slots.FirstTime(series.Slot) >= MinValid && Slots.Before(series.Slot) == 0)
            return;
        var keep = series.Slot;
        if (LastFloatTime(series) < MinValid)
        {
            Leave(keep);
            (series.Slot, series.Open.Count) = (0, 0);
            return;
        }
        while (Slots.FirstTime(keep) > MinValid && Slots.Before(keep) is not 0 and var before)
            keep = before;
        if (Slots.Before(keep) is not 0 and var old2)
        {
            Slots.Unlink(keep);
            Leave(old2);
        }
    }

    /// <summary>The newest float; where a histogram came after it, not later than that.</summary>
    public long LastFloatTime(HeadSeries series) => series.More?.LastHistogram is null ? series.LastTime
        : series.More.Histograms.FirstOrDefault(c => c.FirstTime > Slots.FirstTime(series.Slot))?.FirstTime ?? series.LastTime;

    private void Leave(int slot)
    {
        while (slot != 0)
        {
            var before = Slots.Before(slot);
            Slots.Give(slot);
            slot = before;
        }
    }
}
