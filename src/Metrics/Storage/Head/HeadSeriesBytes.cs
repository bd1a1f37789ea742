using System.Runtime.InteropServices;

namespace Groundcrew.Metrics;

/// <summary>A series of the head in a checkpoint: its chunks as they are, so that nothing is packed again. Bytes: docs/formats/metrics-log.md.</summary>
internal static class HeadSeriesBytes
{
    /// <summary>What is captured of a series under the lock, to be written without it.</summary>
    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Capture(int Id, Labels Labels, int Slot, XorState Open, HistogramChunk[]? Histograms, HistogramChunkView[]? Views, LateSamples? Late);

    public static Capture Take(HeadSeries series) => new(series.Id, series.Labels, series.Slot, series.Open,
        series.More is { Histograms.Count: > 0 } h ? [.. h.Histograms] : null, series.More is { Histograms.Count: > 0 } v ? [.. v.Histograms.Select(c => c.View)] : null,
        series.More?.CopyLate(long.MinValue, long.MaxValue));

    public static void Write(ByteWriter into, SlotPool slots, in Capture series, long minValid)
    {
        into.Varint((ulong)series.Id);
        into.Counted(series.Labels.Packed);
        // What is in blocks, but still here for a reader, is not written; the series is, because the log goes on to name it.
        var open = series.Open.Time >= minValid ? series.Open : new XorState { Time = HeadSeries.Never };
        var lengthAt = into.Length;
        into.UInt32(0);
        into.Int64(open.Time);
        into.Int64(open.Value);
        into.ZigZag(open.Delta);
        into.Varint(open.Count);
        into.Varint(open.Bits);
        into.Byte(open.Leading);
        into.Byte(open.Significant);
        var chain = new List<int>();
        for (var slot = open.Time == HeadSeries.Never ? 0 : series.Slot; slot != 0; slot = slots.Before(slot))
        {
            chain.Add(slot);
            if (slots.FirstTime(slot) <= minValid)
                break;
        }
        into.Varint((ulong)chain.Count);
        for (var i = chain.Count - 1; i >= 0; i--)
            WriteSlot(into, slots, chain[i], chain[i] == series.Slot && open.Count > 0, open);
        into.Varint((ulong)(series.Histograms?.Length ?? 0));
        for (var i = 0; i < (series.Histograms?.Length ?? 0); i++)
            series.Histograms![i].WriteTo(into, series.Views![i]);
        into.Varint((ulong)(series.Late?.Times.Length ?? 0));
        for (var i = 0; i < (series.Late?.Times.Length ?? 0); i++)
            WriteLate(into, series.Late!, i);
        into.PatchUInt32(lengthAt, (uint)(into.Length - lengthAt - 4));
    }

    /// <summary>Goes over a series without looking at its samples.</summary>
    public static void Skip(ref ByteReader from) => from.Bytes(checked((int)from.UInt32()));

    /// <summary>Gives a series what was written; how many samples that were.</summary>
    public static int Read(ref ByteReader from, Head head, HeadSeries series)
    {
        from.UInt32();
        var open = new XorState { Time = from.Int64(), Value = from.Int64(), Delta = checked((int)from.ZigZag()), Count = checked((ushort)from.Varint()), Bits = checked((ushort)from.Varint()), Leading = from.Byte(), Significant = from.Byte() };
        var samples = 0;
        for (var left = from.Varint(); left > 0; left--)
            samples += ReadSlot(ref from, head, series);
        series.Open = open;
        for (var left = from.Varint(); left > 0; left--)
            samples += head.AddHistogramsLocked(series, ref from);
        for (var left = from.Varint(); left > 0; left--, samples++)
        {
            var time = from.ZigZag();
            if (from.Byte() == 0)
                head.AppendLateLocked(series, time, from.Int64(), null);
            else
                head.AppendLateLocked(series, time, 0, HistogramBytes.Read(ref from));
        }
        if (open.Time != HeadSeries.Never)
            head.Saw(open.Time);
        return samples;
    }

    private static void WriteSlot(ByteWriter into, SlotPool slots, int slot, bool isOpen, XorState open)
    {
        var bits = isOpen ? open.Bits : slots.BitCount(slot);
        into.Varint((ulong)(isOpen ? open.Count : slots.Count(slot)));
        into.Varint((ulong)bits);
        into.ZigZag(slots.FirstTime(slot));
        into.Int64(slots.FirstValue(slot));
        into.Bytes(slots.Payload(slot)[..((bits + 7) / 8)]);
    }

    private static int ReadSlot(ref ByteReader from, Head head, HeadSeries series)
    {
        var (count, bits) = (from.Int32(), from.Int32());
        var time = from.ZigZag();
        series.Slot = head.Slots.Take(series.Slot, time, from.Int64());
        from.Bytes((bits + 7) / 8).CopyTo(head.Slots.Payload(series.Slot));
        head.Slots.Close(series.Slot, count, bits);
        head.Saw(Math.Max(time, head.MinValid));
        return count;
    }

    private static void WriteLate(ByteWriter into, LateSamples late, int index)
    {
        into.ZigZag(late.Times[index]);
        var histogram = late.Histograms?[index];
        into.Byte((byte)(histogram is null ? 0 : 1));
        if (histogram is null)
            into.Int64(late.Values[index]);
        else
            HistogramBytes.Write(into, histogram);
    }
}
