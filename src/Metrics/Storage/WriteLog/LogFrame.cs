using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>
/// The frame around each record: a mark, the length, a checksum (CRC-32C) of length and content. The mark lets a reader
/// find the next record behind damage. Bytes: docs/formats/metrics-log.md.
/// </summary>
internal static class LogFrame
{
    /// <summary>Bytes before the content.</summary>
    public const int HeaderBytes = 12;

    private static ReadOnlySpan<byte> Mark => [0xC5, 0x67, 0x63, 0x72];

    /// <summary>Begins a frame at the end of a buffer.</summary>
    public static void Begin(ByteWriter into)
    {
        Mark.CopyTo(into.Room(HeaderBytes));
    }

    /// <summary>Fills in the header of the frame that began at a place of the buffer.</summary>
    public static void End(ByteWriter frame, int at = 0)
    {
        var content = frame.Written[(at + HeaderBytes)..];
        frame.PatchUInt32(at + 4, (uint)content.Length);
        frame.PatchUInt32(at + 8, Checksum(content));
    }

    /// <summary>Takes the record at a place; false, and the place stays, when there is none that is whole.</summary>
    public static bool TryTake(ReadOnlySpan<byte> bytes, scoped ref int at, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (bytes.Length - at < HeaderBytes || !bytes.Slice(at, 4).SequenceEqual(Mark))
            return false;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 4)..]);
        if (length > bytes.Length - at - HeaderBytes)
            return false;
        content = bytes.Slice(at + HeaderBytes, (int)length);
        if (Checksum(content) != BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 8)..]))
            return false;
        at += HeaderBytes + (int)length;
        return true;
    }

    /// <summary>Where the next whole record begins, or -1.</summary>
    public static int FindNext(ReadOnlySpan<byte> bytes, int from)
    {
        while (from < bytes.Length)
        {
            var found = bytes[from..].IndexOf(Mark);
            if (found < 0)
                return -1;
            var at = from + found;
            if (TryTake(bytes, ref at, out _))
                return from + found;
            from += found + 1;
        }
        return -1;
    }

    /// <summary>The bytes of a record whose frame begins with this header; -1 when it is none.</summary>
    public static int ContentLength(ReadOnlySpan<byte> header) =>
        header[..4].SequenceEqual(Mark) ? (int)BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) : -1;

    /// <summary>CRC-32C of the length and the bytes.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var sum = BitOperations.Crc32C(uint.MaxValue, (uint)bytes.Length);
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
            sum = BitOperations.Crc32C(sum, word);
        foreach (var last in bytes[(bytes.Length & ~7)..])
            sum = BitOperations.Crc32C(sum, last);
        return ~sum;
    }
}
