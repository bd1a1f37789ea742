using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>irate</c> and <c>idelta</c>: the difference between the last two samples, for each second or as it is.</summary>
internal sealed class InstantRateFunction(FunctionSignature signature, bool rate) : RangeFunction(signature)
{
    public override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site)
    {
        var last = window.Times.Length - 1;
        if (last < 1 || window.Times[last] == window.Times[last - 1])
            return;
        var seconds = (window.Times[last] - window.Times[last - 1]) / 1000.0;
        switch (window.HistogramAt(last - 1), window.HistogramAt(last))
        {
            case (null, null):
                var difference = Difference(window.Values[last - 1], window.Values[last]);
                result.Set(rate ? difference / seconds : difference);
                break;
            case ({ } before, { } now):
                if (Difference(before, now, window.Labels, site) is not { } increase)
                    return;
                if (rate)
                    increase.Divide(seconds);
                result.Set(increase);
                break;
            default:
                site.Annotations.MixedFloatsAndHistograms(window.Labels, site.SpanOf(0));
                break;
        }
    }

    /// <summary>After a reset of a counter all that it counts is new.</summary>
    private double Difference(double before, double now) => rate && now < before ? now : now - before;

    private FloatHistogram? Difference(FloatHistogram before, FloatHistogram now, Labels series, in CallSite site)
    {
        if (rate && (before.ResetHint == CounterResetHint.Gauge || now.ResetHint == CounterResetHint.Gauge))
            site.Annotations.NotACounter(series, site.SpanOf(0));
        if (!rate && (before.ResetHint != CounterResetHint.Gauge || now.ResetHint != CounterResetHint.Gauge))
            site.Annotations.NotAGauge(series, site.SpanOf(0));
        var difference = now.Copy();
        if (!rate || !now.DetectReset(before))
        {
            var remarks = difference.Sub(before);
            if (remarks.HasFlag(HistogramRemarks.Incompatible))
            {
                site.Annotations.MixedExponentialAndCustom(series, site.SpanOf(0));
                return null;
            }
            if (remarks.HasFlag(HistogramRemarks.BoundsReconciled))
                site.Annotations.BoundsReconciled("subtraction", site.SpanOf(0));
        }
        difference.ResetHint = CounterResetHint.Gauge;
        difference.Compact();
        return difference;
    }
}
