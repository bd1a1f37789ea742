namespace Groundcrew.Edge;

/// <summary>A breaker as <c>GET /debug/circuit-breakers</c> shows it.</summary>
/// <param name="State">Its state.</param>
/// <param name="FailuresInARow">Failures since the last success, up to the one that opened it.</param>
/// <param name="Requests">Requests in the window.</param>
/// <param name="FailurePercent">How many of them failed, in percent, rounded down.</param>
/// <param name="OpenUntil">When it may be tried again, in UTC; null when it is not open.</param>
/// <param name="Opened">How often it was opened since the edge knows it.</param>
public sealed record BreakerStatus(
    BreakerState State, int FailuresInARow, long Requests, int FailurePercent, DateTimeOffset? OpenUntil, long Opened);

/// <summary>
/// Leaves a target, or a whole service, alone for a while when it fails (see <see cref="BreakerMachine"/>). Thread-safe.
/// Asking a closed one, and a success after a success, takes no lock; nothing allocates but <see cref="Status"/>.
/// </summary>
internal sealed class Breaker
{
    private readonly Lock _gate = new();
    private readonly BreakerPolicy _policy;
    private readonly TimeProvider _clock;
    private readonly BreakerMachine _machine;
    private readonly RollingCounts _window;
    private readonly long _openAtMost;
    private BreakerMemory _memory;

    /// <summary>Whether it is closed and the last verdict was a success: the usual case, which needs no lock.</summary>
    private volatile bool _isUntroubled = true;

    private volatile bool _isClosed = true;
    private long _openUntil;

    public Breaker(BreakerPolicy policy, TimeProvider clock)
    {
        (_policy, _clock) = (policy, clock);
        _openAtMost = Math.Max(LengthOf(policy.OpenFor), LengthOf(policy.OpenAtMost));
        _machine = new BreakerMachine(policy.Failures, LengthOf(policy.OpenFor), _openAtMost, policy.Trials);
        _window = new RollingCounts(LengthOf(policy.Window));
        _memory = _machine.Start(clock.GetTimestamp());
    }

    /// <summary>How often it was opened.</summary>
    public long Opened
    {
        get
        {
            lock (_gate)
                return _memory.Opened;
        }
    }

    /// <summary>Whether a request may come here: it is closed, or it may be tried. A look, which claims no trial.</summary>
    public bool Allows(long now) => _isClosed || MayBeTried(now);

    /// <summary>
    /// Lets a request in: any one while it is closed, otherwise as a trial. A trial says how it ended by
    /// <see cref="Succeeded"/>, <see cref="Failed"/> or <see cref="TrialLeft"/> with its number; any other request has 0.
    /// </summary>
    public bool TryEnter(long now, out long trial)
    {
        trial = 0;
        return _isClosed || TryTrial(now, out trial);
    }

    /// <summary>Asks for one of the trials, which it gives when it is not closed and its time has passed.</summary>
    public bool TryTrial(long now, out long trial)
    {
        lock (_gate)
        {
            var granted = Step(BreakerEvent.TrialAsked, now);
            trial = granted ? _memory.Opened : 0;
            return granted;
        }
    }

    /// <summary>A request went well.</summary>
    public void Succeeded(long now, long trial = 0)
    {
        if (_isClosed)
            _window.Add(now, 1, 0);
        if (_isUntroubled)
            return;
        lock (_gate)
            Step(IsCurrent(trial) ? BreakerEvent.TrialSucceeded : BreakerEvent.Succeeded, now);
    }

    /// <summary>A request failed. Returns true when it is open by this.</summary>
    public bool Failed(long now, long trial = 0)
    {
        lock (_gate)
        {
            var before = _memory.Opened;
            if (_isClosed)
                _window.Add(now, 1, 1);
            Step(IsCurrent(trial) ? BreakerEvent.TrialFailed : IsTooOften(now) ? BreakerEvent.FailedTooOften : BreakerEvent.Failed, now);
            return _memory.Opened != before;
        }
    }

    /// <summary>A trial ended without a verdict; another may take its place.</summary>
    public void TrialLeft(long now, long trial)
    {
        lock (_gate)
            if (IsCurrent(trial))
                Step(BreakerEvent.TrialLeft, now);
    }

    /// <summary>How it is, as one consistent view.</summary>
    public BreakerStatus Status(long now)
    {
        lock (_gate)
        {
            var (requests, failures) = _window.Sum(now);
            DateTimeOffset? until = _memory.State == BreakerState.Open
                ? _clock.GetUtcNow() + TimeSpan.FromSeconds((_memory.OpenUntil - now) / (double)_clock.TimestampFrequency)
                : null;
            return new BreakerStatus(_memory.State, _memory.FailuresInARow, requests,
                requests == 0 ? 0 : (int)(100 * failures / requests), until, _memory.Opened);
        }
    }

    private bool MayBeTried(long now)
    {
        // While it is open, which is when many ask, this needs no lock either.
        var wait = Volatile.Read(ref _openUntil) - now;
        if (wait > 0 && wait <= _openAtMost)
            return false;
        lock (_gate)
            return _memory.State == BreakerState.Closed || _machine.MayTry(_memory, now);
    }

    /// <summary>A trial of an earlier half-open time counts as any late request.</summary>
    private bool IsCurrent(long trial) => trial != 0 && trial == _memory.Opened && _memory.State == BreakerState.HalfOpen;

    private bool IsTooOften(long now)
    {
        var (requests, failures) = _window.Sum(now);
        return requests >= _policy.MinimumRequests && failures * 100 >= requests * _policy.FailurePercent;
    }

    private bool Step(BreakerEvent happened, long now)
    {
        var before = _memory.State;
        (_memory, var granted) = _machine.Step(_memory, happened, now);
        // What was counted before it opened says nothing of how it is after it is closed again.
        if (_memory.State == BreakerState.Closed && before != BreakerState.Closed)
            _window.Clear();
        Volatile.Write(ref _openUntil, _memory.State == BreakerState.Open ? _memory.OpenUntil : now);
        _isClosed = _memory.State == BreakerState.Closed;
        _isUntroubled = _isClosed && _memory.FailuresInARow == 0;
        return granted;
    }

    private long LengthOf(TimeSpan time) => (long)((Int128)time.Ticks * _clock.TimestampFrequency / TimeSpan.TicksPerSecond);
}
