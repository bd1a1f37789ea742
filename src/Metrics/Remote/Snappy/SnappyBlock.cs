using System.Buffers.Binary;
using System.Numerics;

namespace Groundcrew.Metrics;

/// <summary>
/// The block format of Snappy (google/snappy, format_description.txt): a length, then literals and copies of what came before.
/// Pure and thread-safe; allocates nothing beyond what its callers give.
/// </summary>
internal static class SnappyBlock
{
    private const int BlockSize = 1 << 16;
    private const int HashBits = 14;
    private const int Margin = 15;

    /// <summary>The most bytes that packing can take.</summary>
    public static int MaxPackedLength(int length) => checked(32 + length + (length / 6));

    /// <summary>The unpacked length that a block claims; false when it claims none. Judge it before making room.</summary>
    public static bool TryReadLength(ReadOnlySpan<byte> packed, out int length, out int used)
    {
        ulong value = 0;
        length = used = 0;
        for (var shift = 0; shift < 35 && used < packed.Length; shift += 7)
        {
            var next = packed[used++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next >= 0x80)
                continue;
            length = (int)Math.Min(value, int.MaxValue);
            return value <= int.MaxValue;
        }
        return false;
    }

    /// <summary>Unpacks a block into room of exactly the length that it claims; false when the block is damaged.</summary>
    public static bool TryUnpack(ReadOnlySpan<byte> packed, Span<byte> into)
    {
        if (!TryReadLength(packed, out var length, out var from) || length != into.Length)
            return false;
        var to = 0;
        while (from < packed.Length)
        {
            var tag = packed[from++];
            if ((tag & 3) == 0)
            {
                if (!TryLiteral(packed, ref from, tag, into, ref to))
                    return false;
                continue;
            }
            if (!TryReadCopy(packed, ref from, tag, out var count, out var offset) || offset == 0 || offset > to || count > into.Length - to)
                return false;
            Copy(into, to, offset, count);
            to += count;
        }
        return to == into.Length;
    }

    /// <summary>Packs bytes; <paramref name="into"/> has at least <see cref="MaxPackedLength"/>. Gives the bytes written.</summary>
    public static int Pack(ReadOnlySpan<byte> plain, Span<byte> into)
    {
        var at = 0;
        var rest = (uint)plain.Length;
        for (; rest >= 0x80; rest >>= 7)
            into[at++] = (byte)(rest | 0x80);
        into[at++] = (byte)rest;
        Span<ushort> table = stackalloc ushort[1 << HashBits];
        while (!plain.IsEmpty)
        {
            var block = plain[..Math.Min(plain.Length, BlockSize)];
            at += PackBlock(block, into[at..], table);
            plain = plain[block.Length..];
        }
        return at;
    }

    private static bool TryLiteral(ReadOnlySpan<byte> packed, ref int from, int tag, Span<byte> into, ref int to)
    {
        long count = tag >> 2;
        if (count >= 60)
        {
            var bytes = (int)count - 59;
            if (packed.Length - from < bytes)
                return false;
            count = 0;
            for (var i = 0; i < bytes; i++)
                count |= (long)packed[from++] << (8 * i);
        }
        count++;
        if (count > packed.Length - from || count > into.Length - to)
            return false;
        packed.Slice(from, (int)count).CopyTo(into[to..]);
        from += (int)count;
        to += (int)count;
        return true;
    }

    private static bool TryReadCopy(ReadOnlySpan<byte> packed, ref int from, int tag, out int count, out long offset)
    {
        var bytes = (tag & 3) switch { 1 => 1, 2 => 2, _ => 4 };
        (count, offset) = (0, 0);
        if (packed.Length - from < bytes)
            return false;
        (count, offset) = bytes switch
        {
            1 => (4 + ((tag >> 2) & 7), ((long)(tag & 0xE0) << 3) | packed[from]),
            2 => (1 + (tag >> 2), BinaryPrimitives.ReadUInt16LittleEndian(packed[from..])),
            _ => (1 + (tag >> 2), BinaryPrimitives.ReadUInt32LittleEndian(packed[from..])),
        };
        from += bytes;
        return true;
    }

    // A copy may reach into what it writes: then it repeats a pattern.
    private static void Copy(Span<byte> into, int to, long offset, int count)
    {
        var from = to - (int)offset;
        if (offset >= count)
        {
            into.Slice(from, count).CopyTo(into[to..]);
            return;
        }
        for (var i = 0; i < count; i++)
            into[to + i] = into[from + i];
    }

    private static int PackBlock(ReadOnlySpan<byte> plain, Span<byte> into, Span<ushort> table)
    {
        int at = 0, literal = 0;
        if (plain.Length > Margin)
        {
            table.Clear();
            var last = plain.Length - Margin;
            var from = 1;
            // The longer nothing is found, the longer the steps: what cannot be packed is passed over quickly.
            for (var skip = 32; from < last; skip++)
            {
                var word = BinaryPrimitives.ReadUInt32LittleEndian(plain[from..]);
                var hash = (int)((word * 0x1E35A7BD) >> (32 - HashBits));
                int candidate = table[hash];
                table[hash] = (ushort)from;
                if (BinaryPrimitives.ReadUInt32LittleEndian(plain[candidate..]) != word)
                {
                    from += skip >> 5;
                    continue;
                }
                at += WriteLiteral(plain[literal..from], into[at..]);
                var count = 4 + plain[(from + 4)..].CommonPrefixLength(plain[(candidate + 4)..]);
                at += WriteCopy(from - candidate, count, into[at..]);
                from += count;
                literal = from;
                skip = 31;
            }
        }
        return literal < plain.Length ? at + WriteLiteral(plain[literal..], into[at..]) : at;
    }

    private static int WriteLiteral(ReadOnlySpan<byte> literal, Span<byte> into)
    {
        if (literal.IsEmpty)
            return 0;
        var count = (uint)literal.Length - 1;
        var at = 1;
        if (count < 60)
        {
            into[0] = (byte)(count << 2);
        }
        else
        {
            var bytes = (BitOperations.Log2(count) / 8) + 1;
            into[0] = (byte)((59 + bytes) << 2);
            for (var i = 0; i < bytes; i++)
                into[at++] = (byte)(count >> (8 * i));
        }
        literal.CopyTo(into[at..]);
        return at + literal.Length;
    }

    private static int WriteCopy(int offset, int count, Span<byte> into)
    {
        var at = 0;
        while (count > 64)
        {
            // The last piece keeps at least four bytes, the least that a short copy can say.
            var piece = count - 64 < 4 ? 60 : 64;
            at += WriteLongCopy(offset, piece, into[at..]);
            count -= piece;
        }
        if (count >= 12 || offset >= 2048)
            return at + WriteLongCopy(offset, count, into[at..]);
        into[at++] = (byte)(1 | ((count - 4) << 2) | ((offset >> 8) << 5));
        into[at++] = (byte)offset;
        return at;
    }

    private static int WriteLongCopy(int offset, int count, Span<byte> into)
    {
        into[0] = (byte)(2 | ((count - 1) << 2));
        BinaryPrimitives.WriteUInt16LittleEndian(into[1..], (ushort)offset);
        return 3;
    }
}
