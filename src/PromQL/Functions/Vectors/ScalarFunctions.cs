using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>time</c>, <c>pi</c> and their like: a number that depends on nothing but the step and the whole query.</summary>
internal sealed class StepFunction(FunctionSignature signature, Func<long, Steps, double> valueAt) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var values = new double[steps.Count];
        for (var step = 0; step < values.Length; step++)
            values[step] = valueAt(steps.TimeOf(step), site.Context.Whole);
        return new(steps, [new(Labels.Empty, values)]);
    }
}

/// <summary><c>min_of</c> and <c>max_of</c>: one of two scalars at each step.</summary>
internal sealed class ChoiceFunction(FunctionSignature signature, Func<double, double, double> choose) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        double[] values = arguments[0]!.Scalar, others = arguments[1]!.Scalar;
        for (var step = 0; step < values.Length; step++)
            values[step] = choose(values[step], others[step]);
        return arguments[0]!;
    }
}

/// <summary><c>vector</c>: a scalar as the one series without labels.</summary>
internal sealed class VectorFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site) =>
        new(steps, [new(Labels.Empty, arguments[0]!.Scalar)]);
}

/// <summary><c>scalar</c>: the only float of a step, NaN when there is none or more than one.</summary>
internal sealed class ScalarFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var values = new double[steps.Count];
        values.AsSpan().Fill(Absent.Value);
        var many = new bool[values.Length];
        foreach (var series in arguments[0]!.Series)
            for (var step = 0; step < values.Length; step++)
            {
                if (Absent.Is(series.Values[step]))
                    continue;
                many[step] = !Absent.Is(values[step]);
                values[step] = series.Values[step];
            }
        for (var step = 0; step < values.Length; step++)
            if (many[step] || Absent.Is(values[step]))
                values[step] = double.NaN;
        return new(steps, [new(Labels.Empty, values)]);
    }
}

/// <summary><c>absent</c>: 1 at each step at which the vector is empty, with the labels that its selector demands.</summary>
internal sealed class AbsentFunction(FunctionSignature signature) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var values = new double[steps.Count];
        values.AsSpan().Fill(1);
        foreach (var series in arguments[0]!.Series)
            for (var step = 0; step < values.Length; step++)
                if (series.Has(step))
                    values[step] = Absent.Value;
        return new(steps, Array.TrueForAll(values, Absent.Is) ? [] : [new(DemandedLabels(site.Call.Arguments[0]), values)]);
    }

    /// <summary>The labels that a selector compares with <c>=</c> and names once; none for any other expression.</summary>
    public static Labels DemandedLabels(Expr expr)
    {
        while (expr is Paren paren)
            expr = paren.Inner;
        var selector = expr as VectorSelector ?? (expr as MatrixSelector)?.Selector;
        var builder = new LabelsBuilder();
        var named = new HashSet<string>();
        foreach (var matcher in selector?.Matchers ?? [])
        {
            if (matcher.Name == Labels.MetricName)
                continue;
            if (matcher.Kind == MatchKind.Equal && named.Add(matcher.Name))
                builder.Set(matcher.Name, matcher.Value);
            else
                builder.Remove(matcher.Name);
        }
        return builder.ToLabels();
    }
}
