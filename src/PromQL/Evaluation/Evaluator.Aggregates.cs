using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Aggregations: the group of a series is found once, for all steps.</summary>
internal sealed partial class Evaluator
{
    private StepMatrix Aggregate(Aggregate written, Steps steps)
    {
        var aggregate = written with { Inner = Unwrap(written.Inner), Parameter = written.Parameter is null ? null : Unwrap(written.Parameter) };
        if (aggregate.Op == AggregateOp.CountValues)
            return CountValues(aggregate, steps);
        var parameter = aggregate.Parameter is null ? null : Evaluate(aggregate.Parameter, steps).Scalar;
        if (aggregate.Op == AggregateOp.Quantile)
            CheckQuantiles(aggregate, parameter);
        var inner = Evaluate(aggregate.Inner, steps);
        if (aggregate.Op is AggregateOp.TopK or AggregateOp.BottomK or AggregateOp.LimitK or AggregateOp.LimitRatio)
            return new(steps, new PickAggregation(aggregate, parameter!, context, steps.Count).Apply(inner.Series, KeyOf(aggregate)));
        return AccumulateGroups(aggregate, parameter, inner, steps);
    }

    private StepMatrix AccumulateGroups(Aggregate aggregate, double[]? parameter, StepMatrix inner, Steps steps)
    {
        var key = KeyOf(aggregate);
        var groups = new Dictionary<Labels, Accumulator>();
        foreach (var series in inner.Series)
        {
            context.ThrowIfStopped();
            var labels = key(series.Labels);
            if (!groups.TryGetValue(labels, out var group))
                groups.Add(labels, group = Accumulator.For(aggregate, parameter, context.Annotations, steps.Count));
            group.Add(series);
        }
        var result = new List<StepSeries>(groups.Count);
        foreach (var (labels, group) in groups)
            result.Add(group.Finish(labels));
        SeriesSet.RemoveEmpty(result);
        return new(steps, result);
    }

    /// <summary>What labels a group has.</summary>
    private static Func<Labels, Labels> KeyOf(Aggregate aggregate)
    {
        if (!aggregate.Without && aggregate.Grouping.Count == 0)
            return static _ => Labels.Empty;
        string[] names = aggregate.Without ? [.. aggregate.Grouping, Labels.MetricName] : [.. aggregate.Grouping];
        return aggregate.Without ? labels => labels.Without(names) : labels => labels.Keep(names);
    }

    private void CheckQuantiles(Aggregate aggregate, double[]? quantiles)
    {
        if (quantiles is null || quantiles.Length == 0)
            return;
        var at = aggregate.Parameter!.Span;
        if (Array.Exists(quantiles, double.IsNaN))
            context.Annotations.CheckQuantile(double.NaN, at);
        context.Annotations.CheckQuantile(quantiles.Where(q => !double.IsNaN(q)).DefaultIfEmpty(0).Max(), at);
        context.Annotations.CheckQuantile(quantiles.Where(q => !double.IsNaN(q)).DefaultIfEmpty(0).Min(), at);
    }

    private StepMatrix CountValues(Aggregate aggregate, Steps steps)
    {
        var label = (StringLiteral)aggregate.Parameter!;
        if (label.Value.Length == 0 || label.Value.Contains('\uFFFD', StringComparison.Ordinal) || HasLoneSurrogate(label.Value))
            throw QueryContext.Failure($"invalid label name {label}");
        var inner = Evaluate(aggregate.Inner, steps);
        var grouped = aggregate.Without ? aggregate : aggregate with { Grouping = [.. aggregate.Grouping, label.Value] };
        var count = new ValueCount(label.Value, KeyOf(grouped), steps.Count);
        foreach (var series in inner.Series)
        {
            context.ThrowIfStopped();
            count.Add(series);
        }
        return new(steps, [.. count.Result]);
    }

    private static bool HasLoneSurrogate(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (!char.IsSurrogatePair(text, i))
                return true;
            i++;
        }
        return false;
    }
}
