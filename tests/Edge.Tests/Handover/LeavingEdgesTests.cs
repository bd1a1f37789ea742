using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>
/// What an edge that was replaced still uses is not called drained (invariant 4), whatever the order of words and tables.
/// </summary>
public sealed class LeavingEdgesTests : IDisposable
{
    private static readonly ProcessIdentity Old = new(4711, 1, "boot");
    private readonly TempFolder _folder = new();
    private readonly EdgeTable _table;
    private readonly Target _used = Dead();

    public LeavingEdgesTests() => _table = new EdgeTable(
        new EdgeOptions { StateFolder = _folder.Path }, DurableFiles.Real, new MetricRegistry(), new SeenSignals(), TimeProvider.System);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_target_that_only_the_old_edge_uses_drains_there()
    {
        _table.Apply(Of(1, Route("a.example", _used)));
        Hear(1, InFlight(_used, 3, 1));
        Assert.Empty(_table.Status().Draining);
        _table.Apply(Of(2));

        Assert.Equal([InFlight(_used, 3, 1)], _table.Status().Draining);
        Hear(2, InFlight(_used, 1));
        Assert.Equal([InFlight(_used, 1)], _table.Status().Draining);
        var changed = _table.Changed.Next;
        Hear(2);
        Assert.True(changed.IsCompleted);
        Assert.Empty(_table.Status().Draining);
    }

    [Fact]
    public void Requests_of_both_edges_are_added()
    {
        _table.Apply(Of(1, Route("a.example", _used)));
        Assert.True(_table.TryClaim("a.example", [], out _, out var claim));
        Hear(1, InFlight(_used, 2));
        _table.Apply(Of(2));
        Hear(2, InFlight(_used, 2));
        Assert.Equal([InFlight(_used, 3)], _table.Status().Draining);
        claim.Leave();
        Assert.Equal([InFlight(_used, 2)], _table.Status().Draining);
    }

    [Fact]
    public void Until_the_old_edge_follows_the_table_it_may_use_what_left_it()
    {
        _table.Apply(Of(1, Route("a.example", _used)));
        Hear(1);
        _table.Apply(Of(2));

        Assert.Equal([InFlight(_used, 1)], _table.Status().Draining);
        Hear(2);
        Assert.Empty(_table.Status().Draining);
    }

    [Fact]
    public void An_old_edge_that_is_silent_may_use_what_left_the_table_until_its_process_is_gone()
    {
        _table.Apply(Of(1, Route("a.example", _used)));
        Assert.True(_table.Leaving.Expect(Old));
        _table.Apply(Of(2));
        Assert.True(_table.Leaving.AnyBehind(2));
        Assert.Equal([InFlight(_used, 1)], _table.Status().Draining);

        _table.Leaving.Forget(Old);
        Assert.Empty(_table.Status().Draining);
        Assert.False(_table.Leaving.AnyBehind(2));
    }

    [Fact]
    public void A_target_that_left_the_table_before_the_new_edge_began_still_drains()
    {
        _table.Apply(Of(5));
        Hear(5, InFlight(_used, 1));
        Assert.Equal([InFlight(_used, 1)], _table.Status().Draining);
        _table.Apply(Of(6, Route("a.example", _used)));
        Assert.Empty(_table.Status().Draining);
    }

    [Fact]
    public void An_edge_that_was_replaced_applies_nothing_and_follows_what_its_successor_applied()
    {
        _table.Apply(Of(1, Route("a.example", _used)));
        Assert.True(_table.TryClaim("a.example", [], out _, out _));
        _table.Freeze();
        _table.Leave();
        Assert.Throws<OperationCanceledException>(() => _table.Apply(Of(2)));
        var successor = new EdgeTable(
            new EdgeOptions { StateFolder = _folder.Path }, DurableFiles.Real, new MetricRegistry(), new SeenSignals(), TimeProvider.System);
        Assert.Equal(new ApplyOutcome.Applied(3), successor.Apply(Of(3)));
        _table.Follow();

        var (generation, targets) = _table.InUse();
        Assert.Equal(3, generation);
        Assert.Equal([InFlight(_used, 1)], targets);
        Assert.False(_table.TryClaim("a.example", [], out _, out _));
    }

    private void Hear(long generation, params DrainingTarget[] targets) =>
        _table.Leaving.Hear(Old, new Farewell(generation, targets, 0, 0, 0, 0, TimeSpan.Zero, IsDone: false));

    private static DrainingTarget InFlight(Target target, int requests, int upgraded = 0) => new(target.InstanceId, target.Address, requests, upgraded);
}
