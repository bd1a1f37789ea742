namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Moments and the places that the log had at the latest reached by then: whoever has the log up to the place has everything that
/// was acknowledged before the moment. Not thread-safe.
/// </summary>
internal sealed class CaughtUpMarks
{
    /// <summary>The most marks that wait for the storage.</summary>
    public const int Most = 32;

    private readonly List<(Lsn Place, DateTimeOffset Time)> _marks = [];

    /// <summary>
    /// Adds one. Soundness is the caller's: <paramref name="time"/> is of the server's clock and was seen before the server said
    /// <paramref name="place"/> as the end of what it made durable.
    /// </summary>
    public void Add(Lsn place, DateTimeOffset time)
    {
        if (_marks is [.., var last])
        {
            if (place < last.Place || time <= last.Time)
                return;
            if (place == last.Place)
                _marks.RemoveAt(_marks.Count - 1);
        }
        _marks.Add((place, time));
        if (_marks.Count <= Most)
            return;
        // The storage is far behind: every other mark is enough, as long as the newest stays.
        for (var i = _marks.Count - 2; i >= 0; i -= 2)
            _marks.RemoveAt(i);
    }

    /// <summary>The latest moment of which everything lies before <paramref name="place"/>; null when no mark says so. Those before it are forgotten.</summary>
    public DateTimeOffset? At(Lsn place)
    {
        var known = _marks.FindLastIndex(m => m.Place <= place);
        if (known < 0)
            return null;
        _marks.RemoveRange(0, known);
        return _marks[0].Time;
    }

    /// <summary>Forgets all: the server is another, or on another timeline.</summary>
    public void Clear() => _marks.Clear();
}
