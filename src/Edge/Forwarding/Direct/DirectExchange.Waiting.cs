namespace Groundcrew.Edge;

/// <summary>Time, and what ends a wait from outside.</summary>
internal sealed partial class DirectExchange
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(130);

    /// <summary>A client that sends its body slower than this, once the grace is over, is too slow.</summary>
    private const double LeastBytesASecond = 240;

    private static readonly TimeSpan SlowGrace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndsWithin = TimeSpan.FromSeconds(30);
    private readonly Lock _gate = new();
    private TargetConnection? _target;
    private volatile Phase _phase;
    private volatile int _progress;
    private volatile bool _isExpired;
    private volatile bool _isStopping;
    private Outcome _expiry;
    private Phase _seenPhase;
    private int _seenProgress;
    private long _seenSince;
    private long _bodyBegan;

    private enum Phase : byte
    {
        /// <summary>Waiting for a request.</summary>
        Idle,
        Judging,
        ReadingBody,
        SendingBody,
        Answering,
        Streaming,
        Flushing,

        /// <summary>Over, but for what the client has not taken yet.</summary>
        Ending,
        Gone,
    }

    /// <summary>Marks what is waited for now, and that something moved. Gives back what it was before.</summary>
    private Phase Enter(Phase phase)
    {
        var before = _phase;
        _phase = phase;
        _progress++;
        return before;
    }

    /// <summary>Called about once a second: nothing that moved since the last look, for longer than allowed, is ended.</summary>
    private void Tick()
    {
        var (phase, progress, now) = (_phase, _progress, _clock.GetTimestamp());
        if (phase is Phase.Gone or Phase.Judging)
            return;
        var isSlow = phase == Phase.ReadingBody && IsSlow(now);
        if (!isSlow && (phase != _seenPhase || progress != _seenProgress))
        {
            (_seenPhase, _seenProgress, _seenSince) = (phase, progress, now);
            return;
        }
        var time = Route?.Policy.Time;
        var limit = phase switch
        {
            Phase.Idle => KeepAlive,
            Phase.Ending => EndsWithin,
            Phase.Answering => time?.Response,
            _ => time?.Idle,
        };
        if (isSlow || _clock.GetElapsedTime(_seenSince, now) >= limit)
            Expire(phase, progress);
    }

    private bool IsSlow(long now)
    {
        var took = _clock.GetElapsedTime(_bodyBegan, now);
        return took > SlowGrace && _head is { } head && (head.BodyLength - _bodyLeft) / took.TotalSeconds < LeastBytesASecond;
    }

    private void Expire(Phase phase, int progress)
    {
        lock (_gate)
        {
            if (_phase != phase || _progress != progress)
                return;
            _expiry = phase switch
            {
                Phase.Answering or Phase.SendingBody => Outcome.TargetTimeout,
                Phase.Streaming => Outcome.TargetCut,
                _ => Outcome.ClientSlow,
            };
            _isExpired = true;
            _target?.Abort();
            if (phase is Phase.Idle or Phase.ReadingBody)
                _input.CancelPendingRead();
            else if (phase == Phase.Flushing)
                _output.CancelPendingFlush();
            else if (phase == Phase.Ending)
                _connection.Abort(new Microsoft.AspNetCore.Connections.ConnectionAbortedException("The client takes nothing."));
        }
    }

    private void ClientHasLeft()
    {
        lock (_gate)
            _target?.Abort();
    }

    /// <summary>The server stops: what is idle ends now, and a request in flight is the last.</summary>
    private void Stop()
    {
        _isStopping = true;
        if (_phase == Phase.Idle)
            _input.CancelPendingRead();
    }

    /// <summary>The connection that ends when the client leaves or time is up; false when that has happened already.</summary>
    private bool TryHold(TargetConnection target)
    {
        lock (_gate)
        {
            if (_isExpired || Left.IsCancellationRequested)
                return false;
            _target = target;
            return true;
        }
    }

    /// <summary>From here on nobody else ends it. True when nobody did.</summary>
    private bool LetGo()
    {
        lock (_gate)
        {
            _target = null;
            return !_isExpired && !Left.IsCancellationRequested;
        }
    }
}
