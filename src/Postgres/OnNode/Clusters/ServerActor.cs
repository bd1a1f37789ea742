using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// One server: one loop that compares what is wanted with what is there and mends the difference, woken by a new task, by the
/// end of the process, and every few seconds. This file is the loop and its record; the others are what it does.
/// </summary>
internal sealed partial class ServerActor : IAsyncDisposable
{
    private readonly ClusterParts _parts;
    private readonly ServerFolder _folder;
    private readonly CancellationTokenSource _stop = new();
    private readonly Nudge _wake = new();
    private readonly Lock _gate = new();
    private readonly Backing _backing;
    private (ClusterSpec Spec, long Generation)? _wanted;
    private CancellationTokenSource? _pass;
    private ServerRecord _record;
    private Task _running = Task.CompletedTask;
    private volatile ServerStatus _status;
    private volatile NodeServer? _node;

    /// <summary>An actor for what is recorded, or for a first task (generation 0).</summary>
    public ServerActor(ServerRecord record, ServerFolder folder, ClusterParts parts)
    {
        (_record, _folder, _parts) = (record, folder, parts);
        Generation = record.Generation;
        _backing = new(parts.Clock, parts.Options.LongestWait);
        _status = new(ServerState.Preparing, "", null, record.SystemId, 0, default, null, new Dictionary<string, string>(), null);
    }

    /// <summary>The newest generation that was handed over; the host alone moves it on.</summary>
    public long Generation { get; private set; }

    /// <summary>The generation that <see cref="Status"/> is about.</summary>
    public long Reported => Interlocked.Read(ref _reported);

    private long _reported;

    /// <summary>What it is; replaced whole.</summary>
    public ServerStatus Status => _status;

    /// <summary>The server, for others; null when it is removed, or its version is not installed.</summary>
    public NodeServer? Node => _node;

    /// <summary>Begins.</summary>
    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Hands a newer task over. Quick; the caller saw to it that the generation is newer.</summary>
    public void Want(ClusterSpec spec, long generation)
    {
        Generation = generation;
        lock (_gate)
        {
            var before = _wanted?.Spec ?? _record.Spec;
            _wanted = (spec, generation);
            // A copy that takes hours does not keep a server from being stopped, or from becoming something else.
            if ((before.Desire, before.Role, before.PrimaryHost, before.PrimaryPort) != (spec.Desire, spec.Role, spec.PrimaryHost, spec.PrimaryPort))
                _pass?.Cancel();
        }
        _wake.Set();
    }

    /// <summary>Has it look again.</summary>
    public void Wake() => _wake.Set();

    /// <summary>Ends the loop, never the server.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _health.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            await EndLeftToolsAsync(_stop.Token);
            while (true)
            {
                var next = _wake.Next;
                await PassAsync();
                await RestAsync(next);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The way that this loop ends.
        }
        catch (Exception e)
        {
            _parts.Log.LogCritical(e, "The server {Id} of cluster {Name} is not looked after any more, because of a fault of the agent; restart the agent.", _record.Spec.ServerId, _record.Spec.Name);
            Tell(ServerState.Degraded, $"it is not looked after any more, because of a fault of the agent; restart the agent: {e.Message}");
            throw;
        }
    }

    /// <summary>Waits for a task, for the end of the process, or for the time of the next look.</summary>
    private async Task RestAsync(Task next)
    {
        var since = _parts.Clock.GetTimestamp();
        var process = _process;
        var most = _backing.Wait is { } wait && wait > TimeSpan.Zero && wait < _parts.Options.LookEvery ? wait : _parts.Options.LookEvery;
        while (!next.IsCompleted && _parts.Clock.GetElapsedTime(since) is var passed && passed < most && process?.IsAlive() != false)
        {
            var left = most - passed;
            await Nudge.WaitAsync(next, left < _parts.Options.WatchEvery ? left : _parts.Options.WatchEvery, _parts.Clock, _stop.Token);
        }
    }

    private async Task PassAsync()
    {
        var hands = _parts.HandsOf(_record.Spec.ServerId);
        if (!await hands.WaitAsync(TimeSpan.Zero, _stop.Token))
            return; // A job has the data folder, such as a restore; it wakes us when it gives it back.
        try
        {
            await ComparedAsync();
        }
        finally
        {
            hands.Release();
        }
    }

    private async Task ComparedAsync()
    {
        using var pass = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        try
        {
            TakeWanted(pass);
            await (_record.Spec.Desire switch
            {
                ClusterDesire.Running => RunWantedAsync(pass.Token),
                ClusterDesire.Stopped => StopWantedAsync(pass.Token),
                _ => RemoveWantedAsync(pass.Token),
            });
        }
        catch (OperationCanceledException) when (pass.IsCancellationRequested && !_stop.IsCancellationRequested)
        {
            // Something else is wanted by now: the next pass begins at once.
        }
        catch (Exception e) when (e is JobFailedException or IOException or NpgsqlException or UnauthorizedAccessException or ArgumentException)
        {
            Fail(e is NpgsqlException { InnerException: { } inner } ? $"{e.Message}: {inner.Message}" : e.Message);
        }
        finally
        {
            lock (_gate)
                _pass = null;
        }
    }

    /// <summary>Makes the newest task the recorded one. A task that cannot be recorded is not begun.</summary>
    private void TakeWanted(CancellationTokenSource pass)
    {
        (ClusterSpec Spec, long Generation)? wanted;
        lock (_gate)
            (wanted, _pass) = (_wanted, pass);
        if (wanted is not { } task)
            return;
        // The first task's restarts were asked for before there was anything to restart.
        var record = _record with { Spec = task.Spec, Generation = task.Generation, Restarts = _record.Generation == 0 ? task.Spec.Restarts : _record.Restarts };
        try
        {
            if (task.Spec.Desire != ClusterDesire.Removed || _folder.Exists)
                _folder.Write(record);
        }
        catch (IOException e) when (task.Spec.Desire != ClusterDesire.Running)
        {
            // A full disk does not keep a server from being stopped or removed.
            _parts.Log.LogWarning("The task of server {Id} cannot be recorded, and is done all the same: {Why}", record.Spec.ServerId, e.Message);
        }
        _record = record;
        lock (_gate)
            if (_wanted == wanted)
                _wanted = null;
        (_isNewTask, _isAccessDone, _isConfigured) = (true, false, false);
        _backing.Reset();
    }

    private void Remember(ServerRecord record)
    {
        if (record == _record)
            return;
        _folder.Write(record);
        _record = record;
    }

    private void Fail(string why)
    {
        _backing.Failed();
        // A server that could not even write its log says nothing of the reason.
        if (Space() is { AvailableBytes: < LeastRoom } space && !why.Contains("no room left", StringComparison.Ordinal))
            why = $"{NoRoom(space)}; {why}";
        if (_status.Words != why)
            _parts.Log.LogWarning("The server {Id} of cluster {Name} is not as wanted: {Why}", _record.Spec.ServerId, _record.Spec.Name, why);
        var running = ServerProcess.Find(_folder.Data);
        var state = running is null ? ServerState.Failed : ServerProcess.StatusOf(_folder.Data) == "ready" ? ServerState.Degraded : ServerState.Starting;
        Tell(state, why, running?.Pid);
    }

    private void Tell(ServerState state, string words, int? pid = null) =>
        Publish(_status with { State = state, Words = words, Pid = pid, Role = null, Archive = _parts.Archive.StatusOf(_record.Spec.ServerId), Replication = null });

    private void Publish(ServerStatus status)
    {
        Interlocked.Exchange(ref _reported, _record.Generation);
        _status = status;
        _parts.Changed();
    }
}

/// <summary>The waits between tries of what failed: doubled each time. Not thread-safe: one actor's.</summary>
internal sealed class Backing(TimeProvider clock, TimeSpan longest)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(0.5);
    private long _failedAt;

    /// <summary>How often it failed in a row.</summary>
    public int Failures { get; private set; }

    /// <summary>How long is still to be waited; null when nothing failed.</summary>
    public TimeSpan? Wait
    {
        get
        {
            if (Failures == 0)
                return null;
            var whole = TimeSpan.FromSeconds(Math.Min(Shortest.TotalSeconds * Math.Pow(2, Math.Min(Failures - 1, 20)), longest.TotalSeconds));
            var left = whole - clock.GetElapsedTime(_failedAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>It failed now, for the so many-th time at least.</summary>
    public void Failed(int times = 0) => (Failures, _failedAt) = (Math.Max(Failures + 1, times), clock.GetTimestamp());

    /// <summary>It did not fail any more.</summary>
    public void Reset() => Failures = 0;
}
