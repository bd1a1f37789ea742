using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Groundcrew.Tests.Proof;

/// <summary>
/// The three tests that every operation passes: every step repeated, a failure at every step, and a crash at every write
/// of the journal. Each run has a fresh world.
/// </summary>
/// <param name="newCase">Makes a world.</param>
public sealed class OperationProof<TPlan>(Func<Task<OperationCase<TPlan>>> newCase)
    where TPlan : class
{
    private const string Injected = "a failure injected by the proof";

    /// <summary>Runs all three.</summary>
    public async Task HoldsAsync(CancellationToken cancellation)
    {
        await RepeatEveryStepAsync(cancellation);
        await FailAtEveryStepAsync(cancellation);
        await CrashAtEveryJournalWriteAsync(cancellation);
    }

    /// <summary>Every step done twice ends as every step done once.</summary>
    public async Task RepeatEveryStepAsync(CancellationToken cancellation)
    {
        var once = await RunAsync(d => d, null, cancellation);
        Want(once.View.Outcome == OutcomeKind.Succeeded, $"A plain run ended {once.View.Outcome}: {once.View.Why}");
        var twice = await RunAsync(d => Rewrite(d, (_, step) => new Step<TPlan>(step.Name, Twice(step.Do), step.Undo)), null, cancellation);
        Want(twice.View.Outcome == OutcomeKind.Succeeded, $"With every step done twice it ended {twice.View.Outcome}: {twice.View.Why}");
        Same(once.After, twice.After, "every step done twice");
    }

    /// <summary>
    /// A failure at any step, before or after what it does, ends rolled back, really because of that step, and in the
    /// state of the start; also when every undo is done twice.
    /// </summary>
    public async Task FailAtEveryStepAsync(CancellationToken cancellation)
    {
        var steps = await StepCountAsync();
        for (var k = 0; k < steps; k++)
        {
            foreach (var afterDoing in new[] { false, true })
            {
                var failing = k;
                var run = await RunAsync(d => Rewrite(d, (i, step) => Failing(step, i == failing, afterDoing)), null, cancellation);
                JudgeFailure(run, failing, afterDoing ? "after doing it" : "before doing it");
            }
        }
    }

    /// <summary>
    /// The program killed before and after every write of the journal, and started again, ends as if it had not been: on
    /// the way forward, and on the way back from a failure of the last step.
    /// </summary>
    public async Task CrashAtEveryJournalWriteAsync(CancellationToken cancellation)
    {
        await CrashEverywhereAsync("forward", d => d, cancellation);
        var last = await StepCountAsync() - 1;
        await CrashEverywhereAsync("backward", d => Rewrite(d, (i, step) => Failing(step, i == last, afterDoing: true)), cancellation);
    }

    private async Task CrashEverywhereAsync(string way, Func<OperationDefinition<TPlan>, OperationDefinition<TPlan>> rewrite, CancellationToken cancellation)
    {
        var points = new List<JournalPoint>();
        var plain = await RunAsync(rewrite, points.Add, cancellation);
        for (var k = 0; k < points.Count; k++)
        {
            var crashed = await RunAsync(rewrite, null, cancellation, killAt: k);
            var where = $"{way}, killed {points[k].Moment.ToString().ToLowerInvariant()} '{points[k].Write}' (write {k / 2})";
            Want(crashed.View.Outcome == plain.View.Outcome, $"{where}: ended {crashed.View.Outcome} ({crashed.View.Why}) instead of {plain.View.Outcome}.");
            Same(plain.After, crashed.After, where);
        }
    }

    private async Task<Run> RunAsync(
        Func<OperationDefinition<TPlan>, OperationDefinition<TPlan>> rewrite, Action<JournalPoint>? watch, CancellationToken cancellation, int? killAt = null)
    {
        var world = await newCase();
        try
        {
            var definition = rewrite(world.Definition);
            var before = await world.ReadState();
            Guid id;
            if (killAt is { } point)
                id = await RunUntilKilledAsync(world, definition, point, cancellation);
            else
                id = Guid.Empty;
            await using var engine = Engine(world, definition, watch);
            await engine.StartAsync(cancellation);
            if (killAt is null)
                id = await BeginAsync(world, engine, definition, cancellation);
            var view = await engine.WaitForEndAsync(id, cancellation) ?? throw new ProofFailedException("The operation is gone.");
            return new Run(view, before, await world.ReadState(), world.MayStay);
        }
        finally
        {
            await world.Cleanup();
            await world.Store.DisposeAsync();
        }
    }

    /// <summary>From the moment of the kill on, this engine writes nothing any more, as a dead program would.</summary>
    private static async Task<Guid> RunUntilKilledAsync(OperationCase<TPlan> world, OperationDefinition<TPlan> definition, int point, CancellationToken cancellation)
    {
        var (seen, killed) = (-1, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await using var engine = Engine(world, definition, _ =>
        {
            if (Interlocked.Increment(ref seen) < point)
                return;
            killed.TrySetResult();
            throw new ProgramKilledException();
        });
        await engine.StartAsync(cancellation);
        var id = await BeginAsync(world, engine, definition, cancellation);
        await killed.Task.WaitAsync(Eventually.Limit, cancellation);
        return id;
    }

    private static Operations Engine(OperationCase<TPlan> world, OperationDefinition<TPlan> definition, Action<JournalPoint>? seam)
    {
        var engine = new Operations(world.Store, new SeenSignals(), world.Clock, NullLogger<Operations>.Instance, null,
            new OperationsOptions { Backoff = TimeSpan.Zero }, seam);
        engine.Register(definition);
        return engine;
    }

    private static async Task<Guid> BeginAsync(OperationCase<TPlan> world, Operations engine, OperationDefinition<TPlan> definition, CancellationToken cancellation)
    {
        var options = new BeginOptions { Subject = "proof", Summary = "proof", Actor = Actor.Platform("proof"), Leases = world.Leases };
        var result = await world.Store.WriteAsync((db, token) => engine.BeginAsync(db, definition, world.Plan, options, token), cancellation);
        return result is BeginResult.Begun begun ? begun.Operation.Id : throw new ProofFailedException($"It could not be begun: {result}");
    }

    private async Task<int> StepCountAsync()
    {
        var world = await newCase();
        await world.Cleanup();
        await world.Store.DisposeAsync();
        return world.Definition.Steps.Count;
    }

    private static void JudgeFailure(Run run, int failing, string when)
    {
        var name = run.View.Steps[failing].Name;
        var where = $"a failure at '{name}' {when}";
        Want(run.View.Outcome == OutcomeKind.RolledBack, $"{where}: ended {run.View.Outcome} ({run.View.Why}) instead of rolled back.");
        Want(run.View.Why?.Contains($"'{name}' failed: {Injected}", StringComparison.Ordinal) == true, $"{where}: it failed for another reason, {run.View.Why}");
        Want(run.View.Steps.Skip(failing + 1).All(s => s.State == StepState.Pending), $"{where}: a later step was started.");
        Want(run.View.Steps.Take(failing + 1).All(s => s.State is StepState.Undone or StepState.Kept), $"{where}: a step was not taken back.");
        if (!run.View.Steps.Take(failing + 1).Any(s => run.MayStay.Contains(s.Name)))
            Same(run.Before, run.After, where);
    }

    private static OperationDefinition<TPlan> Rewrite(OperationDefinition<TPlan> definition, Func<int, Step<TPlan>, Step<TPlan>> rewrite) => new()
    {
        Kind = definition.Kind,
        Steps = [.. definition.Steps.Select((step, i) => rewrite(i, step))],
        Finished = definition.Finished,
        Success = definition.Success,
    };

    /// <summary>The step with twice its undo and, when it is the one, a failure before or after what it does.</summary>
    private static Step<TPlan> Failing(Step<TPlan> step, bool fails, bool afterDoing)
    {
        var undo = step.Undo.By is { } by ? Undo.By(Twice(by)) : step.Undo;
        return !fails ? new Step<TPlan>(step.Name, step.Do, undo) : new Step<TPlan>(step.Name, async (context, cancellation) =>
        {
            if (afterDoing)
                await step.Do(context, cancellation);
            return StepEnd.Failed(Injected);
        }, undo);
    }

    private static Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>> Twice(Func<StepContext<TPlan>, CancellationToken, Task<StepEnd>> work) =>
        async (context, cancellation) =>
        {
            var first = await work(context, cancellation);
            return first == StepEnd.Done ? await work(context, cancellation) : first;
        };

    private static void Same(string expected, string actual, string where) =>
        Want(expected == actual, $"{where}: the state is not the same.\nexpected:\n{expected}\nactual:\n{actual}");

    private static void Want(bool holds, string otherwise)
    {
        if (!holds)
            throw new ProofFailedException(otherwise);
    }

    private sealed record Run(OperationView View, string Before, string After, IReadOnlySet<string> MayStay);
}
