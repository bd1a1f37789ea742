using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Journal;

/// <summary>How a step, or its undo, ended.</summary>
public abstract record StepEnd
{
    private StepEnd()
    {
    }

    /// <summary>It is done.</summary>
    public static StepEnd Done { get; } = new DoneEnd();

    /// <summary>
    /// It cannot be done: the operation is undone and ends as <see cref="OperationOutcome.RolledBack"/> with this reason.
    /// What may pass by itself is thrown instead, and tried again.
    /// </summary>
    /// <param name="reason">For a person: what happened.</param>
    public static StepEnd Failed(string reason) => new FailedEnd(reason);

    internal sealed record DoneEnd : StepEnd;

    internal sealed record FailedEnd(string Reason) : StepEnd;
}

/// <summary>
/// One step of an operation. It must be idempotent: after a crash it is done again from its beginning, and it is always
/// undone when it was started, whether or not it came to its end.
/// </summary>
/// <typeparam name="TPlan">The plan of the operation.</typeparam>
/// <param name="name">A few words, unique in the operation, such as <c>start instances</c>.</param>
/// <param name="doing">What it does.</param>
/// <param name="undo">What takes it back, or why nothing does.</param>
public sealed class Step<TPlan>(string name, Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>> doing, Undo<TPlan> undo)
{
    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>What it does. Throwing is tried again a few times; the cancellation means that the program is ending.</summary>
    public Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>> Do { get; } = doing;

    /// <summary>What takes it back.</summary>
    public Undo<TPlan> Undo { get; } = undo;
}

/// <summary>What takes a step back. Exactly one of the two properties is set.</summary>
/// <typeparam name="TPlan">The plan of the operation.</typeparam>
public sealed class Undo<TPlan>
{
    internal Undo(Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>>? by, string? noneBecause) => (By, NoneBecause) = (by, noneBecause);

    /// <summary>The undo, which is idempotent as well.</summary>
    public Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>>? By { get; }

    /// <summary>Why there is none.</summary>
    public string? NoneBecause { get; }
}

/// <summary>Makes undos.</summary>
public static class Undo
{
    /// <summary>Takes the step back. Throwing and <see cref="StepEnd.Failed"/> are tried again; in the end the operation is stuck.</summary>
    public static Undo<TPlan> By<TPlan>(Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>> undo) => new(undo, null);

    /// <summary>Nothing takes it back, and why that is right.</summary>
    public static Undo<TPlan> None<TPlan>(string reason) => new(null, reason);
}

/// <summary>A fixed sequence of steps with their undos, without its plan's type.</summary>
public abstract class OperationDefinition
{
    private protected OperationDefinition()
    {
    }

    /// <summary>Stable and hyphenated, such as <c>deploy</c>; it is kept with every operation.</summary>
    public required string Kind { get; init; }

    internal abstract IReadOnlyList<string> StepNames { get; }

    internal abstract string? NoUndoReason(int position);

    internal abstract object ReadPlan(string json);

    internal abstract Task<StepEnd> DoAsync(int position, object plan, StepFrame frame, CancellationToken cancellation);

    internal abstract Task<StepEnd> UndoAsync(int position, object plan, StepFrame frame, CancellationToken cancellation);

    internal abstract Task FinishedAsync(StoreContext db, object plan, OperationOutcome outcome);

    internal abstract string SuccessText(object plan);
}

/// <summary>A fixed sequence of steps with their undos. Immutable; registered once with <see cref="Operations.Register"/>.</summary>
/// <typeparam name="TPlan">
/// An immutable record that holds every choice the steps need, random ones included; it is journalled as JSON before the
/// start and read back by every step, so nothing else may carry over from step to step. It holds no secrets.
/// </typeparam>
public sealed class OperationDefinition<TPlan> : OperationDefinition
    where TPlan : class
{
    /// <summary>The steps in their order; at least one, with names of their own.</summary>
    public required IReadOnlyList<Step<TPlan>> Steps { get; init; }

    /// <summary>
    /// Runs in the transaction that records the outcome, so that the room's own state changes with it. It is called for
    /// <see cref="OperationOutcome.Stuck"/> too, and again when a stuck operation was resumed and ended. Only the
    /// database may be touched.
    /// </summary>
    public Func<StoreContext, TPlan, OperationOutcome, Task>? Finished { get; init; }

    /// <summary>The text of success when no step concluded another.</summary>
    public Func<TPlan, string>? Success { get; init; }

    internal override IReadOnlyList<string> StepNames => [.. Steps.Select(s => s.Name)];

    internal override string? NoUndoReason(int position) => Steps[position].Undo.NoneBecause;

    internal override object ReadPlan(string json) =>
        JsonSerializer.Deserialize<TPlan>(json, Json.Options) ?? throw new InvalidDataException("The plan is null.");

    internal override Task<StepEnd> DoAsync(int position, object plan, StepFrame frame, CancellationToken cancellation) =>
        Steps[position].Do(new StepContext<TPlan>((TPlan)plan, frame), cancellation);

    internal override Task<StepEnd> UndoAsync(int position, object plan, StepFrame frame, CancellationToken cancellation) =>
        Steps[position].Undo.By!(new StepContext<TPlan>((TPlan)plan, frame), cancellation);

    internal override Task FinishedAsync(StoreContext db, object plan, OperationOutcome outcome) =>
        Finished?.Invoke(db, (TPlan)plan, outcome) ?? Task.CompletedTask;

    internal override string SuccessText(object plan) => Success?.Invoke((TPlan)plan) ?? "Done.";
}

/// <summary>What a step is given beside its plan. Used by one step at a time.</summary>
internal sealed record StepFrame(
    Guid Operation, string Subject, string Actor, IReadOnlyDictionary<string, Generation> Leases, Generation Generation,
    TimeProvider Clock, int Attempt, DateTimeOffset StartedAt, string? Why, Action<string> Say, Action<string> Conclude);

/// <summary>What a step knows and may say. Valid while the step runs; <see cref="Say"/> is thread-safe.</summary>
/// <typeparam name="TPlan">The plan of the operation.</typeparam>
public sealed class StepContext<TPlan>
{
    private readonly StepFrame _frame;

    internal StepContext(TPlan plan, StepFrame frame) => (Plan, _frame) = (plan, frame);

    /// <summary>The plan, as it was journalled before the start.</summary>
    public TPlan Plan { get; }

    /// <summary>The operation.</summary>
    public Guid Operation => _frame.Operation;

    /// <summary>What it is about, such as <c>acme/web</c>.</summary>
    public string Subject => _frame.Subject;

    /// <summary>The name of who asked for it.</summary>
    public string Actor => _frame.Actor;

    /// <summary>The generation of the first lease, to stamp commands with; 0 without a lease.</summary>
    public Generation Generation => _frame.Generation;

    /// <summary>The clock.</summary>
    public TimeProvider Clock => _frame.Clock;

    /// <summary>From 1; grows with each try and each restart of the program, and is journalled.</summary>
    public int Attempt => _frame.Attempt;

    /// <summary>When this step was first started; journalled, so that a deadline counted from it survives a crash.</summary>
    public DateTimeOffset StepStartedAt => _frame.StartedAt;

    /// <summary>While undoing: why the operation is undone.</summary>
    public string? Why => _frame.Why;

    /// <summary>The generation of one of the leases.</summary>
    /// <exception cref="KeyNotFoundException">The operation has no such lease.</exception>
    public Generation GenerationOf(string lease) => _frame.Leases[lease];

    /// <summary>A line of progress for whoever watches; kept with the operation. The newest 500 are kept, each cut at 2,000 characters.</summary>
    public void Say(string text) => _frame.Say(text);

    /// <summary>Replaces the text of success that the operation will end with.</summary>
    public void Conclude(string text) => _frame.Conclude(text);
}
