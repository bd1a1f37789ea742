using System.Runtime.InteropServices;
using Groundcrew.Metrics;

namespace Groundcrew.PromQL.Evaluation;

/// <summary>
/// The moments at which an expression is evaluated, all of them at once: <c>Start, Start + Interval, …</c>; an instant query
/// has one. Milliseconds since 1970.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Steps(long Start, long End, long Interval)
{
    /// <summary>How many moments there are.</summary>
    public int Count { get; } = Interval == 0 ? 1 : (int)((End - Start) / Interval) + 1;

    /// <summary>The moment of a step.</summary>
    public long TimeOf(int step) => Start + (step * Interval);
}

/// <summary>How "there is no sample at this step" stands among values: a NaN with bits of its own, which no sample has.</summary>
internal static class Absent
{
    private const long Bits = 0x7FF8_0000_0000_0A85;

    /// <summary>The mark.</summary>
    public static double Value => BitConverter.Int64BitsToDouble(Bits);

    /// <summary>Whether this is the mark. Ask before calculating: arithmetic may keep or change its bits.</summary>
    public static bool Is(double value) => BitConverter.DoubleToInt64Bits(value) == Bits;
}

/// <summary>One series over all steps of an evaluation. Not thread-safe.</summary>
internal sealed class StepSeries
{
    /// <summary>A series without any sample yet.</summary>
    public StepSeries(Labels labels, int steps)
    {
        Labels = labels;
        Values = GC.AllocateUninitializedArray<double>(steps);
        Values.AsSpan().Fill(Absent.Value);
    }

    /// <summary>A series with these values, which it takes over.</summary>
    public StepSeries(Labels labels, double[] values) => (Labels, Values) = (labels, values);

    /// <summary>Its labels.</summary>
    public Labels Labels { get; set; }

    /// <summary>Whether the name is to be dropped from the labels at the end of the query (delayed name removal).</summary>
    public bool DropName { get; set; }

    /// <summary>A float for each step, or <see cref="Absent"/>; what stands where a histogram is, is <see cref="Absent"/> too.</summary>
    public double[] Values { get; }

    /// <summary>A histogram for each step that has one; null when no step has. Shared: never changed in place.</summary>
    public FloatHistogram?[]? Histograms { get; private set; }

    /// <summary>Whether there is a sample, float or histogram, at this step.</summary>
    public bool Has(int step) => !Absent.Is(Values[step]) || Histograms?[step] is not null;

    /// <summary>The histogram at this step, or null.</summary>
    public FloatHistogram? HistogramAt(int step) => Histograms?[step];

    /// <summary>Puts a histogram at a step, in place of what is there.</summary>
    public void Set(int step, FloatHistogram histogram)
    {
        (Histograms ??= new FloatHistogram?[Values.Length])[step] = histogram;
        Values[step] = Absent.Value;
    }

    /// <summary>Puts a float at a step, in place of what is there.</summary>
    public void Set(int step, double value)
    {
        Values[step] = value;
        if (Histograms is not null)
            Histograms[step] = null;
    }

    /// <summary>Takes away what is at a step.</summary>
    public void Remove(int step) => Set(step, Absent.Value);
}

/// <summary>
/// What an expression gives over all steps: the series of a vector, or one series without labels and without gaps for a
/// scalar. Series without any sample do not stand here.
/// </summary>
internal sealed record StepMatrix(Steps Steps, List<StepSeries> Series)
{
    /// <summary>A scalar's values.</summary>
    public double[] Scalar => Series[0].Values;
}

/// <summary>What an evaluation needs besides the expression. One for each query; not thread-safe.</summary>
internal abstract class EvaluationContext
{
    /// <summary>Where remarks go.</summary>
    public Annotations Annotations { get; } = new();

    /// <summary>The moments of the whole query, for <c>start()</c> and its like.</summary>
    public Steps Whole { get; init; }

    /// <summary>Whether metric names are dropped at the end of the query only (Prometheus' <c>promql-delayed-name-removal</c>).</summary>
    public abstract bool DelayedNameRemoval { get; }

    /// <summary>Throws when the query was cancelled or ran out of time.</summary>
    public abstract void ThrowIfStopped();

    /// <summary>Counts samples that are held from now on; throws when there are too many. Negative when they are given back.</summary>
    public abstract void Hold(long samples);
}

/// <summary>The query cannot be answered; caught once, by the engine.</summary>
internal sealed class QueryFailedException(QueryErrorKind kind, string message) : Exception(message)
{
    public QueryErrorKind Kind => kind;
}
