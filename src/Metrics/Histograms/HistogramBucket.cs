using System.Runtime.InteropServices;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>A bucket with its bounds.</summary>
/// <param name="Lower">The lower bound.</param>
/// <param name="Upper">The upper bound.</param>
/// <param name="LowerIncluded">Whether an observation equal to the lower bound counts here.</param>
/// <param name="UpperIncluded">Whether an observation equal to the upper bound counts here.</param>
/// <param name="Count">The observations.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct HistogramBucket(double Lower, double Upper, bool LowerIncluded, bool UpperIncluded, double Count)
{
    /// <summary>As Prometheus prints it: <c>(0.5,1]:3</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        AppendTo(text);
        return text.ToString();
    }

    internal void AppendTo(StringBuilder text)
    {
        text.Append(LowerIncluded ? '[' : '(').Append(FloatText.General(Lower)).Append(',').Append(FloatText.General(Upper));
        text.Append(UpperIncluded ? ']' : ')').Append(':').Append(FloatText.General(Count));
    }
}

/// <summary>All buckets of a histogram, from the lowest bound to the highest or the other way round, without allocating.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly struct HistogramBuckets
{
    private readonly FloatHistogram _histogram;
    private readonly bool _descending;

    internal HistogramBuckets(FloatHistogram histogram, bool descending) => (_histogram, _descending) = (histogram, descending);

    /// <summary>Goes through the buckets.</summary>
    public Enumerator GetEnumerator() => new(_histogram, _descending);

    /// <summary>
    /// Comes to the buckets of one sign, to the zero bucket (if there is anything in it), and to the buckets of the other
    /// sign. A bucket that reaches into the zero bucket begins where that one ends. Empty buckets that are stored come too.
    /// </summary>
    [StructLayout(LayoutKind.Auto)]
    public struct Enumerator
    {
        private readonly FloatHistogram _histogram;
        private readonly bool _descending;
        private BackwardCursor _first;
        private BucketCursor _second;
        private Stage _stage;

        internal Enumerator(FloatHistogram histogram, bool descending)
        {
            (_histogram, _descending) = (histogram, descending);
            _first = descending ? new(histogram.PositiveSpans, histogram.PositiveBuckets) : new(histogram.NegativeSpans, histogram.NegativeBuckets);
            _second = descending ? new(histogram.NegativeSpans, histogram.NegativeBuckets) : new(histogram.PositiveSpans, histogram.PositiveBuckets);
        }

        private enum Stage : byte
        {
            TowardsZero,
            Zero,
            AwayFromZero,
        }

        /// <summary>The bucket that <see cref="MoveNext"/> came to.</summary>
        public HistogramBucket Current { get; private set; }

        /// <summary>Goes to the next bucket; false after the last.</summary>
        public bool MoveNext()
        {
            if (_stage == Stage.TowardsZero)
            {
                if (_first.MoveNext())
                {
                    Current = BesideZero(_histogram.BucketAt(_descending, _first.Index, _first.Count));
                    return true;
                }
                _stage = Stage.Zero;
            }
            if (_stage == Stage.Zero)
            {
                _stage = Stage.AwayFromZero;
                if (_histogram.ZeroCount > 0)
                {
                    Current = _histogram.ZeroBucket;
                    return true;
                }
            }
            if (!_second.MoveNext())
                return false;
            Current = BesideZero(_histogram.BucketAt(!_descending, _second.Index, _second.Count));
            return true;
        }

        private readonly HistogramBucket BesideZero(HistogramBucket bucket)
        {
            var zero = _histogram.ZeroThreshold;
            if (bucket.Upper < 0 && bucket.Upper > -zero)
                return bucket with { Upper = -zero };
            return bucket.Lower > 0 && bucket.Lower < zero ? bucket with { Lower = zero } : bucket;
        }
    }
}
