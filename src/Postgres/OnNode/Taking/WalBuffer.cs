using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// What was received and is not whole in the storage yet, between one that reads from the server and one that stores. Holds at most
/// <see cref="MostSegments"/> segments: the reader waits for room, and the server keeps the rest by its slot. Thread-safe.
/// </summary>
internal sealed class WalBuffer : IDisposable
{
    /// <summary>The most segments in memory.</summary>
    public const int MostSegments = 3;

    private readonly Lock _gate = new();
    private readonly List<WalSegment> _segments = [];
    private readonly CaughtUpMarks _marks = new();
    private readonly Nudge _room = new();
    private bool _isEnded;
    private Lsn _storeUpTo;

    /// <summary>Set whenever something was added that the storing side may want to look at.</summary>
    public Nudge Changed { get; } = new();

    /// <summary>Whether nothing more will be added.</summary>
    public bool IsEnded
    {
        get
        {
            lock (_gate)
                return _isEnded;
        }
    }

    /// <summary>Adds a segment, as soon as there is room; the one before gets nothing more.</summary>
    public async Task AddAsync(WalSegment segment, CancellationToken cancellation)
    {
        while (true)
        {
            var next = _room.Next;
            lock (_gate)
            {
                if (_segments.Count < MostSegments)
                {
                    if (_segments is [.., var before])
                        before.Close();
                    _segments.Add(segment);
                    break;
                }
            }
            await next.WaitAsync(cancellation);
        }
        Changed.Set();
    }

    /// <summary>The segments, oldest first. The storing side is their only user beside the reader, who appends to the last.</summary>
    public IReadOnlyList<WalSegment> Segments
    {
        get
        {
            lock (_gate)
                return [.. _segments];
        }
    }

    /// <summary>Removes a segment that needs no memory any more.</summary>
    public void Remove(WalSegment segment)
    {
        lock (_gate)
            _segments.Remove(segment);
        segment.Dispose();
        _room.Set();
    }

    /// <summary>See <see cref="CaughtUpMarks.Add"/>.</summary>
    public void Mark(Lsn place, DateTimeOffset time)
    {
        lock (_gate)
            _marks.Add(place, time);
    }

    /// <summary>See <see cref="CaughtUpMarks.At"/>.</summary>
    public DateTimeOffset? CaughtUpAt(Lsn place)
    {
        lock (_gate)
            return _marks.At(place);
    }

    /// <summary>What was received until now is to be stored without waiting for its time.</summary>
    public void StoreNow()
    {
        lock (_gate)
            _storeUpTo = _segments is [.., var last] ? last.End : _storeUpTo;
        Changed.Set();
    }

    /// <summary>Whether bytes from that place on are to be stored without waiting.</summary>
    public bool IsWantedNow(Lsn from)
    {
        lock (_gate)
            return from < _storeUpTo;
    }

    /// <summary>Nothing more is added: what is there is stored, and that is all.</summary>
    public void End()
    {
        lock (_gate)
            _isEnded = true;
        Changed.Set();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var segment in Segments)
            Remove(segment);
    }
}
