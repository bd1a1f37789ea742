namespace Groundcrew.Metrics;

/// <summary>Which blocks are merged next. Decides from what blocks say about themselves alone.</summary>
internal static class CompactionPlan
{
    private const int Factor = 3;

    /// <summary>The ranges of time that blocks grow to, smallest first: up to a tenth of the retention.</summary>
    public static IReadOnlyList<long> Ranges(StoreOptions options)
    {
        var ranges = new List<long> { (long)options.BlockRange.TotalMilliseconds };
        while (ranges[^1] * Factor <= options.Retention.TotalMilliseconds / 10)
            ranges.Add(ranges[^1] * Factor);
        return ranges;
    }

    /// <summary>The blocks to merge, or null when all is well: those that overlap first, then those that fill a larger range.</summary>
    public static IReadOnlyCollection<string>? Next(IReadOnlyList<BlockMeta> blocks, IReadOnlyList<long> ranges) =>
        Overlapping(blocks) ?? Filling(blocks, ranges);

    private static List<string>? Overlapping(IReadOnlyList<BlockMeta> blocks)
    {
        var group = new List<string>();
        var end = long.MinValue;
        foreach (var block in blocks.OrderBy(b => b.MinTime))
        {
            if (block.MinTime >= end)
            {
                if (group.Count > 1)
                    return group;
                group.Clear();
            }
            group.Add(block.Id);
            end = Math.Max(end, block.MaxTime);
        }
        return group.Count > 1 ? group : null;
    }

    private static List<string>? Filling(IReadOnlyList<BlockMeta> blocks, IReadOnlyList<long> ranges)
    {
        if (blocks.Count < 2)
            return null;
        // The newest block stays by itself: the head may still add to its neighbourhood.
        var newest = blocks.Max(b => b.MinTime);
        foreach (var range in ranges.Skip(1))
        {
            var groups = blocks.Where(b => b.MinTime < newest && Begin(b.MinTime, range) + range >= b.MaxTime).GroupBy(b => Begin(b.MinTime, range)).OrderBy(g => g.Key);
            foreach (var group in groups)
                if (group.Count() > 1 && group.Key + range <= newest)
                    return [.. group.Select(b => b.Id)];
        }
        return null;
    }

    private static long Begin(long time, long range) => time - (((time % range) + range) % range);
}
