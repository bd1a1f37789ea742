using System.Threading.Channels;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <summary>What all actors of a node share.</summary>
internal sealed record NodeParts(
    InstanceHostOptions Options, ArtifactStore Artifacts, SealedSecrets Secrets, PortPool Ports, ControlGroups Groups,
    Prober Prober, LogCounters LogCounters, HostCounters Counters, TimeProvider Clock, ILogger Log, Action Changed);

/// <summary>
/// One instance: takes events from a bounded mailbox one by one, steps the machine, records the outcome, then acts.
/// Slow work runs beside it and comes back as an event of the epoch it was begun in; older epochs are not listened to.
/// This file is the mailbox and the record; the other is what it does.
/// </summary>
internal sealed partial class InstanceActor : IAsyncDisposable
{
    private const int Wish = int.MaxValue;
    private static readonly TimeSpan SaveAgain = TimeSpan.FromSeconds(1);
    private readonly NodeParts _parts;
    private readonly InstanceFolder _folder;
    private readonly LogKeeper _keeper;
    private readonly Channel<(int Epoch, InstanceEvent Event)> _mail = Channel.CreateBounded<(int, InstanceEvent)>(64);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _resumed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _wantedGate = new();
    private (InstanceTask Task, long Generation)? _wanted;
    private int _epoch;
    private InstanceRecord _record;
    private InstanceMachine _machine;
    private bool _isUnsaved;
    private Task _running = Task.CompletedTask;
    private volatile InstanceView _view;

    /// <summary>An actor for what is recorded, or for a first task (generation 0).</summary>
    public InstanceActor(InstanceRecord record, InstanceFolder folder, NodeParts parts)
    {
        (_record, _folder, _parts) = (record, folder, parts);
        Generation = new Generation(record.Generation);
        Id = record.Spec.InstanceId;
        folder.Prepare();
        _keeper = new LogKeeper(folder, parts.Options, parts.LogCounters, parts.Clock, parts.Log);
        _machine = new InstanceMachine(record.State is InstanceState.Stopped or InstanceState.Failed ? record.State : InstanceState.Pending, record.Since)
        {
            Reason = record.Reason, Starts = record.Starts, Failures = record.Failures, Flaps = record.Flaps,
        };
        if (record.State == InstanceState.Stopped)
            _keeper.Close();
        else if (record.Port is { } port)
            parts.Ports.Adopt(Id, port);
        _view = View();
    }

    /// <summary>The instance.</summary>
    public Guid Id { get; }

    /// <summary>The newest generation that was handed over; the host alone moves it on.</summary>
    public Generation Generation { get; private set; }

    /// <summary>Its state for readers; replaced whole.</summary>
    public InstanceView Now => _view;

    /// <summary>What it was told to run.</summary>
    public InstanceSpec Spec => _record.Spec;

    /// <summary>The artifact that it uses; null when it needs none any more.</summary>
    public string? Artifact => _view.Status.State == InstanceState.Stopped ? null : _record.Spec.Artifact;

    /// <summary>Its output.</summary>
    public (string Folder, LogKeeper Keeper) Output => (_folder.Logs, _keeper);

    /// <summary>Begins. The task completes when what is recorded was compared with what runs.</summary>
    public Task StartAsync()
    {
        _running = Task.Run(RunAsync);
        return _resumed.Task;
    }

    /// <summary>Hands a newer task over. Quick; the caller saw to it that the generation is newer.</summary>
    public void Want(InstanceTask task, long generation)
    {
        Generation = new Generation(generation);
        lock (_wantedGate)
            _wanted = (task, generation);
        // A full mailbox is fine: the wish is looked at before every event.
        _mail.Writer.TryWrite((Wish, new InstanceEvent(InstanceEventKind.RunWanted)));
    }

    /// <summary>Ends the loops of the actor, never the instance.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await JobsAsync();
        _process?.Dispose();
        _keeper.Dispose();
        _epochEnd.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            if (_record.Generation > 0)
                await ResumeAsync();
            _resumed.TrySetResult();
            while (true)
            {
                await TakeWantedAsync();
                if (_isUnsaved)
                    Save();
                if (await NextAsync() is { } next && next.Epoch == _epoch)
                    await HappenedAsync(next.Event);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            _resumed.TrySetCanceled();
        }
        catch (Exception e)
        {
            _parts.Log.LogCritical(e, "Instance {Id} is not looked after any more, because of a fault of the agent; restart the agent.", Id);
            _resumed.TrySetException(e);
            throw;
        }
    }

    private async Task<(int Epoch, InstanceEvent Event)?> NextAsync()
    {
        if (!_isUnsaved)
            return await _mail.Reader.ReadAsync(_stop.Token);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var arrival = _mail.Reader.WaitToReadAsync(either.Token).AsTask();
        await Task.WhenAny(arrival, Task.Delay(SaveAgain, _parts.Clock, either.Token));
        await either.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
        return _mail.Reader.TryRead(out var mail) ? mail : null;
    }

    private async Task TakeWantedAsync()
    {
        (InstanceTask Task, long Generation)? wanted;
        lock (_wantedGate)
            (wanted, _wanted) = (_wanted, null);
        if (wanted is not var (task, generation))
            return;
        var stops = task.Desire == InstanceDesire.Stop;
        if (!stops && _record.Desire == InstanceDesire.Stop)
        {
            _parts.Log.LogWarning("Instance {Id} was stopped for good: the task of generation {Generation} to run it is refused; a new instance is needed.", Id, generation);
            _record = _record with { Generation = generation };
            Save();
            return;
        }
        if (!stops && _record.Generation > 0 && generation > _record.Generation)
            _parts.Secrets.Forget(_folder);
        _record = _record with { Generation = generation, Desire = task.Desire, Spec = stops ? _record.Spec with { Drain = task.Spec.Drain } : task.Spec };
        if (!stops && !_machine.HasProcess && SpecRules.Judge(task.Spec) is { Count: > 0 } problems)
        {
            Begin();
            _machine = _machine with { State = InstanceState.Failed, Since = _parts.Clock.GetUtcNow(), Reason = string.Join(" ", problems) };
        }
        // The generation is on disk before anything is done for it.
        Save();
        if (stops || _machine.State != InstanceState.Failed || SpecRules.Judge(task.Spec).Count == 0)
            await HappenedAsync(new InstanceEvent(stops ? InstanceEventKind.StopWanted : InstanceEventKind.RunWanted));
    }

    private async Task HappenedAsync(InstanceEvent happened)
    {
        if (_machine.Step(happened, _parts.Clock.GetUtcNow()) is not var (next, effect))
        {
            _parts.Log.LogInformation("Instance {Id}: {Event} is refused while it is {State}.", Id, happened.Kind, _machine.State);
            return;
        }
        var before = _machine;
        _machine = next;
        if (!next.HasProcess || effect == InstanceEffect.Launch)
            _process = Forgotten(_process);
        if (next != before)
            Save();
        if (next.State != before.State && next.State is InstanceState.Ready or InstanceState.Unready or InstanceState.Failed or InstanceState.Stopping)
            _keeper.Say(Words(next));
        await ActAsync(effect);
    }

    private static string Words(InstanceMachine now) => now switch
    {
        { Reason: { } why } => $"{now.State.ToString().ToLowerInvariant()}: {why}",
        _ => now.State.ToString().ToLowerInvariant(),
    };

    private static RunningProcess? Forgotten(RunningProcess? process)
    {
        process?.Dispose();
        return null;
    }

    /// <summary>Records and shows where it stands. A disk that is full now is tried again each second.</summary>
    private void Save()
    {
        _record = _record with
        {
            State = _machine.State,
            Since = _machine.Since,
            Reason = _machine.Reason,
            Starts = _machine.Starts,
            Failures = _machine.Failures,
            Flaps = _machine.Flaps,
            Process = _process?.Identity,
            Launching = false,
        };
        try
        {
            _folder.Write(_record);
            _isUnsaved = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _isUnsaved = true;
            _parts.Log.LogError("The record of instance {Id} cannot be written and is tried again: {Why}", Id, e.Message);
        }
        Publish();
    }

    private void Publish()
    {
        if (!_isResuming)
            _view = View();
        _parts.Changed();
    }

    private InstanceView View() => new(
        Id, _record.Spec.Org, _record.Spec.Project, _record.Spec.Environment, _record.Spec.Deployment, _record.Generation, _record.Desire,
        new InstanceStatus(
            _machine.State, _machine.Since, _record.Port is { } port && _machine.HasProcess ? $"127.0.0.1:{port}" : null,
            _machine.HasProcess ? _process?.Identity.Pid : null, _machine.Restarts, _machine.Reason, _record.Limits));
}
