namespace Groundcrew.Metrics;

/// <summary>Cuts and merges what was read into buffers.</summary>
internal static class SampleMerge
{
    /// <summary>Takes away what is outside of a range among the floats that were added last.</summary>
    public static void Clip(SampleBuffer into, Span<long> times, Span<double> values, long from, long to)
    {
        var beyond = times.Length;
        if (times[^1] > to)
            beyond = FirstAfter(times, to);
        var first = times[0] >= from ? 0 : FirstAfter(times, from - 1);
        first = Math.Min(first, beyond);
        if (first > 0)
        {
            times[first..beyond].CopyTo(times);
            values[first..beyond].CopyTo(values);
        }
        into.RemoveLast(times.Length - (beyond - first));
    }

    /// <summary>Adds a part of one buffer to another.</summary>
    public static void Copy(SampleBuffer from, int start, int count, SampleBuffer into)
    {
        if (count <= 0)
            return;
        if (from.Histograms.IsEmpty)
        {
            into.AddRange(count, out var times, out var values);
            from.Times.Slice(start, count).CopyTo(times);
            from.Values.Slice(start, count).CopyTo(values);
            return;
        }
        for (var i = start; i < start + count; i++)
            AddOne(from, i, into);
    }

    /// <summary>Adds one sample of a buffer to another.</summary>
    public static void AddOne(SampleBuffer from, int index, SampleBuffer into)
    {
        if (!from.Histograms.IsEmpty && from.Histograms[index] is { } histogram)
            into.Add(from.Times[index], histogram);
        else
            into.Add(from.Times[index], from.Values[index]);
    }

    /// <summary>Both in the order of time; where both have a sample, the one of <paramref name="first"/>.</summary>
    public static void Merge(SampleBuffer first, SampleBuffer second, SampleBuffer into)
    {
        int a = 0, b = 0;
        var lastFrom = 0;
        while (a < first.Count || b < second.Count)
        {
            var takeFirst = b == second.Count || (a < first.Count && first.Times[a] <= second.Times[b]);
            if (takeFirst && b < second.Count && second.Times[b] == first.Times[a])
                b++;
            var (source, index) = takeFirst ? (first, a++) : (second, b++);
            AddOne(source, index, into);
            // What a chunk knew about the histogram before is not true any more when another source lies between.
            if (lastFrom != 0 && lastFrom != (takeFirst ? 1 : 2))
                ForgetHint(into);
            lastFrom = takeFirst ? 1 : 2;
        }
    }

    /// <summary>Adds what was not deleted.</summary>
    public static void CopyKept(SampleBuffer from, TimeRanges deleted, SampleBuffer into)
    {
        var isBehindGap = false;
        for (var i = 0; i < from.Count; i++)
        {
            if (deleted.Contains(from.Times[i]))
            {
                isBehindGap = true;
                continue;
            }
            AddOne(from, i, into);
            if (isBehindGap)
                ForgetHint(into);
            isBehindGap = false;
        }
    }

    private static int FirstAfter(ReadOnlySpan<long> times, long time)
    {
        int low = 0, high = times.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (times[middle] <= time)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private static void ForgetHint(SampleBuffer into)
    {
        if (into.Histograms.IsEmpty || into.Histograms[^1] is not { ResetHint: CounterResetHint.NotCounterReset or CounterResetHint.CounterReset } last)
            return;
        var time = into.Times[^1];
        into.RemoveLast(1);
        into.Add(time, HistogramLayout.WithHint(last, CounterResetHint.Unknown));
    }
}
