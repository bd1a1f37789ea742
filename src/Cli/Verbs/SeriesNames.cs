using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Cli.Speaking;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Verbs;

/// <summary>The names of the series of one answer.</summary>
internal static class SeriesNames
{
    /// <summary>
    /// The names in the order of the series. Where the terminal would cut them, what all of them share stands once above the
    /// table, so that what tells them apart is seen; in a file or pipe they are whole.
    /// </summary>
    /// <param name="series">The answer.</param>
    /// <param name="screen">Where the table will stand; takes the line above it.</param>
    /// <param name="room">How long a name may be.</param>
    public static IReadOnlyList<string> Of(IReadOnlyList<MetricSeriesView> series, Screen screen, int room)
    {
        var names = series.Select(s => s.Name()).ToList();
        if (!screen.IsTerminal || series.Count < 2 || names.Max(n => n.Length) <= room)
            return names;
        var shared = series.Skip(1).Aggregate(series[0].Metric.ToDictionary(StringComparer.Ordinal), (all, next) =>
        {
            foreach (var (name, value) in all.ToList())
                if (next.Metric.GetValueOrDefault(name) != value)
                    all.Remove(name);
            return all;
        });
        if (shared.Count == 0)
            return names;
        Fold(screen, [.. shared.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => l.Key == "__name__" ? l.Value : $"{l.Key}={JsonSerializer.Serialize(l.Value, Json.Options)}")]);
        return [.. series.Select(s => new MetricSeriesView(s.Metric.Where(l => !shared.ContainsKey(l.Key)).ToDictionary(StringComparer.Ordinal), null, null, null, null).Name())];
    }

    /// <summary>What all share, on as few lines as the terminal allows.</summary>
    private static void Fold(Screen screen, IEnumerable<string> pieces)
    {
        var line = "all:";
        foreach (var piece in pieces)
        {
            if (line.Length + 1 + piece.Length > screen.Width && line.Length > 4)
            {
                Write(line);
                line = "    ";
            }
            line += " " + Text.FirstLine(piece);
        }
        Write(line);

        void Write(string text) => screen.Line(screen.Ink.Of(Tone.Dim, Text.Cut(text, screen.Width)));
    }
}
