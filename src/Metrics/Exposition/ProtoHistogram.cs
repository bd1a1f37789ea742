using System.Globalization;

namespace Groundcrew.Metrics;

/// <summary>
/// A histogram as clients expose it in protobuf, which may be a classic one, a native one, or both. Its buffers are used again; not
/// thread-safe.
/// </summary>
internal sealed class ProtoHistogram
{
    private readonly List<HistogramSpan> _negativeSpans = [];
    private readonly List<HistogramSpan> _positiveSpans = [];
    private readonly List<double> _negative = [];
    private readonly List<double> _positive = [];
    private double _whole;
    private double _float;
    private double _zeroWhole;
    private double _zeroFloat;
    private double _zeroThreshold;
    private int _schema;

    /// <summary>All observations.</summary>
    public double Count => _float > 0 ? _float : _whole;

    /// <summary>The sum of all observations.</summary>
    public double Sum { get; private set; }

    /// <summary>Whether it has what only native histograms have, were it one span without buckets.</summary>
    public bool IsNative => _positiveSpans.Count + _negativeSpans.Count > 0 || _zeroThreshold > 0 || _zeroWhole > 0 || _zeroFloat > 0;

    private bool IsFloat => _float > 0 || _zeroFloat > 0;

    /// <summary>Reads a message, its classic buckets into a list: upper bounds with the observations up to them.</summary>
    public void Read(ReadOnlySpan<byte> message, List<(double Bound, double Count)> buckets)
    {
        _negativeSpans.Clear();
        _positiveSpans.Clear();
        _negative.Clear();
        _positive.Clear();
        (_whole, _float, _zeroWhole, _zeroFloat, _zeroThreshold, _schema, Sum) = (0, 0, 0, 0, 0, 0, 0);
        double negative = 0, positive = 0;
        for (var proto = new ProtoReader(message); proto.Next();)
            switch (proto.Field)
            {
                case 1: _whole = proto.Number(); break;
                case 2: Sum = proto.Double(); break;
                case 3: buckets.Add(Bucket(proto.Bytes())); break;
                case 4: _float = proto.Double(); break;
                case 5: _schema = (int)proto.Signed(); break;
                case 6: _zeroThreshold = proto.Double(); break;
                case 7: _zeroWhole = proto.Number(); break;
                case 8: _zeroFloat = proto.Double(); break;
                case 9: _negativeSpans.Add(HistogramForm.Span(proto.Bytes())); break;
                case 10: HistogramForm.Deltas(ref proto, _negative, ref negative); break;
                case 11: HistogramForm.Doubles(ref proto, _negative); break;
                case 12: _positiveSpans.Add(HistogramForm.Span(proto.Bytes())); break;
                case 13: HistogramForm.Deltas(ref proto, _positive, ref positive); break;
                case 14: HistogramForm.Doubles(ref proto, _positive); break;
                default: proto.Skip(); break;
            }
    }

    /// <summary>The native histogram; throws <see cref="ProtoException"/> when it contradicts itself.</summary>
    public FloatHistogram ToHistogram(bool gauge)
    {
        var histogram = new FloatHistogram
        {
            ResetHint = gauge ? CounterResetHint.Gauge : CounterResetHint.Unknown,
            Schema = _schema,
            Count = Count,
            Sum = Sum,
            ZeroThreshold = _zeroThreshold,
            ZeroCount = IsFloat ? _zeroFloat : _zeroWhole,
            PositiveSpans = [.. _positiveSpans],
            PositiveBuckets = [.. _positive],
            NegativeSpans = [.. _negativeSpans],
            NegativeBuckets = [.. _negative],
        };
        // The schema of custom buckets has no bounds in this format.
        if ((histogram.HasCustomBuckets ? "custom buckets have no bounds in this format" : histogram.Validate()) is { } problem)
            throw new ProtoException(problem);
        if (!IsFloat && MiscountOf(histogram) is { } miscount)
            throw new ProtoException(miscount);
        return histogram;
    }

    // Whole numbers must add up. Observations of NaN are in no bucket, and then the sum is NaN too.
    private static string? MiscountOf(FloatHistogram histogram)
    {
        var counted = histogram.ZeroCount;
        foreach (var count in histogram.PositiveBuckets)
            counted += count;
        foreach (var count in histogram.NegativeBuckets)
            counted += count;
        var found = string.Create(CultureInfo.InvariantCulture, $"{counted:F0} observations found in buckets, but the Count field is {histogram.Count:F0}: ");
        if (double.IsNaN(histogram.Sum))
            return counted > histogram.Count ? found + "histogram's observation count should be at least the number of observations found in the buckets" : null;
        return counted != histogram.Count ? found + "histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)" : null;
    }

    private static (double Bound, double Count) Bucket(ReadOnlySpan<byte> message)
    {
        double bound = 0, whole = 0, parts = 0;
        for (var proto = new ProtoReader(message); proto.Next();)
            switch (proto.Field)
            {
                case 1: whole = proto.Number(); break;
                case 2: bound = proto.Double(); break;
                case 4: parts = proto.Double(); break;
                default: proto.Skip(); break;
            }
        return (bound, parts > 0 ? parts : whole);
    }
}
