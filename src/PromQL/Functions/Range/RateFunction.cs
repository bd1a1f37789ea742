using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// <c>rate</c>, <c>increase</c> and <c>delta</c>: the difference between the last sample and the first, with what counter
/// resets took away, extended towards the ends of the range.
/// </summary>
internal sealed class RateFunction(FunctionSignature signature, bool counter, bool perSecond) : RangeFunction(signature)
{
    public override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site)
    {
        var histograms = window.HistogramCount();
        if (histograms > 0 && histograms < window.Times.Length)
        {
            site.Annotations.MixedFloatsAndHistograms(window.Labels, site.SpanOf(0));
            return;
        }
        if (window.Times.Length < 2)
            return;
        if (histograms > 0)
        {
            if (HistogramRate.Increase(window, counter, site) is not { } increase)
                return;
            increase.Multiply(Factor(window, window.Histograms[0]!.Count, increase.Count));
            result.Set(increase);
            return;
        }
        var difference = Difference(window.Values);
        if (counter)
            site.Annotations.CheckCounterName(window.Labels, site.SpanOf(0));
        result.Set(difference * Factor(window, window.Values[0], difference));
    }

    private double Difference(ReadOnlySpan<double> values)
    {
        var difference = values[^1] - values[0];
        if (!counter || !MayHaveReset(values))
            return difference;
        var previous = values[0];
        foreach (var value in values[1..])
        {
            if (value < previous)
                difference += previous;
            previous = value;
        }
        return difference;
    }

    /// <summary>Whether a value is below the one before it; most windows have none, which is found four values at a time.</summary>
    private static bool MayHaveReset(ReadOnlySpan<double> values)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        var i = 0;
        for (; i + Vector256<double>.Count < values.Length; i += Vector256<double>.Count)
            if (Vector256.LessThanAny(Vector256.LoadUnsafe(ref first, (nuint)i + 1), Vector256.LoadUnsafe(ref first, (nuint)i)))
                return true;
        for (; i + 1 < values.Length; i++)
            if (values[i + 1] < values[i])
                return true;
        return false;
    }

    /// <summary>
    /// How much more than between first and last sample it is over the range: up to an end of the range when the next
    /// sample is missing there by no more than 1.1 of the usual distance, otherwise half a distance; a counter never
    /// further back than to where it was zero.
    /// </summary>
    private double Factor(in Window window, double first, double increase)
    {
        if (window.ReachesBoundaries)
            return perSecond ? 1000.0 / (window.End - window.Start) : 1;
        double toStart = (window.Times[0] - window.Start) / 1000.0, toEnd = (window.End - window.Times[^1]) / 1000.0;
        var sampled = (window.Times[^1] - window.Times[0]) / 1000.0;
        var distance = sampled / (window.Times.Length - 1);
        var threshold = distance * 1.1;
        if (toStart >= threshold)
            toStart = distance / 2;
        if (counter && increase > 0 && first >= 0)
            toStart = Math.Min(toStart, sampled * (first / increase));
        if (toEnd >= threshold)
            toEnd = distance / 2;
        var factor = (sampled + toStart + toEnd) / sampled;
        return perSecond ? factor / ((window.End - window.Start) / 1000.0) : factor;
    }
}

/// <summary>The difference between the last and the first histogram of a range.</summary>
internal static class HistogramRate
{
    /// <summary>The difference, with what counter resets took away; null (and a warning) when the kinds of buckets differ.</summary>
    public static FloatHistogram? Increase(in Window window, bool counter, in CallSite site)
    {
        var histograms = window.Histograms;
        FloatHistogram first = histograms[0]!, second = histograms[1]!, last = histograms[^1]!;
        Remark(window, counter, site);

        // What was before a reset is not compared with what came after it, so its layout does not matter.
        if (counter && second.DetectReset(first))
            first = new() { Schema = second.Schema, CustomValues = second.CustomValues };
        if (!SameKind(histograms[1..], first.HasCustomBuckets, counter, out var schema))
        {
            site.Annotations.MixedExponentialAndCustom(window.Labels, site.SpanOf(0));
            return null;
        }
        var increase = last.CopyToSchema(Math.Min(schema, first.Schema));
        if (increase.Sub(first).HasFlag(HistogramRemarks.BoundsReconciled))
            site.Annotations.BoundsReconciled("subtraction", site.SpanOf(0));
        if (counter)
            AddWhatWasReset(increase, first, window, site);
        increase.ResetHint = CounterResetHint.Gauge;
        increase.Compact();
        return increase;
    }

    private static void Remark(in Window window, bool counter, in CallSite site)
    {
        var histograms = window.Histograms;
        if (counter)
        {
            foreach (var histogram in histograms)
                if (histogram!.ResetHint == CounterResetHint.Gauge)
                {
                    site.Annotations.NotACounter(window.Labels, site.SpanOf(0));
                    return;
                }
        }
        else if (histograms[0]!.ResetHint != CounterResetHint.Gauge || histograms[^1]!.ResetHint != CounterResetHint.Gauge)
        {
            site.Annotations.NotAGauge(window.Labels, site.SpanOf(0));
        }
    }

    /// <summary>Whether the histograms that count are of one kind, and their lowest schema: for a gauge only the last counts.</summary>
    private static bool SameKind(ReadOnlySpan<FloatHistogram?> histograms, bool custom, bool counter, out int schema)
    {
        schema = histograms[^1]!.Schema;
        if (histograms[^1]!.HasCustomBuckets != custom)
            return false;
        if (counter)
            foreach (var histogram in histograms)
            {
                if (histogram!.HasCustomBuckets != custom)
                    return false;
                schema = Math.Min(schema, histogram.Schema);
            }
        return true;
    }

    private static void AddWhatWasReset(FloatHistogram increase, FloatHistogram previous, in Window window, in CallSite site)
    {
        foreach (var histogram in window.Histograms[1..])
        {
            if (histogram!.DetectReset(previous) && increase.Add(previous).HasFlag(HistogramRemarks.BoundsReconciled))
                site.Annotations.BoundsReconciled("addition", site.SpanOf(0));
            previous = histogram;
        }
    }
}
