using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Groundcrew.Edge;

/// <summary>The states of a breaker.</summary>
public enum BreakerState
{
    /// <summary>Traffic flows, and failures are counted.</summary>
    Closed,

    /// <summary>No traffic until its time has passed.</summary>
    Open,

    /// <summary>A few requests try whether it is well again.</summary>
    HalfOpen,
}

/// <summary>What happens to a breaker.</summary>
internal enum BreakerEvent
{
    /// <summary>A request that is no trial went well.</summary>
    Succeeded,

    /// <summary>A request that is no trial failed.</summary>
    Failed,

    /// <summary>The same, and with it the share of failures in the window is too high.</summary>
    FailedTooOften,

    /// <summary>A request asks to be a trial.</summary>
    TrialAsked,

    /// <summary>A trial of this half-open time went well.</summary>
    TrialSucceeded,

    /// <summary>A trial of this half-open time failed.</summary>
    TrialFailed,

    /// <summary>A trial of this half-open time ended without a verdict, such as by its client leaving.</summary>
    TrialLeft,
}

/// <summary>Everything that a breaker remembers but its window. Times and durations are the clock's timestamps.</summary>
/// <param name="State">The state.</param>
/// <param name="FailuresInARow">Failures since the last success while it was closed.</param>
/// <param name="OpenUntil">When it may be tried; means nothing while it is closed.</param>
/// <param name="NextOpenFor">How long it will stay open the next time.</param>
/// <param name="ClosedSince">When it was closed last; means nothing while it is not.</param>
/// <param name="TrialsOut">Trials that have not ended.</param>
/// <param name="TrialsWell">Trials of this half-open time that went well.</param>
/// <param name="LastTrial">When the last trial began.</param>
/// <param name="Opened">How often it was opened.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct BreakerMemory(
    BreakerState State, int FailuresInARow, long OpenUntil, long NextOpenFor, long ClosedSince, int TrialsOut, int TrialsWell, long LastTrial, long Opened);

/// <summary>
/// The state machine of a breaker; pure. Closed opens by failures in a row or by their share. Open becomes half-open by
/// the first trial after its time. Half-open is closed when as many trials as the policy has went well, and opened again
/// by one that failed. Each opening lasts twice as long as the one before, up to a most, and begins at the first length
/// again when it was closed for that most. Verdicts on requests from before it opened change nothing while it is not closed.
/// </summary>
internal sealed class BreakerMachine(int failures, long openFor, long openAtMost, int trials)
{
    /// <summary>How it begins.</summary>
    public BreakerMemory Start(long now) => new(BreakerState.Closed, 0, 0, openFor, now, 0, 0, 0, 0);

    /// <summary>What it remembers after an event, and whether the event is granted: only asking for a trial can be refused.</summary>
    public (BreakerMemory Next, bool Granted) Step(in BreakerMemory memory, BreakerEvent happened, long now) => memory.State switch
    {
        BreakerState.Closed => (WhenClosed(memory, happened, now), happened != BreakerEvent.TrialAsked),
        BreakerState.Open => WhenOpen(memory, happened, now),
        BreakerState.HalfOpen => WhenHalfOpen(memory, happened, now),
        _ => throw new UnreachableException(),
    };

    /// <summary>Whether asking for a trial would be granted.</summary>
    public bool MayTry(in BreakerMemory memory, long now) => memory.State switch
    {
        BreakerState.Closed => false,
        // More than the most is left only when the clock was set back.
        BreakerState.Open => now >= memory.OpenUntil || memory.OpenUntil - now > openAtMost,
        // One that says nothing for so long is lost, and must not keep the breaker half-open for ever.
        BreakerState.HalfOpen => memory.TrialsOut + memory.TrialsWell < trials || Math.Abs(now - memory.LastTrial) >= openAtMost,
        _ => throw new UnreachableException(),
    };

    private BreakerMemory WhenClosed(in BreakerMemory memory, BreakerEvent happened, long now) => happened switch
    {
        // A trial of a time that another trial ended counts as any request.
        BreakerEvent.Succeeded or BreakerEvent.TrialSucceeded => memory with { FailuresInARow = 0 },
        BreakerEvent.Failed or BreakerEvent.TrialFailed when memory.FailuresInARow + 1 < failures =>
            memory with { FailuresInARow = memory.FailuresInARow + 1 },
        BreakerEvent.Failed or BreakerEvent.TrialFailed or BreakerEvent.FailedTooOften =>
            Open(memory with { FailuresInARow = memory.FailuresInARow + 1 }, now - memory.ClosedSince >= openAtMost ? openFor : memory.NextOpenFor, now),
        BreakerEvent.TrialAsked or BreakerEvent.TrialLeft => memory,
        _ => throw new UnreachableException(),
    };

    private (BreakerMemory Next, bool Granted) WhenOpen(in BreakerMemory memory, BreakerEvent happened, long now) => happened switch
    {
        BreakerEvent.TrialAsked when MayTry(memory, now) =>
            (memory with { State = BreakerState.HalfOpen, TrialsOut = 1, TrialsWell = 0, LastTrial = now }, true),
        BreakerEvent.TrialAsked => (memory, false),
        _ => (memory, true),
    };

    private (BreakerMemory Next, bool Granted) WhenHalfOpen(in BreakerMemory memory, BreakerEvent happened, long now) => happened switch
    {
        BreakerEvent.TrialAsked when MayTry(memory, now) =>
            (memory with { TrialsOut = Math.Min(trials, memory.TrialsOut + 1), LastTrial = now }, true),
        BreakerEvent.TrialAsked => (memory, false),
        BreakerEvent.TrialSucceeded when memory.TrialsWell + 1 >= trials =>
            (memory with { State = BreakerState.Closed, FailuresInARow = 0, ClosedSince = now, TrialsOut = 0, TrialsWell = 0 }, true),
        BreakerEvent.TrialSucceeded => (memory with { TrialsOut = Math.Max(0, memory.TrialsOut - 1), TrialsWell = memory.TrialsWell + 1 }, true),
        BreakerEvent.TrialFailed => (Open(memory, memory.NextOpenFor, now), true),
        BreakerEvent.TrialLeft => (memory with { TrialsOut = Math.Max(0, memory.TrialsOut - 1) }, true),
        _ => (memory, true),
    };

    private BreakerMemory Open(in BreakerMemory memory, long length, long now) => memory with
    {
        State = BreakerState.Open,
        OpenUntil = now + length,
        NextOpenFor = Math.Min(2 * length, openAtMost),
        TrialsOut = 0,
        TrialsWell = 0,
        Opened = memory.Opened + 1,
    };
}
