using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>What a chunk that is still growing knows of its last sample.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XorState
{
    public long Time;
    public long Value;
    public int Delta;
    public ushort Count;
    public ushort Bits;
    public byte Leading;
    public byte Significant;
}

/// <summary>
/// Floats as Facebook's Gorilla (VLDB 2015) and Prometheus pack them: the change of the interval, and the bits in which a
/// value differs from the one before. A sample can be added at any time and what stands before it never changes, so that a
/// reader who knows the count needs no lock. Bytes: docs/formats/metrics-log.md.
/// </summary>
internal static class XorChunk
{
    private const int SmallBits = 7, MediumBits = 14, LargeBits = 20, WideBits = 34;

    /// <summary>Begins a chunk with its first sample, which stands beside the bits.</summary>
    public static void Begin(ref XorState state, long time, long value) =>
        state = new() { Time = time, Value = value, Count = 1 };

    /// <summary>Adds a sample to <paramref name="bytes"/>; false when there is no room for it.</summary>
    public static bool TryAppend(Span<byte> bytes, ref XorState state, long time, long value)
    {
        var delta = time - state.Time;
        if (delta > int.MaxValue || state.Count == ushort.MaxValue)
            return false;
        var (head, bits) = TimeBits(delta - state.Delta);
        var xor = (ulong)(value ^ state.Value);
        ulong tail = 0;
        var tailBits = 0;
        byte leading = state.Leading, significant = state.Significant;
        if (xor == 0)
            (head, bits) = (head << 1, bits + 1);
        else
        {
            var first = Math.Min(BitOperations.LeadingZeroCount(xor), 31);
            var needed = 64 - first - BitOperations.TrailingZeroCount(xor);
            var window = 64 - leading - significant;
            if (significant != 0 && first >= leading && BitOperations.TrailingZeroCount(xor) >= window && significant <= needed + 11)
                (head, bits, tail, tailBits) = ((head << 2) | 0b10, bits + 2, xor >> window, significant);
            else
            {
                (leading, significant) = ((byte)first, (byte)needed);
                (head, bits) = ((head << 13) | (0b11UL << 11) | ((ulong)first << 6) | ((ulong)needed & 63), bits + 13);
                (tail, tailBits) = (xor >> (64 - first - needed), needed);
            }
        }
        if (state.Bits + bits + tailBits > bytes.Length * 8)
            return false;
        ChunkBits.Write(bytes, state.Bits, head, bits);
        if (tailBits > 0)
            ChunkBits.Write(bytes, state.Bits + bits, tail, tailBits);
        state = new()
        {
            Time = time, Value = value, Delta = (int)delta, Count = (ushort)(state.Count + 1),
            Bits = (ushort)(state.Bits + bits + tailBits), Leading = leading, Significant = significant,
        };
        return true;
    }

    /// <summary>Unpacks samples; <paramref name="bytes"/> must go on for 8 bytes behind the last bit.</summary>
    public static void Decode(ReadOnlySpan<byte> bytes, int count, long time, long value, Span<long> times, Span<double> values)
    {
        times = times[..count];
        values = values[..count];
        times[0] = time;
        values[0] = BitConverter.Int64BitsToDouble(value);
        long delta = 0;
        int bit = 0, leading = 0, significant = 0;
        for (var i = 1; i < count;)
        {
            var word = ChunkBits.Peek(bytes, bit);
            if (word < 1UL << 62)
            {
                // Pairs of zeros: the interval and the value of the sample before, again and again.
                var run = Math.Min(BitOperations.LeadingZeroCount(word | (1UL << 7)) >> 1, count - i);
                var same = BitConverter.Int64BitsToDouble(value);
                for (var end = i + run; i < end; i++)
                {
                    times[i] = time += delta;
                    values[i] = same;
                }
                bit += 2 * run;
                continue;
            }
            delta += TakeTime(bytes, ref bit, ref word);
            times[i] = time += delta;
            if ((long)word >= 0)
                bit++;
            else
            {
                if ((word & (1UL << 62)) == 0)
                    bit += 2;
                else
                {
                    leading = (int)(word >> 57) & 31;
                    significant = (int)(word >> 51) & 63;
                    significant = significant == 0 ? 64 : significant;
                    bit += 13;
                }
                value ^= (long)(ChunkBits.Read(bytes, bit, significant) << (64 - leading - significant));
                bit += significant;
            }
            values[i++] = BitConverter.Int64BitsToDouble(value);
        }
    }

    private static (ulong Head, int Bits) TimeBits(long change) => change switch
    {
        0 => (0, 1),
        >= -63 and <= 64 => ((0b10UL << SmallBits) | ((ulong)change & 0x7F), 2 + SmallBits),
        >= -8191 and <= 8192 => ((0b110UL << MediumBits) | ((ulong)change & 0x3FFF), 3 + MediumBits),
        >= -524287 and <= 524288 => ((0b1110UL << LargeBits) | ((ulong)change & 0xFFFFF), 4 + LargeBits),
        _ => ((0b1111UL << WideBits) | ((ulong)change & ((1UL << WideBits) - 1)), 4 + WideBits),
    };

    /// <summary>The change of the interval; leaves the word at the bits of the value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long TakeTime(ReadOnlySpan<byte> bytes, ref int bit, ref ulong word)
    {
        if ((long)word >= 0)
        {
            bit++;
            word <<= 1;
            return 0;
        }
        var kind = BitOperations.LeadingZeroCount(~word);
        var (prefix, width) = kind switch { 1 => (2, SmallBits), 2 => (3, MediumBits), 3 => (4, LargeBits), _ => (4, WideBits) };
        var change = (long)((word << prefix) >> (64 - width));
        if (change > 1L << (width - 1))
            change -= 1L << width;
        bit += prefix + width;
        word = ChunkBits.Peek(bytes, bit);
        return change;
    }
}

/// <summary>Bits in bytes, the first bit being the highest of the first byte.</summary>
internal static class ChunkBits
{
    /// <summary>Writes the lowest <paramref name="count"/> bits (1 to 64); what stands before them stays, what comes after is cleared or left.</summary>
    public static void Write(Span<byte> bytes, int bit, ulong value, int count)
    {
        var shift = bit & 7;
        if (count > 56)
        {
            Write(bytes, bit, value >> 32, count - 32);
            Write(bytes, bit + count - 32, value & uint.MaxValue, 32);
            return;
        }
        var at = bit >> 3;
        var word = value << (64 - shift - count);
        if (shift != 0)
            word |= (ulong)(bytes[at] & ~(0xFF >> shift)) << 56;
        if (at + 8 <= bytes.Length)
            BinaryPrimitives.WriteUInt64BigEndian(bytes[at..], word);
        else
            for (var left = shift + count; left > 0; left -= 8, word <<= 8)
                bytes[at++] = (byte)(word >> 56);
    }

    /// <summary>At least 57 bits from a place on, the first of them highest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Peek(ReadOnlySpan<byte> bytes, int bit)
    {
        var word = BinaryPrimitives.ReadUInt64BigEndian(bytes[(bit >> 3)..]);
        return word << (bit & 7);
    }

    /// <summary>1 to 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(ReadOnlySpan<byte> bytes, int bit, int count) => count <= 57
        ? Peek(bytes, bit) >> (64 - count)
        : (Peek(bytes, bit) >> 32 << (count - 32)) | (Peek(bytes, bit + 32) >> (96 - count));
}
