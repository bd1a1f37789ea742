using System.Globalization;
using System.Text;

namespace Groundcrew.Postgres;

/// <summary>
/// PostgreSQL's history files: a line for each ancestor of a timeline, oldest first, with the place where it was left and a
/// reason (PostgreSQL, <c>timeline.c</c>). Pure.
/// </summary>
internal static class TimelineHistory
{
    /// <summary>Reads the history file of a timeline: every fork of its ancestry, oldest first.</summary>
    /// <exception cref="FormatException">It is no history file.</exception>
    public static IReadOnlyList<TimelineFork> Parse(uint timeline, string text)
    {
        var left = new List<(uint Timeline, Lsn At)>();
        foreach (var line in text.Split('\n').Select(l => l.Trim()))
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (line.Split((char[]?)null, 3, StringSplitOptions.RemoveEmptyEntries) is not [var number, var place, ..]
                || !uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var ancestor) || !Lsn.TryParse(place, out var at))
                throw new FormatException($"'{line}' is no line of the history of timeline {timeline}.");
            if (ancestor == 0 || ancestor >= timeline || (left.Count > 0 && (ancestor <= left[^1].Timeline || at < left[^1].At)))
                throw new FormatException($"The history of timeline {timeline} is out of order at '{line}'.");
            left.Add((ancestor, at));
        }
        return [.. left.Select((l, i) => new TimelineFork(i + 1 < left.Count ? left[i + 1].Timeline : timeline, l.Timeline, l.At))];
    }

    /// <summary>Writes the history file of a timeline from the forks of its cluster; empty for a timeline without a parent.</summary>
    public static string Write(uint timeline, IReadOnlyCollection<TimelineFork> forks)
    {
        var lines = new List<string>();
        for (var fork = Find(timeline); fork is not null; fork = Find(fork.Parent))
            lines.Add($"{fork.Parent.ToString(CultureInfo.InvariantCulture)}\t{fork.At}\ttaken from the archive\n");
        lines.Reverse();
        return new StringBuilder().AppendJoin("", lines).ToString();

        TimelineFork? Find(uint child) => forks.FirstOrDefault(f => f.Timeline == child && f.Parent < child);
    }
}
