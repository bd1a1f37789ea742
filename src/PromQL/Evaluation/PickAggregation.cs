using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>topk</c>, <c>bottomk</c>, <c>limitk</c> and <c>limit_ratio</c>: at each step some of the series of each group.</summary>
internal sealed class PickAggregation(Aggregate aggregate, double[] parameter, QueryContext context, int steps)
{
    private readonly bool _ranks = aggregate.Op is AggregateOp.TopK or AggregateOp.BottomK;

    /// <summary>The picked samples; for a single step in the order of rank.</summary>
    public List<StepSeries> Apply(List<StepSeries> series, Func<Labels, Labels> keyOf)
    {
        if (!CheckParameter())
            return [];
        var groups = new Dictionary<Labels, List<StepSeries>>();
        foreach (var one in series)
        {
            var key = keyOf(one.Labels);
            if (!groups.TryGetValue(key, out var members))
                groups.Add(key, members = []);
            members.Add(one);
        }
        var result = new List<StepSeries>();
        foreach (var members in groups.Values)
            Pick(members, series.Count, result);
        return result;
    }

    /// <summary>Whether anything can be picked; fails or warns for parameters that make no sense.</summary>
    private bool CheckParameter()
    {
        if (parameter.Length == 0)
            return false;
        double most = parameter[0], least = parameter[0];
        foreach (var value in parameter)
            (most, least) = (Math.Max(most, value), Math.Min(least, value));
        if (aggregate.Op == AggregateOp.LimitRatio)
            return CheckRatio(most, least);
        if (most < 1)
            return false;
        if (double.IsNaN(most))
            throw QueryContext.Failure("Parameter value is NaN");
        if (least <= long.MinValue)
            throw QueryContext.Failure($"Scalar value {FloatText.General(least)} underflows int64");
        // The largest float below 2^63.
        if (most >= 9223372036854774784)
            throw QueryContext.Failure($"Scalar value {FloatText.General(most)} overflows int64");
        return true;
    }

    private bool CheckRatio(double most, double least)
    {
        if (most == 0 && least == 0)
            return false;
        if (double.IsNaN(most))
            throw QueryContext.Failure("Ratio value is NaN");
        var at = aggregate.Parameter!.Span;
        if (most > 1)
            context.Annotations.Warn($"ratio value should be between -1 and 1, got {FloatText.General(most)}, capping to 1", at);
        if (least < -1)
            context.Annotations.Warn($"ratio value should be between -1 and 1, got {FloatText.General(least)}, capping to -1", at);
        return true;
    }

    private void Pick(List<StepSeries> members, int all, List<StepSeries> result)
    {
        var picked = new StepSeries?[members.Count];
        var offsets = aggregate.Op == AggregateOp.LimitRatio ? members.ConvertAll(m => RatioHash.OffsetOf(m.Labels)) : [];
        var ranking = new Ranking(members.Count, largest: aggregate.Op == AggregateOp.TopK);
        for (var step = 0; step < steps; step++)
        {
            context.ThrowIfStopped();
            ranking.Clear();
            if (aggregate.Op == AggregateOp.LimitRatio)
                PickRatio(members, offsets, step, ranking);
            else if (Math.Min(parameter[step], all) is >= 1 and var k)
                PickFirst(members, (int)k, step, ranking);
            foreach (var member in ranking.Ranked(sorted: _ranks))
            {
                var from = members[member];
                var to = picked[member] ??= new StepSeries(from.Labels, steps) { DropName = from.DropName };
                if (from.HistogramAt(step) is { } histogram)
                    to.Set(step, histogram);
                else
                    to.Set(step, from.Values[step]);
                if (steps == 1)
                    result.Add(to);
            }
        }
        if (steps > 1)
            result.AddRange(picked.OfType<StepSeries>());
    }

    private void PickFirst(List<StepSeries> members, int k, int step, Ranking ranking)
    {
        for (var i = 0; i < members.Count; i++)
        {
            if (!members[i].Has(step))
                continue;
            if (!_ranks)
            {
                if (ranking.Count < k)
                    ranking.Append(i);
            }
            else if (members[i].HistogramAt(step) is not null)
                context.Annotations.Info($"ignored histogram in {(aggregate.Op == AggregateOp.TopK ? "topk" : "bottomk")} aggregation", aggregate.Span);
            else
                ranking.Offer(i, members[i].Values[step], k);
        }
    }

    private void PickRatio(List<StepSeries> members, List<double> offsets, int step, Ranking ranking)
    {
        var ratio = Math.Clamp(parameter[step], -1, 1);
        for (var i = 0; ratio != 0 && i < members.Count; i++)
            if (members[i].Has(step) && (ratio >= 0 ? offsets[i] < ratio : offsets[i] >= 1 + ratio))
                ranking.Append(i);
    }

    /// <summary>
    /// The best members of a group at one step, as a heap with the worst of them on top. Among equals the heap decides, as it
    /// does in Prometheus.
    /// </summary>
    private sealed class Ranking(int members, bool largest)
    {
        private readonly int[] _heap = new int[members];
        private readonly double[] _values = new double[members];

        public int Count { get; private set; }

        public void Clear() => Count = 0;

        public void Append(int member) => _heap[Count++] = member;

        public void Offer(int member, double value, int k)
        {
            if (Count < k)
            {
                (_heap[Count], _values[Count]) = (member, value);
                Up(Count++);
            }
            else if ((largest ? _values[0] < value : _values[0] > value) || (double.IsNaN(_values[0]) && !double.IsNaN(value)))
            {
                (_heap[0], _values[0]) = (member, value);
                Down();
            }
        }

        /// <summary>The members, the best one first when sorted.</summary>
        public ReadOnlySpan<int> Ranked(bool sorted)
        {
            if (sorted && Count > 1)
                Sort();
            return _heap.AsSpan(0, Count);
        }

        private bool IsWorse(int one, int other) =>
            double.IsNaN(_values[one]) || (largest ? _values[one] < _values[other] : _values[one] > _values[other]);

        private void Swap(int one, int other)
        {
            (_heap[one], _heap[other]) = (_heap[other], _heap[one]);
            (_values[one], _values[other]) = (_values[other], _values[one]);
        }

        private void Up(int at)
        {
            for (var parent = (at - 1) / 2; at > 0 && IsWorse(at, parent); at = parent, parent = (at - 1) / 2)
                Swap(at, parent);
        }

        private void Down()
        {
            var at = 0;
            for (var child = 1; child < Count; child = (2 * at) + 1)
            {
                if (child + 1 < Count && IsWorse(child + 1, child))
                    child++;
                if (!IsWorse(child, at))
                    return;
                Swap(child, at);
                at = child;
            }
        }

        // NaN goes to the end. Few members keep the heap's order among equals; for many nobody can tell.
        private void Sort()
        {
            if (Count > 12)
            {
                var sign = largest ? -1 : 1;
                _values.AsSpan(0, Count).Sort(_heap.AsSpan(0, Count), (a, b) => double.IsNaN(a) || double.IsNaN(b) ? double.IsNaN(a).CompareTo(double.IsNaN(b)) : sign * a.CompareTo(b));
                return;
            }
            for (var i = 1; i < Count; i++)
                for (var j = i; j > 0 && IsWorse(j - 1, j); j--)
                    Swap(j - 1, j);
        }
    }
}
