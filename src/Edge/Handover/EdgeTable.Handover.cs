using System.Diagnostics;

namespace Groundcrew.Edge;

/// <summary>What the table does while one edge takes over from another.</summary>
public sealed partial class EdgeTable
{
    private TaskCompletionSource? _held;
    private bool _isLeft;

    /// <summary>What edges that this one replaced still use.</summary>
    internal LeavingEdges Leaving { get; }

    /// <summary>From its return until <see cref="Thaw"/> the table stays: another edge reads it from the disk.</summary>
    internal void Freeze()
    {
        lock (_applying)
            _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>The other edge did not take over: tables are applied again.</summary>
    internal void Thaw()
    {
        lock (_applying)
        {
            _held?.TrySetResult();
            _held = null;
        }
    }

    /// <summary>The other edge took over: no table is applied here any more, only followed.</summary>
    internal void Leave()
    {
        lock (_applying)
            _isLeft = true;
        Thaw();
    }

    /// <summary>
    /// Serves by the table on the disk when that is newer: what the edge that has the sockets now has applied.
    /// </summary>
    /// <exception cref="InvalidDataException">The file holds no whole table.</exception>
    /// <exception cref="IOException">The disk does not give it.</exception>
    internal void Follow()
    {
        lock (_applying)
        {
            if (!File.Exists(_file))
                return;
            var (table, digest) = RouteTableFile.Decode(File.ReadAllBytes(_file));
            if (table.Generation > _current.Generation)
                Swap(table, digest);
        }
    }

    /// <summary>Every instance that has a request now, whether a route names it or not, with the table that this is true of.</summary>
    internal (long Generation, IReadOnlyList<DrainingTarget> Targets) InUse()
    {
        lock (_gate)
            return (_current.Generation, [.. _known.Values.Where(t => t.InFlight > 0).Select(t => new DrainingTarget(t.InstanceId, t.Address, t.InFlight, t.Upgraded))]);
    }

    /// <summary>Blocks, as applying does, for the moments that a takeover lasts; its caller is not a request.</summary>
    private void WaitForTurn()
    {
        Task? held;
        lock (_applying)
            held = _held?.Task;
        held?.Wait();
    }

    private bool IsMyTurn()
    {
        Debug.Assert(_applying.IsHeldByCurrentThread);
        if (_isLeft)
            throw new OperationCanceledException("Another edge has taken over; tables are applied there.");
        return _held is null;
    }
}
