using System.Buffers;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>What is calculated of the floats of a window.</summary>
internal static class Statistics
{
    public static double Max(ReadOnlySpan<double> values)
    {
        var max = values[0];
        foreach (var value in values)
            if (value > max || double.IsNaN(max))
                max = value;
        return max;
    }

    public static double Min(ReadOnlySpan<double> values)
    {
        var min = values[0];
        foreach (var value in values)
            if (value < min || double.IsNaN(min))
                min = value;
        return min;
    }

    /// <summary>The time (seconds) of the last of the largest values.</summary>
    public static double TimeOfMax(ReadOnlySpan<long> times, ReadOnlySpan<double> values)
    {
        var best = 0;
        for (var i = 0; i < values.Length; i++)
            if (values[i] >= values[best] || double.IsNaN(values[best]))
                best = i;
        return times[best] / 1000.0;
    }

    /// <summary>The time (seconds) of the last of the smallest values.</summary>
    public static double TimeOfMin(ReadOnlySpan<long> times, ReadOnlySpan<double> values)
    {
        var best = 0;
        for (var i = 0; i < values.Length; i++)
            if (values[i] <= values[best] || double.IsNaN(values[best]))
                best = i;
        return times[best] / 1000.0;
    }

    /// <summary>The variance of all values (not of a sample of them), found in one pass.</summary>
    public static double Variance(ReadOnlySpan<double> values)
    {
        double count = 0, mean = 0, meanLost = 0, squares = 0, squaresLost = 0;
        foreach (var value in values)
        {
            count++;
            var delta = value - (mean + meanLost);
            (mean, meanLost) = Compensated.Add(mean, meanLost, delta / count);
            (squares, squaresLost) = Compensated.Add(squares, squaresLost, delta * (value - (mean + meanLost)));
        }
        return (squares + squaresLost) / count;
    }

    /// <summary>The quantile; between two values their weighted mean. NaN counts as the smallest value.</summary>
    public static double Quantile(double quantile, ReadOnlySpan<double> values)
    {
        if (double.IsNaN(quantile))
            return double.NaN;
        if (quantile is < 0 or > 1)
            return quantile < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        var scratch = ArrayPool<double>.Shared.Rent(values.Length);
        values.CopyTo(scratch);
        var result = SortedQuantile(quantile, scratch.AsSpan(0, values.Length));
        ArrayPool<double>.Shared.Return(scratch);
        return result;
    }

    /// <summary>The median of the distances from the median.</summary>
    public static double MedianDeviation(ReadOnlySpan<double> values)
    {
        var scratch = ArrayPool<double>.Shared.Rent(values.Length);
        var sorted = scratch.AsSpan(0, values.Length);
        values.CopyTo(sorted);
        var median = SortedQuantile(0.5, sorted);
        for (var i = 0; i < sorted.Length; i++)
            sorted[i] = Math.Abs(values[i] - median);
        var result = SortedQuantile(0.5, sorted);
        ArrayPool<double>.Shared.Return(scratch);
        return result;
    }

    /// <summary>Sorts the values in place.</summary>
    public static double SortedQuantile(double quantile, Span<double> values)
    {
        values.Sort();
        var rank = quantile * (values.Length - 1);
        var lower = (int)Math.Max(0, Math.Floor(rank));
        var upper = Math.Min(values.Length - 1, lower + 1);
        var weight = rank - Math.Floor(rank);
        return (values[lower] * (1 - weight)) + (values[upper] * weight);
    }

    /// <summary>Double exponential smoothing (Holt-Winters without seasons) of at least two values.</summary>
    public static double Smoothed(ReadOnlySpan<double> values, double factor, double trendFactor)
    {
        double before = 0, smoothed = values[0], trend = values[1] - values[0];
        for (var i = 1; i < values.Length; i++)
        {
            if (i > 1)
                trend = (trendFactor * (smoothed - before)) + ((1 - trendFactor) * trend);
            (before, smoothed) = (smoothed, (factor * values[i]) + ((1 - factor) * (smoothed + trend)));
        }
        return smoothed;
    }

    /// <summary>The straight line with the least squares: its slope for each second and its value at a time.</summary>
    public static (double Slope, double Intercept) Regression(ReadOnlySpan<long> times, ReadOnlySpan<double> values, long interceptTime)
    {
        double x = 0, y = 0, xy = 0, xx = 0, lostX = 0, lostY = 0, lostXy = 0, lostXx = 0;
        var constant = true;
        for (var i = 0; i < values.Length; i++)
        {
            constant &= i == 0 || values[i] == values[0];
            var seconds = (times[i] - interceptTime) / 1000.0;
            (x, lostX) = Compensated.Add(x, lostX, seconds);
            (y, lostY) = Compensated.Add(y, lostY, values[i]);
            (xy, lostXy) = Compensated.Add(xy, lostXy, seconds * values[i]);
            (xx, lostXx) = Compensated.Add(xx, lostXx, seconds * seconds);
        }
        if (constant)
            return double.IsInfinity(values[0]) ? (double.NaN, double.NaN) : (0, values[0]);
        (x, y, xy, xx) = (x + lostX, y + lostY, xy + lostXy, xx + lostXx);
        double n = values.Length;
        var slope = (xy - (x * y / n)) / (xx - (x * x / n));
        return (slope, (y / n) - (slope * x / n));
    }
}
