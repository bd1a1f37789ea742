using System.Numerics;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// Histograms of one layout, side by side: what changes from one to the next in few bits. A histogram with another layout, a
/// counter that began anew, or fractions among whole counts begin another chunk. Grows under the head's lock; who knows the
/// bytes and the count may read without. Bytes: docs/formats/metrics-block.md.
/// </summary>
internal sealed class HistogramChunk
{
    /// <summary>The most histograms of one chunk.</summary>
    public const int MaxCount = 120;

    private const int WholeFlag = 0x80;

    private readonly FloatHistogram _layout;
    private readonly bool _whole;
    private readonly CounterResetHint _hint;
    private readonly long[] _last;
    private byte[] _bytes = new byte[256];
    private int _bits;
    private long _delta;

    /// <summary>Begins a chunk.</summary>
    public HistogramChunk(long time, FloatHistogram first, CounterResetHint hint)
    {
        (_layout, _hint, FirstTime, LastTime) = (first, hint, time, time);
        _whole = HistogramBytes.HasWholeCounts(first);
        _last = new long[NumberCount(first)];
        Put(first);
        Count = 1;
    }

    public int Count { get; private set; }

    public long FirstTime { get; }

    public long LastTime { get; private set; }

    /// <summary>What a reader needs to read it as it is now.</summary>
    public HistogramChunkView View => new(this, _bytes, Count, _bits);

    /// <summary>Adds a histogram; false when it needs a chunk of its own.</summary>
    public bool TryAppend(long time, FloatHistogram histogram)
    {
        if (Count == MaxCount || _last[0] == StaleMarker.Bits && !StaleMarker.Is(histogram.Sum) || _whole != HistogramBytes.HasWholeCounts(histogram) || !HistogramLayout.Same(_layout, histogram)
            || (histogram.ResetHint == CounterResetHint.Gauge) != (_hint == CounterResetHint.Gauge)
            || histogram.ResetHint == CounterResetHint.CounterReset || (_hint != CounterResetHint.Gauge && BeganAnew(histogram)))
            return false;
        Append(time, histogram);
        return true;
    }

    private void Append(long time, FloatHistogram histogram)
    {
        var delta = time - LastTime;
        Put(LogNumbers.ZigZag(delta - _delta));
        Put(histogram);
        (_delta, LastTime) = (delta, time);
        Count++;
    }

    /// <summary>Whether a count is lower than in the last histogram, which no counter does.</summary>
    private bool BeganAnew(FloatHistogram next)
    {
        for (var i = 1; i < _last.Length; i++)
            if (NumberAt(next, i) < (_whole ? _last[i] : BitConverter.Int64BitsToDouble(_last[i])))
                return true;
        return false;
    }

    /// <summary>Writes it for a file, as a reader took it.</summary>
    public void WriteTo(ByteWriter into, HistogramChunkView view)
    {
        into.Varint((ulong)view.Count);
        into.Byte((byte)((int)_hint | (_whole ? WholeFlag : 0)));
        into.ZigZag(FirstTime);
        HistogramBytes.WriteLayout(into, _layout);
        into.Counted(view.Bytes.AsSpan(0, (view.Bits + 7) / 8));
    }

    /// <summary>Makes a chunk of the head of what <see cref="WriteTo"/> wrote.</summary>
    public static HistogramChunk Load(ref ByteReader from)
    {
        var read = new SampleBuffer();
        Decode(ref from, long.MinValue, long.MaxValue, read);
        HistogramChunk? chunk = null;
        for (var i = 0; i < read.Count; i++)
        {
            var histogram = read.Histograms[i]!;
            if (chunk is null)
                chunk = new(read.Times[i], histogram, histogram.ResetHint);
            else
                chunk.Append(read.Times[i], histogram);
        }
        return chunk ?? throw new InvalidDataException("a chunk of histograms is empty");
    }

    /// <summary>The newest of its histograms.</summary>
    public FloatHistogram Last() => Make(_layout, _last, _whole, _hint == CounterResetHint.Gauge ? _hint : CounterResetHint.Unknown);

    /// <summary>Unpacks what <see cref="WriteTo"/> wrote.</summary>
    public static void Decode(ref ByteReader from, long first, long last, SampleBuffer into)
    {
        var count = from.Int32();
        var flags = from.Byte();
        var time = from.ZigZag();
        var layout = HistogramBytes.ReadLayout(ref from);
        Decode(new HistogramBits(from.Counted()), layout, (CounterResetHint)(flags & 0x7F), (flags & WholeFlag) != 0, time, count, first, last, into);
    }

    internal static void Decode(HistogramBits bits, FloatHistogram layout, CounterResetHint hint, bool whole, long time, int count, long first, long last, SampleBuffer into)
    {
        var numbers = new long[NumberCount(layout)];
        long delta = 0;
        for (var i = 0; i < count && time <= last; i++)
        {
            if (i > 0)
            {
                delta += LogNumbers.UnZigZag(bits.Take());
                time += delta;
                if (time > last)
                    return;
            }
            Take(ref bits, numbers, whole);
            if (time >= first)
                into.Add(time, Make(layout, numbers, whole, i == 0 ? hint : hint == CounterResetHint.Gauge ? hint : CounterResetHint.NotCounterReset));
        }
    }

    internal void Decode(byte[] bytes, int count, long first, long last, SampleBuffer into) =>
        Decode(new HistogramBits(bytes), _layout, _hint, _whole, FirstTime, count, first, last, into);

    private static FloatHistogram Make(FloatHistogram layout, long[] numbers, bool whole, CounterResetHint hint)
    {
        var made = new FloatHistogram
        {
            ResetHint = hint, Schema = layout.Schema, ZeroThreshold = layout.ZeroThreshold, CustomValues = layout.CustomValues,
            PositiveSpans = layout.PositiveSpans, NegativeSpans = layout.NegativeSpans,
            PositiveBuckets = new double[layout.PositiveBuckets.Length], NegativeBuckets = new double[layout.NegativeBuckets.Length],
            Sum = BitConverter.Int64BitsToDouble(numbers[0]), Count = Number(numbers[1], whole), ZeroCount = Number(numbers[2], whole),
        };
        for (var i = 0; i < made.PositiveBuckets.Length; i++)
            made.PositiveBuckets[i] = Number(numbers[3 + i], whole);
        for (var i = 0; i < made.NegativeBuckets.Length; i++)
            made.NegativeBuckets[i] = Number(numbers[3 + made.PositiveBuckets.Length + i], whole);
        return made;
    }

    private static double Number(long number, bool whole) => whole ? number : BitConverter.Int64BitsToDouble(number);

    private static int NumberCount(FloatHistogram h) => 3 + h.PositiveBuckets.Length + h.NegativeBuckets.Length;

    private static double NumberAt(FloatHistogram h, int i) => i switch
    {
        0 => h.Sum,
        1 => h.Count,
        2 => h.ZeroCount,
        _ when i - 3 < h.PositiveBuckets.Length => h.PositiveBuckets[i - 3],
        _ => h.NegativeBuckets[i - 3 - h.PositiveBuckets.Length],
    };

    private static void Take(ref HistogramBits bits, long[] numbers, bool whole)
    {
        numbers[0] ^= (long)bits.Take();
        for (var i = 1; i < numbers.Length; i++)
            numbers[i] = whole ? numbers[i] + LogNumbers.UnZigZag(bits.Take()) : numbers[i] ^ (long)bits.Take();
    }

    private void Put(FloatHistogram histogram)
    {
        for (var i = 0; i < _last.Length; i++)
        {
            var number = NumberAt(histogram, i);
            var now = _whole && i > 0 ? (long)number : BitConverter.DoubleToInt64Bits(number);
            Put(_whole && i > 0 ? LogNumbers.ZigZag(now - _last[i]) : (ulong)(now ^ _last[i]));
            _last[i] = now;
        }
    }

    private void Put(ulong value)
    {
        if (_bits / 8 + 32 > _bytes.Length)
            Array.Resize(ref _bytes, _bytes.Length * 2);
        _bits = HistogramBits.Put(_bytes, _bits, value);
    }
}

/// <summary>A chunk of histograms as a reader took it.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct HistogramChunkView(HistogramChunk Chunk, byte[] Bytes, int Count, int Bits)
{
    public long FirstTime => Chunk.FirstTime;

    public void Read(long from, long to, SampleBuffer into) => Chunk.Decode(Bytes, Count, from, to, into);
}

/// <summary>
/// Numbers in bits: 0 is one bit; up to 8, 64, 4096 and 2^20 take 3, 6, 12 and 20 bits behind ones that count the class; any
/// other names where its bits begin and how many there are.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal ref struct HistogramBits(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _bit;

    public static int Put(Span<byte> bytes, int bit, ulong value)
    {
        (ulong Head, int Bits) code = value switch
        {
            0 => (0, 1),
            <= 8 => ((0b10UL << 3) | (value - 1), 5),
            <= 64 => ((0b110UL << 6) | (value - 1), 9),
            <= 4096 => ((0b1110UL << 12) | (value - 1), 16),
            <= 1 << 20 => ((0b11110UL << 20) | (value - 1), 25),
            _ => (0, 0),
        };
        if (code.Bits > 0)
        {
            ChunkBits.Write(bytes, bit, code.Head, code.Bits);
            return bit + code.Bits;
        }
        var leading = BitOperations.LeadingZeroCount(value);
        var significant = 64 - leading - BitOperations.TrailingZeroCount(value);
        ChunkBits.Write(bytes, bit, (0b11111UL << 12) | ((ulong)leading << 6) | ((ulong)significant & 63), 17);
        ChunkBits.Write(bytes, bit + 17, value >> (64 - leading - significant), significant);
        return bit + 17 + significant;
    }

    public ulong Take()
    {
        var head = Next(5);
        var kind = BitOperations.LeadingZeroCount(~(head << 59));
        var (prefix, width) = kind switch { 0 => (1, 0), 1 => (2, 3), 2 => (3, 6), 3 => (4, 12), 4 => (5, 20), _ => (5, 12) };
        _bit -= 5 - prefix;
        if (kind == 0)
            return 0;
        var value = Next(width);
        if (kind < 5)
            return value + 1;
        var (leading, significant) = ((int)(value >> 6), (int)(value & 63));
        significant = significant == 0 ? 64 : significant;
        return Next(significant) << (64 - leading - significant);
    }

    /// <summary>Bits one by one bytes, so that nothing is read behind the end.</summary>
    private ulong Next(int count)
    {
        ulong value = 0;
        for (var left = count; left > 0;)
        {
            var at = _bit >> 3;
            var there = Math.Min(8 - (_bit & 7), left);
            var bits = at < _bytes.Length ? (_bytes[at] >> (8 - (_bit & 7) - there)) & ((1 << there) - 1) : 0;
            value = (value << there) | (uint)bits;
            _bit += there;
            left -= there;
        }
        return value;
    }
}

/// <summary>Which histograms can stand side by side.</summary>
internal static class HistogramLayout
{
    public static bool Same(FloatHistogram a, FloatHistogram b) => ReferenceEquals(a, b) || (
        a.Schema == b.Schema && SameBits(a.ZeroThreshold, b.ZeroThreshold)
        && a.PositiveBuckets.Length == b.PositiveBuckets.Length && a.NegativeBuckets.Length == b.NegativeBuckets.Length
        && a.PositiveSpans.AsSpan().SequenceEqual(b.PositiveSpans) && a.NegativeSpans.AsSpan().SequenceEqual(b.NegativeSpans)
        && SameBits(a.CustomValues, b.CustomValues));

    /// <summary>The same histogram with another relation to the one before; it shares the arrays.</summary>
    public static FloatHistogram WithHint(FloatHistogram h, CounterResetHint hint) => new()
    {
        ResetHint = hint, Schema = h.Schema, ZeroThreshold = h.ZeroThreshold, ZeroCount = h.ZeroCount, Count = h.Count, Sum = h.Sum,
        PositiveSpans = h.PositiveSpans, PositiveBuckets = h.PositiveBuckets, NegativeSpans = h.NegativeSpans,
        NegativeBuckets = h.NegativeBuckets, CustomValues = h.CustomValues,
    };

    /// <summary>Whether two histograms say the same.</summary>
    public static bool SameSample(FloatHistogram a, FloatHistogram b) => Same(a, b)
        && SameBits(a.Count, b.Count) && SameBits(a.Sum, b.Sum) && SameBits(a.ZeroCount, b.ZeroCount)
        && SameBits(a.PositiveBuckets, b.PositiveBuckets) && SameBits(a.NegativeBuckets, b.NegativeBuckets);

    private static bool SameBits(double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b);

    private static bool SameBits(double[] a, double[] b) => MemoryMarshal.AsBytes(a.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(b.AsSpan()));
}
