using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>How a function of the language works. Stateless and thread-safe: one object for all queries.</summary>
internal abstract class Function(FunctionSignature signature)
{
    /// <summary>What it takes and gives.</summary>
    public FunctionSignature Signature { get; } = signature;
}

/// <summary>A float for each float of an instant vector, such as <c>abs</c>; histograms are dropped. The name is dropped.</summary>
internal sealed class ElementFunction(FunctionSignature signature, Func<double, double> apply) : Function(signature)
{
    public double Apply(double value) => apply(value);
}

/// <summary>
/// A function of a range vector, such as <c>rate</c>. The engine decodes each series once, slides the window over it and asks
/// for every step that has at least one sample in its window.
/// </summary>
internal abstract class RangeFunction(FunctionSignature signature, bool keepsName = false) : Function(signature)
{
    /// <summary>Whether the result keeps the metric's name, as <c>last_over_time</c> does.</summary>
    public bool KeepsName { get; } = keepsName;

    /// <summary>
    /// The value for one window; sets nothing when there is none. Other arguments (scalars) come by their position among the
    /// scalar arguments, with their value at that step.
    /// </summary>
    public abstract void Evaluate(in Window window, ReadOnlySpan<double> scalars, ref Cell result, in CallSite site);
}

/// <summary>The samples of one series in the range of one step; stale markers are taken out already.</summary>
internal readonly ref struct Window
{
    /// <summary>The times of the samples, ascending.</summary>
    public required ReadOnlySpan<long> Times { get; init; }

    /// <summary>The floats; what stands where a histogram is, means nothing.</summary>
    public required ReadOnlySpan<double> Values { get; init; }

    /// <summary>The histograms, null where the sample is a float; empty when there is none in the series.</summary>
    public ReadOnlySpan<FloatHistogram?> Histograms { get; init; }

    /// <summary>The begin of the range (excluded), after offset and <c>@</c>, in milliseconds.</summary>
    public required long Start { get; init; }

    /// <summary>The end of the range (included).</summary>
    public required long End { get; init; }

    /// <summary>Whether there are samples exactly at the begin and at the end, so that nothing has to be extended to them.</summary>
    public bool ReachesBoundaries { get; init; }

    /// <summary>The moment of the step itself, before offset and <c>@</c>.</summary>
    public required long StepTime { get; init; }

    /// <summary>The labels of the series.</summary>
    public required Labels Labels { get; init; }
}

/// <summary>What a function gives for one series at one step.</summary>
internal struct Cell
{
    /// <summary>The float, when <see cref="IsSet"/> and there is no histogram.</summary>
    public double Value { get; private set; }

    /// <summary>The histogram, if that is the result.</summary>
    public FloatHistogram? Histogram { get; private set; }

    /// <summary>Whether there is a result.</summary>
    public bool IsSet { get; private set; }

    /// <summary>The result is a float.</summary>
    public void Set(double value) => (Value, Histogram, IsSet) = (value, null, true);

    /// <summary>The result is a histogram, which is shared from now on.</summary>
    public void Set(FloatHistogram histogram) => (Value, Histogram, IsSet) = (0, histogram, true);
}

/// <summary>Where a call stands, for remarks.</summary>
internal readonly struct CallSite(Call call, EvaluationContext context)
{
    /// <summary>The call with the positions of its arguments.</summary>
    public Call Call => call;

    /// <summary>The query's context.</summary>
    public EvaluationContext Context => context;

    /// <summary>Where remarks go.</summary>
    public Annotations Annotations => context.Annotations;
}

/// <summary>
/// Any other function, on its arguments as they were evaluated over all steps: <c>histogram_quantile</c>, <c>label_replace</c>,
/// <c>absent</c>, <c>scalar</c>, <c>time</c>, … String arguments are null in the list and stand in the call.
/// What it gives may reuse its arguments' series and arrays, which nobody else holds.
/// </summary>
internal abstract class MatrixFunction(FunctionSignature signature) : Function(signature)
{
    public abstract StepMatrix Evaluate(IReadOnlyList<StepMatrix?> arguments, Steps steps, in CallSite site);
}
