using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>Rules for a whole set of series: names that go, and label sets that may stand only once at a step.</summary>
internal static class SeriesSet
{
    /// <summary>What a query fails with that gives the same labels twice.</summary>
    public static QueryFailedException Duplicate() => QueryContext.Failure("vector cannot contain metrics with the same labelset");

    /// <summary>The labels without the metric's name and without what describes it (its type and unit).</summary>
    public static Labels DropName(Labels labels) => labels.Without(Labels.MetricName, "__type__", "__unit__");

    /// <summary>Drops the name of a series now, or says that it is to be dropped at the end of the query.</summary>
    public static void DropName(StepSeries series, bool delayed)
    {
        if (!delayed)
            series.Labels = DropName(series.Labels);
        series.DropName = true;
    }

    /// <summary>Takes out series that have no sample left; the order stays.</summary>
    public static void RemoveEmpty(List<StepSeries> series) => series.RemoveAll(static s => !StepColumns.Any(s));

    /// <summary>
    /// Makes one series of all that have the same labels; two samples at one step are an error, and so is any second series
    /// when <paramref name="strict"/>. The order of the first ones stays.
    /// </summary>
    public static void Unite(List<StepSeries> series, bool strict = false)
    {
        if (series.Count < 2 || AreDistinct(series))
            return;
        if (strict)
            throw Duplicate();
        var byLabels = new Dictionary<Labels, StepSeries>(series.Count);
        var kept = new List<StepSeries>(series.Count);
        foreach (var one in series)
        {
            if (byLabels.TryAdd(one.Labels, one))
                kept.Add(one);
            else
                Pour(one, byLabels[one.Labels]);
        }
        series.Clear();
        series.AddRange(kept);
    }

    private static bool AreDistinct(List<StepSeries> series)
    {
        if (series.Count == 2)
            return !series[0].Labels.Equals(series[1].Labels);
        var seen = new HashSet<Labels>(series.Count);
        foreach (var one in series)
            if (!seen.Add(one.Labels))
                return false;
        return true;
    }

    private static void Pour(StepSeries from, StepSeries into)
    {
        for (var step = 0; step < from.Values.Length; step++)
        {
            if (!from.Has(step))
                continue;
            if (into.Has(step))
                throw Duplicate();
            if (from.HistogramAt(step) is { } histogram)
                into.Set(step, histogram);
            else
                into.Set(step, from.Values[step]);
        }
    }
}
