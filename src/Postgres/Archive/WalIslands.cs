namespace Groundcrew.Postgres;

/// <summary>A part of a run of WAL that a path goes along.</summary>
/// <param name="Piece">The run.</param>
/// <param name="From">From here.</param>
/// <param name="To">To here.</param>
internal sealed record WalSlice(WalPiece Piece, Lsn From, Lsn To)
{
    /// <summary>
    /// The moment before which everything acknowledged lies before <see cref="To"/>. None when the path leaves the run before its
    /// end: what was acknowledged behind the fork is not on the path.
    /// </summary>
    public DateTimeOffset? CaughtUpAt => Piece.End == To ? Piece.CaughtUpAt : null;
}

/// <summary>A stretch of a path's log without a gap. Immutable.</summary>
internal sealed class WalIsland
{
    private readonly List<WalSlice> _slices = [];

    private WalIsland(WalSlice first)
    {
        From = first.From;
        Add(first);
    }

    /// <summary>Its first place.</summary>
    public Lsn From { get; }

    /// <summary>Behind its last place.</summary>
    public Lsn To { get; private set; }

    /// <summary>Everything acknowledged before this moment lies before <see cref="To"/>; null when nothing says so.</summary>
    public DateTimeOffset? ToTime { get; private set; }

    /// <summary>The islands of a path, by their places. Runs may overlap, repeat each other and lie in any order.</summary>
    public static IReadOnlyList<WalIsland> Of(TimelinePath path, IReadOnlyCollection<WalPiece> wal)
    {
        var slices = new List<WalSlice>(wal.Count);
        foreach (var piece in wal)
        {
            if (path.Part(piece) is var (from, to))
                slices.Add(new(piece, from, to));
        }
        slices.Sort((a, b) => a.From != b.From ? a.From.CompareTo(b.From) : b.To.CompareTo(a.To));
        var islands = new List<WalIsland>();
        foreach (var slice in slices)
        {
            if (islands.Count > 0 && slice.From <= islands[^1].To)
                islands[^1].Add(slice);
            else
                islands.Add(new(slice));
        }
        return islands;
    }

    /// <summary>The fewest slices that lead from one place to another, in order; as far as they go when the island ends before.</summary>
    public IReadOnlyList<WalSlice> Between(Lsn from, Lsn to)
    {
        var chosen = new List<WalSlice>();
        WalSlice? best = null;
        var reached = from;
        foreach (var slice in _slices)
        {
            if (slice.To <= reached)
                continue;
            if (slice.From > reached && best is not null)
            {
                chosen.Add(best);
                reached = best.To;
                best = null;
            }
            if (reached >= to)
                return chosen;
            if (slice.To > reached && (best is null || slice.To > best.To))
                best = slice;
        }
        if (best is not null && reached < to)
            chosen.Add(best);
        return chosen;
    }

    /// <summary>The first place before which everything lies that was acknowledged before a moment; null when nothing says so.</summary>
    public Lsn? PlaceOf(DateTimeOffset moment)
    {
        Lsn? place = null;
        foreach (var slice in _slices)
        {
            if (slice.CaughtUpAt >= moment && (place is null || slice.To < place))
                place = slice.To;
        }
        return place;
    }

    private void Add(WalSlice slice)
    {
        _slices.Add(slice);
        To = slice.To > To ? slice.To : To;
        if (slice.CaughtUpAt is { } at && (ToTime is null || at > ToTime))
            ToTime = at;
    }
}
