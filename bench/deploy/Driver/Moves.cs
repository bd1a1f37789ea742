using System.Diagnostics;

namespace Groundcrew.Bench.Deploy;

/// <summary>One change of version under load: times are of <see cref="Stopwatch"/>.</summary>
/// <param name="Kind">deploy or rollback.</param>
/// <param name="From">The version that served.</param>
/// <param name="To">The version that should serve.</param>
/// <param name="Requested">When the request was sent.</param>
/// <param name="Accepted">When it was answered.</param>
/// <param name="Ended">When the operation was seen to end.</param>
/// <param name="Outcome">How.</param>
/// <param name="Steps">Milliseconds of each step, as the platform itself counted them.</param>
internal sealed record Move(
    string Kind, int From, int To, long Requested, long Accepted, long Ended, string Outcome, IReadOnlyDictionary<string, double> Steps);

/// <summary>What the samples say about the moves.</summary>
internal static class Judgement
{
    public static double Milliseconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;

    public static double Median(IEnumerable<double> values) => Quantile(values, 0.5);

    public static double Quantile(IEnumerable<double> values, double q)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(q * sorted.Length))];
    }

    /// <summary>When the last answer came that was not of the new version: from then on all traffic is on it.</summary>
    public static long SwitchedAt(Sample[] samples, Move move, long until)
    {
        long last = move.Requested;
        foreach (var s in samples)
            if (s.Ended > move.Requested && s.Ended < until && s.Failure == Failure.None && s.Version != move.To)
                last = s.Ended;
        return last;
    }

    /// <summary>Whether the new version, and only it, answered in the half second before <paramref name="until"/>.</summary>
    public static bool IsWhollyOn(Sample[] samples, int version, long until)
    {
        var since = until - Stopwatch.Frequency / 2;
        var late = samples.Where(s => s.Begun > since && s.Ended < until && s.Failure == Failure.None).ToList();
        return late.Count > 0 && late.TrueForAll(s => s.Version == version);
    }

    public static Dictionary<string, object> Traffic(Sample[] samples)
    {
        var latency = samples.Select(s => Milliseconds(s.Begun, s.Ended)).Order().ToArray();
        var failed = samples.Where(s => s.Failure != Failure.None).GroupBy(s => s.Failure.ToString()).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        var seconds = Stopwatch.GetElapsedTime(samples[0].Ended, samples[^1].Ended).TotalSeconds;
        return new()
        {
            ["requests"] = samples.Length,
            ["requestsPerSecond"] = Math.Round(samples.Length / seconds),
            ["failed"] = failed.Values.Sum(),
            ["failures"] = failed,
            ["p50Ms"] = Round(Quantile(latency, 0.5)),
            ["p99Ms"] = Round(Quantile(latency, 0.99)),
            ["p999Ms"] = Round(Quantile(latency, 0.999)),
            ["worstMs"] = Round(latency[^1]),
        };
    }

    public static double Round(double value) => Math.Round(value, 2);

    public static Dictionary<string, object> Spread(IEnumerable<double> values)
    {
        var all = values.ToArray();
        return new() { ["median"] = Round(Median(all)), ["worst"] = Round(all.Length == 0 ? double.NaN : all.Max()), ["runs"] = all.Length };
    }
}
