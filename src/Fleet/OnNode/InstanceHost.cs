using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <summary>One instance as its node sees it.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Deployment">The deployment's label.</param>
/// <param name="Generation">The generation of the latest task.</param>
/// <param name="Desire">What should become of it.</param>
/// <param name="Status">What it is.</param>
public sealed record InstanceView(
    Guid InstanceId, string Org, string Project, string Environment, string Deployment, long Generation, InstanceDesire Desire, InstanceStatus Status);

/// <summary>The counters of a node's instances.</summary>
internal sealed class HostCounters(MetricRegistry metrics)
{
    public Metric Starts { get; } = metrics.Counter("groundcrew_instance_starts_total", "Processes of instances that were started.");

    public Metric Exits { get; } = metrics.Counter("groundcrew_instance_exits_total", "Processes of instances that ended.");

    public Metric Kills { get; } = metrics.Counter("groundcrew_instance_kills_total", "Processes of instances that needed SIGKILL.");

    public Metric Refused { get; } = metrics.Counter("groundcrew_instance_refused_tasks_total", "Tasks that were older than what the node has, or could not be read.");

    public Metric States { get; } = metrics.Gauge("groundcrew_instances", "Instances of this node by state.", "state");
}

/// <summary>
/// Runs the instances of a node: one actor each. Everything it knows is on disk, so that it may be killed at any
/// moment; instances outlive it and are found again by <see cref="StartAsync"/>. Disposing ends its loops and never an
/// instance. Thread-safe.
/// </summary>
public sealed class InstanceHost : INodeTaskHandler, INodeStreamSource, IAsyncDisposable
{
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(10);
    private readonly InstanceHostOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<InstanceHost> _log;
    private readonly NodeParts _parts;
    private readonly string _folder;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Guid, InstanceActor> _actors = new();
    private readonly ConcurrentDictionary<string, TaskReport> _unreadable = new(StringComparer.Ordinal);
    private readonly HashSet<Guid> _leftAlone = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _sweeping = Task.CompletedTask;
    private bool _isStarted;

    /// <summary>A host that does nothing before <see cref="StartAsync"/>.</summary>
    /// <param name="options">Folders, ports and limits.</param>
    /// <param name="artifacts">Where artifacts come from.</param>
    /// <param name="secrets">Where secrets come from.</param>
    /// <param name="metrics">Gets <c>groundcrew_instance…</c>.</param>
    /// <param name="clock">Time.</param>
    /// <param name="log">Where trouble is told.</param>
    public InstanceHost(
        InstanceHostOptions options, IArtifactSource artifacts, ISecretSource secrets, MetricRegistry metrics, TimeProvider clock, ILogger<InstanceHost> log)
    {
        (_options, _clock, _log) = (options, clock, log);
        _folder = Path.Combine(options.StateFolder, "instances");
        Directory.CreateDirectory(_folder);
        _parts = new NodeParts(
            options,
            new ArtifactStore(Path.Combine(options.StateFolder, "artifacts"), artifacts, options, clock, log),
            new SealedSecrets(secrets, SealedBox.Open(Path.Combine(options.StateFolder, "node.key"), options.Files), options.Files),
            new PortPool(options.FirstPort, options.LastPort),
            ControlGroups.Find(options.ControlGroups, File.ReadAllText("/proc/self/cgroup")),
            new Prober(clock), new LogCounters(metrics), new HostCounters(metrics), clock, log, Changes);
        Count();
    }

    /// <inheritdoc/>
    string INodeTaskHandler.Kind => InstanceTask.Kind;

    /// <inheritdoc/>
    string INodeStreamSource.Kind => LogsQuestion.Kind;

    /// <inheritdoc/>
    public Nudge Changed { get; } = new();

    /// <summary>
    /// Reads the records, finds the processes that still run, goes on with what was begun. Await it before the first
    /// <see cref="Apply"/>. Once.
    /// </summary>
    public async Task StartAsync()
    {
        _parts.Artifacts.RemoveLeftovers();
        foreach (var path in Directory.EnumerateDirectories(_folder))
            if (Guid.TryParse(Path.GetFileName(path), out var id))
                Load(id, path);
        await Task.WhenAll(_actors.Values.Select(a => a.StartAsync()));
        lock (_gate)
            _isStarted = true;
        _sweeping = Task.Run(SweepAsync);
        Changes();
    }

    /// <inheritdoc/>
    public void Apply(IReadOnlyList<NodeTask> tasks)
    {
        lock (_gate)
        {
            if (!_isStarted)
                throw new InvalidOperationException("Instances are looked for first: await StartAsync before the first task.");
            foreach (var task in tasks)
                Take(task);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<TaskReport> Current() =>
    [
        .. _actors.Values.Select(a => a.Now).Select(v => new TaskReport(v.InstanceId.ToString(), v.Generation, JsonSerializer.SerializeToElement(v.Status, Json.Options))),
        .. _unreadable.Values,
    ];

    /// <summary>Every instance of this node, stopped ones for as long as they are kept.</summary>
    public IReadOnlyList<InstanceView> Snapshot() => [.. _actors.Values.Select(a => a.Now).OrderBy(v => v.InstanceId)];

    /// <summary>The instances that have a process now, for measuring.</summary>
    internal IReadOnlyList<MeasuredInstance> Running() =>
        [.. _actors.Values.Where(a => a.Now.Status.Pid is not null).Select(a => _parts.Groups.Measured(a.Spec, a.Now.Status.Pid ?? 0)).OrderBy(i => i.Spec.InstanceId)];

    /// <summary>Writes the output of an instance as JSON lines of <see cref="LogLine"/>; blanks between lines only show that the stream lives.</summary>
    public async Task WriteAsync(JsonElement question, Stream output, CancellationToken cancellation)
    {
        if (question.Deserialize<LogsQuestion>(Json.Options) is not { } logs || !_actors.TryGetValue(logs.InstanceId, out var actor))
            return;
        var (folder, keeper) = actor.Output;
        await new LogReader(logs.InstanceId, folder, keeper, _clock).WriteAsync(logs, output, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _isStarted = false;
        await _stop.CancelAsync();
        await _sweeping;
        foreach (var actor in _actors.Values)
            await actor.DisposeAsync();
        _parts.Prober.Dispose();
        _stop.Dispose();
    }

    private void Load(Guid id, string path)
    {
        var folder = new InstanceFolder(path, _options.Files);
        try
        {
            if (folder.Read() is { } record && record.Spec.InstanceId == id)
                _actors[id] = new InstanceActor(record, folder, _parts);
        }
        catch (InvalidDataException e)
        {
            // Never touched: a person may still read it, and its process goes on.
            _log.LogError("Instance {Id} is left alone, for its record cannot be used: {Why}", id, e.Message);
            _leftAlone.Add(id);
            Refuse(id.ToString(), 0, e.Message);
        }
    }

    private void Take(NodeTask task)
    {
        InstanceTask? wanted;
        try
        {
            wanted = task.Payload.Deserialize<InstanceTask>(Json.Options);
        }
        catch (JsonException e)
        {
            Refuse(task.Key, task.Generation, $"the task cannot be read: {e.Message}");
            return;
        }
        if (wanted?.Spec is null || !Guid.TryParse(task.Key, out var key) || key != wanted.Spec.InstanceId)
            Refuse(task.Key, task.Generation, "the task's key is not the id of its instance");
        else if (!_leftAlone.Contains(key))
            TryHand(task, wanted);
    }

    private void TryHand(NodeTask task, InstanceTask wanted)
    {
        try
        {
            Hand(task, wanted);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk: the next list tries it again.
            Refuse(task.Key, task.Generation, $"its folder cannot be made: {e.Message}");
        }
    }

    private void Hand(NodeTask task, InstanceTask wanted)
    {
        var id = wanted.Spec.InstanceId;
        _unreadable.TryRemove(task.Key, out _);
        var isKnown = _actors.TryGetValue(id, out var actor);
        if (actor is null)
        {
            var first = new InstanceRecord
            {
                Spec = wanted.Spec, Desire = InstanceDesire.Run, Generation = 0, State = InstanceState.Pending, Since = _clock.GetUtcNow(),
            };
            actor = new InstanceActor(first, new InstanceFolder(Path.Combine(_folder, id.ToString()), _options.Files), _parts);
            _actors[id] = actor;
            _ = actor.StartAsync();
        }
        var generation = new Generation(task.Generation);
        if (generation > actor.Generation)
            actor.Want(wanted, task.Generation);
        else if (isKnown && generation < actor.Generation)
        {
            _parts.Counters.Refused.Add();
            _log.LogWarning("Instance {Id}: generation {Old} is refused, {Newer} was applied already.", id, task.Generation, actor.Generation);
        }
    }

    private void Refuse(string key, long generation, string why)
    {
        const int MostKept = 1000;
        _parts.Counters.Refused.Add();
        _log.LogError("The task {Key} of generation {Generation} is refused: {Why}", key, generation, why);
        if (_unreadable.Count < MostKept)
            _unreadable[key] = new TaskReport(key, generation, JsonSerializer.SerializeToElement(
                new InstanceStatus(InstanceState.Failed, _clock.GetUtcNow(), null, null, 0, why, null), Json.Options));
        Changes();
    }

    private void Changes()
    {
        Count();
        Changed.Set();
    }

    private void Count()
    {
        var counts = _actors.Values.CountBy(a => a.Now.Status.State).ToDictionary();
        foreach (var state in Enum.GetValues<InstanceState>())
            _parts?.Counters.States.With(state.ToString().ToLowerInvariant()).Set(counts.GetValueOrDefault(state));
    }

    private async Task SweepAsync()
    {
        try
        {
            while (true)
            {
                await SweepOnceAsync();
                await Task.Delay(SweepEvery, _clock, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The way that this loop ends.
        }
    }

    /// <summary>Forgets instances that were stopped long ago, and removes artifacts that nobody uses.</summary>
    internal async Task SweepOnceAsync()
    {
        var before = _clock.GetUtcNow() - _options.KeepStopped;
        foreach (var actor in _actors.Values.Where(a => a.Now.Status is { State: InstanceState.Stopped } s && s.Since < before).ToList())
        {
            _actors.TryRemove(actor.Id, out _);
            await actor.DisposeAsync();
            Directory.Delete(Path.Combine(_folder, actor.Id.ToString()), recursive: true);
        }
        try
        {
            _parts.Artifacts.RemoveUnused(_actors.Values.Select(a => a.Artifact).OfType<string>().ToHashSet(StringComparer.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("Artifacts cannot be removed now: {Why}", e.Message);
        }
    }
}
