namespace Groundcrew.Metrics;

/// <summary>Why a sample was not taken, in the words of Prometheus' storage.</summary>
public enum SampleRefusal
{
    /// <summary>It was taken.</summary>
    None,

    /// <summary>The series has another value at that time.</summary>
    Duplicate,

    /// <summary>It is older than the newest sample of its series, and samples out of order are not taken.</summary>
    OutOfOrder,

    /// <summary>It is older than the window for samples out of order.</summary>
    TooOld,

    /// <summary>It is older than anything that the head may still take.</summary>
    OutOfBounds,

    /// <summary>It is further in the future than is believable.</summary>
    TooNew,

    /// <summary>Its histogram contradicts itself.</summary>
    InvalidHistogram,

    /// <summary>It would begin one series more than the store may have.</summary>
    SeriesLimit,
}

/// <summary>
/// A series that samples can be added to. Keep it: resolving costs a lookup, the handle costs none. A handle whose series the
/// store dropped in between stays good; the series begins again with the next sample.
/// </summary>
public abstract class SeriesHandle
{
    /// <summary>The labels.</summary>
    public abstract Labels Labels { get; }
}

/// <summary>
/// Samples that are stored together or not at all, in the order they were added. Reusable after <see cref="Clear"/>, allocates
/// nothing once it has grown; not thread-safe.
/// </summary>
public sealed class SampleBatch
{
    private Entry[] _entries = new Entry[256];

    /// <summary>How many samples there are.</summary>
    public int Count { get; private set; }

    internal ReadOnlySpan<Entry> Entries => _entries.AsSpan(0, Count);

    /// <summary>Adds a float; the time is in milliseconds since 1970.</summary>
    public void Add(SeriesHandle series, long time, double value) => Next() = new(series, time, value, null);

    /// <summary>Adds a histogram, which must not be changed any more.</summary>
    public void Add(SeriesHandle series, long time, FloatHistogram histogram) => Next() = new(series, time, 0, histogram);

    /// <summary>Forgets the samples and keeps the memory.</summary>
    public void Clear()
    {
        _entries.AsSpan(0, Count).Clear();
        Count = 0;
    }

    private ref Entry Next()
    {
        if (Count == _entries.Length)
            Array.Resize(ref _entries, Count * 2);
        return ref _entries[Count++];
    }

    internal readonly record struct Entry(SeriesHandle Series, long Time, double Value, FloatHistogram? Histogram);
}

/// <summary>What became of a batch.</summary>
/// <param name="Stored">Samples taken; one that repeats what is stored already counts as taken.</param>
/// <param name="NewSeries">Series that began with this batch.</param>
/// <param name="Refused">Samples not taken, by <see cref="SampleRefusal"/> (the index); null when all were taken.</param>
/// <param name="FirstRefused">The first sample not taken.</param>
/// <param name="Failure">Why nothing of the batch was stored, such as a full disk; null when it was stored. Try again later.</param>
public readonly record struct CommitResult(int Stored, int NewSeries, int[]? Refused, (SampleRefusal Why, Labels Series, long Time)? FirstRefused, string? Failure)
{
    /// <summary>What is wrong with the first histogram that was refused as <see cref="SampleRefusal.InvalidHistogram"/>, in Prometheus' words; null without one.</summary>
    public string? HistogramProblem { get; init; }

    /// <summary>How many samples were refused for this reason.</summary>
    public int RefusedFor(SampleRefusal why) => Refused?[(int)why] ?? 0;
}

/// <summary>Anything that samples can be written to. Thread-safe.</summary>
public interface ISampleSink
{
    /// <summary>The handle for packed labels (see <see cref="Labels.Packed"/>); nothing is stored by this.</summary>
    SeriesHandle Resolve(ReadOnlySpan<byte> packedLabels);

    /// <summary>
    /// Stores a batch: when this returns without a failure, the samples survive the death of the process (and the death of the
    /// machine after the next sync of the log, a second later). Allocates nothing in steady state.
    /// </summary>
    CommitResult Commit(SampleBatch batch);
}
