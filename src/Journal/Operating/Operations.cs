using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Journal;

/// <summary>
/// Runs operations: fixed sequences of steps that end done or taken back, whatever crashes in between (invariant 6).
/// Register every definition, then start; what was unfinished goes on where the journal says. Thread-safe.
/// </summary>
public sealed class Operations : IAsyncDisposable
{
    private readonly RunServices _services;
    private readonly ConcurrentDictionary<string, OperationDefinition> _definitions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Guid, (OperationRun Run, Task Task)> _runs = new();
    private readonly SemaphoreSlim _parallel;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private HashSet<Guid>? _launchedWhileStarting;
    private bool _started;

    /// <summary>Makes the engine; nothing runs before <see cref="StartAsync"/>.</summary>
    /// <param name="store">Where operations are journalled.</param>
    /// <param name="signals">Receives <c>operation-stuck</c>, <c>operation-unknown</c> and <c>journal-failing</c>.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="log">The log.</param>
    /// <param name="metrics">Counts <c>operations_ended_total</c>; null for none.</param>
    /// <param name="options">How operations are run; null for the defaults.</param>
    /// <param name="seam">Called before and after each write of the journal, for proofs; null in production.</param>
    public Operations(
        Store store, ISignals signals, TimeProvider clock, ILogger<Operations> log, MetricRegistry? metrics = null,
        OperationsOptions? options = null, Action<JournalPoint>? seam = null)
    {
        var ended = metrics?.Counter("operations_ended_total", "Operations by kind and outcome.", "kind", "outcome");
        metrics?.Observe("operations_moving", "Operations that are begun and have not ended.", () => _runs.Count);
        _services = new RunServices(store, signals, clock, log, options ?? new OperationsOptions(), seam,
            (kind, outcome) => ended?.With(kind, outcome.ToString()).Add(1));
        _parallel = new SemaphoreSlim(_services.Options.MaxParallel, _services.Options.MaxParallel);
    }

    /// <summary>The definitions that are known, for the proof that each is covered.</summary>
    public IReadOnlyCollection<OperationDefinition> Definitions => [.. _definitions.Values];

    /// <summary>Makes a definition known, before <see cref="StartAsync"/>.</summary>
    /// <exception cref="ArgumentException">No steps, two steps of one name, or a kind that is known already.</exception>
    public void Register(OperationDefinition definition)
    {
        if (definition.StepNames.Count == 0 || definition.StepNames.Distinct(StringComparer.Ordinal).Count() != definition.StepNames.Count)
            throw new ArgumentException($"'{definition.Kind}' needs steps with names of their own.", nameof(definition));
        if (!_definitions.TryAdd(definition.Kind, definition))
            throw new ArgumentException($"'{definition.Kind}' is registered already.", nameof(definition));
    }

    /// <summary>
    /// Begins an operation in the caller's write, which becomes one with it: both are there after the commit, or
    /// neither. The first step starts after the commit.
    /// </summary>
    /// <exception cref="ArgumentException">The kind is not registered, or the options do not go together.</exception>
    public async Task<BeginResult> BeginAsync<TPlan>(
        StoreContext db, OperationDefinition<TPlan> definition, TPlan plan, BeginOptions options, CancellationToken cancellation = default)
        where TPlan : class
    {
        if (!_definitions.ContainsKey(definition.Kind))
            throw new ArgumentException($"'{definition.Kind}' is not registered.", nameof(definition));
        var (result, record) = await new OperationBeginning(db, _services.Clock).BeginAsync(definition, plan, options, cancellation);
        if (record is not null)
            db.AfterCommit(() => Launch(record, again: false));
        return result;
    }

    /// <summary>
    /// Lets a stuck operation go on, in the caller's write: it tries again where it failed. To be called when the cause
    /// was mended.
    /// </summary>
    public async Task<ResumeResult> ResumeAsync(StoreContext db, Guid id, CancellationToken cancellation = default)
    {
        var row = await db.Set<OperationRow>().FindAsync([id], cancellation);
        if (row is null)
            return ResumeResult.NotFound;
        if (row.State != OperationState.Stuck)
            return ResumeResult.NotStuck;
        row.State = row.Undoing ? OperationState.Undoing : OperationState.Running;
        (row.Outcome, row.EndedAt) = (null, null);
        await db.SaveChangesAsync(cancellation);
        var record = await OperationReading.RecordAsync(db, id, cancellation);
        db.AfterCommit(() => Launch(record!, again: true));
        return ResumeResult.Resumed;
    }

    /// <summary>As <see cref="ResumeAsync(StoreContext, Guid, CancellationToken)"/>, in a write of its own.</summary>
    public Task<ResumeResult> ResumeAsync(Guid id, CancellationToken cancellation = default) =>
        _services.Store.WriteAsync((db, token) => ResumeAsync(db, id, token), cancellation);

    /// <summary>Takes up every unfinished operation exactly where the journal says, and lets new ones run.</summary>
    public async Task StartAsync(CancellationToken cancellation = default)
    {
        lock (_gate)
            (_started, _launchedWhileStarting) = (true, []);
        var unfinished = await _services.Store.ReadAsync(OperationReading.UnfinishedAsync, cancellation);
        lock (_gate)
        {
            // What was begun or resumed since the read began runs already, or has even ended: its record here is stale.
            foreach (var record in unfinished.Where(r => !_launchedWhileStarting.Contains(r.View.Id)))
                Launch(record, again: true);
            _launchedWhileStarting = null;
        }
    }

    /// <summary>
    /// Asks every step to stop and waits for it. Unfinished operations stay unfinished, for the next start.
    /// </summary>
    public async Task StopAsync()
    {
        lock (_gate)
            _started = false;
        await _stop.CancelAsync();
        await Task.WhenAll(_runs.Values.Select(r => r.Task));
    }

    /// <summary>One operation; null when there is none.</summary>
    public Task<OperationView?> FindAsync(Guid id, CancellationToken cancellation = default) =>
        _services.Store.ReadAsync((db, token) => OperationReading.ViewAsync(db, id, token), cancellation);

    /// <summary>The lines of progress that are kept of an operation, oldest first.</summary>
    public Task<IReadOnlyList<OperationLine>> LinesAsync(Guid id, CancellationToken cancellation = default) =>
        _services.Store.ReadAsync((db, token) => OperationReading.LinesAsync(db, id, token), cancellation);

    /// <summary>Operations, newest first; at most 500 at a time.</summary>
    public Task<Page<OperationView>> ListAsync(OperationFilter filter, int limit, PageCursor? cursor = null, CancellationToken cancellation = default) =>
        _services.Store.ReadAsync((db, token) => OperationReading.ListAsync(db, filter, Math.Clamp(limit, 1, 500), cursor, token), cancellation);

    /// <summary>
    /// Follows an operation: everything so far, then what changes, until it ends or is stuck. Empty when there is none;
    /// ends early when the engine stops. A reader that is too slow gets a fresh snapshot.
    /// </summary>
    public async IAsyncEnumerable<OperationEvent> WatchAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        if (!_runs.TryGetValue(id, out var moving))
        {
            var past = await _services.Store.ReadAsync((db, token) => OperationReading.SnapshotAsync(db, id, token), cancellation);
            var over = past?.Operation.State is OperationState.Ended or OperationState.Stuck;
            if (over || !_runs.TryGetValue(id, out moving))
            {
                if (past is not null)
                    yield return past;
                if (over)
                    yield return new OperationEvent.Ended(past!.Operation);
                yield break;
            }
        }
        await foreach (var one in moving.Run.Face.WatchAsync(cancellation))
            yield return one;
    }

    /// <summary>Waits until an operation has ended or is stuck; null when there is none.</summary>
    /// <exception cref="InvalidOperationException">The engine stopped before.</exception>
    public async Task<OperationView?> WaitForEndAsync(Guid id, CancellationToken cancellation = default)
    {
        var seen = false;
        await foreach (var one in WatchAsync(id, cancellation))
        {
            if (one is OperationEvent.Ended ended)
                return ended.Operation;
            seen = true;
        }
        return seen ? throw new InvalidOperationException($"The engine stopped before operation {id} ended.") : null;
    }

    /// <summary>Stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
        _parallel.Dispose();
    }

    private void Launch(RunRecord record, bool again)
    {
        lock (_gate)
        {
            // Before the start nothing runs: StartAsync reads it from the journal.
            if (!_started || !TryMakeRun(record, again, out var run))
                return;
            _launchedWhileStarting?.Add(run.Id);
            // One that was stuck may be resumed before its first run has left: the second waits for it.
            var before = _runs.TryGetValue(run.Id, out var leaving) ? leaving.Task : Task.CompletedTask;
            _runs[run.Id] = (run, Task.Run(() => RunAsync(run, before)));
        }
    }

    private bool TryMakeRun(RunRecord record, bool again, out OperationRun run)
    {
        run = null!;
        var view = record.View;
        if (_definitions.TryGetValue(view.Kind, out var definition) && definition.StepNames.SequenceEqual(view.Steps.Select(s => s.Name), StringComparer.Ordinal))
        {
            run = new OperationRun(_services, definition, record, again);
            return true;
        }
        _services.Log.LogError("Operation {Operation} {Kind} cannot go on: this program has other steps for it", view.Id, view.Kind);
        _services.Signals.Raise(new Signal("operation-unknown", view.Subject,
            $"Operation {view.Id} ({view.Kind}) was begun by another version of the program, with other steps. Start that version until it has ended.",
            SignalUrgency.Urgent, _services.Clock.GetUtcNow()));
        return false;
    }

    /// <summary>A run that died is taken up again from the journal after this time, as the next start would do it.</summary>
    internal static readonly TimeSpan TakenUpAfter = TimeSpan.FromSeconds(30);

    private async Task TakeUpAgainAsync(Guid id, CancellationToken stop)
    {
        try
        {
            await Task.Delay(TakenUpAfter, _services.Clock, stop);
            var record = await _services.Store.ReadAsync((db, token) => OperationReading.RecordAsync(db, id, token), stop);
            if (record is { View.State: OperationState.Running or OperationState.Undoing })
                Launch(record, again: true);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The next start takes it up.
        }
        catch (StoreFailedException e)
        {
            _services.Log.LogError(e, "Operation {Operation} could not be taken up again; the next start does it", id);
        }
    }

    private async Task RunAsync(OperationRun run, Task before)
    {
        await before;
        var isDead = false;
        try
        {
            await _parallel.WaitAsync(_stop.Token);
            try
            {
                await run.RunAsync(_stop.Token);
            }
            finally
            {
                _parallel.Release();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The journal says where it goes on at the next start.
        }
        catch (Exception e)
        {
            isDead = true;
            _services.Log.LogCritical(e, "The run of operation {Operation} {Kind} died; it is taken up again from the journal", run.Id, run.Face.View.Kind);
            _services.Signals.Raise(new Signal("operation-stuck", run.Face.View.Subject,
                $"The run of operation {run.Id} died ({e.Message}). It is taken up again in {Quantity.Format(TakenUpAfter)}; if this comes back, see the log.", SignalUrgency.Urgent, _services.Clock.GetUtcNow()));
        }
        try
        {
            await run.CloseAsync(isDead);
        }
        finally
        {
            lock (_gate)
            {
                if (_runs.TryGetValue(run.Id, out var current) && current.Run == run)
                    _runs.TryRemove(run.Id, out _);
            }
        }
        if (isDead)
            _ = TakeUpAgainAsync(run.Id, _stop.Token);
    }
}
