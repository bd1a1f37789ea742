using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>info(v, {…})</c>: adds labels of info series, such as <c>target_info</c>, that have the same job and instance.</summary>
internal sealed partial class Evaluator
{
    private StepMatrix EnrichWithInfo(Call call, Steps steps)
    {
        var plain = Evaluate(call.Arguments[0], steps);
        EquatableList<LabelMatcherText> wanted = call.Arguments.Count > 1 ? ((VectorSelector)Unwrap(call.Arguments[1])).Matchers : [];
        LabelMatcherText[] matchers = [.. wanted, .. NamesUnlessGiven(wanted)];
        var selector = new VectorSelector("", EquatableList.Of<LabelMatcherText>(matchers), 0, FirstSelector(call.Arguments[0])?.At, call.Span);
        var names = selector.Conditions.Where(m => m.Name == Labels.MetricName).ToList();
        var join = new InfoJoin([.. selector.Conditions.Where(m => m.Name != Labels.MetricName)], Select(selector, steps, ofTimes: true).Series);
        var result = new List<StepSeries>();
        foreach (var series in plain.Series)
        {
            context.ThrowIfStopped();
            if (names.TrueForAll(m => m.Matches(series.Labels)))
                result.Add(series);
            else
                join.Enrich(series, result);
        }
        return Checked(result, steps);
    }

    /// <summary>What says which metrics are info metrics, where the conditions do not or say only which are none.</summary>
    private static IEnumerable<LabelMatcherText> NamesUnlessGiven(EquatableList<LabelMatcherText> wanted)
    {
        var names = wanted.Where(m => m.Name == Labels.MetricName).ToList();
        if (names.Count == 0)
            return [new(MatchKind.Equal, Labels.MetricName, "target_info")];
        return names.TrueForAll(m => m.Kind is MatchKind.NotEqual or MatchKind.NotRegexp) ? [new(MatchKind.Regexp, Labels.MetricName, ".+_info")] : [];
    }

    private static VectorSelector? FirstSelector(Expr? expr) => expr switch
    {
        VectorSelector selector => selector,
        MatrixSelector matrix => matrix.Selector,
        Subquery subquery => FirstSelector(subquery.Inner),
        Paren paren => FirstSelector(paren.Inner),
        Unary unary => FirstSelector(unary.Inner),
        Aggregate aggregate => FirstSelector(aggregate.Inner) ?? FirstSelector(aggregate.Parameter),
        Binary binary => FirstSelector(binary.Left) ?? FirstSelector(binary.Right),
        Call call => call.Arguments.Select(FirstSelector).FirstOrDefault(s => s is not null),
        _ => null,
    };
}
