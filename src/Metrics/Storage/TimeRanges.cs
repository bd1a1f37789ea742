namespace Groundcrew.Metrics;

/// <summary>What was deleted of a series: ranges of time, both ends included, in order and apart. Immutable and thread-safe.</summary>
internal sealed class TimeRanges
{
    private readonly (long From, long To)[] _ranges;

    private TimeRanges((long From, long To)[] ranges) => _ranges = ranges;

    /// <summary>The ranges.</summary>
    public IReadOnlyList<(long From, long To)> All => _ranges;

    /// <summary>A range more.</summary>
    public static TimeRanges With(TimeRanges? ranges, long from, long to)
    {
        var all = new List<(long From, long To)>(ranges?._ranges ?? []) { (from, to) };
        all.Sort();
        var merged = new List<(long From, long To)>();
        foreach (var range in all)
            if (merged.Count > 0 && range.From <= SafeNext(merged[^1].To))
                merged[^1] = (merged[^1].From, Math.Max(merged[^1].To, range.To));
            else
                merged.Add(range);
        return new([.. merged]);
    }

    /// <summary>Whether a sample at this time was deleted.</summary>
    public bool Contains(long time)
    {
        foreach (var (from, to) in _ranges)
            if (time >= from && time <= to)
                return true;
        return false;
    }

    /// <summary>Whether all of a range was deleted.</summary>
    public bool Covers(long from, long to) => _ranges.Any(r => r.From <= from && r.To >= to);

    /// <summary>Whether none reaches to a time.</summary>
    public bool Before(long time) => _ranges.Length == 0 || _ranges[^1].To < time;

    private static long SafeNext(long time) => time == long.MaxValue ? time : time + 1;
}
