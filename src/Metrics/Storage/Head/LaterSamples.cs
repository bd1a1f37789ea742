using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// What was committed while readers were open, so that each of them can leave out what came after it opened. Costs nothing
/// while no reader is open, and one entry for each sample otherwise. Changed under the head's lock; readers come and go
/// under its read lock.
/// </summary>
internal sealed class LaterSamples
{
    // A reader that is open so long that more comes (100 MB of entries) sees the newest of it; a query ends much earlier.
    private const int MaxEntries = 4_000_000;

    private const int KeptEntries = 1 << 16;

    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, int> _readers = [];
    private readonly List<Entry> _entries = [];
    private long _first;

    /// <summary>How many entries are kept.</summary>
    public int Count => _entries.Count;

    /// <summary>A reader opens; gives the place from which on it asks.</summary>
    public long Open()
    {
        lock (_gate)
        {
            var place = _first + _entries.Count;
            _readers[place] = _readers.GetValueOrDefault(place) + 1;
            return place;
        }
    }

    /// <summary>It closes.</summary>
    public void Close(long place)
    {
        lock (_gate)
            if (--_readers[place] == 0)
                _readers.Remove(place);
    }

    /// <summary>Whether a reader is open that must not see what is committed now. Forgets what none asks for any more.</summary>
    public bool BeginLocked(int coming)
    {
        lock (_gate)
        {
            var kept = _readers.Count == 0 ? _first + _entries.Count : _readers.First().Key;
            kept = Math.Max(kept, _first + _entries.Count + coming - MaxEntries);
            var old = (int)Math.Clamp(kept - _first, 0, _entries.Count);
            if (old == _entries.Count || old > _entries.Count / 2)
            {
                _entries.RemoveRange(0, old);
                _first += old;
                if (_entries.Capacity > KeptEntries && _entries.Count < KeptEntries)
                    _entries.Capacity = KeptEntries;
            }
            return _readers.Count > 0;
        }
    }

    /// <summary>Notes a sample in order that is about to be added.</summary>
    public void NoteLocked(HeadSeries series) => _entries.Add(new(series, series.LastTime, IsLate: false));

    /// <summary>Notes a sample out of order that was added.</summary>
    public void NoteLateLocked(HeadSeries series, long time) => _entries.Add(new(series, time, IsLate: true));

    /// <summary>Adds what came since a place to what a reader knows; gives the place to go on from.</summary>
    public long ReadLocked(long place, ReaderMoment into)
    {
        for (var i = (int)Math.Max(0, place - _first); i < _entries.Count; i++)
            if (_entries[i].IsLate)
                into.LateOf(_entries[i].Series).Add(_entries[i].Time);
            else
                into.Last.TryAdd(_entries[i].Series, _entries[i].Time);
        return _first + _entries.Count;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(HeadSeries Series, long Time, bool IsLate);
}

/// <summary>The moment at which a reader opened, as far as something came after it. Used under the head's lock, by one reader.</summary>
internal sealed class ReaderMoment(long place)
{
    private readonly Dictionary<HeadSeries, HashSet<long>> _late = [];
    private long _read = place;

    /// <summary>Where it began.</summary>
    public long Place { get; } = place;

    /// <summary>The newest sample in order that the reader sees, of the series that have newer ones.</summary>
    public Dictionary<HeadSeries, long> Last { get; } = [];

    /// <summary>Brings it up to what was committed by now.</summary>
    public void Refresh(Head head) => _read = head.Later.ReadLocked(_read, this);

    /// <summary>The newest sample in order of a series that the reader sees.</summary>
    public long LastOf(HeadSeries series) => Last.Count > 0 && Last.TryGetValue(series, out var last) ? last : series.LastTime;

    /// <summary>The times of samples out of order that came later.</summary>
    public HashSet<long> LateOf(HeadSeries series)
    {
        if (!_late.TryGetValue(series, out var times))
            _late.Add(series, times = []);
        return times;
    }

    /// <summary>Leaves out the samples out of order that came later.</summary>
    public LateSamples? Seen(HeadSeries series, LateSamples? late)
    {
        if (late is null || _late.Count == 0 || !_late.TryGetValue(series, out var later))
            return late;
        var kept = Enumerable.Range(0, late.Times.Length).Where(i => !later.Contains(late.Times[i])).ToArray();
        return kept.Length == 0 ? null : new([.. kept.Select(i => late.Times[i])], [.. kept.Select(i => late.Values[i])],
            late.Histograms is { } histograms ? [.. kept.Select(i => histograms[i])] : null);
    }
}
