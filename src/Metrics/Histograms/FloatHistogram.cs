using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>What is known about a counter histogram in relation to the one before it.</summary>
public enum CounterResetHint
{
    /// <summary>Nothing; compare the two.</summary>
    Unknown,

    /// <summary>The counter began anew with this one.</summary>
    CounterReset,

    /// <summary>It goes on from the one before.</summary>
    NotCounterReset,

    /// <summary>It is no counter: it may go down without a reset.</summary>
    Gauge,
}

/// <summary>A run of neighbouring buckets.</summary>
/// <param name="Offset">The gap to the run before it, in buckets; for the first one the index of its first bucket.</param>
/// <param name="Length">How many buckets.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct HistogramSpan(int Offset, uint Length);

/// <summary>
/// A native histogram of Prometheus with counts as floats: exponential buckets of a schema (-4 to 8, a bucket's bounds grow by
/// 2^(2^-schema)), or buckets with bounds of their own (schema -53). Counts of buckets are absolute, not deltas.
/// What the store and the engine hand out is shared: change a copy only. Not thread-safe while it is changed.
/// </summary>
public sealed partial class FloatHistogram
{
    /// <summary>The schema of histograms whose upper bounds are <see cref="CustomValues"/>.</summary>
    public const int CustomBucketsSchema = -53;

    /// <summary>Relation to the histogram before it in its series.</summary>
    public CounterResetHint ResetHint { get; set; }

    /// <summary>-4 to 8, or <see cref="CustomBucketsSchema"/>.</summary>
    public int Schema { get; set; }

    /// <summary>Half the width of the zero bucket; observations up to it (absolute) are in <see cref="ZeroCount"/>.</summary>
    public double ZeroThreshold { get; set; }

    /// <summary>Observations in the zero bucket.</summary>
    public double ZeroCount { get; set; }

    /// <summary>All observations.</summary>
    public double Count { get; set; }

    /// <summary>The sum of all observations. A stale marker has the stale NaN here.</summary>
    public double Sum { get; set; }

    /// <summary>Where the positive buckets are.</summary>
    public HistogramSpan[] PositiveSpans { get; set; } = [];

    /// <summary>The counts of the positive buckets, run after run.</summary>
    public double[] PositiveBuckets { get; set; } = [];

    /// <summary>Where the negative buckets are; none with custom bounds.</summary>
    public HistogramSpan[] NegativeSpans { get; set; } = [];

    /// <summary>The counts of the negative buckets, run after run.</summary>
    public double[] NegativeBuckets { get; set; } = [];

    /// <summary>Upper bounds of custom buckets, ascending, without +Inf.</summary>
    public double[] CustomValues { get; set; } = [];

    /// <summary>Whether the bounds are custom ones.</summary>
    public bool HasCustomBuckets => Schema == CustomBucketsSchema;
}
