using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>count_values</c>: a series for each value, which stands in a label.</summary>
internal sealed class ValueCount(string label, Func<Labels, Labels> key, int steps)
{
    private readonly Dictionary<Labels, StepSeries> _byLabels = [];

    /// <summary>The counts.</summary>
    public IEnumerable<StepSeries> Result => _byLabels.Values;

    /// <summary>Counts the values of a series.</summary>
    public void Add(StepSeries series)
    {
        StepSeries? counts = null;
        var previous = Absent.Value;
        for (var step = 0; step < steps; step++)
        {
            if (!series.Has(step))
                continue;
            var value = series.Values[step];
            var histogram = series.HistogramAt(step);
            // Values that stay as they are stay in their group.
            if (counts is null || histogram is not null || BitConverter.DoubleToInt64Bits(value) != BitConverter.DoubleToInt64Bits(previous))
                counts = Of(series.Labels, histogram?.ToString() ?? GoNumber.Format(value));
            previous = value;
            counts.Values[step] = Absent.Is(counts.Values[step]) ? 1 : counts.Values[step] + 1;
        }
    }

    private StepSeries Of(Labels labels, string value)
    {
        var group = key(new LabelsBuilder().Reset(labels).Set(label, value).ToLabels());
        if (!_byLabels.TryGetValue(group, out var counts))
            _byLabels.Add(group, counts = new(group, steps));
        return counts;
    }
}
