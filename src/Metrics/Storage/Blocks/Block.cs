namespace Groundcrew.Metrics;

/// <summary>A block.</summary>
internal sealed class Block(BlockMeta meta, SeriesIndex index)
{
    public BlockMeta Meta => meta;
    public SeriesIndex Index => index;
    public long MinTime => Meta.MinTime;
    public long MaxTime => Meta.MaxTime;
    public bool Overlaps(long from, long to) => MinTime <= to && MaxTime > from;
    public IReadOnlyList<StoredSeries> Select(long from, long to, IReadOnlyList<LabelMatcher> matchers, CancellationToken cancellation) => [];
    public void Hold() { }
    public void Release() { }
}
