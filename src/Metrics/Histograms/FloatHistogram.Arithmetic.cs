namespace Groundcrew.Metrics;

/// <summary>What is to be said about adding or subtracting histograms, in the order of weight.</summary>
[Flags]
public enum HistogramRemarks
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>One says that the counter was reset and the other that it was not.</summary>
    ResetCollision = 1,

    /// <summary>The custom bounds differed; the result has only those that both had.</summary>
    BoundsReconciled = 2,

    /// <summary>One has custom buckets and the other exponential ones: nothing was calculated.</summary>
    Incompatible = 4,
}

public sealed partial class FloatHistogram
{
    /// <summary>
    /// A copy to be changed. It has counts of its own and shares what is never changed in place: the spans and the custom
    /// bounds.
    /// </summary>
    public FloatHistogram Copy() => new()
    {
        ResetHint = ResetHint,
        Schema = Schema,
        ZeroThreshold = ZeroThreshold,
        ZeroCount = ZeroCount,
        Count = Count,
        Sum = Sum,
        PositiveSpans = PositiveSpans,
        PositiveBuckets = CopyOf(PositiveBuckets),
        NegativeSpans = NegativeSpans,
        NegativeBuckets = CopyOf(NegativeBuckets),
        CustomValues = CustomValues,
    };

    /// <summary>A copy in the same or a lower schema (a coarser resolution).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The schema is higher, or only one of both is that of custom buckets.</exception>
    public FloatHistogram CopyToSchema(int schema)
    {
        var copy = Copy();
        copy.ReduceTo(schema);
        return copy;
    }

    /// <summary>Brings this histogram to the same or a lower schema; counts of buckets that become one are added up.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The schema is higher, or only one of both is that of custom buckets.</exception>
    public void ReduceTo(int schema)
    {
        if (schema == Schema)
            return;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(schema, Schema);
        if (schema == CustomBucketsSchema)
            throw new ArgumentOutOfRangeException(nameof(schema), schema, "Exponential buckets cannot become custom ones.");
        Positive = Positive.Reduce(Schema - schema);
        Negative = Negative.Reduce(Schema - schema);
        Schema = schema;
    }

    /// <summary>
    /// Adds another histogram to this one, in the lower of both schemas and with a zero bucket that holds both zero
    /// buckets. Buckets may become empty or spans neighbours: see <see cref="Compact"/>. The other one stays as it is.
    /// </summary>
    public HistogramRemarks Add(FloatHistogram other) => Combine(other, subtract: false);

    /// <summary>
    /// Takes another histogram away from this one, as <see cref="Add"/> adds it. The hint is adjusted as if it were added;
    /// who takes away for good sets <see cref="CounterResetHint.Gauge"/>.
    /// </summary>
    public HistogramRemarks Sub(FloatHistogram other) => Combine(other, subtract: true);

    /// <summary>Multiplies counts and sum; with a negative factor it becomes a gauge.</summary>
    public void Multiply(double factor)
    {
        ZeroCount *= factor;
        Count *= factor;
        Sum *= factor;
        foreach (ref var count in PositiveBuckets.AsSpan())
            count *= factor;
        foreach (ref var count in NegativeBuckets.AsSpan())
            count *= factor;
        if (factor < 0)
            ResetHint = CounterResetHint.Gauge;
    }

    /// <summary>
    /// Divides counts and sum; by a negative divisor it becomes a gauge, by zero it loses its buckets and counts are
    /// infinite or NaN.
    /// </summary>
    public void Divide(double divisor)
    {
        ZeroCount /= divisor;
        Count /= divisor;
        Sum /= divisor;
        if (divisor == 0)
        {
            (PositiveSpans, PositiveBuckets, NegativeSpans, NegativeBuckets) = ([], [], [], []);
            return;
        }
        foreach (ref var count in PositiveBuckets.AsSpan())
            count /= divisor;
        foreach (ref var count in NegativeBuckets.AsSpan())
            count /= divisor;
        if (divisor < 0)
            ResetHint = CounterResetHint.Gauge;
    }

    /// <summary>
    /// Removes empty buckets, but where at most this many lie between two others, these share a span. The result does
    /// not depend on how the spans were cut before.
    /// </summary>
    public void Compact(int maxEmptyBuckets = 0)
    {
        Positive = Positive.Compact(maxEmptyBuckets);
        Negative = Negative.Compact(maxEmptyBuckets);
    }

    /// <summary>Brings both to the same layout of schema, zero bucket and custom bounds; gives the other one so, a copy if need be.</summary>
    internal FloatHistogram Align(FloatHistogram other, ref HistogramRemarks remarks)
    {
        if (HasCustomBuckets)
        {
            if (CustomValues.AsSpan().SequenceEqual(other.CustomValues))
                return other;
            remarks |= HistogramRemarks.BoundsReconciled;
            var common = BucketBounds.Common(CustomValues, other.CustomValues);
            other = other.Copy();
            other.CoarsenTo(common);
            CoarsenTo(common);
            return other;
        }
        if (ZeroThreshold != other.ZeroThreshold)
            other = AlignZeroBuckets(other);
        if (Schema > other.Schema)
            ReduceTo(other.Schema);
        return Schema < other.Schema ? other.CopyToSchema(Schema) : other;
    }

    /// <summary>Leaves only these of the custom bounds.</summary>
    internal void CoarsenTo(double[] bounds) => (Positive, CustomValues) = (Positive.Coarsen(CustomValues, bounds), bounds);

    private HistogramRemarks Combine(FloatHistogram other, bool subtract)
    {
        if (HasCustomBuckets != other.HasCustomBuckets)
            return HistogramRemarks.Incompatible;
        var remarks = TakeHint(other.ResetHint);
        var aligned = Align(other, ref remarks);
        var sign = subtract ? -1 : 1;
        ZeroCount += sign * aligned.ZeroCount;
        Count += sign * aligned.Count;
        Sum += sign * aligned.Sum;
        Positive = Positive.Merge(Outside(aligned.Positive), subtract);
        Negative = Negative.Merge(Outside(aligned.Negative), subtract);
        return remarks;
    }

    /// <summary>The buckets of another histogram without those that lie inside the zero bucket, where their observations are counted.</summary>
    internal BucketRow Outside(BucketRow row) =>
        ZeroThreshold == 0 || row.Spans.Length == 0 || BucketBounds.Exponential(row.Spans[0].Offset, Schema) > ZeroThreshold ? row : row.EndingAfter(ZeroThreshold, Schema);

    /// <summary>What the result of two is: a gauge if one is, and unknown unless both agree.</summary>
    internal HistogramRemarks TakeHint(CounterResetHint other)
    {
        if (other == ResetHint || ResetHint == CounterResetHint.Gauge)
            return HistogramRemarks.None;
        if (other == CounterResetHint.Gauge)
        {
            ResetHint = CounterResetHint.Gauge;
            return HistogramRemarks.None;
        }
        var collision = ResetHint != CounterResetHint.Unknown && other != CounterResetHint.Unknown;
        ResetHint = CounterResetHint.Unknown;
        return collision ? HistogramRemarks.ResetCollision : HistogramRemarks.None;
    }

    private static double[] CopyOf(double[] counts) => counts.Length == 0 ? [] : counts.AsSpan().ToArray();
}
