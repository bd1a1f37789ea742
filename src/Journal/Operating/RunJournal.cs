using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Journal;

/// <summary>What of an operation changes, beside its steps.</summary>
internal sealed record RunHead(OperationState State, bool Undoing, string? Why, string? Conclusion, OutcomeKind? Outcome, DateTimeOffset? EndedAt);

/// <summary>
/// Writes one operation's changes: each is on disk before <see cref="RunFace"/> shows it. Lines of progress ride along
/// with the next change, or go by themselves a moment later. Thread-safe.
/// </summary>
#pragma warning disable CA1001 // The semaphore makes no wait handle, so there is nothing to dispose of.
internal sealed class RunJournal
#pragma warning restore CA1001
{
    private const int MaxText = 2000;
    private static readonly TimeSpan FlushAfter = TimeSpan.FromMilliseconds(250);
    private readonly RunServices _services;
    private readonly RunFace _face;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private RunHead _head;
    private string? _conclusion;
    private int _flushing;
    private bool _closed;

    public RunJournal(RunServices services, RunFace face, bool undoing, string? conclusion)
    {
        (_services, _face, _conclusion) = (services, face, conclusion);
        _head = new RunHead(face.View.State, undoing, face.View.Why, conclusion, face.View.Outcome, face.View.EndedAt);
    }

    public bool Undoing => _head.Undoing;

    public string? Conclusion => Volatile.Read(ref _conclusion);

    public void Conclude(string text) => Volatile.Write(ref _conclusion, Cut(text));

    public void Say(string step, string text)
    {
        _face.Say(_services.Clock.StoreNow(), step, Cut(text));
        if (Interlocked.Exchange(ref _flushing, 1) == 0)
            _ = FlushLaterAsync();
    }

    public Task WriteAsync(string write, Dictionary<int, StepView> steps, CancellationToken stop, Func<RunHead, RunHead>? change = null) =>
        WriteAsync(write, steps, change ?? (h => h), null, stop);

    public Task EndAsync(OperationOutcome outcome, Dictionary<int, StepView> steps, Func<StoreContext, Task>? finish, CancellationToken stop)
    {
        var now = _services.Clock.StoreNow();
        return WriteAsync("end", steps, h => outcome switch
        {
            OperationOutcome.Succeeded done => h with { State = OperationState.Ended, Outcome = OutcomeKind.Succeeded, Why = done.Text, EndedAt = now },
            OperationOutcome.RolledBack back => h with { State = OperationState.Ended, Outcome = OutcomeKind.RolledBack, Why = back.Why, EndedAt = now },
            OperationOutcome.Stuck stuck => h with { State = OperationState.Stuck, Outcome = OutcomeKind.Stuck, Why = stuck.Why, EndedAt = now },
            _ => throw new InvalidOperationException($"Unknown outcome {outcome}."),
        }, async db =>
        {
            if (outcome is not OperationOutcome.Stuck)
                await db.Set<LeaseRow>().Where(l => l.OperationId == _face.View.Id).ExecuteUpdateAsync(set => set.SetProperty(l => l.OperationId, (Guid?)null));
            if (finish is not null)
                await finish(db);
        }, stop);
    }

    private async Task WriteAsync(string write, Dictionary<int, StepView> steps, Func<RunHead, RunHead> change, Func<StoreContext, Task>? also, CancellationToken stop)
    {
        await _turn.WaitAsync(CancellationToken.None);
        try
        {
            var head = change(_head) with { Conclusion = Conclusion };
            _services.Seam?.Invoke(new(_face.View.Id, write, JournalMoment.Before));
            var lines = await PersistAsync(steps, head, also, stop);
            _services.Seam?.Invoke(new(_face.View.Id, write, JournalMoment.After));
            _head = head;
            _face.Apply(head, steps, lines);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>A store that fails is tried until it works: what a step did must not be forgotten while the program lives.</summary>
    private async Task<int> PersistAsync(Dictionary<int, StepView> steps, RunHead head, Func<StoreContext, Task>? also, CancellationToken stop)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await _services.Store.WriteAsync((db, _) => PutAsync(db, steps, head, also), CancellationToken.None);
            }
            catch (Exception e) when (e is StoreFailedException or StoreBusyException)
            {
                _services.Log.LogError(e, "Operation {Operation}: the journal could not be written on try {Try}", _face.View.Id, tries);
                if (tries == 5)
                    _services.Signals.Raise(new Signal("journal-failing", _face.View.Subject, $"The journal cannot be written: {e.Message}", SignalUrgency.Urgent, _services.Clock.GetUtcNow()));
                await Task.Delay(_services.Options.PauseAfter(tries), _services.Clock, stop);
            }
        }
    }

    private async Task<int> PutAsync(StoreContext db, Dictionary<int, StepView> steps, RunHead head, Func<StoreContext, Task>? also)
    {
        var id = _face.View.Id;
        foreach (var (position, step) in steps)
        {
            await db.Set<StepRow>().Where(s => s.OperationId == id && s.Position == position).ExecuteUpdateAsync(set => set
                .SetProperty(s => s.State, step.State).SetProperty(s => s.Attempt, step.Attempt).SetProperty(s => s.StartedAt, step.StartedAt)
                .SetProperty(s => s.EndedAt, step.EndedAt).SetProperty(s => s.Words, step.Words));
        }
        var (lines, dropped) = _face.UnsavedLines();
        if (head != _head || dropped > 0)
        {
            await db.Set<OperationRow>().Where(o => o.Id == id).ExecuteUpdateAsync(set => set
                .SetProperty(o => o.State, head.State).SetProperty(o => o.Undoing, head.Undoing).SetProperty(o => o.Why, head.Why)
                .SetProperty(o => o.Conclusion, head.Conclusion).SetProperty(o => o.Outcome, head.Outcome).SetProperty(o => o.EndedAt, head.EndedAt)
                .SetProperty(o => o.LinesDropped, dropped));
        }
        if (dropped > 0)
            await db.Set<LineRow>().Where(l => l.OperationId == id && l.Number <= dropped).ExecuteDeleteAsync();
        foreach (var line in lines)
            db.Add(new LineRow { OperationId = id, Number = line.Number, At = line.At, Step = line.Step, Text = line.Text });
        if (also is not null)
            await also(db);
        return lines.Count > 0 ? lines[^1].Number : 0;
    }

    /// <summary>Saves lines that no change took along. Losing the store here loses nothing: they stay for the next write.</summary>
    private async Task FlushLaterAsync()
    {
        await Task.Delay(FlushAfter, _services.Clock);
        Volatile.Write(ref _flushing, 0);
        await FlushAsync(last: false, isDead: false);
    }

    /// <summary>
    /// Writes nothing any more once this returned, so that another run of the operation is alone with the journal. What
    /// was said last is saved, unless the run died.
    /// </summary>
    public Task CloseAsync(bool isDead) => FlushAsync(last: true, isDead);

    private async Task FlushAsync(bool last, bool isDead)
    {
        await _turn.WaitAsync();
        try
        {
            var wasClosed = _closed;
            _closed |= last;
            if (wasClosed || isDead || _face.IsOver || _face.UnsavedLines().Lines.Count == 0)
                return;
            var saved = await _services.Store.WriteAsync((db, _) => PutAsync(db, [], _head, null));
            _face.Saved(saved);
        }
        catch (Exception e) when (e is StoreFailedException or StoreBusyException or ObjectDisposedException)
        {
            _services.Log.LogWarning(e, "Operation {Operation}: lines of progress wait for the store", _face.View.Id);
        }
        finally
        {
            _turn.Release();
        }
    }

    private static string Cut(string text) => text.Length <= MaxText ? text : text[..(MaxText - 1)] + "…";
}
