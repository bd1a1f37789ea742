using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Journal;

/// <summary>What every run shares.</summary>
internal sealed record RunServices(
    Store Store, ISignals Signals, TimeProvider Clock, ILogger Log, OperationsOptions Options, Action<JournalPoint>? Seam, Action<string, OutcomeKind> Count);

/// <summary>
/// One operation while it moves: does its steps in order, or takes them back, and journals each change before the next.
/// One task runs it; watchers may read its <see cref="Face"/> at any time.
/// </summary>
internal sealed class OperationRun
{
    private readonly RunServices _services;
    private readonly OperationDefinition _definition;
    private readonly object _plan;
    private readonly IReadOnlyDictionary<string, Generation> _leases;
    private readonly RunJournal _journal;
    private readonly Generation _first;
    private readonly bool _again;

    public OperationRun(RunServices services, OperationDefinition definition, RunRecord record, bool again)
    {
        (_services, _definition, _leases, _again) = (services, definition, record.Leases, again);
        _first = record.First;
        _plan = definition.ReadPlan(record.Plan);
        Face = new RunFace(record.View, record.Lines);
        _journal = new RunJournal(services, Face, record.Undoing, record.Conclusion);
    }

    public RunFace Face { get; }

    public Guid Id => Face.View.Id;

    private IReadOnlyList<StepView> Steps => Face.View.Steps;

    public async Task RunAsync(CancellationToken stop)
    {
        _services.Seam?.Invoke(new(Id, "begin", JournalMoment.After));
        if (_again)
            await CountRestartAsync();
        if (!_journal.Undoing && await ForwardAsync(stop))
            return;
        await BackwardAsync(stop);
    }

    /// <summary>After it, this run writes nothing and its watchers are let go.</summary>
    public async Task CloseAsync(bool isDead)
    {
        await _journal.CloseAsync(isDead);
        Face.Close();
    }

    /// <summary>Does the steps. True when the operation has ended; false when it is to be taken back.</summary>
    private async Task<bool> ForwardAsync(CancellationToken stop)
    {
        for (var k = 0; k < Steps.Count; k++)
        {
            if (Steps[k].State == StepState.Done)
                continue;
            if (await TryAsync(k, undo: false, stop) is StepEnd.FailedEnd failed)
            {
                await FailAsync(k, failed.Reason, stop);
                return Face.IsOver;
            }
            var done = Steps[k] with { State = StepState.Done, EndedAt = Now(), Words = null };
            if (k + 1 == Steps.Count)
                return await EndAsync(new OperationOutcome.Succeeded(SuccessText()), new() { [k] = done }, stop);
            var next = Steps[k + 1] with { State = StepState.Running, StartedAt = Now(), Attempt = 1 };
            await _journal.WriteAsync("done", new() { [k] = done, [k + 1] = next }, stop);
        }
        return await EndAsync(new OperationOutcome.Succeeded(SuccessText()), [], stop);
    }

    /// <summary>Takes back what was started, the newest first.</summary>
    private async Task BackwardAsync(CancellationToken stop)
    {
        var changes = new Dictionary<int, StepView>();
        while (!Face.IsOver)
        {
            if (NextUndo(changes) is not { } k)
            {
                await EndAsync(new OperationOutcome.RolledBack(Why), changes, stop);
                return;
            }
            if (changes.Count > 0)
                await _journal.WriteAsync("undone", changes, stop);
            if (await TryAsync(k, undo: true, stop) is StepEnd.FailedEnd failed)
            {
                var why = $"{Why} Undoing '{Steps[k].Name}' failed: {failed.Reason}";
                await EndAsync(new OperationOutcome.Stuck(why), new() { [k] = Steps[k] with { Words = failed.Reason } }, stop);
                return;
            }
            changes = new() { [k] = Steps[k] with { State = StepState.Undone, EndedAt = Now() } };
        }
    }

    private Task FailAsync(int k, string reason, CancellationToken stop)
    {
        var why = $"'{Steps[k].Name}' failed: {reason}";
        var changes = new Dictionary<int, StepView> { [k] = Steps[k] with { State = StepState.Failed, EndedAt = Now(), Words = reason } };
        return NextUndo(changes) is null
            ? EndAsync(new OperationOutcome.RolledBack(why), changes, stop)
            : _journal.WriteAsync("failed", changes, stop, h => h with { State = OperationState.Undoing, Undoing = true, Why = why });
    }

    /// <summary>
    /// Finds the step to take back next and marks it so in <paramref name="changes"/>; what has no undo is marked as kept
    /// on the way. Null when nothing is left.
    /// </summary>
    private int? NextUndo(Dictionary<int, StepView> changes)
    {
        for (var k = Steps.Count - 1; k >= 0; k--)
        {
            var step = changes.GetValueOrDefault(k, Steps[k]);
            if (step.State is StepState.Pending or StepState.Undone or StepState.Kept)
                continue;
            if (step.State == StepState.Undoing)
                return k;
            if (_definition.NoUndoReason(k) is { } reason)
            {
                changes[k] = step with { State = StepState.Kept, Words = step.State == StepState.Failed ? $"{step.Words} Kept: {reason}" : reason };
                continue;
            }
            changes[k] = step with { State = StepState.Undoing, StartedAt = Now(), EndedAt = null, Attempt = 1 };
            return k;
        }
        return null;
    }

    /// <summary>One step, or its undo, with its tries. The end of the program leaves by exception and changes nothing.</summary>
    private async Task<StepEnd> TryAsync(int k, bool undo, CancellationToken stop)
    {
        for (var tries = 1; ; tries++)
        {
            stop.ThrowIfCancellationRequested();
            string reason;
            try
            {
                var end = undo ? await _definition.UndoAsync(k, _plan, Frame(k), stop) : await _definition.DoAsync(k, _plan, Frame(k), stop);
                if (end is not StepEnd.FailedEnd failed || !undo)
                    return end;
                reason = failed.Reason;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                throw;
            }
            catch (Exception e)
            {
                _services.Log.LogWarning(e, "Operation {Operation} {Kind}: step {Step} threw on try {Try}", Id, Face.View.Kind, Steps[k].Name, tries);
                reason = e.Message;
            }
            if (tries >= (undo ? _services.Options.UndoTries : _services.Options.DoTries))
                return StepEnd.Failed(reason);
            await Task.Delay(_services.Options.PauseAfter(tries), _services.Clock, stop);
            await _journal.WriteAsync("retry", new() { [k] = Steps[k] with { Attempt = Steps[k].Attempt + 1, Words = reason } }, stop);
        }
    }

    /// <summary>
    /// The final write: outcome, leases and the room's own hook in one transaction. A hook that keeps throwing leaves the
    /// operation stuck, for the room's state would not be true.
    /// </summary>
    private async Task<bool> EndAsync(OperationOutcome outcome, Dictionary<int, StepView> changes, CancellationToken stop)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await _journal.EndAsync(outcome, changes, Finish(outcome), stop);
                break;
            }
            catch (FinishedHookException e) when (tries < _services.Options.UndoTries)
            {
                _services.Log.LogWarning(e.InnerException, "Operation {Operation} {Kind}: recording its end failed on try {Try}", Id, Face.View.Kind, tries);
                await Task.Delay(_services.Options.PauseAfter(tries), _services.Clock, stop);
            }
            catch (FinishedHookException e)
            {
                _services.Log.LogError(e.InnerException, "Operation {Operation} {Kind}: recording its end failed", Id, Face.View.Kind);
                outcome = new OperationOutcome.Stuck($"Recording its end failed: {e.InnerException?.Message}");
                await _journal.EndAsync(outcome, changes, null, stop);
                break;
            }
        }
        Announce(outcome);
        return true;
    }

    private void Announce(OperationOutcome outcome)
    {
        _services.Count(Face.View.Kind, Face.View.Outcome!.Value);
        if (outcome is OperationOutcome.Stuck stuck)
        {
            _services.Signals.Raise(new Signal("operation-stuck", Face.View.Subject,
                $"The operation {Face.View.Kind} of {Face.View.Subject} is stuck: {stuck.Why} Mend the cause, then resume operation {Id}.",
                SignalUrgency.Urgent, Now()));
        }
    }

    private Func<StoreContext, Task> Finish(OperationOutcome outcome) => async db =>
    {
        try
        {
            await _definition.FinishedAsync(db, _plan, outcome);
            await db.SaveChangesAsync();
        }
        catch (Exception e)
        {
            throw new FinishedHookException(e);
        }
    };

    private Task CountRestartAsync()
    {
        var changes = new Dictionary<int, StepView>();
        for (var k = 0; k < Steps.Count; k++)
        {
            if (Steps[k].State is StepState.Running or StepState.Undoing)
                changes[k] = Steps[k] with { Attempt = Steps[k].Attempt + 1 };
        }
        return changes.Count > 0 ? _journal.WriteAsync("resume", changes, CancellationToken.None) : Task.CompletedTask;
    }

    private StepFrame Frame(int k)
    {
        var (view, name) = (Face.View, Steps[k].Name);
        return new StepFrame(Id, view.Subject, view.Actor, _leases, _first, _services.Clock,
            Steps[k].Attempt, Steps[k].StartedAt ?? Now(), view.Why, text => _journal.Say(name, text), _journal.Conclude);
    }

    private string Why => Face.View.Why ?? "";

    private string SuccessText() => _journal.Conclusion ?? _definition.SuccessText(_plan);

    private DateTimeOffset Now() => _services.Clock.StoreNow();
}

/// <summary>The room's hook threw in the final write.</summary>
internal sealed class FinishedHookException(Exception inner) : Exception(inner.Message, inner);

/// <summary>What a run starts from: as begun, or as read from the journal.</summary>
internal sealed record RunRecord(
    OperationView View, bool Undoing, string? Conclusion, string Plan, IReadOnlyDictionary<string, Generation> Leases, Generation First, IReadOnlyList<OperationLine> Lines);
