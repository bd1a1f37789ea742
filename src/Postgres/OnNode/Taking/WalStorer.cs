using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Stores what a buffer gets: parts when it is time, whole segments when they are full, moments while nothing is written. Tries
/// for ever while the storage fails; what it has not stored stays in the buffer. One runs for each stream of the log.
/// </summary>
internal sealed class WalStorer(WalReceiverOptions options, WalPieces archive, WalBuffer buffer, ArchiveState state, WalMetrics metrics, TimeProvider clock)
{
    // A part is begun so early that it is stored when it should be.
    private readonly TimeSpan _partEvery = options.FlushEvery * 0.75;
    private readonly List<string> _moments = [];
    private DateTimeOffset? _unstoredSince;
    private DateTimeOffset _momentAt = clock.GetUtcNow();
    private DateTimeOffset? _caughtUpAt;
    private Task _completing = Task.CompletedTask;

    /// <summary>What the archive says about moments of the timeline already.</summary>
    /// <param name="keys">Runs without bytes, which the next moment replaces.</param>
    /// <param name="latest">The latest moment that it names.</param>
    public void Know(IEnumerable<string> keys, DateTimeOffset? latest)
    {
        _moments.AddRange(keys);
        _caughtUpAt = latest;
        state.CaughtUp(latest);
    }

    /// <summary>Runs until the buffer has ended and all of it is stored.</summary>
    /// <returns>The last segment, which may not be full.</returns>
    public async Task<WalSegment?> RunAsync(CancellationToken cancellation)
    {
        WalSegment? last = null;
        while (true)
        {
            var changed = buffer.Changed.Next;
            var isEnded = buffer.IsEnded;
            var segments = buffer.Segments;
            var first = segments.FirstOrDefault(s => !s.IsClosed || s.Stored < s.Filled || !s.IsDone);
            last = segments.Count > 0 ? segments[^1] : last;
            if (first is not null && await StoreAsync(first, isEnded, cancellation))
                continue;
            if (isEnded)
                break;
            if (first is null || first.Filled <= first.Stored)
                await StoreMomentAsync(first, cancellation);
            await WaitAsync(changed, cancellation);
        }
        await _completing;
        return last;
    }

    /// <summary>Where the next stream goes on, when this one ended with a segment.</summary>
    public WalPlace Place(WalSegment last) =>
        new(last.Stored == Lsn.SegmentBytes ? new(last.Timeline, last.End) : last.Again(), [.. _moments], _caughtUpAt);

    /// <summary>Stores of a segment what is due; false when nothing is.</summary>
    private async Task<bool> StoreAsync(WalSegment segment, bool isEnded, CancellationToken cancellation)
    {
        // In this order: a segment that is closed now has no more bytes than are seen next.
        var isClosed = segment.IsClosed;
        var until = segment.Filled;
        if (until == Lsn.SegmentBytes && (segment.Stored == 0 || !options.IsSynchronous || segment.Stored == until))
        {
            await CompleteAsync(segment, cancellation);
            return true;
        }
        if (until <= segment.Stored)
        {
            _unstoredSince = null;
            if (isClosed && !segment.IsFull && buffer.Segments is var all && all[^1] != segment)
                buffer.Remove(segment);
            else
                return false;
            return true;
        }
        _unstoredSince ??= clock.GetUtcNow();
        if (!isEnded && !isClosed && !options.IsSynchronous && !buffer.IsWantedNow(segment.Start + segment.Stored) && clock.GetUtcNow() - _unstoredSince < _partEvery)
            return false;
        await StorePartAsync(segment, until, cancellation);
        return true;
    }

    private async Task StorePartAsync(WalSegment segment, int until, CancellationToken cancellation)
    {
        var from = segment.Stored;
        var time = Latest(segment, buffer.CaughtUpAt(segment.Start + until));
        var file = await PersistAsync(c => archive.StoreAsync(segment, from, until, time, c), cancellation);
        segment.Parts.Add(file.Key);
        metrics.Parts.Add();
        await StoredAsync(segment, until, time, cancellation);
    }

    private async Task CompleteAsync(WalSegment segment, CancellationToken cancellation)
    {
        await _completing;
        segment.IsDone = true;
        var time = Latest(segment, buffer.CaughtUpAt(segment.End));
        if (segment.Stored < Lsn.SegmentBytes)
        {
            await StoreWholeAsync(segment, time, cancellation);
            await StoredAsync(segment, Lsn.SegmentBytes, time, cancellation);
        }
        else
            _completing = StoreWholeAsync(segment, time, cancellation);
    }

    private async Task StoreWholeAsync(WalSegment segment, DateTimeOffset? time, CancellationToken cancellation)
    {
        var file = await PersistAsync(c => archive.StoreAsync(segment, 0, Lsn.SegmentBytes, time, c), cancellation);
        metrics.Segments.Add();
        var parts = segment.Parts.Where(p => p != file.Key).ToList();
        if (parts.Count > 0)
            await PersistAsync(c => DeleteAsync(parts, c), cancellation);
        buffer.Remove(segment);
    }

    private async Task StoredAsync(WalSegment segment, int until, DateTimeOffset? time, CancellationToken cancellation)
    {
        metrics.StoredBytes.Add(until - segment.Stored);
        (segment.Stored, segment.CaughtUpAt) = (until, time);
        _unstoredSince = null;
        state.Stored(segment.Timeline, segment.Start + until);
        if (time is null || time <= _caughtUpAt)
            return;
        (_caughtUpAt, _momentAt) = (time, clock.GetUtcNow());
        state.CaughtUp(time);
        await ForgetMomentsAsync(cancellation);
    }

    /// <summary>While nothing is written, that nothing was is worth knowing, at the cost of one small object for each interval.</summary>
    private async Task StoreMomentAsync(WalSegment? segment, CancellationToken cancellation)
    {
        var (timeline, _, stored) = state.Places;
        var place = segment is null ? stored : segment.Start + segment.Stored;
        if (clock.GetUtcNow() - _momentAt < _partEvery || buffer.CaughtUpAt(place) is not { } time || time <= _caughtUpAt)
            return;
        var key = await PersistAsync(c => archive.StoreMomentAsync(segment?.Timeline ?? timeline, place, time, c), cancellation);
        metrics.Moments.Add();
        (_caughtUpAt, _momentAt) = (time, clock.GetUtcNow());
        state.CaughtUp(time);
        await ForgetMomentsAsync(cancellation);
        _moments.Add(key);
    }

    private async Task ForgetMomentsAsync(CancellationToken cancellation)
    {
        if (_moments.Count == 0)
            return;
        await PersistAsync(c => DeleteAsync(_moments, c), cancellation);
        _moments.Clear();
    }

    private async Task<bool> DeleteAsync(List<string> keys, CancellationToken cancellation)
    {
        await archive.Pieces.Storage.DeleteAsync(keys, cancellation);
        return true;
    }

    /// <summary>Does it, again and again with growing waits, until it is done.</summary>
    private async Task<T> PersistAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        for (var wait = options.FirstWait; ; wait = wait * 2 < options.LongestWait ? wait * 2 : options.LongestWait)
        {
            using var late = new CancellationTokenSource(options.StoreLimit, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
            try
            {
                var done = await work(either.Token);
                state.StorageTrouble(null);
                return done;
            }
            catch (Exception e) when ((e is IOException or UnauthorizedAccessException || late.IsCancellationRequested) && !cancellation.IsCancellationRequested)
            {
                metrics.StorageRetries.Add();
                var words = late.IsCancellationRequested ? $"it did not answer within {options.StoreLimit.TotalSeconds:0} s" : e.Message;
                state.StorageTrouble($"The storage {archive.Pieces.Storage.Place} does not take the log, which waits on the server: {words}");
            }
            await Task.Delay(wait, clock, cancellation);
        }
    }

    private async Task WaitAsync(Task changed, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var due = _unstoredSince is { } since ? since + _partEvery : now + _partEvery;
        var wait = due - now;
        if (wait > TimeSpan.Zero)
            await Nudge.WaitAsync(changed, wait, clock, cancellation);
    }

    private static DateTimeOffset? Latest(WalSegment segment, DateTimeOffset? time) => time is null || segment.CaughtUpAt > time ? segment.CaughtUpAt : time;
}
