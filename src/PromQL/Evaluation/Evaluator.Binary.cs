namespace Groundcrew.PromQL.Evaluation;

/// <summary>Operators between two expressions.</summary>
internal sealed partial class Evaluator
{
    private StepMatrix Combine(Binary binary, Steps steps)
    {
        var left = Evaluate(binary.Left, steps);
        var right = Evaluate(binary.Right, steps);
        return (binary.Left.Type, binary.Right.Type) switch
        {
            (ValueType.Scalar, ValueType.Scalar) => CombineScalars(binary, left, right, steps),
            (ValueType.Vector, ValueType.Scalar) => CombineWithScalar(binary, left, right, scalarIsLeft: false, steps),
            (ValueType.Scalar, ValueType.Vector) => CombineWithScalar(binary, right, left, scalarIsLeft: true, steps),
            _ => CombineVectors(binary, left, right, steps),
        };
    }

    private static StepMatrix CombineScalars(Binary binary, StepMatrix left, StepMatrix right, Steps steps)
    {
        if (FloatOperators.IsTrim(binary.Op))
            throw QueryContext.Failure($"operator \"{Keywords.Of(binary.Op)}\" not allowed for Scalar operations");
        FloatOperators.Choose(binary.Op, returnBool: true, keepRight: false)(left.Scalar, right.Scalar, left.Scalar);
        return new(steps, left.Series);
    }

    private StepMatrix CombineWithScalar(Binary binary, StepMatrix vector, StepMatrix scalar, bool scalarIsLeft, Steps steps)
    {
        var floats = FloatOperators.Choose(binary.Op, binary.ReturnBool, keepRight: scalarIsLeft);
        var mixed = new MixedOperator(binary, keepRight: scalarIsLeft, context.Annotations);
        var number = scalar.Series[0];
        foreach (var series in vector.Series)
        {
            context.ThrowIfStopped();
            if (series.Histograms is null && !FloatOperators.IsTrim(binary.Op))
                floats(scalarIsLeft ? number.Values : series.Values, scalarIsLeft ? series.Values : number.Values, series.Values);
            else
                for (var step = 0; step < steps.Count; step++)
                    if (series.Has(step))
                        mixed.Apply(scalarIsLeft ? number : series, scalarIsLeft ? series : number, step, series);
            if (binary.ReturnBool || !FloatOperators.KeepsName(binary.Op))
                SeriesSet.DropName(series, context.DelayedNameRemoval);
        }
        return Checked(vector.Series, steps);
    }

    private StepMatrix CombineVectors(Binary binary, StepMatrix left, StepMatrix right, Steps steps)
    {
        if (binary.Op is BinaryOp.And or BinaryOp.Or or BinaryOp.Unless)
            return Checked(new SetOperator(binary.Matching!).Apply(binary.Op, left.Series, right.Series, steps.Count), steps);
        if (left.Series.Count == 0 || right.Series.Count == 0)
            return new(steps, []);
        return Checked(new VectorMatch(binary, context, steps.Count).Apply(left.Series, right.Series), steps);
    }
}
