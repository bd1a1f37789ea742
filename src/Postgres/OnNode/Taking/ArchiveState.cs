using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>How the archive of one server's log stands, as the parts of its receiver tell it. Thread-safe.</summary>
internal sealed class ArchiveState
{
    private readonly Lock _gate = new();
    private readonly List<WalGap> _gaps = [];
    private uint _timeline;
    private Lsn _received;
    private Lsn _stored;
    private Lsn _serverEnd;
    private DateTimeOffset? _caughtUpAt;
    private DateTimeOffset? _serverTime;
    private string? _serverProblem;
    private string? _storageProblem;

    /// <summary>Set at every change that somebody may wait for.</summary>
    public Nudge Changed { get; } = new();

    /// <summary>For the report.</summary>
    public ArchiveStatus Status
    {
        get
        {
            lock (_gate)
                return new(_received, _stored, _caughtUpAt, _storageProblem is null || _serverProblem is null ? _storageProblem ?? _serverProblem : $"{_storageProblem} {_serverProblem}", [.. _gaps]);
        }
    }

    /// <summary>The end of what was received, and of what the storage has.</summary>
    public (uint Timeline, Lsn Received, Lsn Stored) Places
    {
        get
        {
            lock (_gate)
                return (_timeline, _received, _stored);
        }
    }

    /// <summary>The end of the server's log as it was told last, and its clock then.</summary>
    public (Lsn End, DateTimeOffset? Time) Server
    {
        get
        {
            lock (_gate)
                return (_serverEnd, _serverTime);
        }
    }

    /// <summary>A timeline, or a place after a gap, begins.</summary>
    public void Begin(uint timeline, Lsn received, Lsn stored) => Set(() => (_timeline, _received, _stored) = (timeline, received > stored ? received : stored, stored));

    /// <summary>The server told its clock and the end of its log.</summary>
    public void Told(Lsn end, DateTimeOffset? time) => Set(() => (_serverEnd, _serverTime) = (end > _serverEnd ? end : _serverEnd, time ?? _serverTime));

    /// <summary>The log up to a place was received.</summary>
    public void Received(Lsn end) => Set(() => _received = end > _received ? end : _received);

    /// <summary>The storage has the log of a timeline up to a place.</summary>
    public void Stored(uint timeline, Lsn end) => Set(() =>
    {
        if (timeline == _timeline && end > _stored)
            _stored = end;
    });

    /// <summary>The storage says so.</summary>
    public void CaughtUp(DateTimeOffset? time) => Set(() => _caughtUpAt = time > _caughtUpAt || _caughtUpAt is null ? time ?? _caughtUpAt : _caughtUpAt);

    /// <summary>Why the server's log does not come; null when it does.</summary>
    public void ServerTrouble(string? problem) => Set(() => _serverProblem = problem);

    /// <summary>Why the storage does not take it; null when it does.</summary>
    public void StorageTrouble(string? problem) => Set(() => _storageProblem = problem);

    /// <summary>A range is lost; false when that was known. Ranges that touch become one.</summary>
    public bool Lost(WalGap gap)
    {
        lock (_gate)
        {
            if (_gaps.Exists(g => g.Timeline == gap.Timeline && g.From <= gap.From && g.To >= gap.To))
                return false;
            if (_gaps.FindIndex(g => g.Timeline == gap.Timeline && g.To == gap.From) is var before and >= 0)
                _gaps[before] = _gaps[before] with { To = gap.To };
            else
                _gaps.Add(gap);
        }
        Changed.Set();
        return true;
    }

    /// <summary>Gaps that end before a place no longer matter.</summary>
    public void Covered(Lsn start) => Set(() => _gaps.RemoveAll(g => g.To <= start));

    private void Set(Action change)
    {
        lock (_gate)
            change();
        Changed.Set();
    }
}
