using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>A histogram by itself in bytes: where its buckets are, and its numbers, short ones when all counts are whole.</summary>
internal static class HistogramBytes
{
    private const int MaxSpans = 1 << 16;

    /// <summary>Writes a whole histogram.</summary>
    public static void Write(ByteWriter into, FloatHistogram histogram)
    {
        WriteLayout(into, histogram);
        var whole = HasWholeCounts(histogram);
        into.Byte((byte)((int)histogram.ResetHint | (whole ? 0x80 : 0)));
        into.Int64(BitConverter.DoubleToInt64Bits(histogram.Sum));
        Number(into, histogram.Count, whole);
        Number(into, histogram.ZeroCount, whole);
        foreach (var count in histogram.PositiveBuckets)
            Number(into, count, whole);
        foreach (var count in histogram.NegativeBuckets)
            Number(into, count, whole);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static FloatHistogram Read(ref ByteReader from)
    {
        var histogram = ReadLayout(ref from);
        var flags = from.Byte();
        var whole = (flags & 0x80) != 0;
        histogram.ResetHint = (CounterResetHint)(flags & 0x7F);
        histogram.Sum = BitConverter.Int64BitsToDouble(from.Int64());
        histogram.Count = Number(ref from, whole);
        histogram.ZeroCount = Number(ref from, whole);
        foreach (ref var count in histogram.PositiveBuckets.AsSpan())
            count = Number(ref from, whole);
        foreach (ref var count in histogram.NegativeBuckets.AsSpan())
            count = Number(ref from, whole);
        return histogram;
    }

    /// <summary>Writes what neighbouring histograms of a series share: schema, zero threshold, spans, bounds.</summary>
    public static void WriteLayout(ByteWriter into, FloatHistogram histogram)
    {
        into.ZigZag(histogram.Schema);
        into.Int64(BitConverter.DoubleToInt64Bits(histogram.ZeroThreshold));
        Spans(into, histogram.PositiveSpans);
        Spans(into, histogram.NegativeSpans);
        into.Varint((ulong)histogram.PositiveBuckets.Length);
        into.Varint((ulong)histogram.NegativeBuckets.Length);
        into.Varint((ulong)histogram.CustomValues.Length);
        into.Bytes(MemoryMarshal.AsBytes(histogram.CustomValues.AsSpan()));
    }

    /// <summary>A histogram with the layout that <see cref="WriteLayout"/> wrote and all counts zero.</summary>
    public static FloatHistogram ReadLayout(ref ByteReader from)
    {
        var histogram = new FloatHistogram
        {
            Schema = checked((int)from.ZigZag()),
            ZeroThreshold = BitConverter.Int64BitsToDouble(from.Int64()),
            PositiveSpans = Spans(ref from),
            NegativeSpans = Spans(ref from),
            PositiveBuckets = new double[Limited(from.Varint())],
            NegativeBuckets = new double[Limited(from.Varint())],
        };
        var bounds = Limited(from.Varint());
        histogram.CustomValues = MemoryMarshal.Cast<byte, double>(from.Bytes(bounds * 8)).ToArray();
        return histogram;
    }

    /// <summary>Whether all counts can stand as whole numbers, which most histograms have.</summary>
    public static bool HasWholeCounts(FloatHistogram histogram) =>
        IsWhole(histogram.Count) && IsWhole(histogram.ZeroCount) && AreWhole(histogram.PositiveBuckets) && AreWhole(histogram.NegativeBuckets);

    private static bool AreWhole(double[] counts)
    {
        foreach (var count in counts)
            if (!IsWhole(count))
                return false;
        return true;
    }

    private static bool IsWhole(double count) => count is >= 0 and < 4e15 && BitConverter.DoubleToInt64Bits((long)count) == BitConverter.DoubleToInt64Bits(count);

    private static void Number(ByteWriter into, double value, bool whole)
    {
        if (whole)
            into.Varint((ulong)value);
        else
            into.Int64(BitConverter.DoubleToInt64Bits(value));
    }

    private static double Number(ref ByteReader from, bool whole) => whole ? from.Varint() : BitConverter.Int64BitsToDouble(from.Int64());

    private static void Spans(ByteWriter into, HistogramSpan[] spans)
    {
        into.Varint((ulong)spans.Length);
        foreach (var span in spans)
        {
            into.ZigZag(span.Offset);
            into.Varint(span.Length);
        }
    }

    private static HistogramSpan[] Spans(ref ByteReader from)
    {
        var spans = new HistogramSpan[Limited(from.Varint())];
        foreach (ref var span in spans.AsSpan())
            span = new(checked((int)from.ZigZag()), checked((uint)from.Varint()));
        return spans;
    }

    private static int Limited(ulong count) => count <= MaxSpans ? (int)count : throw new InvalidDataException("a histogram has too many parts");
}
