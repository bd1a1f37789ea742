using System.Globalization;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Tests.Differential;

/// <summary>
/// Seeded series of every sort that queries meet: gauges with special values, counters with resets, classic histograms, gaps,
/// ends with stale markers. Samples lie 7 ms beside whole seconds, so that none stands on the border of a range: there
/// Prometheus 3 excludes what Prometheus 2 included.
/// </summary>
internal static class RandomData
{
    public const int Interval = 15_000;
    public const int Count = 200;

    public static List<(Labels Labels, IReadOnlyList<(long Time, double Value)> Samples)> Of(int seed, long start)
    {
        var random = new Random(seed);
        var all = new List<(Labels Labels, IReadOnlyList<(long Time, double Value)> Samples)>();
        foreach (var a in (string[])["x", "y", "z"])
            foreach (var b in (string[])["1", "2"])
            {
                all.Add(Gauge(random, start, ("__name__", "g"), ("a", a), ("b", b)));
                all.Add(Gauge(random, start, ("__name__", "g2"), ("a", a), ("b", b), ("c", random.Next(2) == 0 ? "p" : "")));
                all.Add(Special(random, start, ("__name__", "odd"), ("a", a), ("b", b)));
                all.Add(Counter(random, start, resets: false, ("__name__", "c_total"), ("a", a), ("b", b), ("job", "j" + b)));
                all.Add(Counter(random, start, resets: true, ("__name__", "r_total"), ("a", a), ("b", b), ("job", "j" + b)));
                all.AddRange(Histogram(random, start, a, b));
            }
        all.Add(Gauge(random, start, ("__name__", "info"), ("a", "x"), ("version", "1.2.3")));
        all.Add(Gauge(random, start, ("__name__", "info"), ("a", "y"), ("version", "2.0.0")));
        all.Add(Gauge(random, start, ("__name__", "lone")));
        return all;
    }

    private static (Labels, IReadOnlyList<(long, double)>) Gauge(Random random, long start, params (string, string)[] labels)
    {
        var value = random.Next(-50, 50) + random.NextDouble();
        return (Labels.Of(labels), Times(random, start, _ => value += (random.NextDouble() - 0.5) * 10));
    }

    private static (Labels, IReadOnlyList<(long, double)>) Special(Random random, long start, params (string, string)[] labels) =>
        (Labels.Of(labels), Times(random, start, _ => random.Next(12) switch
        {
            0 => double.NaN,
            1 => double.PositiveInfinity,
            2 => double.NegativeInfinity,
            3 => 0,
            4 => -0.0,
            5 => 1e100,
            _ => random.Next(-3, 4),
        }));

    // Far from zero at the begin: where a counter may have been zero inside the range, as after a reset, Prometheus 3
    // extrapolates otherwise. No two values are equal, so that none can be ranked before the other by chance.
    private static (Labels, IReadOnlyList<(long, double)>) Counter(Random random, long start, bool resets, params (string, string)[] labels)
    {
        var value = 1e6 + random.NextDouble();
        return (Labels.Of(labels), Times(random, start, _ => value = resets && random.Next(60) == 0 ? 1e6 + random.NextDouble() : value + (20 * random.NextDouble())));
    }

    private static IEnumerable<(Labels, IReadOnlyList<(long, double)>)> Histogram(Random random, long start, string a, string b)
    {
        double[] bounds = [0.1, 0.5, 1, 2.5, 10, double.PositiveInfinity];
        var counts = new double[bounds.Length];
        var rows = Enumerable.Range(0, Count).Select(_ =>
        {
            for (var i = 0; i < bounds.Length; i++)
                counts[i] += random.Next(4) + (i > 0 ? 0 : 1);
            var sum = 0.0;
            return counts.Select(c => 1e6 + (sum += c)).ToArray();
        }).ToList();
        for (var i = 0; i < bounds.Length; i++)
        {
            var column = i;
            var le = double.IsPositiveInfinity(bounds[i]) ? "+Inf" : bounds[i].ToString(CultureInfo.InvariantCulture);
            yield return (Labels.Of(("__name__", "h_bucket"), ("a", a), ("b", b), ("le", le)), [.. rows.Select((r, n) => (start + 7 + ((long)n * Interval), r[column]))]);
        }
    }

    private static List<(long, double)> Times(Random random, long start, Func<int, double> next)
    {
        var samples = new List<(long, double)>();
        var gap = 0;
        for (var n = 0; n < Count; n++)
        {
            var value = next(n);
            var time = start + 7 + ((long)n * Interval);
            if (gap > 0)
                gap--;
            else if (random.Next(40) == 0)
            {
                gap = random.Next(1, 30);
                samples.Add((time, random.Next(2) == 0 ? StaleMarker.Value : value));
            }
            else
                samples.Add((time, value));
        }
        return samples;
    }
}
