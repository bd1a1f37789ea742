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
        var all = new HistogramQuantiles(groups, steps, site, site.SpanOf(0), site.SpanOf(1));
        all.Add(result, quantiles, static labels => labels);
        all.Remark();
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
        var all = new HistogramQuantiles(groups, steps, site, site.SpanOf(0), site.SpanOf(0));
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
                all.Add(result, here, labels => builder.Reset(labels).Set(label, text).ToLabels());
            }
        }
        all.Remark();
        return new(steps, result);
    }
}
