namespace Groundcrew.PromQL.Evaluation;

/// <summary>Where the series of a selection go, one after the other.</summary>
internal abstract class SeriesSink
{
    /// <summary>The column for the next series; filled by whoever asks for it.</summary>
    public abstract double[] Column();

    /// <summary>Takes a series, whose values are the last column that was given out.</summary>
    public abstract void Take(StepSeries series);
}

/// <summary>Keeps them all.</summary>
internal sealed class ListSink(Steps steps, QueryContext context) : SeriesSink
{
    /// <summary>What came.</summary>
    public List<StepSeries> Series { get; } = [];

    /// <inheritdoc/>
    public override double[] Column() => GC.AllocateUninitializedArray<double>(steps.Count);

    /// <inheritdoc/>
    public override void Take(StepSeries series)
    {
        Series.Add(series);
        context.CheckRoomFor(Series.Count, steps);
    }
}

/// <summary>Hands each on and uses its column again: what an aggregation sums up is never there as a whole.</summary>
internal sealed class PassingSink(Steps steps, Action<StepSeries> next, bool checkLabels) : SeriesSink
{
    private readonly double[] _column = new double[steps.Count];
    private readonly HashSet<Metrics.Labels> _seen = [];

    /// <inheritdoc/>
    public override double[] Column() => _column;

    /// <inheritdoc/>
    public override void Take(StepSeries series)
    {
        if (checkLabels && !_seen.Add(series.Labels))
            throw SeriesSet.Duplicate();
        next(series);
    }
}
