using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// Evaluates the expressions of one query, each over all its steps at once. What an expression gives belongs to whoever asked
/// for it, who may change it in place. Not thread-safe.
/// </summary>
internal sealed partial class Evaluator(QueryContext context, IMetricReader reader, EngineOptions options, Steps whole, Expr query)
{
    private readonly HashSet<Expr> _invariant = StepInvariance.Find(query);
    private readonly long _lookback = (long)options.Lookback.TotalMilliseconds;

    /// <summary>The value of a vector or a scalar at all steps.</summary>
    public StepMatrix Evaluate(Expr expr, Steps steps)
    {
        context.ThrowIfStopped();
        if (steps.End < steps.Start)
            return new(steps, []);
        if (steps.Count > 1 && _invariant.Contains(expr))
            return Spread(Evaluate(expr, new Steps(steps.Start, steps.Start, steps.Interval)), steps);
        var before = context.Held;
        var result = Dispatch(expr, steps);
        context.Settle(before, 0);
        context.Hold(Weight(result.Series));
        return result;
    }

    private StepMatrix Dispatch(Expr expr, Steps steps) => expr switch
    {
        NumberLiteral number => OfScalar(number.Value, steps),
        Paren paren => Evaluate(paren.Inner, steps),
        VectorSelector selector => Select(selector, steps, ofTimes: false),
        Unary unary => Negate(unary, steps),
        Binary binary => Combine(binary, steps),
        Aggregate aggregate => Aggregate(aggregate, steps),
        Call call => Invoke(call, steps),
        _ => throw new InvalidOperationException($"An expression of type {expr.Type} has no value at a step."),
    };

    private static StepMatrix OfScalar(double value, Steps steps)
    {
        var values = new double[steps.Count];
        values.AsSpan().Fill(value);
        return new(steps, [new(Labels.Empty, values)]);
    }

    private StepMatrix Spread(StepMatrix once, Steps steps)
    {
        var all = new List<StepSeries>(once.Series.Count);
        context.Hold(-Weight(once.Series));
        foreach (var one in once.Series)
        {
            var values = new double[steps.Count];
            values.AsSpan().Fill(one.Values[0]);
            var series = new StepSeries(one.Labels, values) { DropName = one.DropName };
            if (one.HistogramAt(0) is { } histogram)
                for (var step = 0; step < steps.Count; step++)
                    series.Set(step, histogram);
            context.Hold(StepColumns.Weight(series));
            all.Add(series);
        }
        return new(steps, all);
    }

    private StepMatrix Negate(Unary unary, Steps steps)
    {
        var inner = Evaluate(unary.Inner, steps);
        if (!unary.Negative)
            return inner;
        foreach (var series in inner.Series)
        {
            foreach (ref var value in series.Values.AsSpan())
                if (!Absent.Is(value))
                    value = -value;
            for (var step = 0; series.Histograms is { } histograms && step < histograms.Length; step++)
                if (histograms[step] is { } histogram)
                    series.Set(step, Negated(histogram));
            SeriesSet.DropName(series, context.DelayedNameRemoval);
        }
        // Two series that only their names told apart are an error even where they have no step in common, as in Prometheus.
        if (!context.DelayedNameRemoval)
            SeriesSet.Unite(inner.Series, strict: true);
        return inner;
    }

    private static FloatHistogram Negated(FloatHistogram histogram)
    {
        var copy = histogram.Copy();
        copy.Multiply(-1);
        return copy;
    }

    /// <summary>The rules for what a function or an operator gave: no empty series, no label set twice at a step.</summary>
    private StepMatrix Checked(List<StepSeries> series, Steps steps)
    {
        SeriesSet.RemoveEmpty(series);
        // With late removal of names an instant query finds duplicates at its end only, when the names are gone.
        if (!context.DelayedNameRemoval || steps.Count > 1)
            SeriesSet.Unite(series);
        return new(steps, series);
    }

    private static long Weight(List<StepSeries> series)
    {
        long weight = 0;
        foreach (var one in series)
            weight += StepColumns.Weight(one);
        return weight;
    }

    /// <summary>The moment that a selector or subquery with <c>@</c> is pinned to.</summary>
    private long TimeOf(AtModifier at) => at.Anchor switch
    {
        AtAnchor.Start => whole.Start,
        AtAnchor.End => whole.End,
        _ => at.Time,
    };

    /// <summary>An expression without the parentheses around it.</summary>
    private static Expr Unwrap(Expr expr)
    {
        while (expr is Paren paren)
            expr = paren.Inner;
        return expr;
    }
}
