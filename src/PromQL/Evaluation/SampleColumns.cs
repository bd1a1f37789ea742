using System.Runtime.InteropServices;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Samples of one series as columns, in the order of time.</summary>
internal readonly ref struct Samples
{
    /// <summary>Their times.</summary>
    public required ReadOnlySpan<long> Times { get; init; }

    /// <summary>Their floats.</summary>
    public required ReadOnlySpan<double> Values { get; init; }

    /// <summary>Their histograms; empty when there is none.</summary>
    public ReadOnlySpan<FloatHistogram?> Histograms { get; init; }
}

/// <summary>Decodes one series after the other into the same memory.</summary>
internal sealed class SampleColumns
{
    private readonly SampleBuffer _read = new();
    private readonly SampleBuffer _kept = new();
    private long[] _stepTimes = [];
    private Steps _steps;

    /// <summary>The samples from <paramref name="from"/> to <paramref name="to"/>, both included, as they are stored; good until the next call.</summary>
    public Samples Read(StoredSeries series, long from, long to)
    {
        _read.Clear();
        series.Read(from, to, _read);
        return Of(_read);
    }

    /// <summary>The same without stale markers.</summary>
    public Samples ReadValid(StoredSeries series, long from, long to)
    {
        var all = Read(series, from, to);
        if (MemoryMarshal.Cast<double, long>(all.Values).IndexOf(StaleMarker.Bits) < 0)
            return all;
        _kept.Clear();
        for (var i = 0; i < all.Times.Length; i++)
            if (!StaleMarker.Is(all.Values[i]))
                Keep(all.Times[i], all.Values[i], all.Histograms.IsEmpty ? null : all.Histograms[i]);
        return Of(_kept);
    }

    /// <summary>What a subquery gave for one series, at its own steps. Without gaps nothing is copied.</summary>
    public Samples Of(StepSeries series, Steps steps)
    {
        if (_steps != steps)
            (_steps, _stepTimes) = (steps, [.. Enumerable.Range(0, steps.Count).Select(steps.TimeOf)]);
        if (series.Histograms is null && StepColumns.Count(series.Values) == steps.Count)
            return new() { Times = _stepTimes, Values = series.Values };
        _kept.Clear();
        for (var step = 0; step < steps.Count; step++)
            if (series.Has(step))
                Keep(_stepTimes[step], series.Values[step], series.HistogramAt(step) is { } histogram ? ForgetReset(histogram) : null);
        return Of(_kept);
    }

    // A subquery may leave out or repeat the sample that tells of a reset.
    private static FloatHistogram ForgetReset(FloatHistogram histogram)
    {
        if (histogram.ResetHint is CounterResetHint.Unknown or CounterResetHint.Gauge)
            return histogram;
        var copy = histogram.Copy();
        copy.ResetHint = CounterResetHint.Unknown;
        return copy;
    }

    private void Keep(long time, double value, FloatHistogram? histogram)
    {
        if (histogram is null)
            _kept.Add(time, value);
        else
            _kept.Add(time, histogram);
    }

    private static Samples Of(SampleBuffer buffer) => new() { Times = buffer.Times, Values = buffer.Values, Histograms = buffer.Histograms };
}
