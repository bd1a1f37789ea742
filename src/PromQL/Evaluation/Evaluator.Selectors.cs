using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Selectors: the newest sample at each step, left out when it is too old or a stale marker.</summary>
internal sealed partial class Evaluator
{
    private readonly SampleColumns _columns = new();

    private StepMatrix Select(VectorSelector selector, Steps steps, bool ofTimes)
    {
        var sink = new ListSink(steps, context);
        Select(selector, steps, ofTimes, sink);
        return new(steps, sink.Series);
    }

    private void Select(VectorSelector selector, Steps steps, bool ofTimes, SeriesSink sink)
    {
        var look = selector.At is { } at
            ? new Look(TimeOf(at) - selector.Offset, 0, _lookback, ofTimes)
            : new Look(steps.Start - selector.Offset, steps.Interval, _lookback, ofTimes);
        var smoothed = selector.Boundary == RangeBoundary.Smoothed;
        var from = look.First - _lookback + 1;
        var to = look.First + ((steps.Count - 1) * look.Interval) + (smoothed ? _lookback : 0);
        foreach (var stored in reader.Select(from, to, selector.Conditions, context.Cancellation))
        {
            context.ThrowIfStopped();
            var samples = smoothed ? _columns.ReadValid(stored, from, to) : _columns.Read(stored, from, to);
            if (samples.Times.IsEmpty)
                continue;
            var series = new StepSeries(stored.Labels, sink.Column());
            if (smoothed)
                FillSmoothed(samples, look, series);
            else if (samples.Histograms.IsEmpty)
                FillFloats(samples, look, series.Values);
            else
                FillMixed(samples, look, series);
            var weight = StepColumns.Weight(series);
            if (weight == 0)
                continue;
            context.Read(weight);
            context.Hold(weight);
            sink.Take(series);
        }
    }

    private static void FillFloats(in Samples samples, in Look look, Span<double> to)
    {
        var times = samples.Times;
        var values = samples.Values;
        var newest = -1;
        var reference = look.First;
        for (var step = 0; step < to.Length; step++, reference += look.Interval)
        {
            while (newest + 1 < times.Length && times[newest + 1] <= reference)
                newest++;
            to[step] = newest < 0 || times[newest] <= reference - look.Lookback || StaleMarker.Is(values[newest]) ? Absent.Value
                : look.OfTimes ? times[newest] / 1000.0 : values[newest];
        }
    }

    private static void FillMixed(in Samples samples, in Look look, StepSeries to)
    {
        var newest = -1;
        var reference = look.First;
        for (var step = 0; step < to.Values.Length; step++, reference += look.Interval)
        {
            while (newest + 1 < samples.Times.Length && samples.Times[newest + 1] <= reference)
                newest++;
            if (newest < 0 || samples.Times[newest] <= reference - look.Lookback || StaleMarker.Is(samples.Values[newest]))
                to.Remove(step);
            else if (look.OfTimes)
                to.Set(step, samples.Times[newest] / 1000.0);
            else if (samples.Histograms[newest] is { } histogram)
                to.Set(step, histogram);
            else
                to.Set(step, samples.Values[newest]);
        }
    }

    /// <summary>Where a selector looks: from which moment on, how far it moves with each step, how far back, and for what.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
    private readonly record struct Look(long First, long Interval, long Lookback, bool OfTimes);
}
