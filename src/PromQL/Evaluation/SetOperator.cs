using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>By which labels series of two sides find each other: computed once for each series.</summary>
internal sealed class MatchKey(VectorMatching matching)
{
    private readonly string[] _labels = matching.On ? [.. matching.Labels] : [.. matching.Labels, Labels.MetricName];

    /// <summary>The labels that count.</summary>
    public Labels Of(Labels labels) => matching.On ? labels.Keep(_labels) : labels.Without(_labels);
}

/// <summary><c>and</c>, <c>or</c> and <c>unless</c>: whether a sample stays depends on which samples the other side has at that step.</summary>
internal sealed class SetOperator(VectorMatching matching)
{
    private readonly MatchKey _key = new(matching);

    /// <summary>The result; series of the sides are changed in place.</summary>
    public List<StepSeries> Apply(BinaryOp op, List<StepSeries> left, List<StepSeries> right, int steps)
    {
        if (op == BinaryOp.Or)
        {
            Filter(right, PresenceOf(left, steps), keepPresent: false);
            return [.. left, .. right];
        }
        Filter(left, PresenceOf(right, steps), keepPresent: op == BinaryOp.And);
        return left;
    }

    private Dictionary<Labels, bool[]> PresenceOf(List<StepSeries> side, int steps)
    {
        var presence = new Dictionary<Labels, bool[]>(side.Count);
        foreach (var series in side)
        {
            var key = _key.Of(series.Labels);
            if (!presence.TryGetValue(key, out var present))
                presence.Add(key, present = new bool[steps]);
            StepColumns.MarkPresent(series, present);
        }
        return presence;
    }

    private void Filter(List<StepSeries> side, Dictionary<Labels, bool[]> other, bool keepPresent) =>
        side.RemoveAll(series =>
        {
            if (!other.TryGetValue(_key.Of(series.Labels), out var present))
                return keepPresent;
            for (var step = 0; step < present.Length; step++)
                if (present[step] != keepPresent)
                    series.Remove(step);
            return false;
        });
}
