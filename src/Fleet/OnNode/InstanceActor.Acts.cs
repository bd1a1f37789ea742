using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <content>What the actor does: prepare, launch, watch, end, clean, and finding its process again.</content>
internal sealed partial class InstanceActor
{
    private readonly Lock _jobsGate = new();
    private readonly List<Task> _jobs = [];
    private CancellationTokenSource _epochEnd = new();
    private RunningProcess? _process;
    private string? _workingFolder;
    private IReadOnlyDictionary<string, Secret> _secrets = new Dictionary<string, Secret>();
    private bool _isResuming;

    /// <summary>After a start of the agent: finds the process of the record, or of the moment before the record.</summary>
    private async Task ResumeAsync()
    {
        if (_machine.State == InstanceState.Stopped)
            return;
        _isResuming = true;
        Begin();
        _secrets = _parts.Secrets.Kept(Id, _folder) ?? _secrets;
        _keeper.Hide(_secrets.Values);
        var found = _record.Process is { } known && known.IsAlive() ? known
            : _record.Launching ? await RunningProcess.FindLeaderAsync(Id, _parts.Clock, _stop.Token)
            : null;
        if (found is not null && _machine.State == InstanceState.Pending)
        {
            _process = new RunningProcess(Id, found, null, _parts.Groups, _parts.Clock);
            _keeper.Say($"watched again after a restart of the agent, pid {found.Pid}");
            await HappenedAsync(new InstanceEvent(InstanceEventKind.Adopted, _record.Reason, WasReady: _record.State == InstanceState.Ready));
        }
        else if (_record.Process is not null || _record.Launching)
        {
            await RunningProcess.KillAllAsync(Id, 0, _parts.Groups, _parts.Clock, _stop.Token);
            _keeper.Drain();
            _keeper.Say("ended while no agent watched; its exit code is unknown");
        }
        if (_record.Desire == InstanceDesire.Stop)
            await HappenedAsync(new InstanceEvent(InstanceEventKind.StopWanted));
        else if (_machine.State == InstanceState.Pending)
            await HappenedAsync(new InstanceEvent(InstanceEventKind.RunWanted));
        _isResuming = false;
        Publish();
    }

    private async Task ActAsync(InstanceEffect effect)
    {
        switch (effect)
        {
            case InstanceEffect.Prepare:
                Begin();
                Job(PrepareAsync);
                break;
            case InstanceEffect.Launch:
                // In the mailbox's own turn: nothing may come between the record, the spawn and the record of it.
                await HappenedAsync(await LaunchAsync());
                break;
            case InstanceEffect.Watch:
                var (process, wasReady) = (_process!, _machine.State == InstanceState.Ready);
                Job((tell, cancellation) => WatchAsync(process, wasReady, tell, cancellation));
                break;
            case InstanceEffect.End:
                var (ended, drain) = (_process!, _record.Spec.Drain);
                Job((_, cancellation) => ended.EndAsync(drain, cancellation));
                break;
            case InstanceEffect.StartLater:
                var delay = _machine.Delay;
                Job(async (tell, cancellation) =>
                {
                    await Task.Delay(delay, _parts.Clock, cancellation);
                    await tell(new InstanceEvent(InstanceEventKind.BackoffPassed));
                });
                break;
            case InstanceEffect.Clean:
                Begin();
                Clean();
                break;
            case InstanceEffect.None:
                break;
        }
    }

    /// <summary>A new epoch: what is under way from before is ended and not listened to.</summary>
    private void Begin()
    {
        _epoch++;
        var before = _epochEnd;
        _epochEnd = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        before.Cancel();
        before.Dispose();
    }

    private void Job(Func<Func<InstanceEvent, ValueTask>, CancellationToken, Task> work)
    {
        var (epoch, cancellation) = (_epoch, _epochEnd.Token);
        var job = Task.Run(RunAsync, CancellationToken.None);
        lock (_jobsGate)
        {
            _jobs.RemoveAll(j => j.IsCompleted);
            _jobs.Add(job);
        }

        async Task RunAsync()
        {
            try
            {
                await work(happened => _mail.Writer.WriteAsync((epoch, happened), cancellation), cancellation);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                // Nobody waits for it any more.
            }
            catch (Exception e)
            {
                _parts.Log.LogCritical(e, "Instance {Id} is not looked after any more, because of a fault of the agent; restart the agent.", Id);
            }
        }
    }

    private Task JobsAsync()
    {
        lock (_jobsGate)
            return Task.WhenAll(_jobs);
    }

    private async Task PrepareAsync(Func<InstanceEvent, ValueTask> tell, CancellationToken cancellation)
    {
        InstanceEvent outcome;
        try
        {
            var spec = _record.Spec;
            _workingFolder = await _parts.Artifacts.EnsureAsync(spec.Artifact, _stop.Token, cancellation);
            _secrets = await _parts.Secrets.GetAsync(spec, _folder, cancellation);
            outcome = new InstanceEvent(InstanceEventKind.Prepared);
        }
        catch (ArtifactRefusedException e)
        {
            outcome = new InstanceEvent(InstanceEventKind.PrepareRefused, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            outcome = new InstanceEvent(InstanceEventKind.PrepareFailed, $"not started: {e.Message}");
        }
        await tell(outcome);
    }

    /// <summary>Starts the process. The record says so before it is spawned, and knows it afterwards.</summary>
    private async Task<InstanceEvent> LaunchAsync()
    {
        try
        {
            // What an earlier run left would hold ports and files of this one.
            await RunningProcess.KillAllAsync(Id, 0, _parts.Groups, _parts.Clock, _stop.Token);
            _folder.Prepare();
            _keeper.Hide(_secrets.Values);
            _keeper.Drain();
            _keeper.Restart();
            var port = _parts.Ports.Take(Id);
            var limits = _parts.Groups.Hold(Id, _record.Spec.Limits);
            _record = _record with { Port = port, Limits = limits.Words, Launching = true, Process = null };
            _folder.Write(_record);
            var child = Launcher.Start(new LaunchPlan(_record.Spec, _folder, _workingFolder!, port, limits, _secrets), _parts.Options);
            // A program that ended already has no identity any more, but its end is still to be told.
            var identity = ProcessIdentity.Of(child.Id) ?? new ProcessIdentity(child.Id, 0, ProcessIdentity.CurrentBootId);
            _process = new RunningProcess(Id, identity, child, _parts.Groups, _parts.Clock);
            _parts.Counters.Starts.Add();
            _keeper.Say($"started, pid {identity.Pid}, port {port}");
            return new InstanceEvent(InstanceEventKind.Launched, $"started, pid {identity.Pid}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new InstanceEvent(InstanceEventKind.LaunchFailed, $"not started: {e.Message}");
        }
    }

    private async Task WatchAsync(RunningProcess process, bool wasReady, Func<InstanceEvent, ValueTask> tell, CancellationToken cancellation)
    {
        var readySince = wasReady ? _parts.Clock.GetTimestamp() : 0;
        var oomBefore = _parts.Groups.OutOfMemoryKills(Id);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var probes = new ProbeLoops(_parts.Prober, _record.Spec, _record.Port ?? 0, _parts.Clock, async happened =>
        {
            if (happened.Kind == InstanceEventKind.ReadinessPassed && readySince == 0)
                readySince = _parts.Clock.GetTimestamp();
            if (process.Ending is null)
                await tell(happened);
        });
        var beside = Task.WhenAll(Until(probes.RunAsync(wasReady, over.Token), over.Token), Until(_keeper.RunAsync(over.Token), over.Token));
        var end = await process.EndedAsync(cancellation);
        if (process.Ending is { } ending)
            await ending;
        var left = await process.KillAllAsync(cancellation);
        await over.CancelAsync();
        await beside;
        _keeper.Drain();
        var outOfMemory = _parts.Groups.OutOfMemoryKills(Id) > oomBefore;
        var words = Words(end, process, left, outOfMemory);
        _keeper.Say(words);
        _parts.Counters.Exits.Add();
        _parts.Counters.Kills.Add(process.Kills);
        var last = process.Ending is null && _keeper.Last is { Count: > 0 } lines ? $"; last output: {string.Join(" | ", lines)}" : "";
        await tell(new InstanceEvent(InstanceEventKind.Exited, words + last, readySince == 0 ? TimeSpan.Zero : _parts.Clock.GetElapsedTime(readySince)));
    }

    private string Words(ProcessEnd end, RunningProcess process, int left, bool outOfMemory)
    {
        if (process.WasForced)
            return $"did not end within {Quantity.Format(_record.Spec.Drain)} of SIGTERM and was killed";
        if (outOfMemory)
            return $"{end.Words}: the kernel ended it for want of memory, its limit is {Quantity.FormatBytes(_record.Spec.Limits.MemoryBytes ?? 0)}";
        var strays = left == 1 ? "1 process" : $"{left} processes";
        return (left, process.Ending, end.IsClean) switch
        {
            (0, _, _) or (_, not null, _) => end.Words,
            (_, null, true) => $"the program went to the background ({end.Words}, {strays} ended); run it in the foreground",
            _ => $"{end.Words}; {strays} that it left behind were ended",
        };
    }

    private static async Task Until(Task work, CancellationToken over)
    {
        try
        {
            await work;
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // It ran until it was not needed any more.
        }
    }

    /// <summary>What a stopped instance leaves is its record and its log.</summary>
    private void Clean()
    {
        _secrets = new Dictionary<string, Secret>();
        _keeper.Drain();
        _keeper.Say("stopped");
        _keeper.Close();
        _parts.Ports.Release(Id);
        try
        {
            _folder.Clean();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _parts.Log.LogWarning("The folder of instance {Id} cannot be cleaned now: {Why}", Id, e.Message);
        }
        Job(async (_, cancellation) =>
        {
            // The kernel lets go of a group a moment after its last process.
            for (var pause = 5; !_parts.Groups.Remove(Id) && pause < 10_000; pause *= 2)
                await Task.Delay(TimeSpan.FromMilliseconds(pause), _parts.Clock, cancellation);
        });
    }
}
