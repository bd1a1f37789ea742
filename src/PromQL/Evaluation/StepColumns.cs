using System.Runtime.InteropServices;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>What is asked of whole columns of steps; marks of absence are found many at a time.</summary>
internal static class StepColumns
{
    private static readonly long AbsentBits = BitConverter.DoubleToInt64Bits(Absent.Value);

    /// <summary>How many floats there are.</summary>
    public static int Count(ReadOnlySpan<double> values) => values.Length - MemoryMarshal.Cast<double, long>(values).Count(AbsentBits);

    /// <summary>Whether there is any float.</summary>
    public static bool Any(ReadOnlySpan<double> values) => MemoryMarshal.Cast<double, long>(values).IndexOfAnyExcept(AbsentBits) >= 0;

    /// <summary>Whether there is any sample.</summary>
    public static bool Any(StepSeries series) => Any(series.Values) || AnyHistogram(series);

    /// <summary>Whether there is any histogram.</summary>
    public static bool AnyHistogram(StepSeries series) => series.Histograms is { } histograms && histograms.AsSpan().IndexOfAnyExcept((FloatHistogram?)null) >= 0;

    /// <summary>How many samples of the limit a series counts as.</summary>
    public static long Weight(StepSeries series)
    {
        long weight = Count(series.Values);
        foreach (var histogram in series.Histograms ?? [])
            if (histogram is not null)
                weight += Weight(histogram);
        return weight;
    }

    /// <summary>How many samples of the limit a histogram counts as.</summary>
    public static long Weight(FloatHistogram histogram) => (histogram.SizeInBytes + 8) / 16;

    /// <summary>Marks the steps at which a series has a sample.</summary>
    public static void MarkPresent(StepSeries series, Span<bool> present)
    {
        var values = series.Values;
        for (var step = 0; step < values.Length; step++)
            if (!Absent.Is(values[step]))
                present[step] = true;
        if (series.Histograms is not { } histograms)
            return;
        for (var step = 0; step < histograms.Length; step++)
            if (histograms[step] is not null)
                present[step] = true;
    }
}
