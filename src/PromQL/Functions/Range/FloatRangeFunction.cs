namespace Groundcrew.PromQL.Evaluation;

/// <summary>Calculates with the floats of one window, of which there is at least one.</summary>
internal delegate double Reduction(ReadOnlySpan<long> times, ReadOnlySpan<double> values, ReadOnlySpan<double> scalars, long stepTime);

/// <summary>A function that looks at floats only and remarks when there are histograms beside them.</summary>
/// <param name="signature">What it takes and gives.</param>
/// <param name="reduce">How it calculates.</param>
/// <param name="atLeast">How many floats it needs.</param>
internal class FloatRangeFunction(FunctionSignature signature, Reduction reduce, int atLeast = 1) : RangeFunction(signature)
{
    public sealed override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site)
    {
        Check(scalars, site);
        var histograms = window.HistogramCount();
        if (histograms == window.Times.Length)
            return;
        if (histograms > 0)
            site.Annotations.IgnoredHistograms(window.Labels, site.SpanOf(0));
        window.Floats(histograms, out var times, out var values);
        if (values.Length < atLeast)
            return;
        Remark(scalars, site);
        result.Set(reduce(times, values, scalars, window.StepTime));
    }

    /// <summary>Throws when the other arguments are none that it can calculate with.</summary>
    protected virtual void Check(ReadOnlySpan<double> scalars, in CallSite site)
    {
    }

    /// <summary>Says what is to be said about the other arguments.</summary>
    protected virtual void Remark(ReadOnlySpan<double> scalars, in CallSite site)
    {
    }
}

/// <summary><c>quantile_over_time</c>, which remarks on its quantile.</summary>
internal sealed class QuantileOverTimeFunction(FunctionSignature signature)
    : FloatRangeFunction(signature, static (_, values, scalars, _) => Statistics.Quantile(scalars[0], values))
{
    protected override void Remark(ReadOnlySpan<double> scalars, in CallSite site) => site.Annotations.CheckQuantile(scalars[0], site.SpanOf(0));
}

/// <summary><c>double_exponential_smoothing</c>, whose factors must lie between 0 and 1.</summary>
internal sealed class SmoothingFunction(FunctionSignature signature)
    : FloatRangeFunction(signature, static (_, values, scalars, _) => Statistics.Smoothed(values, scalars[0], scalars[1]), atLeast: 2)
{
    protected override void Check(ReadOnlySpan<double> scalars, in CallSite site)
    {
        Check(scalars[0], "smoothing factor", "sf");
        Check(scalars[1], "trend factor", "tf");
    }

    private static void Check(double factor, string name, string sign)
    {
        if (factor is <= 0 or >= 1)
            throw new QueryFailedException(QueryErrorKind.Execution, $"invalid {name}. Expected: 0 < {sign} < 1, got: {factor:F6}");
    }
}
