using System.Buffers.Binary;
using System.Numerics;

namespace Groundcrew.Metrics;

/// <summary>
/// Numbers that are small for the most part, in groups of 64: all of a group in as many bits as most of them need, and what
/// is larger behind them. Read with few steps for each number and no branch. Bytes: docs/formats/metrics-block.md.
/// </summary>
internal static class PackedColumn
{
    private const int GroupSize = 64;

    /// <summary>Writes numbers.</summary>
    public static void Write(ByteWriter into, ReadOnlySpan<ulong> numbers)
    {
        if (!numbers.ContainsAnyExcept(0UL))
        {
            into.Byte(0);
            return;
        }
        into.Byte(1);
        for (; numbers.Length > GroupSize; numbers = numbers[GroupSize..])
            WriteGroup(into, numbers[..GroupSize]);
        WriteGroup(into, numbers);
    }

    /// <summary>Reads as many numbers as fit; <paramref name="bytes"/> goes on for 8 bytes behind them.</summary>
    public static void Read(ReadOnlySpan<byte> bytes, ref int at, Span<ulong> numbers)
    {
        if (bytes[at++] == 0)
        {
            numbers.Clear();
            return;
        }
        for (; numbers.Length > GroupSize; numbers = numbers[GroupSize..])
            ReadGroup(bytes, ref at, numbers[..GroupSize]);
        ReadGroup(bytes, ref at, numbers);
    }

    private static void WriteGroup(ByteWriter into, ReadOnlySpan<ulong> numbers)
    {
        var width = BestWidth(numbers, out var exceptions);
        into.Byte((byte)width);
        into.Byte((byte)exceptions);
        var room = into.Room((numbers.Length * width + 7) / 8);
        room.Clear();
        var bit = 0;
        foreach (var number in numbers)
        {
            var low = width == 64 ? number : number & ((1UL << width) - 1);
            for (var (left, at) = (width, bit); left > 0;)
            {
                var taken = Math.Min(left, 8 - (at & 7));
                room[at >> 3] |= (byte)((low & ((1UL << taken) - 1)) << (at & 7));
                low >>= taken;
                at += taken;
                left -= taken;
            }
            bit += width;
        }
        for (var i = 0; exceptions > 0 && i < numbers.Length; i++)
            if (numbers[i] >> width != 0)
            {
                into.Byte((byte)i);
                into.Varint(numbers[i] >> width);
            }
    }

    private static void ReadGroup(ReadOnlySpan<byte> bytes, ref int at, Span<ulong> numbers)
    {
        int width = bytes[at++], exceptions = bytes[at++];
        if (width == 0)
            numbers.Clear();
        else
        {
            var mask = ulong.MaxValue >> (64 - width);
            var packed = bytes.Slice(at, ((numbers.Length * width + 7) / 8) + 8);
            var bit = 0;
            for (var i = 0; i < numbers.Length; i++, bit += width)
                numbers[i] = (BinaryPrimitives.ReadUInt64LittleEndian(packed[(bit >> 3)..]) >> (bit & 7)) & mask;
        }
        at += (numbers.Length * width + 7) / 8;
        if (exceptions == 0)
            return;
        var reader = new ByteReader(bytes) { At = at };
        for (; exceptions > 0; exceptions--)
        {
            var index = reader.Byte();
            numbers[index] |= reader.Varint() << width;
        }
        at = reader.At;
    }

    /// <summary>The width at which the group takes the fewest bytes. Widths of 58 to 63 are not used, so that a number lies in eight bytes.</summary>
    private static int BestWidth(ReadOnlySpan<ulong> numbers, out int exceptions)
    {
        Span<int> ofWidth = stackalloc int[65];
        ofWidth.Clear();
        foreach (var number in numbers)
            ofWidth[64 - BitOperations.LeadingZeroCount(number)]++;
        var (best, bestCost) = (64, numbers.Length * 64);
        exceptions = 0;
        for (var width = 0; width <= 57; width++)
        {
            var (cost, larger) = (numbers.Length * width, 0);
            for (var w = width + 1; w <= 64; w++)
            {
                cost += ofWidth[w] * 8 * (1 + (w - width + 6) / 7);
                larger += ofWidth[w];
            }
            if (cost < bestCost)
                (best, bestCost, exceptions) = (width, cost, larger);
            if (larger == 0)
                break;
        }
        return best;
    }
}
