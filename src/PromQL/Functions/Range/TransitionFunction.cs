namespace Groundcrew.PromQL.Evaluation;

/// <summary><c>changes</c> and <c>resets</c>: how often a sample differs from the one before, or fell below it.</summary>
internal sealed class TransitionFunction(FunctionSignature signature, bool resets) : RangeFunction(signature)
{
    public override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site)
    {
        var count = 0;
        for (var i = 1; i < window.Times.Length; i++)
            if (IsOne(window, i))
                count++;
        result.Set(count);
    }

    private bool IsOne(in Window window, int at) => (window.HistogramAt(at - 1), window.HistogramAt(at)) switch
    {
        (null, null) => resets ? window.Values[at] < window.Values[at - 1] : Differ(window.Values[at], window.Values[at - 1]),
        ({ } before, { } now) => resets ? now.DetectReset(before) : !now.ContentEquals(before),
        _ => true,
    };

    private static bool Differ(double one, double other) => one != other && !(double.IsNaN(one) && double.IsNaN(other));
}

/// <summary>A function that needs only one of the samples, float or histogram, such as <c>last_over_time</c>.</summary>
internal sealed class PickFunction(FunctionSignature signature, bool last) : RangeFunction(signature, keepsName: true)
{
    public override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site)
    {
        var at = last ? window.Times.Length - 1 : 0;
        if (window.HistogramAt(at) is { } histogram)
            result.Set(histogram);
        else
            result.Set(window.Values[at]);
    }
}

/// <summary>A function that looks at the times of all samples only, such as <c>count_over_time</c>.</summary>
internal sealed class TimesFunction(FunctionSignature signature, Func<ReadOnlySpan<long>, double> apply) : RangeFunction(signature)
{
    public override void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site) => result.Set(apply(window.Times));
}
