using System.Globalization;

namespace Groundcrew.Journal;

/// <summary>Where an operation stands.</summary>
public enum OperationState
{
    /// <summary>Its steps are being done.</summary>
    Running,

    /// <summary>A step failed, and what was done is being taken back.</summary>
    Undoing,

    /// <summary>It has its outcome.</summary>
    Ended,

    /// <summary>Undoing does not work: a person has to look. It keeps its leases until it is resumed and ends.</summary>
    Stuck,
}

/// <summary>Where a step stands.</summary>
public enum StepState
{
    /// <summary>Not started.</summary>
    Pending,

    /// <summary>Being done.</summary>
    Running,

    /// <summary>Done.</summary>
    Done,

    /// <summary>It failed, and has not been taken back yet.</summary>
    Failed,

    /// <summary>Being taken back.</summary>
    Undoing,

    /// <summary>Taken back.</summary>
    Undone,

    /// <summary>It stays as it is: its undo is "none", for the reason in its words.</summary>
    Kept,
}

/// <summary>The kinds of <see cref="OperationOutcome"/>, for views.</summary>
public enum OutcomeKind
{
    /// <summary>Everything was done.</summary>
    Succeeded,

    /// <summary>It failed and everything was taken back.</summary>
    RolledBack,

    /// <summary>It failed and could not be taken back; a person has to look.</summary>
    Stuck,
}

/// <summary>How an operation ended: a closed set.</summary>
public abstract record OperationOutcome
{
    private OperationOutcome()
    {
    }

    /// <summary>Everything was done.</summary>
    /// <param name="Text">What holds now, for a person.</param>
    public sealed record Succeeded(string Text) : OperationOutcome;

    /// <summary>It failed and everything was taken back.</summary>
    /// <param name="Why">What failed.</param>
    public sealed record RolledBack(string Why) : OperationOutcome;

    /// <summary>It could not be taken back; see <see cref="Operations.ResumeAsync(Guid, CancellationToken)"/>.</summary>
    /// <param name="Why">What failed, and what failed in undoing it.</param>
    public sealed record Stuck(string Why) : OperationOutcome;
}

/// <summary>One step, for views.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Attempt">How often it was begun.</param>
/// <param name="StartedAt">When it, or its undo, was first begun.</param>
/// <param name="EndedAt">When it, or its undo, ended.</param>
/// <param name="Words">The last failure, or why it is kept.</param>
public sealed record StepView(string Name, StepState State, int Attempt, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, string? Words);

/// <summary>One line that a step said.</summary>
/// <param name="Number">From 1 in its operation, ascending.</param>
/// <param name="At">When.</param>
/// <param name="Step">The step that said it.</param>
/// <param name="Text">The line.</param>
public sealed record OperationLine(int Number, DateTimeOffset At, string Step, string Text);

/// <summary>An operation, for people and programs. Immutable.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">The kind of its definition.</param>
/// <param name="Subject">What it is about.</param>
/// <param name="Summary">One line: what was asked.</param>
/// <param name="Actor">The name of who asked.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Outcome">How it ended; null while it moves.</param>
/// <param name="Why">The text of success, or the reason of failure; null while all is well.</param>
/// <param name="CreatedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="LinesDropped">How many lines of progress were not kept.</param>
/// <param name="Steps">Its steps.</param>
public sealed record OperationView(
    Guid Id, string Kind, string Subject, string Summary, string Actor, OperationState State, OutcomeKind? Outcome, string? Why,
    DateTimeOffset CreatedAt, DateTimeOffset? EndedAt, long LinesDropped, IReadOnlyList<StepView> Steps);

/// <summary>What a watcher sees: first a <see cref="Snapshot"/>, then what changes, last <see cref="Ended"/>.</summary>
public abstract record OperationEvent
{
    private OperationEvent()
    {
    }

    /// <summary>Everything so far: at the beginning, and instead of the events that a slow reader missed.</summary>
    /// <param name="Operation">The operation.</param>
    /// <param name="Lines">The lines that are kept.</param>
    public sealed record Snapshot(OperationView Operation, IReadOnlyList<OperationLine> Lines) : OperationEvent;

    /// <summary>A step, or the direction of the operation, changed.</summary>
    /// <param name="Operation">The operation as it is now.</param>
    public sealed record Changed(OperationView Operation) : OperationEvent;

    /// <summary>A step said a line.</summary>
    /// <param name="Line">The line.</param>
    public sealed record Said(OperationLine Line) : OperationEvent;

    /// <summary>It ended or is stuck; nothing follows.</summary>
    /// <param name="Operation">The operation at its end.</param>
    public sealed record Ended(OperationView Operation) : OperationEvent;
}

/// <summary>What to begin, beside the plan.</summary>
public sealed record BeginOptions
{
    /// <summary>What it is about, such as <c>acme/web</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>One line for lists: what was asked.</summary>
    public required string Summary { get; init; }

    /// <summary>Who asked.</summary>
    public required Actor Actor { get; init; }

    /// <summary>What only one operation may move at a time, such as <c>project:acme/web/production</c>. Held until the end.</summary>
    public IReadOnlyList<string> Leases { get; init; } = [];

    /// <summary>The key under which the actor may ask again without a second operation; null for none. At most 200 characters.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>What tells requests under one key apart: a hash of the request. Required with a key.</summary>
    public string? RequestHash { get; init; }

    /// <summary>The id; null to make one. Given where the plan or the room's own rows name the operation.</summary>
    public Guid? Id { get; init; }
}

/// <summary>What became of an attempt to begin: a closed set.</summary>
public abstract record BeginResult
{
    private BeginResult()
    {
    }

    /// <summary>It runs as soon as the caller's write is committed.</summary>
    /// <param name="Operation">The operation.</param>
    public sealed record Begun(OperationView Operation) : BeginResult;

    /// <summary>Another operation holds one of the leases.</summary>
    /// <param name="Holder">That operation.</param>
    /// <param name="Lease">The lease.</param>
    public sealed record Busy(OperationView Holder, string Lease) : BeginResult;

    /// <summary>The same request was made before.</summary>
    /// <param name="Earlier">What it began.</param>
    public sealed record Replayed(OperationView Earlier) : BeginResult;

    /// <summary>The key was used by the same actor for another request.</summary>
    /// <param name="Earlier">What that one began.</param>
    public sealed record KeyReused(OperationView Earlier) : BeginResult;
}

/// <summary>Which operations; every condition that is set must hold.</summary>
/// <param name="Kind">Only of this kind.</param>
/// <param name="Subject">Only about exactly this.</param>
/// <param name="SubjectPrefix">Only about what starts so, such as <c>acme/</c>.</param>
/// <param name="State">Only in this state.</param>
public sealed record OperationFilter(string? Kind = null, string? Subject = null, string? SubjectPrefix = null, OperationState? State = null);

/// <summary>A part of a list, newest first.</summary>
/// <typeparam name="T">What is listed.</typeparam>
/// <param name="Items">The items.</param>
/// <param name="Next">Where the next part starts; null at the end.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, PageCursor? Next);

/// <summary>A place in a list that is ordered by time and id. Text for the wire by <see cref="ToString"/>.</summary>
/// <param name="At">The time of the last item that was given.</param>
/// <param name="Id">Its id.</param>
public sealed record PageCursor(DateTimeOffset At, Guid Id)
{
    /// <summary>Reads what <see cref="ToString"/> wrote; null when it is something else.</summary>
    public static PageCursor? Parse(string? text)
    {
        var dot = text?.IndexOf('.', StringComparison.Ordinal) ?? -1;
        return dot > 0
            && long.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var at)
            && at < 253_402_300_800_000_000
            && Guid.TryParseExact(text.AsSpan(dot + 1), "N", out var id)
            ? new PageCursor(StoreTime.FromMicroseconds(at), id)
            : null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{StoreTime.ToMicroseconds(At)}.{Id:N}";
}
