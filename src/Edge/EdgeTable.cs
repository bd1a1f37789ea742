using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// The table that serves. A new one is judged whole, written to disk and then swapped in by one reference; the last one
/// is loaded when the edge starts, so that it serves with everything else dead (invariant 7). Targets keep their state
/// from table to table. Thread-safe: requests read one reference and take no lock; tables are applied one at a time.
/// </summary>
public sealed partial class EdgeTable
{
    private readonly Lock _applying = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<(Guid, string), TargetState> _known = [];
    private readonly HashSet<TargetState> _retired = [];
    private readonly string _file;
    private readonly DurableFiles _files;
    private readonly EdgeMeters _meters;
    private readonly Kept<ServiceName, HoldGate> _holds;
    private readonly Kept<ServiceKey, ServiceState> _services;
    private readonly RateLimiters _rates;
    private readonly TimeProvider _clock;
    private Snapshot _current = Snapshot.Empty;

    /// <summary>
    /// Loads the last table of the state folder. A file that cannot be used is set aside as <c>routes.json.bad</c> and
    /// raised as an urgent signal <c>edge-table-unreadable</c>; the edge then starts without a table.
    /// </summary>
    public EdgeTable(EdgeOptions options, DurableFiles files, MetricRegistry metrics, ISignals signals, TimeProvider clock)
    {
        (_files, _clock) = (files, clock);
        Leaving = new LeavingEdges(Changed);
        _file = Path.Combine(options.StateFolder, RouteTableFile.Name);
        _meters = new EdgeMeters(metrics);
        _holds = new(_ => new HoldGate(clock));
        _services = new(key => new ServiceState(key, clock));
        _rates = new RateLimiters(clock);
        metrics.Observe("groundcrew_edge_table_generation", "The generation of the route table that serves; 0 when there is none.",
            () => Current?.Generation ?? 0);
        Load(signals);
    }

    /// <summary>Fires when a table was applied, and when an instance that no route names any more has nothing in flight.</summary>
    public Nudge Changed { get; } = new();

    /// <summary>The table that serves; null before any.</summary>
    public RouteTable? Current => Volatile.Read(ref _current).Table;

    /// <summary>
    /// Judges a table, keeps it on disk and swaps it in. Blocks for the disk; never throws for a bad table or disk.
    /// A second table with the generation that serves is a problem unless it is the same table. Waits while another edge
    /// is taking over.
    /// </summary>
    /// <exception cref="OperationCanceledException">Another edge has taken over: the table is for that one.</exception>
    public ApplyOutcome Apply(RouteTable table)
    {
        while (true)
        {
            WaitForTurn();
            lock (_applying)
            {
                if (!IsMyTurn())
                    continue;
                var outcome = ApplyOne(table);
                _meters.CountTable(outcome);
                return outcome;
            }
        }
    }

    /// <summary>
    /// What serves and what still drains, as one consistent view; the requests of edges that this one replaced and that are
    /// still leaving are counted too.
    /// </summary>
    public EdgeStatus Status()
    {
        lock (_gate)
        {
            Forget();
            return new EdgeStatus(_current.Generation, Leaving.With(
                [.. _retired.Select(t => new DrainingTarget(t.InstanceId, t.Address, t.InFlight, t.Upgraded))], _current));
        }
    }

    /// <summary>
    /// Claims a target for a request, which must give it back with <see cref="Exchange.Release"/>. False when there is
    /// no route (it is then null) or no target that was not tried.
    /// </summary>
    internal bool TryClaim(Exchange exchange)
    {
        var now = exchange.Now;
        while (true)
        {
            if (Find(exchange) is not { } route)
                return false;
            var backend = route.Draw(exchange);
            exchange.Backend = backend;
            if (backend.Pick(exchange.Tried, now) is not { } target)
                return false;
            // Not let in by its breaker, it is asked all the same when no other is left: an answer is worth a try.
            target.Breaker.TryEnter(now, out var trial);
            // A target is retired only after a table without it is in place, so a second look sees that table.
            if (!target.TryEnter())
            {
                target.Breaker.TrialLeft(now, trial);
                continue;
            }
            exchange.Claimed(target, trial);
            return true;
        }
    }

    /// <summary>Finds the route of a request and notes it there; null when there is none.</summary>
    internal RouteState? Find(Exchange exchange) => exchange.FindRoute(Volatile.Read(ref _current));

    /// <summary>Closes connections to targets that rested too long, or that the target closed.</summary>
    internal void Sweep(TimeSpan restAtMost)
    {
        foreach (var target in Volatile.Read(ref _current).Targets)
            target.Pool.Sweep(_clock, restAtMost);
    }

    /// <summary>The targets that the edge asks by itself, and how.</summary>
    internal IReadOnlyDictionary<TargetState, ProbePolicy> Probed()
    {
        var probed = new Dictionary<TargetState, ProbePolicy>();
        foreach (var route in Volatile.Read(ref _current).Routes)
            if (route.Policy.Probe is { } policy)
                foreach (var target in route.Targets)
                    probed[target] = policy;
        return probed;
    }

    /// <summary>The maintenance that holds for an organization and a path now; null when none does.</summary>
    internal Maintenance? MaintenanceOf(string org, ReadOnlySpan<char> path) =>
        Volatile.Read(ref _current).Maintenance is { IsOpen: false } gate ? gate.Holds(org, path, _clock.GetUtcNow()) : null;

    /// <summary>What is answered to a certificate authority's challenge; null when none is known.</summary>
    internal string? ChallengeOf(ReadOnlySpan<char> host, ReadOnlySpan<char> token) => Volatile.Read(ref _current).ChallengeOf(host, token);

    /// <summary>Whether any authority may be looking for an answer now.</summary>
    internal bool HasChallenges => Volatile.Read(ref _current).Table is { Challenges.Count: > 0 };

    /// <summary>The challenge of a host, for a handshake, which names no token; null when there is none.</summary>
    internal ChallengeAnswer? ChallengeOf(string host) =>
        Volatile.Read(ref _current).Table?.Challenges.FirstOrDefault(c => string.Equals(c.Host, host, StringComparison.OrdinalIgnoreCase));

    private ApplyOutcome ApplyOne(RouteTable table)
    {
        if (RouteTableJudge.Judge(table) is { Count: > 0 } problems)
            return new ApplyOutcome.RefusedProblems(problems);
        var (content, digest) = RouteTableFile.Encode(table);
        if (Refusal(table, digest) is { } refusal)
            return refusal;
        try
        {
            _files.Replace(_file, content);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ApplyOutcome.NotKept(e.Message);
        }
        Swap(table, digest);
        return new ApplyOutcome.Applied(table.Generation);
    }

    private ApplyOutcome? Refusal(RouteTable table, string digest)
    {
        if (_current.Table is not { } current)
            return null;
        if (table.Platform != current.Platform)
            return new ApplyOutcome.RefusedOtherPlatform(current.Platform);
        if (table.Generation != current.Generation)
            return table.Generation < current.Generation ? new ApplyOutcome.RefusedOlder(current.Generation) : null;
        return digest == _current.Digest
            ? new ApplyOutcome.SameAlready(current.Generation)
            : new ApplyOutcome.RefusedProblems([new Problem("generation-used", "generation",
                $"Another table of generation {current.Generation} serves.", "Give every change its own generation.")]);
    }

    private void Swap(RouteTable table, string digest)
    {
        lock (_gate)
        {
            var (before, named) = (_current.Targets, _current.Table?.Routes);
            var making = new Making(_holds.Begin(), _services.Begin(), _rates.Begin(), []);
            var routes = table.Routes.Select(r => StateOf(r, making)).ToList();
            var targets = making.Targets;
            Volatile.Write(ref _current, new Snapshot(table, digest, routes, targets));
            making.End();
            // After the table serves: those who waited go by it.
            var holds = table.Holds.DistinctBy(ServiceName.Of).ToDictionary(ServiceName.Of, h => h.Hold);
            foreach (var (service, gate) in _holds.All)
                gate.Apply(holds.GetValueOrDefault(service));
            foreach (var target in before.Where(t => !targets.Contains(t)))
            {
                target.Retire();
                _retired.Add(target);
            }
            foreach (var gone in Deployments(named ?? []).Except(Deployments(table.Routes)))
                _meters.Forget(gone);
            Forget();
        }
        Changed.Set();
    }

    private static IEnumerable<string> Deployments(IReadOnlyList<Route> routes) =>
        routes.SelectMany(r => r.Split.Select(s => s.Deployment).Prepend(r.Deployment));

    private RouteState StateOf(Route route, Making making)
    {
        var policy = route.Policy ?? RoutePolicy.Default;
        var name = ServiceName.Of(route);
        var service = making.Services.Of(new ServiceKey(name, policy.Breaker, policy.Retry, policy.Concurrency));
        var slowStart = (long)(policy.SlowStart.TotalSeconds * _clock.TimestampFrequency);
        BackendState Backend(string deployment, int percent, IReadOnlyList<Target> of) => new(
            deployment, percent, policy.Balance, slowStart, [.. of.Select(t => StateOf(t, policy.Breaker, service, making.Targets))], _meters.Of(route, deployment));

        return new RouteState(
            route, Backend(route.Deployment, 0, route.Targets), [.. route.Split.Select(s => Backend(s.Deployment, s.Percent, s.Targets))],
            service, making.Holds.Of(name), making.Rates.Of(route.Org, route.Project, route.Environment, policy.Rates));
    }

    private TargetState StateOf(Target target, BreakerPolicy policy, ServiceState service, HashSet<TargetState> targets)
    {
        var key = (target.InstanceId, target.Address);
        var isNew = !_known.TryGetValue(key, out var state);
        if (isNew)
            _known.Add(key, state = new TargetState(target, policy, Changed, _clock));
        // One that was retired and is named again must take claims before the table that names it is seen.
        var isBack = _retired.Remove(state!);
        if (isBack)
            state!.Return();
        state!.Judge(policy, isBack, _clock);
        if (isNew || isBack)
            service.Forgive();
        targets.Add(state);
        return state;
    }

    /// <summary>
    /// Zero in flight, once seen of a retired target, is final: nobody can claim it any more, here or in an edge that is
    /// leaving and has read this table.
    /// </summary>
    private void Forget()
    {
        foreach (var target in _retired.Where(t => t.InFlight == 0 && !Leaving.MayUse(t, _current.Generation)).ToList())
        {
            _retired.Remove(target);
            _known.Remove((target.InstanceId, target.Address));
            target.Pool.Close();
        }
    }

    private void Load(ISignals signals)
    {
        if (!File.Exists(_file))
            return;
        try
        {
            var (table, digest) = RouteTableFile.Decode(File.ReadAllBytes(_file));
            Swap(table, digest);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            var aside = e is InvalidDataException ? StateFile.SetAside(_file) : "It was left where it is.";
            signals.Raise(new Signal("edge-table-unreadable", _file,
                $"The last route table '{_file}' cannot be used: {e.Message}. {aside} The edge serves nothing until the control plane sends a table.",
                SignalUrgency.Urgent, _clock.GetUtcNow()));
        }
    }

    /// <summary>What one table needs while it is made ready.</summary>
    private sealed record Making(
        Kept<ServiceName, HoldGate>.Naming Holds, Kept<ServiceKey, ServiceState>.Naming Services, RateLimiters.Naming Rates, HashSet<TargetState> Targets)
    {
        public void End()
        {
            Holds.End();
            Services.End();
            Rates.End();
        }
    }
}
