namespace Groundcrew.Edge;

/// <summary>How passing a hold ended.</summary>
internal enum HoldEnd
{
    /// <summary>Nothing is held, or not any more.</summary>
    Passed,

    /// <summary>Traffic was not resumed in time (504).</summary>
    TimedOut,

    /// <summary>As many wait as may (503).</summary>
    Full,

    /// <summary>Traffic is stopped (503 with the hold's message).</summary>
    Stopped,

    /// <summary>The client left while it waited.</summary>
    Left,
}

/// <summary>
/// Lets the traffic of a route pass, makes it wait or turns it away, as the last applied hold says. Thread-safe. While
/// nothing is held, passing is one volatile read.
/// </summary>
internal sealed class HoldGate
{
    private readonly Lock _gate = new();
    private readonly WaitLine<HoldEnd> _line;
    private Hold? _hold;
    private int _waiting;

    public HoldGate(TimeProvider clock) =>
        _line = new WaitLine<HoldEnd>(_gate, clock, HoldEnd.TimedOut, HoldEnd.Left, () => Volatile.Write(ref _waiting, _line!.Count));

    /// <summary>What holds; null for nothing.</summary>
    public Hold? Current => Volatile.Read(ref _hold);

    /// <summary>How many wait.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>
    /// Makes this what holds; null resumes, and lets everyone go who waits, in order of arrival. A stop answers those
    /// who wait. They keep the time that they came with when one pause follows another. Applying a level again does nothing.
    /// </summary>
    public void Apply(Hold? hold)
    {
        lock (_gate)
        {
            Volatile.Write(ref _hold, hold);
            if (hold?.Kind != HoldKind.Paused)
                _line.LetAll(hold is null ? HoldEnd.Passed : HoldEnd.Stopped);
            Volatile.Write(ref _waiting, _line.Count);
        }
    }

    /// <summary>Passes when nothing holds, waits while it is paused. Never throws for a cancellation.</summary>
    public ValueTask<HoldEnd> PassAsync(CancellationToken cancellation) =>
        Volatile.Read(ref _hold) is null ? new ValueTask<HoldEnd>(HoldEnd.Passed) : PassSlowlyAsync(cancellation);

    private ValueTask<HoldEnd> PassSlowlyAsync(CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
            return new ValueTask<HoldEnd>(HoldEnd.Left);
        WaitLine<HoldEnd>.Waiter waiter;
        TimeSpan atMost;
        lock (_gate)
        {
            if (_hold is not { Kind: HoldKind.Paused } hold)
                return new ValueTask<HoldEnd>(_hold is null ? HoldEnd.Passed : HoldEnd.Stopped);
            if (_line.Count >= hold.MaxWaiting)
                return new ValueTask<HoldEnd>(HoldEnd.Full);
            (waiter, atMost) = (_line.Join(), hold.MaxWait);
            Volatile.Write(ref _waiting, _line.Count);
        }
        return _line.WaitAsync(waiter, atMost, cancellation);
    }
}
