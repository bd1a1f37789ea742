using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>sum_over_time</c> and <c>avg_over_time</c>, of floats or of histograms.</summary>
internal sealed class SumOverTimeFunction(FunctionSignature signature, bool mean) : RangeFunction(signature)
{
    public override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site)
    {
        var histograms = window.HistogramCount();
        if (histograms == 0)
            result.Set(mean ? Mean(window.Values) : Sum(window.Values));
        else if (histograms < window.Times.Length)
            site.Annotations.MixedFloatsAndHistograms(window.Labels, site.SpanOf(0));
        else
            AddUp(window, ref result, site);
    }

    private static double Sum(ReadOnlySpan<double> values)
    {
        double sum = 0, lost = 0;
        foreach (var value in values)
            (sum, lost) = Compensated.Add(sum, lost, value);
        return double.IsInfinity(sum) ? sum : sum + lost;
    }

    /// <summary>The sum divided by the count; where the sum would overflow, the mean of what there is so far, corrected by each value.</summary>
    private static double Mean(ReadOnlySpan<double> values)
    {
        double sum = values[0], lost = 0;
        for (var i = 1; i < values.Length; i++)
        {
            var (next, nextLost) = Compensated.Add(sum, lost, values[i]);
            if (double.IsInfinity(next))
                return IncrementalMean(sum / i, lost / i, values, i);
            (sum, lost) = (next, nextLost);
        }
        return (sum / values.Length) + (lost / values.Length);
    }

    private static double IncrementalMean(double mean, double lost, ReadOnlySpan<double> values, int from)
    {
        for (var i = from; i < values.Length; i++)
        {
            double count = i + 1;
            var share = (count - 1) / count;
            (mean, lost) = Compensated.Add(share * mean, share * lost, values[i] / count);
        }
        return mean + lost;
    }

    private void AddUp(in Window window, ref Cell result, in CallSite site)
    {
        var sum = new HistogramSum(window.Histograms[0]!, mean);
        foreach (var histogram in window.Histograms[1..])
            if (!sum.Add(histogram!))
            {
                site.Annotations.MixedExponentialAndCustom(window.Labels, site.SpanOf(0));
                return;
            }
        if (sum.Remarks.HasFlag(HistogramRemarks.ResetCollision))
            site.Annotations.ResetCollision("aggregation", site.SpanOf(0));
        if (sum.Remarks.HasFlag(HistogramRemarks.BoundsReconciled))
            site.Annotations.BoundsReconciled("aggregation", site.SpanOf(0));
        result.Set(sum.Total());
    }
}
