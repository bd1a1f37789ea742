namespace Groundcrew.Edge;

/// <summary>How asking for a place in flight ended.</summary>
internal enum GateEnd
{
    /// <summary>It has a place, which it gives back with <see cref="ConcurrencyGate.Leave"/>.</summary>
    Entered,

    /// <summary>As many wait as may (503).</summary>
    Full,

    /// <summary>Its turn did not come in time (503).</summary>
    TimedOut,

    /// <summary>The client left while it waited.</summary>
    Left,
}

/// <summary>
/// Holds the requests in flight to a limit; some of what is beyond waits its turn, first come first served. Thread-safe.
/// While nobody waits, entering and leaving is one compare-and-swap and allocates nothing. While somebody waits nobody
/// overtakes: a place that becomes free is handed to the first in line.
/// </summary>
internal sealed class ConcurrencyGate
{
    private const long OneWaits = 1L << 32;
    private readonly Lock _gate = new();
    private readonly WaitLine<GateEnd> _line;
    private readonly TimeSpan _wait;
    private readonly int _most;
    private readonly int _mostWaiting;

    /// <summary>
    /// Those who wait in the high half, those in flight in the low. Who waits changes under the lock only. As long as
    /// somebody waits, every place is taken.
    /// </summary>
    private long _state;

    private long _shed;

    public ConcurrencyGate(ConcurrencyLimit limit, TimeProvider clock)
    {
        (_most, _mostWaiting, _wait) = (limit.Requests, limit.Waiting, limit.Wait);
        _line = new WaitLine<GateEnd>(_gate, clock, GateEnd.TimedOut, GateEnd.Left, () => Interlocked.Add(ref _state, -OneWaits));
    }

    /// <summary>How many may be in flight.</summary>
    public int Most => _most;

    /// <summary>How many are in flight.</summary>
    public int InFlight => (int)Volatile.Read(ref _state);

    /// <summary>How many wait.</summary>
    public int Waiting => (int)(Volatile.Read(ref _state) >> 32);

    /// <summary>How many were turned away, at once or after waiting.</summary>
    public long Shed => Volatile.Read(ref _shed);

    /// <summary>Asks for a place, and waits for it where that is allowed. Never throws for a cancellation.</summary>
    public ValueTask<GateEnd> EnterAsync(CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
            return new ValueTask<GateEnd>(GateEnd.Left);
        return TryEnter() ? new ValueTask<GateEnd>(GateEnd.Entered) : EnterSlowlyAsync(cancellation);
    }

    /// <summary>Gives a place back: to the first in line, if there is one.</summary>
    public void Leave()
    {
        var seen = Volatile.Read(ref _state);
        while (seen < OneWaits)
        {
            var before = Interlocked.CompareExchange(ref _state, seen - 1, seen);
            if (before == seen)
                return;
            seen = before;
        }
        lock (_gate)
            Interlocked.Add(ref _state, _line.LetFirst(GateEnd.Entered) ? -OneWaits : -1);
    }

    private bool TryEnter()
    {
        var seen = Volatile.Read(ref _state);
        while (seen < _most)
        {
            var before = Interlocked.CompareExchange(ref _state, seen + 1, seen);
            if (before == seen)
                return true;
            seen = before;
        }
        return false;
    }

    private async ValueTask<GateEnd> EnterSlowlyAsync(CancellationToken cancellation)
    {
        var (end, waiter) = Join();
        if (waiter is not null)
            end = await _line.WaitAsync(waiter, _wait, cancellation);
        if (end is GateEnd.Full or GateEnd.TimedOut)
            Interlocked.Increment(ref _shed);
        return end;
    }

    private (GateEnd End, WaitLine<GateEnd>.Waiter? Waiter) Join()
    {
        lock (_gate)
        {
            while (true)
            {
                if (TryEnter())
                    return (GateEnd.Entered, null);
                if (_line.Count >= _mostWaiting)
                    return (GateEnd.Full, null);
                // A place may have become free since; it is taken only when the count of both is as it was seen.
                var seen = Volatile.Read(ref _state);
                if (seen >= _most && Interlocked.CompareExchange(ref _state, seen + OneWaits, seen) == seen)
                    return (GateEnd.TimedOut, _line.Join());
            }
        }
    }
}
