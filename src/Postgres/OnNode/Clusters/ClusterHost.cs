using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Runs the PostgreSQL servers of a node: one actor each. Everything it knows is on disk, so that it may be killed at any moment;
/// servers outlive it and are found again by <see cref="Start"/>. Disposing ends its loops and never a server. Thread-safe.
/// </summary>
internal sealed class ClusterHost : INodeTaskHandler, IServers, IAsyncDisposable
{
    private const int MostRefused = 1000;
    private readonly ClusterHostOptions _options;
    private readonly ILogger<ClusterHost> _log;
    private readonly ClusterParts _parts;
    private readonly string _folder;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Guid, ServerActor> _actors = new();
    private readonly ConcurrentDictionary<string, TaskReport> _refused = new(StringComparer.Ordinal);
    private readonly HashSet<Guid> _leftAlone = [];
    private bool _isStarted;

    /// <summary>A host that does nothing before <see cref="Start"/>.</summary>
    /// <param name="options">Folders and limits.</param>
    /// <param name="secrets">Where secrets come from.</param>
    /// <param name="archive">Keeps the logs of primaries.</param>
    /// <param name="clock">Time.</param>
    /// <param name="log">Where trouble is told.</param>
    public ClusterHost(ClusterHostOptions options, IClusterSecretSource secrets, IArchiveKeeper archive, TimeProvider clock, ILogger<ClusterHost> log)
    {
        (_options, _log) = (options, log);
        _folder = Path.Combine(options.StateFolder, "clusters");
        Directory.CreateDirectory(_folder);
        _parts = new(
            options, new ClusterSecretsKeeper(secrets, SealedBox.Open(Path.Combine(_folder, "secrets.key"), options.Files), options.Files), archive, clock, log, Changed.Set);
    }

    /// <inheritdoc/>
    public string Kind => ClusterSpec.TaskKind;

    /// <inheritdoc/>
    public Nudge Changed { get; } = new();

    /// <summary>Reads the records and goes on with what was begun; servers that run are found again. Once, before the first <see cref="Apply"/>.</summary>
    public void Start()
    {
        // Drills and dumps work below our folder, too, also on a node that has no server yet.
        if (PgBinaries.IsInstalled && ServerUser.TryFind() is { } user)
            _parts.LetPass(user);
        foreach (var path in Directory.EnumerateDirectories(_folder))
            if (Guid.TryParse(Path.GetFileName(path), out var id))
                Load(id);
        lock (_gate)
            _isStarted = true;
        Changed.Set();
    }

    /// <inheritdoc/>
    public void Apply(IReadOnlyList<NodeTask> tasks)
    {
        lock (_gate)
        {
            if (!_isStarted)
                throw new InvalidOperationException("Servers are looked for first: call Start before the first task.");
            foreach (var task in tasks)
                Take(task);
            Forget(tasks.Select(t => t.Key).ToHashSet(StringComparer.Ordinal));
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<TaskReport> Current() =>
    [
        .. _actors.Select(a => new TaskReport(KeyOf(a.Key), a.Value.Reported, JsonSerializer.SerializeToElement(a.Value.Status, Json.Options))),
        .. _refused.Values,
    ];

    /// <inheritdoc/>
    public NodeServer? Find(Guid serverId) => _actors.TryGetValue(serverId, out var actor) ? actor.Node : null;

    /// <summary>The server that a spec means, whether it is there yet or not.</summary>
    /// <exception cref="JobFailedException">Its version is not installed on this node.</exception>
    public PgServer ServerOf(ClusterSpec spec)
    {
        var binaries = PgBinaries.Find(spec.Version) ?? throw new JobFailedException($"PostgreSQL {spec.Version} is not installed on this node: install the package postgresql-{spec.Version}.");
        _parts.LetPass(binaries.User);
        return new(binaries, ServerActor.Place(spec, FolderOf(spec.ServerId)), _parts.Clock);
    }

    /// <summary>
    /// Takes a server's data folder out of its task's hands: until the answer is disposed, nothing else of ours starts, stops or
    /// changes it, and the mark of a fence does not stand. Waits for what is under way.
    /// </summary>
    public async Task<IAsyncDisposable> HoldAsync(ClusterSpec spec, CancellationToken cancellation)
    {
        var hands = _parts.HandsOf(spec.ServerId);
        await hands.WaitAsync(cancellation);
        try
        {
            var server = ServerOf(spec);
            if (server.IsFenced)
                server.IsFenced = false;
        }
        catch
        {
            hands.Release();
            throw;
        }
        return new Held(() =>
        {
            hands.Release();
            if (_actors.TryGetValue(spec.ServerId, out var actor))
                actor.Wake();
        });
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _isStarted = false;
        foreach (var id in _actors.Keys)
            if (_actors.TryRemove(id, out var actor))
                await actor.DisposeAsync();
    }

    private sealed class Held(Action giveBack) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            giveBack();
            return ValueTask.CompletedTask;
        }
    }

    private static string KeyOf(Guid serverId) => $"cluster-{serverId}";

    private ServerFolder FolderOf(Guid id) => new(Path.Combine(_folder, id.ToString()), _options.Files);

    private void Load(Guid id)
    {
        try
        {
            if (FolderOf(id).Read() is { } record && record.Spec.ServerId == id)
                Begin(id, record, null);
        }
        catch (InvalidDataException e)
        {
            // Never touched: a person may still read it, and its server goes on.
            _leftAlone.Add(id);
            Refuse(KeyOf(id), 0, e.Message);
        }
    }

    private void Begin(Guid id, ServerRecord record, NodeTask? first)
    {
        var actor = new ServerActor(record, FolderOf(id), _parts);
        _actors[id] = actor;
        if (first is not null)
            actor.Want(record.Spec, first.Generation);
        actor.Start();
    }

    private void Take(NodeTask task)
    {
        ClusterSpec? spec;
        try
        {
            spec = task.Payload.Deserialize<ClusterSpec>(Json.Options);
        }
        catch (JsonException e)
        {
            Refuse(task.Key, task.Generation, $"the task cannot be read: {e.Message}");
            return;
        }
        if (spec is null || task.Key != KeyOf(spec.ServerId))
            Refuse(task.Key, task.Generation, "the task's key is not the id of its server");
        else if (!_leftAlone.Contains(spec.ServerId))
            Hand(task, spec);
    }

    private void Hand(NodeTask task, ClusterSpec spec)
    {
        _refused.TryRemove(task.Key, out _);
        if (!_actors.TryGetValue(spec.ServerId, out var actor))
            Begin(spec.ServerId, new ServerRecord { Spec = spec, Generation = 0 }, task);
        else if (task.Generation > actor.Generation)
            actor.Want(spec, task.Generation);
        else if (task.Generation < actor.Generation)
            _log.LogWarning("Server {Id}: generation {Old} is refused, {Newer} was applied already.", spec.ServerId, task.Generation, actor.Generation);
    }

    /// <summary>A removed server is remembered for as long as somebody asks for its removal.</summary>
    private void Forget(HashSet<string> keys)
    {
        foreach (var (id, actor) in _actors.Where(a => a.Value.Status.State == ServerState.Removed && !keys.Contains(KeyOf(a.Key))).ToList())
            if (_actors.TryRemove(id, out _))
                _ = actor.DisposeAsync().AsTask();
    }

    private void Refuse(string key, long generation, string why)
    {
        _log.LogError("The task {Key} of generation {Generation} is refused: {Why}", key, generation, why);
        if (_refused.Count < MostRefused)
            _refused[key] = new(key, generation, JsonSerializer.SerializeToElement(
                new ServerStatus(ServerState.Failed, why, null, null, 0, default, null, new Dictionary<string, string>(), null), Json.Options));
        Changed.Set();
    }
}
