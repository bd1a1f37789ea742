using System.Text;

namespace Groundcrew.Metrics;

/// <summary>Durations as Prometheus' files write them: <c>1y2w3d4h5m6s7ms</c> with each unit at most once, or <c>0</c>.</summary>
public static class PrometheusDuration
{
    private static readonly (string Name, long Milliseconds)[] Units =
    [
        ("y", 365L * 86_400_000), ("w", 7L * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ];

    /// <summary>Reads one; false when the text is none, or longer than Go's durations can be.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text == "0")
            return true;
        var rest = text.AsSpan();
        long total = 0;
        var unit = 0;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits is <= 0 or > 15)
                return false;
            var letters = rest[digits..].IndexOfAnyInRange('0', '9') is >= 0 and var next ? digits + next : rest.Length;
            while (unit < Units.Length && !rest[digits..letters].SequenceEqual(Units[unit].Name))
                unit++;
            if (unit == Units.Length)
                return false;
            var number = long.Parse(rest[..digits]);
            // Go's durations end at 292 years.
            if (number > (TimeSpan.FromDays(106_751).TotalMilliseconds - total) / Units[unit].Milliseconds)
                return false;
            total += number * Units[unit++].Milliseconds;
            rest = rest[letters..];
        }
        duration = TimeSpan.FromMilliseconds(total);
        return text.Length > 0;
    }

    /// <summary>As Prometheus shows it in <c>__scrape_interval__</c>: years and weeks only when nothing else remains.</summary>
    public static string Format(TimeSpan duration)
    {
        var left = (long)duration.TotalMilliseconds;
        if (left == 0)
            return "0s";
        var text = new StringBuilder();
        foreach (var (name, milliseconds) in Units)
        {
            if (name is "y" or "w" or "d" && left % milliseconds != 0)
                continue;
            if (left / milliseconds is > 0 and var count)
                text.Append(count).Append(name);
            left %= milliseconds;
        }
        return text.ToString();
    }
}
