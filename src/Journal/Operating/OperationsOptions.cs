namespace Groundcrew.Journal;

/// <summary>How operations are run. Immutable.</summary>
public sealed record OperationsOptions
{
    /// <summary>How many move at the same time; further ones wait, already journalled.</summary>
    public int MaxParallel { get; init; } = 64;

    /// <summary>How often a step that throws is done before it counts as failed.</summary>
    public int DoTries { get; init; } = 3;

    /// <summary>How often an undo that fails is done before the operation is stuck.</summary>
    public int UndoTries { get; init; } = 5;

    /// <summary>The pause before the second try; it doubles with each further one, up to a minute.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(1);

    internal TimeSpan PauseAfter(int tries) => TimeSpan.FromTicks(Math.Min(Backoff.Ticks << Math.Min(tries - 1, 16), TimeSpan.TicksPerMinute));
}

/// <summary>Before or after a write of the journal.</summary>
public enum JournalMoment
{
    /// <summary>Nothing of it is on disk.</summary>
    Before,

    /// <summary>All of it is on disk.</summary>
    After,
}

/// <summary>A moment at which the program may be killed. Proofs throw there; what is thrown ends the operation's run as a crash would.</summary>
/// <param name="Operation">The operation.</param>
/// <param name="Write">Which write: <c>begin</c>, <c>resume</c>, <c>done</c>, <c>failed</c>, <c>retry</c>, <c>undone</c> or <c>end</c>.</param>
/// <param name="Moment">Before or after it.</param>
public readonly record struct JournalPoint(Guid Operation, string Write, JournalMoment Moment);

/// <summary>What became of asking a stuck operation to go on.</summary>
public enum ResumeResult
{
    /// <summary>It moves again, as soon as the caller's write is committed.</summary>
    Resumed,

    /// <summary>It is not stuck.</summary>
    NotStuck,

    /// <summary>There is no such operation.</summary>
    NotFound,
}
