namespace Groundcrew.PromQL.Evaluation;

/// <summary>The functions of range vectors.</summary>
internal static class RangeFunctions
{
    /// <summary>All of them.</summary>
    public static IEnumerable<Function> All =>
    [
        new RateFunction(Signature("rate"), counter: true, perSecond: true),
        new RateFunction(Signature("increase"), counter: true, perSecond: false),
        new RateFunction(Signature("delta"), counter: false, perSecond: false),
        new InstantRateFunction(Signature("irate"), rate: true),
        new InstantRateFunction(Signature("idelta"), rate: false),
        new TransitionFunction(Signature("changes"), resets: false),
        new TransitionFunction(Signature("resets"), resets: true),
        new SumOverTimeFunction(Signature("sum_over_time"), mean: false),
        new SumOverTimeFunction(Signature("avg_over_time"), mean: true),
        new PickFunction(Signature("first_over_time"), last: false),
        new PickFunction(Signature("last_over_time"), last: true),
        new TimesFunction(Signature("count_over_time"), static times => times.Length),
        new TimesFunction(Signature("present_over_time"), static _ => 1),
        // Where it is present; the engine turns that round, because it knows of steps without any series.
        new TimesFunction(Signature("absent_over_time"), static _ => 1),
        new TimesFunction(Signature("ts_of_first_over_time"), static times => times[0] / 1000.0),
        new TimesFunction(Signature("ts_of_last_over_time"), static times => times[^1] / 1000.0),
        new FloatRangeFunction(Signature("ts_of_min_over_time"), static (times, values, _, _) => Statistics.TimeOfMin(times, values)),
        new FloatRangeFunction(Signature("ts_of_max_over_time"), static (times, values, _, _) => Statistics.TimeOfMax(times, values)),
        new FloatRangeFunction(Signature("min_over_time"), static (_, values, _, _) => Statistics.Min(values)),
        new FloatRangeFunction(Signature("max_over_time"), static (_, values, _, _) => Statistics.Max(values)),
        new FloatRangeFunction(Signature("stddev_over_time"), static (_, values, _, _) => Math.Sqrt(Statistics.Variance(values))),
        new FloatRangeFunction(Signature("stdvar_over_time"), static (_, values, _, _) => Statistics.Variance(values)),
        new FloatRangeFunction(Signature("mad_over_time"), static (_, values, _, _) => Statistics.MedianDeviation(values)),
        new QuantileOverTimeFunction(Signature("quantile_over_time")),
        new SmoothingFunction(Signature("double_exponential_smoothing")),
        // The time of the intercept is near the samples, because large times cost digits.
        new FloatRangeFunction(Signature("deriv"), static (times, values, _, _) => Statistics.Regression(times, values, times[0]).Slope, atLeast: 2),
        new FloatRangeFunction(Signature("predict_linear"), Predict, atLeast: 2),
    ];

    private static FunctionSignature Signature(string name) => FunctionTable.SignatureOf(name);

    private static double Predict(ReadOnlySpan<long> times, ReadOnlySpan<double> values, ReadOnlySpan<double> scalars, long stepTime)
    {
        var (slope, intercept) = Statistics.Regression(times, values, stepTime);
        return (slope * scalars[0]) + intercept;
    }
}
