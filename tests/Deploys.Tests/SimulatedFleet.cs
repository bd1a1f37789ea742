using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Tests.Support;

namespace Groundcrew.Deploys.Tests;

/// <summary>
/// Agents and edges as the control plane sees them over the link: they say hello, wait for tasks, refuse older
/// generations and report. They judge what they are told and keep what was wrong in <see cref="Violations"/>.
/// </summary>
public sealed class SimulatedFleet(Func<ControlPlane> plane, ManualClock clock) : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _violations = new();

    public List<SimulatedWorker> Workers { get; } = [];

    public List<SimulatedEdge> Edges { get; } = [];

    public IReadOnlyCollection<string> Violations => _violations;

    /// <summary>How an instance behaves on any worker; ready at once where nothing is said.</summary>
    public Func<InstanceSpec, Behaviour> Behave { get; set; } = _ => Behaviour.Ready;

    /// <summary>Instances that were ever reported ready, with their deployment.</summary>
    public ConcurrentDictionary<Guid, string> EverReady { get; } = new();

    internal ControlPlane Plane => plane();

    internal ManualClock Clock => clock;

    private IEnumerable<SimulatedMember> Members => [.. Workers, .. Edges];

    public async Task<SimulatedWorker> AddWorkerAsync(string hostname, string region = "local", int millicores = 64_000, long memory = 64L << 30)
    {
        var worker = new SimulatedWorker(this, hostname, region, new NodeCapacity(millicores, memory));
        Workers.Add(worker);
        await worker.StartAsync();
        return worker;
    }

    public async Task<SimulatedEdge> AddEdgeAsync(string hostname)
    {
        var edge = new SimulatedEdge(this, hostname);
        Edges.Add(edge);
        await edge.StartAsync();
        return edge;
    }

    /// <summary>Everyone who lives is heard of now.</summary>
    public async Task BeatAsync()
    {
        foreach (var member in Members.Where(m => !m.IsDead))
            await Plane.Nodes.SeenAsync(member.Id, CancellationToken.None);
    }

    /// <summary>Waits until every living edge serves the table of the control plane.</summary>
    public Task QuietAsync() => Eventually.TrueAsync(async () =>
    {
        var generation = (await Plane.Routes.CurrentAsync(CancellationToken.None)).Generation;
        return Edges.Where(e => !e.IsDead).All(e => e.Serving == generation);
    }, "the edges serve the table");

    /// <summary>Invariant 4: at the stop of an instance no living edge may need it, or its drain time is over.</summary>
    internal void JudgeStop(InstanceSpec spec)
    {
        foreach (var edge in Edges.Where(e => !e.IsDead && !e.WasDeadLately))
            if (edge.Needs(spec.InstanceId, spec.Drain) is { } why)
                Violate($"instance {spec.InstanceId} of {spec.Deployment} was stopped although {why}");
    }

    internal void Violate(string what) => _violations.Enqueue(what);

    public async ValueTask DisposeAsync()
    {
        foreach (var member in Members)
            await member.DisposeAsync();
    }
}

/// <summary>What becomes of an instance that is told to run.</summary>
public enum Behaviour
{
    /// <summary>It passes its check.</summary>
    Ready,

    /// <summary>It starts, and its check never passes.</summary>
    NeverReady,

    /// <summary>It cannot run.</summary>
    Fails,

    /// <summary>It dies again and again.</summary>
    CrashLoops,

    /// <summary>Its node says nothing about it.</summary>
    Silent,
}

/// <summary>What agents and edges share: the link.</summary>
public abstract class SimulatedMember(SimulatedFleet fleet, LinkHello hello) : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _stop = new();
    private readonly Nudge _again = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _generations = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _sending = new(1, 1);
    private CancellationTokenSource _online = new();
    private Task _run = Task.CompletedTask;

    public Guid Id { get; private set; }

    public string Hostname => hello.Hostname;

    /// <summary>Says and hears nothing; what it runs or serves goes on.</summary>
    public bool IsDead { get; private set; }

    /// <summary>Each report is sent twice, and an earlier one once more before it.</summary>
    public bool Stutters { get; set; }

    /// <summary>Told by a store that is older than what this member knows: then older generations are no fault.</summary>
    public bool ExpectsOlder { get; set; }

    protected SimulatedFleet Fleet => fleet;

    protected Lock Gate => _gate;

    public async Task StartAsync()
    {
        await HelloAsync();
        _run = Task.Run(RunAsync);
    }

    public void Die()
    {
        IsDead = true;
        _online.Cancel();
    }

    public void Return()
    {
        _online = new CancellationTokenSource();
        IsDead = false;
        _again.Set();
    }

    /// <summary>Sends what is observed now.</summary>
    public async Task ReportAsync()
    {
        if (IsDead)
            return;
        await _sending.WaitAsync();
        try
        {
            var reports = Observed();
            var plane = fleet.Plane;
            for (var times = Stutters ? 2 : 1; times > 0; times--)
                await plane.Link.ReportAsync(Id, new LinkReports(reports), plane.Instances, CancellationToken.None);
        }
        catch (Exception e) when (e is ObjectDisposedException or OperationCanceledException)
        {
            // The control plane ended meanwhile; the next one is told everything anew.
        }
        finally
        {
            _sending.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _again.Set();
        await _run;
        _stop.Dispose();
        _sending.Dispose();
        GC.SuppressFinalize(this);
    }

    protected abstract void Apply(NodeTask task);

    protected abstract List<TaskReport> Observed();

    protected long GenerationOf(string key)
    {
        lock (_gate)
            return _generations.GetValueOrDefault(key);
    }

    private async Task HelloAsync() => Id = (await fleet.Plane.Nodes.HelloAsync(hello, CancellationToken.None)).NodeId;

    private async Task RunAsync()
    {
        ControlPlane? known = null;
        var after = 0L;
        while (!_stop.IsCancellationRequested)
        {
            var again = _again.Next;
            if (IsDead)
            {
                known = null;
                await again;
                continue;
            }
            var plane = fleet.Plane;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, _online.Token, EndOf(plane));
            try
            {
                if (known != plane)
                {
                    (known, after) = (plane, 0);
                    await HelloAsync();
                    await ReportAsync();
                }
                await plane.Nodes.SeenAsync(Id, either.Token);
                var tasks = await plane.Link.TasksAsync(Id, after, Poll, either.Token);
                if (tasks is null)
                    continue;
                after = tasks.Revision;
                Take(tasks.Tasks);
                await ReportAsync();
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                // This control plane is over, or this member is cut off: look again.
                known = null;
                await Task.Yield();
            }
        }
    }

    private static CancellationToken EndOf(ControlPlane plane) => plane.Ended;

    private void Take(IReadOnlyList<NodeTask> tasks)
    {
        foreach (var task in tasks)
        {
            lock (_gate)
            {
                var known = _generations.GetValueOrDefault(task.Key);
                if (task.Generation < known && !ExpectsOlder)
                    fleet.Violate($"{Hostname} was given generation {task.Generation} of {task.Key} after {known}");
                if (task.Generation <= known && !ExpectsOlder)
                    continue;
                _generations[task.Key] = Math.Max(known, task.Generation);
            }
            Apply(task);
        }
    }
}

/// <summary>An agent whose instances are entries in a table.</summary>
public sealed class SimulatedWorker(SimulatedFleet fleet, string hostname, string region, NodeCapacity capacity)
    : SimulatedMember(fleet, new LinkHello(hostname, NodeRole.Worker, region, capacity, "test"))
{
    private readonly Dictionary<Guid, (InstanceSpec Spec, InstanceStatus Status)> _instances = [];

    /// <summary>Told to stop, an instance stays until this is set back.</summary>
    public bool StopsNothing { get; set; }

    public IReadOnlyList<Guid> Running
    {
        get
        {
            lock (Gate)
                return [.. _instances.Where(i => i.Value.Status.State != InstanceState.Stopped).Select(i => i.Key)];
        }
    }

    public IReadOnlyList<Guid> Of(string deployment)
    {
        lock (Gate)
            return [.. _instances.Where(i => i.Value.Spec.Deployment == deployment && i.Value.Status.State != InstanceState.Stopped).Select(i => i.Key)];
    }

    /// <summary>Something happens to an instance, and is reported.</summary>
    public async Task SetAsync(Guid id, InstanceState state, string? reason = null)
    {
        Set(id, state, 0, reason);
        await ReportAsync();
    }

    protected override void Apply(NodeTask task)
    {
        var given = task.Payload.Deserialize<InstanceTask>(Json.Options)!;
        var spec = given.Spec;
        if (given.Desire == InstanceDesire.Stop)
        {
            Fleet.JudgeStop(spec);
            if (!StopsNothing)
                Put(spec, InstanceState.Stopped, 0, null);
            return;
        }
        switch (Fleet.Behave(spec))
        {
            case Behaviour.Ready:
                Put(spec, InstanceState.Ready, 0, null);
                break;
            case Behaviour.NeverReady:
                Put(spec, InstanceState.Starting, 0, "GET /ready answered 503");
                break;
            case Behaviour.Fails:
                Put(spec, InstanceState.Failed, 0, "the archive cannot be unpacked");
                break;
            case Behaviour.CrashLoops:
                Put(spec, InstanceState.BackingOff, 3, "exit code 1");
                break;
            case Behaviour.Silent:
            default:
                break;
        }
    }

    protected override List<TaskReport> Observed()
    {
        lock (Gate)
        {
            return
            [
                .. _instances.Select(i => new TaskReport(
                    i.Key.ToString("D"), 1, JsonSerializer.SerializeToElement(i.Value.Status, Json.Options))),
            ];
        }
    }

    private void Set(Guid id, InstanceState state, int restarts, string? reason)
    {
        lock (Gate)
        {
            if (_instances.TryGetValue(id, out var known))
                Put(known.Spec, state, restarts, reason);
        }
    }

    private void Put(InstanceSpec spec, InstanceState state, int restarts, string? reason)
    {
        if (state == InstanceState.Ready)
            Fleet.EverReady[spec.InstanceId] = spec.Deployment;
        var address = $"127.0.0.1:{20_000 + (spec.InstanceId.GetHashCode() & 0x3FFF)}";
        lock (Gate)
            _instances[spec.InstanceId] = (spec, new InstanceStatus(state, Fleet.Clock.GetUtcNow(), address, 4711, restarts, reason, "test"));
    }
}

/// <summary>An edge whose requests are numbers.</summary>
public sealed class SimulatedEdge(SimulatedFleet fleet, string hostname)
    : SimulatedMember(fleet, new LinkHello(hostname, NodeRole.Edge, "local", new NodeCapacity(1000, 1 << 30), "test"))
{
    private readonly Dictionary<Guid, int> _inFlight = [];
    private readonly Dictionary<Guid, int> _upgraded = [];
    private readonly Dictionary<Guid, DateTimeOffset> _leftAt = [];
    private RouteTable _table = new(0, Guid.Empty, []);
    private RouteTable? _waiting;
    private HashSet<Guid> _given = [];
    private string? _problem;
    private long _attempted;
    private DateTimeOffset _returnedAt = DateTimeOffset.MinValue;

    /// <summary>Takes tables, and applies none until this is false again.</summary>
    public bool IsFrozen { get; private set; }

    /// <summary>Refuses tables for this reason.</summary>
    public string? Refuses { get; set; }

    public long Serving => Volatile.Read(ref _table).Generation;

    public RouteTable Table => Volatile.Read(ref _table);

    /// <summary>The set of certificates that it was given last; null when none.</summary>
    public CertificateSet? Certificates { get; private set; }

    /// <summary>It may be back without the control plane having waited for it meanwhile.</summary>
    public bool WasDeadLately => Fleet.Clock.GetUtcNow() - _returnedAt < TimeSpan.FromSeconds(60);

    public void Freeze() => IsFrozen = true;

    public async Task ThawAsync()
    {
        lock (Gate)
        {
            IsFrozen = false;
            if (_waiting is { } table)
                Swap(table);
            _waiting = null;
        }
        await ReportAsync();
    }

    public void ComeBack()
    {
        _returnedAt = Fleet.Clock.GetUtcNow();
        Return();
    }

    /// <summary>That many requests are in flight to an instance, and that many upgraded connections beside them.</summary>
    public async Task LoadAsync(Guid instance, int requests, int upgraded = 0)
    {
        lock (Gate)
            (_inFlight[instance], _upgraded[instance]) = (requests, upgraded);
        await ReportAsync();
    }

    /// <summary>Why an instance may not be stopped yet; null when it may.</summary>
    public string? Needs(Guid instance, TimeSpan drain)
    {
        lock (Gate)
        {
            var isRouted = Targets(_table).Contains(instance);
            var inFlight = _inFlight.GetValueOrDefault(instance);
            if (!isRouted && inFlight == 0)
                return null;
            // Time moves two seconds at a time, and the table may come one move after it was made.
            var over = _leftAt.TryGetValue(instance, out var left) && Fleet.Clock.GetUtcNow() - left >= drain - TimeSpan.FromSeconds(4);
            return over ? null : $"{Hostname} at table {_table.Generation} {(isRouted ? "routes to it" : $"has {inFlight} requests to it")}";
        }
    }

    protected override void Apply(NodeTask task)
    {
        if (task.Kind == CertificatesReport.Kind)
        {
            lock (Gate)
                Certificates = task.Payload.Deserialize<CertificateSet>(Json.Options);
            return;
        }
        var table = task.Payload.Deserialize<RouteTable>(Json.Options)!;
        lock (Gate)
        {
            _attempted = task.Generation;
            var targets = Targets(table);
            foreach (var gone in _given.Except(targets))
                _leftAt[gone] = Fleet.Clock.GetUtcNow();
            foreach (var here in targets)
                _leftAt.Remove(here);
            _given = targets;
            if (Refuses is { } why)
                _problem = why;
            else if (table.Generation < _table.Generation)
                _problem = $"it serves the newer generation {_table.Generation}";
            else if (table.Generation == _table.Generation)
                _problem = JsonSerializer.Serialize(table, Json.Options) == JsonSerializer.Serialize(_table, Json.Options) ? null
                    : $"Another table of generation {table.Generation} serves.";
            else if (IsFrozen)
                _waiting = table;
            else
                Swap(table);
        }
    }

    protected override List<TaskReport> Observed()
    {
        lock (Gate)
        {
            var routed = Targets(_table);
            var draining = _inFlight.Where(f => f.Value + _upgraded[f.Key] > 0 && !routed.Contains(f.Key))
                .Select(f => new DrainingTarget(f.Key, "127.0.0.1:1", f.Value + _upgraded[f.Key], _upgraded[f.Key])).ToList();
            var report = new EdgeReport(_table.Generation, draining, _problem);
            var routes = new TaskReport(EdgeReport.Key, Math.Max(_attempted, _table.Generation), JsonSerializer.SerializeToElement(report, Json.Options));
            return Certificates is not { } set ? [routes]
                : [routes, new TaskReport(CertificatesReport.Key, set.Generation, JsonSerializer.SerializeToElement(new CertificatesReport(set.Generation, set.Certificates.Count, null), Json.Options))];
        }
    }

    private static HashSet<Guid> Targets(RouteTable table) => [.. table.Routes.SelectMany(r => r.Targets.Concat(r.Split.SelectMany(s => s.Targets))).Select(t => t.InstanceId)];

    /// <summary>Invariant 1: whatever is routed passed its check for that deployment.</summary>
    private void Swap(RouteTable table)
    {
        foreach (var route in table.Routes)
            foreach (var (label, target) in route.Targets.Select(t => (route.Deployment, t)).Concat(route.Split.SelectMany(s => s.Targets.Select(t => (s.Deployment, t)))))
                if (!Fleet.EverReady.TryGetValue(target.InstanceId, out var deployment) || deployment != label)
                    Fleet.Violate($"table {table.Generation} routes {route.Host} to {target.InstanceId}, which never was ready for {label}");
        Volatile.Write(ref _table, table);
        _problem = null;
    }
}
