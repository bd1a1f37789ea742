using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>How functions put together what they give.</summary>
internal static class StepSeriesList
{
    /// <summary>Adds a series of floats unless it has none; its name is dropped.</summary>
    public static void AddFloats(this List<StepSeries> to, Labels labels, double[] values, EvaluationContext context)
    {
        if (!StepColumns.Any(values))
            return;
        var series = new StepSeries(labels, values);
        SeriesSet.DropName(series, context.DelayedNameRemoval);
        to.Add(series);
    }

    /// <summary>Whether there is any float.</summary>
    public static bool HasFloats(this StepSeries series) => StepColumns.Any(series.Values);
}
