using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>The functions of histograms.</summary>
internal static class HistogramFunctions
{
    /// <summary>All of them.</summary>
    public static IEnumerable<Function> All =>
    [
        new HistogramQuantileFunction(Signature("histogram_quantile")),
        new HistogramQuantilesFunction(Signature("histogram_quantiles")),
        new HistogramFractionFunction(Signature("histogram_fraction")),
        new HistogramPartFunction(Signature("histogram_count"), static histogram => histogram.Count),
        new HistogramPartFunction(Signature("histogram_sum"), static histogram => histogram.Sum),
        new HistogramPartFunction(Signature("histogram_avg"), static histogram => histogram.Sum / histogram.Count),
        new HistogramPartFunction(Signature("histogram_stdvar"), NativeHistogram.Variance),
        new HistogramPartFunction(Signature("histogram_stddev"), static histogram => Math.Sqrt(NativeHistogram.Variance(histogram))),
    ];

    private static FunctionSignature Signature(string name) => FunctionTable.SignatureOf(name);
}

/// <summary>A float of each native histogram, such as <c>histogram_count</c>; floats are dropped.</summary>
internal sealed class HistogramPartFunction(FunctionSignature signature, Func<FloatHistogram, double> part) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var result = new List<StepSeries>(arguments[0]!.Series.Count);
        foreach (var series in arguments[0]!.Series)
        {
            if (series.Histograms is null)
                continue;
            for (var step = 0; step < series.Values.Length; step++)
                series.Values[step] = series.HistogramAt(step) is { } histogram ? part(histogram) : Absent.Value;
            result.AddFloats(series.Labels, series.Values, site.Context);
        }
        return new(steps, result);
    }
}

/// <summary><c>histogram_fraction</c>: the share of observations between two values.</summary>
internal sealed class HistogramFractionFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        double[] lower = arguments[0]!.Scalar, upper = arguments[1]!.Scalar;
        var groups = new HistogramGroups(arguments[2]!.Series, site, site.SpanOf(2));
        var result = new List<StepSeries>();
        foreach (var series in groups.Native)
            result.AddFloats(series.Labels, OfNative(series, lower, upper, groups, site), site.Context);
        foreach (var group in groups.Classic)
        {
            site.Context.ThrowIfStopped();
            result.AddFloats(group.Labels, OfClassic(group, lower, upper), site.Context);
        }
        return new(steps, result);
    }

    private static double[] OfNative(StepSeries series, double[] lower, double[] upper, HistogramGroups groups, in CallSite site)
    {
        var values = new double[lower.Length];
        for (var step = 0; step < values.Length; step++)
        {
            values[step] = Absent.Value;
            if (series.HistogramAt(step) is not { } histogram)
                continue;
            values[step] = NativeHistogram.Fraction(lower[step], upper[step], histogram);
            if (double.IsNaN(histogram.Sum) && !double.IsNaN(values[step]) && lower[step] < upper[step])
                site.Annotations.Info(
                    "input to histogram_fraction has NaN observations, which are excluded from all fractions" + Remarks.ForName(groups.NameOf(series.Labels)), site.SpanOf(0));
        }
        return values;
    }

    private static double[] OfClassic(ClassicGroup group, double[] lower, double[] upper)
    {
        var values = new double[lower.Length];
        var buckets = new ClassicBuckets(group.Size);
        for (var step = 0; step < values.Length; step++)
        {
            group.Read(step, buckets);
            values[step] = buckets.Count == 0 ? Absent.Value : buckets.Fraction(lower[step], upper[step]);
        }
        return values;
    }
}
