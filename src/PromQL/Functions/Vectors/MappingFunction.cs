namespace Groundcrew.PromQL.Evaluation;

/// <summary>A float for a float and one or two scalars of the same step; <see cref="Absent"/> where there is none.</summary>
internal delegate double Mapping(double value, double first, double second);

/// <summary>A function of one float and scalars that may change from step to step, such as <c>round</c>. Histograms are dropped.</summary>
/// <param name="signature">What it takes and gives.</param>
/// <param name="map">How it calculates.</param>
/// <param name="missing">What a missing first scalar stands for.</param>
internal sealed class MappingFunction(FunctionSignature signature, Mapping map, double missing = 0) : MatrixFunction(signature)
{
    public override StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site)
    {
        var first = arguments.Count > 1 ? arguments[1]!.Scalar : [];
        var second = arguments.Count > 2 ? arguments[2]!.Scalar : [];
        var result = new List<StepSeries>(arguments[0]!.Series.Count);
        foreach (var series in arguments[0]!.Series)
        {
            var values = series.Values;
            for (var step = 0; step < values.Length; step++)
                if (!Absent.Is(values[step]))
                    values[step] = map(values[step], first.Length > 0 ? first[step] : missing, second.Length > 0 ? second[step] : 0);
            result.AddFloats(series.Labels, values, site.Context);
        }
        return new(steps, result);
    }
}

/// <summary>What becomes of floats.</summary>
internal static class Mappings
{
    /// <summary>The nearest multiple; the upper one of two that are equally near.</summary>
    public static double Round(double value, double multiple)
    {
        // Multiplying with the inverse loses fewer digits than dividing.
        var inverse = 1 / multiple;
        return Math.Floor((value * inverse) + 0.5) / inverse;
    }

    /// <summary>The value, but not below or above the bounds; none when these contradict each other.</summary>
    public static double Clamp(double value, double min, double max) => max < min ? Absent.Value : Max(min, Min(max, value));

    /// <summary>The larger one; infinity wins over NaN, as in the language that the rules come from.</summary>
    public static double Max(double one, double other) =>
        double.IsPositiveInfinity(one) || double.IsPositiveInfinity(other) ? double.PositiveInfinity : Math.Max(one, other);

    /// <summary>The smaller one; infinity wins over NaN.</summary>
    public static double Min(double one, double other) =>
        double.IsNegativeInfinity(one) || double.IsNegativeInfinity(other) ? double.NegativeInfinity : Math.Min(one, other);
}
