using System.Globalization;

namespace Groundcrew.Cli.Speaking;

/// <summary>Values over time as characters: one line (a sparkline), or several (a plot). Pure; a value that is missing is NaN.</summary>
internal static class Graph
{
    private const string Blocks = "▁▂▃▄▅▆▇█";

    /// <summary>One character for each value, from the lowest to the highest of them; a blank where there is none.</summary>
    public static string Spark(IReadOnlyList<double> values)
    {
        var (low, high) = Bounds(values);
        return string.Concat(values.Select(v => double.IsFinite(v) ? Blocks[LevelOf(v, low, high, Blocks.Length)] : ' '));
    }

    /// <summary>A plot with its scale at the left, the highest line first.</summary>
    public static IEnumerable<string> Plot(IReadOnlyList<double> values, int height)
    {
        var (low, high) = Bounds(values);
        var scale = Enumerable.Range(0, height).Select(row => Number(height == 1 ? high : high - ((high - low) * row / (height - 1)))).ToList();
        var width = scale.Max(s => s.Length);
        for (var row = 0; row < height; row++)
        {
            var bottom = (height - 1 - row) * Blocks.Length;
            var line = string.Concat(values.Select(v =>
            {
                var filled = double.IsFinite(v) ? LevelOf(v, low, high, height * Blocks.Length) + 1 - bottom : 0;
                return filled <= 0 ? ' ' : Blocks[Math.Min(filled, Blocks.Length) - 1];
            }));
            yield return $"{scale[row].PadLeft(width)} ┤{line.TrimEnd()}".TrimEnd();
        }
    }

    /// <summary>Values at even distances, so that they fit: the mean of those that fall into each of <paramref name="width"/> parts.</summary>
    public static IReadOnlyList<double> Fit(IEnumerable<(double Time, double Value)> points, double start, double end, int width)
    {
        var (sums, counts) = (new double[width], new int[width]);
        foreach (var (time, value) in points)
        {
            var at = end > start ? (int)Math.Clamp((time - start) / (end - start) * (width - 1), 0, width - 1) : 0;
            if (!double.IsFinite(value))
                continue;
            sums[at] += value;
            counts[at]++;
        }
        return [.. sums.Select((sum, i) => counts[i] == 0 ? double.NaN : sum / counts[i])];
    }

    /// <summary>A number in few digits: <c>0.123</c>, <c>12.3k</c>, <c>4.56G</c>.</summary>
    public static string Number(double value)
    {
        var size = Math.Abs(value);
        return !double.IsFinite(value) ? (double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf")
            : size >= 1e15 || (size is > 0 and < 1e-3) ? value.ToString("0.##e+0", CultureInfo.InvariantCulture)
            : size >= 1e12 ? Short(value / 1e12) + "T"
            : size >= 1e9 ? Short(value / 1e9) + "G"
            : size >= 1e6 ? Short(value / 1e6) + "M"
            : size >= 1e4 ? Short(value / 1e3) + "k"
            : Short(value);
    }

    private static string Short(double value) => value.ToString(Math.Abs(value) switch { >= 100 => "0.#", >= 1 => "0.##", _ => "0.####" }, CultureInfo.InvariantCulture);

    private static (double Low, double High) Bounds(IReadOnlyList<double> values)
    {
        var finite = values.Where(double.IsFinite).DefaultIfEmpty().ToList();
        return (finite.Min(), finite.Max());
    }

    /// <summary>A flat line stands in the middle.</summary>
    private static int LevelOf(double value, double low, double high, int levels) =>
        high > low ? Math.Min(levels - 1, (int)((value - low) / (high - low) * levels)) : (levels - 1) / 2;
}
