namespace Groundcrew.Edge;

/// <summary>
/// Two counts over the last while, in ten slices of it that follow each other. A slice is one word (which lap it is of,
/// and both counts), so that adding is one compare-and-swap and a slice of a lap ago cannot be counted. Thread-safe,
/// without a lock; allocates nothing. A count of a slice that would pass four million stands still, and so does the
/// other one, which keeps their ratio. A clock set back only forgets.
/// </summary>
internal sealed class RollingCounts
{
    private const int Slices = 10;
    private const int CountBits = 22;
    private const long CountMask = (1L << CountBits) - 1;
    private const long LapMask = (1L << (64 - (2 * CountBits))) - 1;
    private readonly long[] _slices = new long[Slices];
    private readonly long _length;

    /// <summary>Counts over <paramref name="window"/>, which is in the clock's timestamps.</summary>
    public RollingCounts(long window) => _length = Math.Max(1, window / Slices);

    /// <summary>Adds to either count.</summary>
    public void Add(long now, int first, int second)
    {
        var (lap, slice) = PlaceOf(now / _length);
        ref var place = ref _slices[slice];
        var seen = Volatile.Read(ref place);
        while (true)
        {
            var (oldFirst, oldSecond) = LapOf(seen) == lap ? CountsOf(seen) : (0, 0);
            if (oldFirst + first > CountMask || oldSecond + second > CountMask)
                return;
            var next = (lap << (2 * CountBits)) | ((oldFirst + first) << CountBits) | (oldSecond + second);
            var before = Interlocked.CompareExchange(ref place, next, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    /// <summary>Both counts of the window that ends now.</summary>
    public (long First, long Second) Sum(long now)
    {
        var (first, second) = (0L, 0L);
        for (var i = 0; i < Slices; i++)
        {
            var (lap, slice) = PlaceOf((now / _length) - i);
            var seen = Volatile.Read(ref _slices[slice]);
            if (LapOf(seen) != lap)
                continue;
            var counts = CountsOf(seen);
            first += counts.First;
            second += counts.Second;
        }
        return (first, second);
    }

    /// <summary>Forgets everything. What is added at the same moment may be forgotten too.</summary>
    public void Clear()
    {
        for (var i = 0; i < Slices; i++)
            Volatile.Write(ref _slices[i], 0);
    }

    private static (long Lap, int Slice) PlaceOf(long index)
    {
        var slice = (int)(((index % Slices) + Slices) % Slices);
        return (((index - slice) / Slices) & LapMask, slice);
    }

    private static long LapOf(long word) => (word >> (2 * CountBits)) & LapMask;

    private static (long First, long Second) CountsOf(long word) => ((word >> CountBits) & CountMask, word & CountMask);
}
