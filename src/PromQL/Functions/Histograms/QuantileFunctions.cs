using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>histogram_quantile</c>.</summary>
internal sealed class HistogramQuantileFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var quantiles = arguments[0]!.Scalar;
        foreach (var quantile in quantiles)
            site.Annotations.CheckQuantile(quantile, site.SpanOf(0));
        var groups = new HistogramGroups(arguments[1]!.Series, site, site.SpanOf(1));
        var result = new List<StepSeries>();
        HistogramQuantiles.Add(result, groups, quantiles, static labels => labels, site.SpanOf(0), site.SpanOf(1), site);
        return new(steps, result);
    }
}

/// <summary><c>histogram_quantiles</c>: several quantiles at once, told apart by a label.</summary>
internal sealed class HistogramQuantilesFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var label = site.Texts(from: 1)[0];
        var groups = new HistogramGroups(arguments[0]!.Series, site, site.SpanOf(0));
        var result = new List<StepSeries>();
        var builder = new LabelsBuilder();
        for (var i = 2; i < arguments.Count; i++)
        {
            var quantiles = arguments[i]!.Scalar;
            foreach (var quantile in quantiles)
                site.Annotations.CheckQuantile(quantile, site.SpanOf(i));
            // A quantile that changes from step to step is another series each time.
            foreach (var quantile in quantiles.Distinct())
            {
                var text = FloatText.OpenMetrics(quantile);
                var here = Array.ConvertAll(quantiles, q => q.Equals(quantile) ? q : Absent.Value);
                HistogramQuantiles.Add(result, groups, here, labels => builder.Reset(labels).Set(label, text).ToLabels(), site.SpanOf(0), site.SpanOf(1), site);
            }
        }
        return new(steps, result);
    }
}

/// <summary>Quantiles of all histograms of a vector.</summary>
internal static class HistogramQuantiles
{
    private const string Forced =
        "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

    /// <summary>Adds a series for each histogram; where the quantile is absent, it has no sample.</summary>
    public static void Add(
        List<StepSeries> to, HistogramGroups groups, double[] quantiles, Func<Labels, Labels> label, TextSpan nativeSpan, TextSpan classicSpan, in CallSite site)
    {
        foreach (var series in groups.Native)
            to.AddFloats(label(series.Labels), OfNative(series, groups, quantiles, nativeSpan, site.Annotations), site.Context);
        foreach (var group in groups.Classic)
        {
            site.Context.ThrowIfStopped();
            to.AddFloats(label(group.Labels), OfClassic(group, groups, quantiles, classicSpan, site.Annotations), site.Context);
        }
    }

    private static double[] OfNative(StepSeries series, HistogramGroups groups, double[] quantiles, TextSpan span, Annotations annotations)
    {
        var values = new double[quantiles.Length];
        for (var step = 0; step < values.Length; step++)
        {
            values[step] = Absent.Value;
            if (Absent.Is(quantiles[step]) || series.HistogramAt(step) is not { } histogram)
                continue;
            values[step] = NativeHistogram.Quantile(quantiles[step], histogram, out var remark);
            if (remark != NativeHistogram.NaNRemark.None)
                annotations.Info(
                    $"input to histogram_quantile has NaN observations, result is {(remark == NativeHistogram.NaNRemark.ResultIsNaN ? "NaN" : "skewed higher")}{Remarks.ForName(groups.NameOf(series.Labels))}",
                    span);
        }
        return values;
    }

    private static double[] OfClassic(ClassicGroup group, HistogramGroups groups, double[] quantiles, TextSpan span, Annotations annotations)
    {
        var values = new double[quantiles.Length];
        var buckets = new ClassicBuckets(group.Size);
        for (var step = 0; step < values.Length; step++)
        {
            values[step] = Absent.Value;
            if (Absent.Is(quantiles[step]))
                continue;
            group.Read(step, buckets);
            if (buckets.Count == 0)
                continue;
            values[step] = buckets.Quantile(quantiles[step], out var forced);
            if (forced)
                annotations.Info(Forced + Remarks.ForName(groups.NameOf(group.Labels)), span);
        }
        return values;
    }
}
