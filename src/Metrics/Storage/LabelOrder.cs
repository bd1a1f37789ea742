namespace Groundcrew.Metrics;

/// <summary>The order of <see cref="Labels.CompareTo"/>, quick for sets that begin alike, as most neighbours do.</summary>
internal static class LabelOrder
{
    /// <summary>Compares by the first label in which two sets differ.</summary>
    public static int Compare(Labels a, Labels b)
    {
        var first = a.Packed;
        var second = b.Packed;
        var same = first.CommonPrefixLength(second);
        if (same == first.Length || same == second.Length)
            return first.Length.CompareTo(second.Length);
        var at = 0;
        while (Behind(first, Behind(first, at)) is var next && next <= same)
            at = next;
        first = first[at..];
        second = second[at..];
        var order = LabelText.TakeCounted(ref first).SequenceCompareTo(LabelText.TakeCounted(ref second));
        return order != 0 ? order : LabelText.TakeCounted(ref first).SequenceCompareTo(LabelText.TakeCounted(ref second));
    }

    /// <summary>The place behind a counted piece.</summary>
    private static int Behind(ReadOnlySpan<byte> packed, int at)
    {
        int length = packed[at++];
        if (length < 0x80)
            return at + length;
        length &= 0x7F;
        for (var shift = 7; ; shift += 7)
        {
            var next = packed[at++];
            length |= (next & 0x7F) << shift;
            if (next < 0x80)
                return at + length;
        }
    }
}
