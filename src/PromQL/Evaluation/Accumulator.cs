using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// What an aggregation makes of one group, at all steps: series are added one after the other, whole columns at a time.
/// </summary>
internal abstract class Accumulator(Aggregate aggregate, Annotations annotations)
{
    private bool _dropName;

    /// <summary>What is aggregated.</summary>
    protected Aggregate Aggregate => aggregate;

    /// <summary>Where remarks go.</summary>
    protected Annotations Annotations => annotations;

    /// <summary>An accumulator for an aggregation whose result has one series for each group.</summary>
    public static Accumulator For(Aggregate aggregate, double[]? parameter, Annotations annotations, int steps) => aggregate.Op switch
    {
        AggregateOp.Sum => new SumAccumulator(aggregate, annotations, steps),
        AggregateOp.Avg => new MeanAccumulator(aggregate, annotations, steps),
        AggregateOp.Count => new CountAccumulator(aggregate, annotations, steps),
        AggregateOp.Group => new GroupAccumulator(aggregate, annotations, steps),
        AggregateOp.Min => new ExtremeAccumulator(aggregate, annotations, steps, largest: false),
        AggregateOp.Max => new ExtremeAccumulator(aggregate, annotations, steps, largest: true),
        AggregateOp.Stddev or AggregateOp.Stdvar => new DeviationAccumulator(aggregate, annotations, steps),
        AggregateOp.Quantile => new QuantileAccumulator(aggregate, annotations, parameter!),
        _ => throw new ArgumentOutOfRangeException(nameof(aggregate), aggregate.Op, "Not one result for each group."),
    };

    /// <summary>Adds a series; nothing of it is kept.</summary>
    public void Add(StepSeries series)
    {
        _dropName |= series.DropName;
        Take(series);
    }

    /// <summary>The result with these labels; call it once, at the end.</summary>
    public StepSeries Finish(Labels labels)
    {
        var result = Complete(labels);
        result.DropName = _dropName;
        return result;
    }

    /// <summary>Adds the samples of a series.</summary>
    protected abstract void Take(StepSeries series);

    /// <summary>Makes the result.</summary>
    protected abstract StepSeries Complete(Labels labels);

    /// <summary>Says that histograms are left out.</summary>
    protected void IgnoreHistograms(StepSeries series, string word)
    {
        if (StepColumns.AnyHistogram(series))
            annotations.Info($"ignored histogram in {word} aggregation", aggregate.Inner.Span);
    }

    /// <summary>A column without any sample.</summary>
    protected static double[] Empty(int steps)
    {
        var column = GC.AllocateUninitializedArray<double>(steps);
        column.AsSpan().Fill(Absent.Value);
        return column;
    }
}

/// <summary><c>count</c>: histograms count too.</summary>
internal sealed class CountAccumulator(Aggregate aggregate, Annotations annotations, int steps) : Accumulator(aggregate, annotations)
{
    private readonly double[] _counts = Empty(steps);

    protected override void Take(StepSeries series)
    {
        var values = series.Values;
        for (var step = 0; step < _counts.Length; step++)
            if (!Absent.Is(values[step]) || series.HistogramAt(step) is not null)
                _counts[step] = Absent.Is(_counts[step]) ? 1 : _counts[step] + 1;
    }

    protected override StepSeries Complete(Labels labels) => new(labels, _counts);
}

/// <summary><c>group</c>: one, wherever there is anything.</summary>
internal sealed class GroupAccumulator(Aggregate aggregate, Annotations annotations, int steps) : Accumulator(aggregate, annotations)
{
    private readonly double[] _ones = Empty(steps);

    protected override void Take(StepSeries series)
    {
        for (var step = 0; step < _ones.Length; step++)
            if (series.Has(step))
                _ones[step] = 1;
    }

    protected override StepSeries Complete(Labels labels) => new(labels, _ones);
}

/// <summary><c>min</c> and <c>max</c>: NaN only when there is nothing else.</summary>
internal sealed class ExtremeAccumulator(Aggregate aggregate, Annotations annotations, int steps, bool largest) : Accumulator(aggregate, annotations)
{
    private readonly double[] _extremes = Empty(steps);

    protected override void Take(StepSeries series)
    {
        IgnoreHistograms(series, largest ? "max" : "min");
        var values = series.Values;
        for (var step = 0; step < _extremes.Length; step++)
        {
            double value = values[step], extreme = _extremes[step];
            // The mark of absence is a NaN, so the first sample replaces it.
            if (!Absent.Is(value) && (double.IsNaN(extreme) || (largest ? extreme < value : extreme > value)))
                _extremes[step] = value;
        }
    }

    protected override StepSeries Complete(Labels labels) => new(labels, _extremes);
}

/// <summary><c>stddev</c> and <c>stdvar</c> of the whole population, by Welford's method.</summary>
internal sealed class DeviationAccumulator(Aggregate aggregate, Annotations annotations, int steps) : Accumulator(aggregate, annotations)
{
    private readonly double[] _squares = Empty(steps);
    private readonly double[] _means = new double[steps];
    private readonly int[] _counts = new int[steps];

    protected override void Take(StepSeries series)
    {
        IgnoreHistograms(series, Aggregate.Op == AggregateOp.Stddev ? "stddev" : "stdvar");
        for (var step = 0; step < _counts.Length; step++)
        {
            var value = series.Values[step];
            if (Absent.Is(value))
                continue;
            if (_counts[step]++ == 0)
            {
                _squares[step] = double.IsFinite(value) ? 0 : double.NaN;
                _means[step] = value;
                continue;
            }
            var delta = value - _means[step];
            _means[step] += delta / _counts[step];
            _squares[step] += delta * (value - _means[step]);
        }
    }

    protected override StepSeries Complete(Labels labels)
    {
        for (var step = 0; step < _counts.Length; step++)
            if (_counts[step] > 0)
                _squares[step] = Aggregate.Op == AggregateOp.Stddev ? Math.Sqrt(_squares[step] / _counts[step]) : _squares[step] / _counts[step];
        return new(labels, _squares);
    }
}

/// <summary><c>quantile</c>: keeps the columns of its group until the end.</summary>
internal sealed class QuantileAccumulator(Aggregate aggregate, Annotations annotations, double[] quantiles) : Accumulator(aggregate, annotations)
{
    private readonly List<double[]> _columns = [];

    protected override void Take(StepSeries series)
    {
        IgnoreHistograms(series, "quantile");
        _columns.Add(series.Values);
    }

    protected override StepSeries Complete(Labels labels)
    {
        var result = Empty(quantiles.Length);
        var values = new double[_columns.Count];
        for (var step = 0; step < result.Length; step++)
        {
            var count = 0;
            foreach (var column in _columns)
                if (!Absent.Is(column[step]))
                    values[count++] = column[step];
            if (count > 0)
                result[step] = Of(values.AsSpan(0, count), quantiles[step]);
        }
        return new(labels, result);
    }

    private static double Of(Span<double> values, double quantile)
    {
        if (double.IsNaN(quantile))
            return double.NaN;
        if (quantile is < 0 or > 1)
            return quantile < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        values.Sort();
        var rank = quantile * (values.Length - 1);
        var lower = (int)Math.Floor(rank);
        var upper = Math.Min(values.Length - 1, lower + 1);
        var weight = rank - lower;
        return (values[lower] * (1 - weight)) + (values[upper] * weight);
    }
}
