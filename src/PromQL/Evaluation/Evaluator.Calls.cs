namespace Groundcrew.PromQL.Evaluation;

/// <summary>Calls of functions.</summary>
internal sealed partial class Evaluator
{
    private StepMatrix Invoke(Call call, Steps steps)
    {
        var name = call.Function.Name;
        if (name == "timestamp" && Unwrap(call.Arguments[0]) is VectorSelector selector)
            return TimesOf(selector, steps);
        if (name == "info")
            return EnrichWithInfo(call, steps);
        return FunctionTable.Find(name) switch
        {
            RangeFunction range => InvokeOnRange(call, range, steps),
            ElementFunction element => InvokeOnElements(call, element, steps),
            MatrixFunction matrix => InvokeOnMatrix(call, matrix, steps),
            _ when name == "timestamp" => TimesOfSteps(call, steps),
            _ => throw new InvalidOperationException($"The function {name} has no implementation."),
        };
    }

    /// <summary><c>timestamp</c> of a selector: the times of the samples themselves, not those of the steps.</summary>
    private StepMatrix TimesOf(VectorSelector selector, Steps steps)
    {
        var times = Select(selector, steps, ofTimes: true);
        foreach (var series in times.Series)
            SeriesSet.DropName(series, context.DelayedNameRemoval);
        return Checked(times.Series, steps);
    }

    private StepMatrix TimesOfSteps(Call call, Steps steps)
    {
        var argument = Evaluate(call.Arguments[0], steps);
        foreach (var series in argument.Series)
        {
            for (var step = 0; step < steps.Count; step++)
                if (series.Has(step))
                    series.Set(step, steps.TimeOf(step) / 1000.0);
            SeriesSet.DropName(series, context.DelayedNameRemoval);
        }
        return Checked(argument.Series, steps);
    }

    private StepMatrix InvokeOnElements(Call call, ElementFunction function, Steps steps)
    {
        var argument = Evaluate(call.Arguments[0], steps);
        var result = new List<StepSeries>(argument.Series.Count);
        foreach (var series in argument.Series)
        {
            foreach (ref var value in series.Values.AsSpan())
                if (!Absent.Is(value))
                    value = function.Apply(value);
            var floats = series.Histograms is null ? series : new StepSeries(series.Labels, series.Values) { DropName = series.DropName };
            SeriesSet.DropName(floats, context.DelayedNameRemoval);
            result.Add(floats);
        }
        return Checked(result, steps);
    }

    private StepMatrix InvokeOnMatrix(Call call, MatrixFunction function, Steps steps)
    {
        var arguments = new StepMatrix?[call.Arguments.Count];
        for (var i = 0; i < arguments.Length; i++)
            if (call.Arguments[i].Type != ValueType.String)
                arguments[i] = Evaluate(call.Arguments[i], steps);
        var result = function.Evaluate(arguments, steps, new CallSite(call, context));
        return call.Function.Returns == ValueType.Scalar ? result : Checked(result.Series, steps);
    }
}
