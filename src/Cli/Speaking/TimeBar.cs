namespace Groundcrew.Cli.Speaking;

/// <summary>
/// Stretches of time and moments as lines of one width, each character for an equal part of the time between two moments.
/// Pure. What lies outside is not drawn.
/// </summary>
/// <param name="from">The left edge.</param>
/// <param name="to">The right edge, behind the last moment that is drawn.</param>
/// <param name="width">In characters.</param>
internal sealed class TimeBar(DateTimeOffset from, DateTimeOffset to, int width)
{
    private readonly double _ticks = Math.Max(1, (to - from).Ticks / (double)Math.Max(1, width));

    /// <summary>
    /// Stretches: <c>━</c> where all of a part is covered, <c>╌</c> where some of it is, and a blank where none is. They may overlap.
    /// </summary>
    public string Stretches(IEnumerable<(DateTimeOffset From, DateTimeOffset To)> stretches)
    {
        var sorted = stretches.OrderBy(s => s.From).ToList();
        return string.Concat(Enumerable.Range(0, width).Select(part =>
        {
            var (begin, end) = (from.AddTicks((long)(part * _ticks)), from.AddTicks((long)((part + 1) * _ticks)));
            var (reached, isTouched) = (begin, false);
            foreach (var (start, stop) in sorted)
            {
                isTouched |= start < end && (stop > begin || start >= begin);
                if (start <= reached && stop > reached)
                    reached = stop;
            }
            return reached >= end ? '━' : isTouched ? '╌' : ' ';
        }));
    }

    /// <summary>Moments: a sign where there is one, and <c>+</c> where there are several.</summary>
    public string Moments(IEnumerable<DateTimeOffset> moments, char sign)
    {
        var counts = new int[width];
        foreach (var moment in moments)
        {
            if (moment >= from && moment <= to && width > 0)
                counts[Math.Min(width - 1, (int)((moment - from).Ticks / _ticks))]++;
        }
        return string.Concat(counts.Select(count => count switch { 0 => ' ', 1 => sign, _ => '+' }));
    }

    /// <summary>A text at each edge; the left one alone when there is no room for both.</summary>
    public string Edges(string left, string right) =>
        left.Length + right.Length < width ? left + right.PadLeft(width - left.Length) : left;
}
