using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>sum</c>, with what each addition rounds away kept beside the sum.</summary>
internal sealed class SumAccumulator(Aggregate aggregate, Annotations annotations, int steps) : Accumulator(aggregate, annotations)
{
    private readonly double[] _sums = Empty(steps);
    private readonly double[] _lost = new double[steps];
    private readonly HistogramColumn _histograms = new(aggregate, annotations, steps, ofMean: false);

    protected override void Take(StepSeries series)
    {
        var values = series.Values.AsSpan(0, _sums.Length);
        var sums = _sums.AsSpan();
        var lost = _lost.AsSpan(0, sums.Length);
        for (var step = 0; step < sums.Length; step++)
        {
            var value = values[step];
            if (Absent.Is(value))
                continue;
            if (Absent.Is(sums[step]))
                sums[step] = value;
            else
                (sums[step], lost[step]) = Compensated.Add(sums[step], lost[step], value);
        }
        _histograms.Add(series);
    }

    protected override StepSeries Complete(Labels labels)
    {
        for (var step = 0; step < _sums.Length; step++)
            if (!Absent.Is(_sums[step]))
                _sums[step] += _lost[step];
        var result = new StepSeries(labels, _sums);
        _histograms.Complete(result);
        return result;
    }
}

/// <summary><c>avg</c>: the sum divided by the count, unless the sum overflows; then the mean is brought up to date step by step.</summary>
internal sealed class MeanAccumulator(Aggregate aggregate, Annotations annotations, int steps) : Accumulator(aggregate, annotations)
{
    private readonly double[] _sums = Empty(steps);
    private readonly double[] _lost = new double[steps];
    private readonly int[] _counts = new int[steps];
    private readonly HistogramColumn _histograms = new(aggregate, annotations, steps, ofMean: true);
    private double[]? _means;

    protected override void Take(StepSeries series)
    {
        var values = series.Values;
        for (var step = 0; step < _sums.Length; step++)
        {
            var value = values[step];
            if (Absent.Is(value))
                continue;
            var count = ++_counts[step];
            if (count == 1)
                _sums[step] = value;
            else if (_means is null || Absent.Is(_means[step]))
                Add(step, value, count);
            else
                AddToMean(_means, step, value, count);
        }
        _histograms.Add(series);
    }

    private void Add(int step, double value, double count)
    {
        var (sum, lost) = Compensated.Add(_sums[step], _lost[step], value);
        if (!double.IsInfinity(sum))
        {
            (_sums[step], _lost[step]) = (sum, lost);
            return;
        }
        _means ??= Empty(_sums.Length);
        _means[step] = _sums[step] / (count - 1);
        _lost[step] /= count - 1;
        AddToMean(_means, step, value, count);
    }

    private void AddToMean(double[] means, int step, double value, double count)
    {
        var share = (count - 1) / count;
        (means[step], _lost[step]) = Compensated.Add(share * means[step], share * _lost[step], value / count);
    }

    protected override StepSeries Complete(Labels labels)
    {
        for (var step = 0; step < _sums.Length; step++)
        {
            if (Absent.Is(_sums[step]))
                continue;
            _sums[step] = _means is not null && !Absent.Is(_means[step])
                ? _means[step] + _lost[step]
                : (_sums[step] / _counts[step]) + (_lost[step] / _counts[step]);
        }
        var result = new StepSeries(labels, _sums);
        _histograms.Complete(result);
        return result;
    }
}

/// <summary>The histograms among what is summed up; costs nothing as long as there is none.</summary>
internal sealed class HistogramColumn(Aggregate aggregate, Annotations annotations, int steps, bool ofMean)
{
    private HistogramSum?[]? _sums;
    private bool[]? _spoiled;

    /// <summary>Adds the histograms of a series.</summary>
    public void Add(StepSeries series)
    {
        if (series.Histograms is not { } histograms)
            return;
        _sums ??= new HistogramSum?[steps];
        for (var step = 0; step < histograms.Length; step++)
        {
            if (histograms[step] is not { } histogram || _spoiled?[step] == true)
                continue;
            if (_sums[step] is not { } sum)
                _sums[step] = new(histogram, ofMean);
            else if (!sum.Add(histogram))
            {
                (_spoiled ??= new bool[steps])[step] = true;
                annotations.MixedExponentialAndCustom(series.Labels, aggregate.Inner.Span);
            }
        }
    }

    /// <summary>Puts the histograms beside the floats; where there are both, or kinds that do not fit, nothing stays.</summary>
    public void Complete(StepSeries result)
    {
        for (var step = 0; _sums is not null && step < steps; step++)
        {
            if (_sums[step] is not { } sum)
                continue;
            var mixed = !Absent.Is(result.Values[step]);
            if (mixed)
                annotations.Warn("encountered a mix of histograms and floats for aggregation", aggregate.Inner.Span);
            if (sum.Remarks.HasFlag(HistogramRemarks.BoundsReconciled))
                annotations.BoundsReconciled("aggregation", aggregate.Inner.Span);
            if (mixed || _spoiled?[step] == true)
            {
                result.Remove(step);
                continue;
            }
            if (sum.Remarks.HasFlag(HistogramRemarks.ResetCollision))
                annotations.ResetCollision("aggregation", aggregate.Inner.Span);
            var total = sum.Total();
            total.Compact();
            result.Set(step, total);
        }
    }
}
