using System.Diagnostics.CodeAnalysis;
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
    /// Claims a target for a request, which must give it back with <see cref="TargetState.Leave"/>. False when there is
    /// no route (<paramref name="route"/> is null) or the route has no target that was not tried.
    /// </summary>
    internal bool TryClaim(
        ReadOnlySpan<char> host, ReadOnlySpan<TargetState?> tried, out RouteState? route, [NotNullWhen(true)] out TargetState? target)
    {
        var now = _clock.GetTimestamp();
        while (true)
        {
            route = Volatile.Read(ref _current).Find(host);
            target = route?.Pick(tried, now);
            if (target is null)
                return false;
            // A target is retired only after a table without it is in place, so a second look sees that table.
            if (target.TryEnter())
                return true;
        }
    }

    /// <summary>The route of a host, whether or not it has a target.</summary>
    internal RouteState? Find(ReadOnlySpan<char> host) => Volatile.Read(ref _current).Find(host);

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
            var targets = new HashSet<TargetState>();
            var routes = table.Routes.Select(r => new RouteState(r, [.. r.Targets.Select(t => StateOf(t, targets))], _meters)).ToList();
            var (before, named) = (_current.Targets, _current.Table?.Routes);
            Volatile.Write(ref _current, new Snapshot(table, digest, routes, targets));
            foreach (var target in before.Where(t => !targets.Contains(t)))
            {
                target.Retire();
                _retired.Add(target);
            }
            foreach (var gone in (named ?? []).Select(r => r.Deployment).Except(table.Routes.Select(r => r.Deployment)))
                _meters.Forget(gone);
            Forget();
        }
        Changed.Set();
    }

    private TargetState StateOf(Target target, HashSet<TargetState> targets)
    {
        var key = (target.InstanceId, target.Address);
        if (!_known.TryGetValue(key, out var state))
            _known.Add(key, state = new TargetState(target, Changed));
        // One that was retired and is named again must take claims before the table that names it is seen.
        if (_retired.Remove(state))
            state.Return();
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
            var aside = e is InvalidDataException ? SetAside() : "It was left where it is.";
            signals.Raise(new Signal("edge-table-unreadable", _file,
                $"The last route table '{_file}' cannot be used: {e.Message}. {aside} The edge serves nothing until the control plane sends a table.",
                SignalUrgency.Urgent, _clock.GetUtcNow()));
        }
    }

    private string SetAside()
    {
        try
        {
            File.Move(_file, _file + ".bad", overwrite: true);
            return $"It was set aside as '{_file}.bad'.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"It could not be set aside: {e.Message}.";
        }
    }
}
