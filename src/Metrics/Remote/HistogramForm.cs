namespace Groundcrew.Metrics;

/// <summary>Native histograms as remote write carries them, in versions 1 and 2: whole numbers as differences, or floats.</summary>
internal static class HistogramForm
{
    public static FloatHistogram Read(ReadOnlySpan<byte> message, out long time)
    {
        time = 0;
        var histogram = new FloatHistogram();
        List<HistogramSpan> negative = [], positive = [];
        List<double> negativeCounts = [], positiveCounts = [], bounds = [];
        double negativeSum = 0, positiveSum = 0;
        var proto = new ProtoReader(message);
        while (proto.Next())
            switch (proto.Field)
            {
                case 1: histogram.Count = proto.Number(); break;
                case 2: histogram.Count = proto.Double(); break;
                case 3: histogram.Sum = proto.Double(); break;
                case 4: histogram.Schema = (int)proto.Signed(); break;
                case 5: histogram.ZeroThreshold = proto.Double(); break;
                case 6: histogram.ZeroCount = proto.Number(); break;
                case 7: histogram.ZeroCount = proto.Double(); break;
                case 8: negative.Add(Span(proto.Bytes())); break;
                case 9: Deltas(ref proto, negativeCounts, ref negativeSum); break;
                case 10: Doubles(ref proto, negativeCounts); break;
                case 11: positive.Add(Span(proto.Bytes())); break;
                case 12: Deltas(ref proto, positiveCounts, ref positiveSum); break;
                case 13: Doubles(ref proto, positiveCounts); break;
                case 14: histogram.ResetHint = HintOf(proto.Number()); break;
                case 15: time = (long)proto.Number(); break;
                case 16: Doubles(ref proto, bounds); break;
                default: proto.Skip(); break;
            }
        (histogram.NegativeSpans, histogram.NegativeBuckets) = ([.. negative], [.. negativeCounts]);
        (histogram.PositiveSpans, histogram.PositiveBuckets) = ([.. positive], [.. positiveCounts]);
        histogram.CustomValues = [.. bounds];
        return histogram;
    }

    public static void Write(ProtoWriter proto, FloatHistogram histogram, long time, ProtoWriter scratch)
    {
        proto.Double(2, histogram.Count);
        proto.Double(3, histogram.Sum);
        proto.Number(4, ProtoWriter.Zigzag(histogram.Schema));
        proto.Double(5, histogram.ZeroThreshold);
        proto.Double(7, histogram.ZeroCount);
        Spans(proto, 8, histogram.NegativeSpans, scratch);
        proto.Doubles(10, histogram.NegativeBuckets);
        Spans(proto, 11, histogram.PositiveSpans, scratch);
        proto.Doubles(13, histogram.PositiveBuckets);
        proto.Number(14, (ulong)histogram.ResetHint);
        proto.Number(15, (ulong)time);
        proto.Doubles(16, histogram.CustomValues);
    }

    private static CounterResetHint HintOf(ulong value) => value switch
    {
        1 => CounterResetHint.CounterReset,
        2 => CounterResetHint.NotCounterReset,
        3 => CounterResetHint.Gauge,
        _ => CounterResetHint.Unknown,
    };

    /// <summary>A run of buckets, written as exposition and remote write both do.</summary>
    public static HistogramSpan Span(ReadOnlySpan<byte> message)
    {
        int offset = 0;
        uint length = 0;
        var proto = new ProtoReader(message);
        while (proto.Next())
            if (proto.Field == 1)
                offset = (int)proto.Signed();
            else if (proto.Field == 2)
                length = (uint)proto.Number();
            else
                proto.Skip();
        return new(offset, length);
    }

    /// <summary>Counts of which each is the one before it and a difference; numbers may stand in a row or each in a field of its own.</summary>
    public static void Deltas(ref ProtoReader proto, List<double> counts, ref double sum)
    {
        if (!proto.IsBytes)
        {
            counts.Add(sum += proto.Signed());
            return;
        }
        var row = new ProtoReader(proto.Bytes());
        while (!row.AtEnd)
            counts.Add(sum += ProtoReader.Unzigzag(row.Varint()));
    }

    /// <summary>Floats, in a row or each in a field of its own.</summary>
    public static void Doubles(ref ProtoReader proto, List<double> values)
    {
        if (!proto.IsBytes)
        {
            values.Add(proto.Double());
            return;
        }
        var row = new ProtoReader(proto.Bytes());
        while (!row.AtEnd)
            values.Add(row.RawDouble());
    }

    private static void Spans(ProtoWriter proto, int field, HistogramSpan[] spans, ProtoWriter scratch)
    {
        foreach (var span in spans)
        {
            scratch.Clear();
            scratch.Number(1, ProtoWriter.Zigzag(span.Offset));
            scratch.Number(2, span.Length);
            proto.Bytes(field, scratch.Written);
        }
    }
}
