using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>How functions put together what they give.</summary>
internal static class StepSeriesList
{
    /// <summary>Adds a series of floats unless it has none; its name is dropped.</summary>
    public static void AddFloats(this List<StepSeries> to, Labels labels, double[] values, EvaluationContext context)
    {
        foreach (var value in values)
            if (!Absent.Is(value))
            {
                to.Add(new(context.DelayedNameRemoval ? labels : labels.Without(Labels.MetricName, "__type__", "__unit__"), values) { DropName = true });
                return;
            }
    }

    /// <summary>Whether there is any float.</summary>
    public static bool HasFloats(this StepSeries series)
    {
        foreach (var value in series.Values)
            if (!Absent.Is(value))
                return true;
        return false;
    }
}
