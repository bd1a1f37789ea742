namespace Groundcrew.Metrics;

/// <summary>
/// A series in the head, which is also the handle that writers hold. Small, because there are many: its samples are in
/// slots, and only what few series have is in <see cref="More"/>. Changed under the head's lock, except
/// <see cref="Scratch"/>, which belongs to whoever commits.
/// </summary>
internal sealed class HeadSeries(Labels labels) : SeriesHandle
{
    /// <summary>The time of a series without samples.</summary>
    public const long Never = long.MinValue;

    /// <summary>The last sample of the chunk that grows; without samples its count is zero.</summary>
    public XorState Open = new() { Time = Never };

    /// <summary>Its number in the head and in the log; zero when it is in neither.</summary>
    public int Id;

    /// <summary>The slot with the newest chunk; zero when there is none.</summary>
    public int Slot;

    /// <summary>Where its last sample is in the batch that is being committed.</summary>
    public int Scratch;

    /// <summary>Its place in the order of labels; belongs to <see cref="SeriesRanks"/>.</summary>
    public int Rank;

    /// <summary>The series in the head with the same labels, when this handle came too late to become it.</summary>
    public HeadSeries? StandIn;

    /// <summary>Histograms and samples out of order; null for most.</summary>
    public HeadSeriesMore? More;

    /// <inheritdoc/>
    public override Labels Labels => labels;

    /// <summary>The time of the newest sample in order, <see cref="Never"/> without one.</summary>
    public long LastTime => Open.Time;

    /// <summary>Whether it holds nothing.</summary>
    public bool IsEmpty => Slot == 0 && (More is null || More.IsEmpty);
}
