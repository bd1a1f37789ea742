using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// An arithmetic operator or comparison between two vectors. Series are paired once; that no step has two of what may be
/// there only once is checked where a group has more than one series.
/// </summary>
internal sealed class VectorMatch
{
    private readonly Binary _binary;
    private readonly VectorMatching _matching;
    private readonly QueryContext _context;
    private readonly int _steps;
    private readonly MatchKey _key;
    private readonly FloatLoop _floats;
    private readonly MixedOperator _mixed;
    private readonly bool _swapped;
    private readonly string[] _matchingLabels;

    public VectorMatch(Binary binary, QueryContext context, int steps)
    {
        (_binary, _matching, _context, _steps) = (binary, binary.Matching!, context, steps);
        _key = new(_matching);
        _floats = FloatOperators.Choose(binary.Op, binary.ReturnBool, keepRight: false);
        _mixed = new(binary, keepRight: false, context.Annotations);
        _swapped = _matching.Cardinality == MatchCardinality.OneToMany;
        _matchingLabels = [.. _matching.Labels];
    }

    private bool OneToOne => _matching.Cardinality == MatchCardinality.OneToOne;

    /// <summary>The result; series of the sides are used up.</summary>
    public List<StepSeries> Apply(List<StepSeries> left, List<StepSeries> right)
    {
        var (many, one) = _swapped ? (right, left) : (left, right);
        var groups = new Dictionary<Labels, Group>(one.Count);
        foreach (var series in one)
        {
            var key = _key.Of(series.Labels);
            if (!groups.TryGetValue(key, out var group))
                groups.Add(key, group = new());
            group.One.Add(series);
        }
        CheckOneSide(groups.Values, many);
        var inOrder = new List<Group>(groups.Count);
        foreach (var series in many)
        {
            if (!groups.TryGetValue(_key.Of(series.Labels), out var group))
                continue;
            if (group.Many.Count == 0)
                inOrder.Add(group);
            group.Many.Add(series);
        }
        var result = new List<StepSeries>(many.Count);
        foreach (var group in inOrder)
            Match(group, result);
        return result;
    }

    /// <summary>Refuses two series of the one side in the same group at the same step, if the many side has anything there.</summary>
    private void CheckOneSide(IEnumerable<Group> groups, List<StepSeries> many)
    {
        bool[]? manyPresent = null;
        foreach (var group in groups)
        {
            if (group.One.Count < 2)
                continue;
            if (manyPresent is null)
            {
                manyPresent = new bool[_steps];
                foreach (var series in many)
                    StepColumns.MarkPresent(series, manyPresent);
            }
            for (var step = 0; step < _steps; step++)
                if (manyPresent[step])
                    CheckOneSide(group.One, step);
        }
    }

    private void CheckOneSide(List<StepSeries> series, int step)
    {
        StepSeries? first = null;
        foreach (var one in series)
        {
            if (!one.Has(step))
                continue;
            if (first is not null)
            {
                var labels = _matching.On ? one.Labels.Keep(_matchingLabels) : _key.Of(one.Labels);
                throw QueryContext.Failure($"found duplicate series for the match group {labels} on the {(_swapped ? "left" : "right")} hand-side of the operation: "
                    + $"[{one.Labels}, {first.Labels}];many-to-many matching not allowed: matching labels must be unique on one side");
            }
            first = one;
        }
    }

    private void Match(Group group, List<StepSeries> result)
    {
        var taken = OneToOne && group.Many.Count > 1 ? new bool[_steps] : null;
        var byLabels = group.Many.Count > 1 && !OneToOne ? new Dictionary<Labels, bool[]>() : null;
        foreach (var many in group.Many)
        {
            _context.ThrowIfStopped();
            foreach (var one in group.One)
            {
                var labels = ResultLabels(many.Labels, one.Labels);
                var marks = taken;
                if (byLabels is not null && !byLabels.TryGetValue(labels, out marks))
                    byLabels.Add(labels, marks = new bool[_steps]);
                // The many side's columns are free to be written into when nothing else is paired with them.
                var into = group.One.Count == 1 ? many : new StepSeries(labels, _steps);
                Calculate(many, one, into, marks);
                into.Labels = labels;
                into.DropName = many.DropName || _binary.ReturnBool;
                result.Add(into);
            }
        }
    }

    private void Calculate(StepSeries many, StepSeries one, StepSeries into, bool[]? marks)
    {
        var (left, right) = _swapped ? (one, many) : (many, one);
        if (marks is null && many.Histograms is null && one.Histograms is null && !FloatOperators.IsTrim(_binary.Op))
        {
            _floats(left.Values, right.Values, into.Values);
            return;
        }
        for (var step = 0; step < _steps; step++)
        {
            if (!many.Has(step) || !one.Has(step))
            {
                into.Remove(step);
                continue;
            }
            // What a comparison filters out, matches nothing.
            _mixed.Apply(left, right, step, into);
            if (marks is not null && into.Has(step))
                Mark(marks, step);
        }
    }

    private void Mark(bool[] marks, int step)
    {
        if (marks[step])
            throw QueryContext.Failure(OneToOne
                ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                : "multiple matches for labels: grouping labels must ensure unique matches");
        marks[step] = true;
    }

    private Labels ResultLabels(Labels many, Labels one)
    {
        var labels = many;
        if (!FloatOperators.KeepsName(_binary.Op) || (_binary.ReturnBool && !_context.DelayedNameRemoval))
            labels = SeriesSet.DropName(labels);
        if (OneToOne)
            labels = _matching.On ? labels.Keep(_matchingLabels) : labels.Without(_matchingLabels);
        if (_matching.Include.Count == 0)
            return labels;
        var builder = new LabelsBuilder().Reset(labels);
        foreach (var name in _matching.Include)
            builder.Set(name, one.Get(name));
        return builder.ToLabels();
    }

    /// <summary>Series of both sides that have the same labels as far as they count.</summary>
    private sealed class Group
    {
        public List<StepSeries> One { get; } = [];

        public List<StepSeries> Many { get; } = [];
    }
}
