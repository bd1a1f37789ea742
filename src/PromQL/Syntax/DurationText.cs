using System.Globalization;
using System.Text;

namespace Groundcrew.PromQL;

/// <summary>Durations as Prometheus writes them: <c>1h30m</c>; a year has 365 days.</summary>
public static class DurationText
{
    private static readonly (string Unit, long Milliseconds, bool OnlyExact)[] Units =
    [
        ("y", 31_536_000_000, true), ("w", 604_800_000, true), ("d", 86_400_000, false), ("h", 3_600_000, false), ("m", 60_000, false), ("s", 1_000, false), ("ms", 1, false),
    ];

    /// <summary>
    /// The milliseconds of a text such as <c>1d12h</c>: units from large to small, each once. When it is none, the message says
    /// why, in the words of Prometheus.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long milliseconds, out string error)
    {
        (milliseconds, error) = (0, "");
        if (text.IsEmpty)
            error = "empty duration string";
        else if (text is not "0" && !TrySum(text, ref milliseconds, ref error) && error.Length == 0)
            error = "not a valid duration string: " + GoText.Quote(text.ToString());
        return error.Length == 0;
    }

    /// <summary>As Prometheus prints a duration in milliseconds: <c>90s</c> is <c>1m30s</c>, nothing is <c>0s</c>.</summary>
    public static string Format(long milliseconds)
    {
        if (milliseconds == 0)
            return "0s";
        var text = new StringBuilder(milliseconds < 0 ? "-" : "");
        milliseconds = Math.Abs(milliseconds);
        foreach (var (unit, size, onlyExact) in Units)
        {
            if (milliseconds < size || (onlyExact && milliseconds % size != 0))
                continue;
            text.Append(CultureInfo.InvariantCulture, $"{milliseconds / size}{unit}");
            milliseconds %= size;
        }
        return text.ToString();
    }

    private static bool TrySum(ReadOnlySpan<char> rest, ref long milliseconds, ref string error)
    {
        const long most = long.MaxValue / 1_000_000;
        var next = 0;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0)
                return false;
            var unit = rest[digits..];
            var length = unit.StartsWith("ms") ? 2 : 1;
            while (next < Units.Length && !unit[..length].SequenceEqual(Units[next].Unit))
                next++;
            if (next == Units.Length)
                return false;
            if (!long.TryParse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count > (most - milliseconds) / Units[next].Milliseconds)
            {
                error = "duration out of range";
                return false;
            }
            milliseconds += count * Units[next++].Milliseconds;
            rest = unit[length..];
        }
        return true;
    }
}
