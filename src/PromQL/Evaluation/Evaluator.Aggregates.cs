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
        if (aggregate.Op is AggregateOp.TopK or AggregateOp.BottomK or AggregateOp.LimitK or AggregateOp.LimitRatio)
            return new(steps, new PickAggregation(aggregate, parameter!, context, steps.Count).Apply(Evaluate(aggregate.Inner, steps).Series, KeyOf(aggregate)));
        return AccumulateGroups(aggregate, parameter, steps);
    }

    private StepMatrix AccumulateGroups(Aggregate aggregate, double[]? parameter, Steps steps)
    {
        var key = KeyOf(aggregate);
        var groups = new Dictionary<Labels, Accumulator>();
        Pass(aggregate.Inner, steps, keepsColumns: aggregate.Op == AggregateOp.Quantile, series =>
        {
            var labels = key(series.Labels);
            if (!groups.TryGetValue(labels, out var group))
                groups.Add(labels, group = Accumulator.For(aggregate, parameter, context.Annotations, steps.Count));
            group.Add(series);
        });
        var result = new List<StepSeries>(groups.Count);
        foreach (var (labels, group) in groups)
            result.Add(group.Finish(labels));
        SeriesSet.RemoveEmpty(result);
        context.CheckRoomFor(result.Count, steps);
        return new(steps, result);
    }

    /// <summary>
    /// Evaluates an expression and passes its series on. What comes straight from stored series is passed as it is read, in one
    /// column after the other, unless columns are kept.
    /// </summary>
    private void Pass(Expr expr, Steps steps, bool keepsColumns, Action<StepSeries> to)
    {
        if (!keepsColumns && steps.Count > 1 && !_invariant.Contains(expr))
        {
            context.ThrowIfStopped();
            if (expr is VectorSelector selector)
            {
                Select(selector, steps, ofTimes: false, new PassingSink(steps, to, checkLabels: false));
                return;
            }
            if (expr is Call { Function.Name: not "absent_over_time" } call && FunctionTable.Find(call.Function.Name) is RangeFunction function)
            {
                InvokeOnRange(call, function, steps, new PassingSink(steps, to, checkLabels: !context.DelayedNameRemoval));
                return;
            }
        }
        foreach (var series in Evaluate(expr, steps).Series)
        {
            context.ThrowIfStopped();
            to(series);
        }
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
        if (label.Value.Length == 0 || !GoText.IsValid(label.Value))
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
}
