using System.Collections.Concurrent;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

public sealed class DrainTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ManualClock _clock = new();
    private readonly EdgeTable _table;

    public DrainTests() => _table = new EdgeTable(
        new EdgeOptions { StateFolder = _folder.Path }, DurableFiles.Real, new MetricRegistry(), new SeenSignals(), _clock);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_target_that_no_route_names_drains_until_its_last_request_ended()
    {
        var (old, next) = (Dead(), Dead());
        _table.Apply(Of(1, Route("a.example", old)));
        Assert.True(_table.TryClaim("a.example", [], out _, out var first));
        Assert.True(_table.TryClaim("a.example", [], out _, out var second));
        _table.Apply(Of(2, Route("a.example", next)));

        Assert.Equal([new DrainingTarget(old.InstanceId, old.Address, 2, 0)], _table.Status().Draining);
        first.Leave();
        var changed = _table.Changed.Next;
        Assert.Equal([new DrainingTarget(old.InstanceId, old.Address, 1, 0)], _table.Status().Draining);
        Assert.False(changed.IsCompleted);
        second.Leave();
        Assert.True(changed.IsCompleted);
        Assert.Empty(_table.Status().Draining);
        Assert.Equal(2, _table.Status().Generation);
    }

    [Fact]
    public void It_is_told_when_only_upgraded_connections_are_left()
    {
        var old = Dead();
        _table.Apply(Of(1, Route("a.example", old)));
        Assert.True(_table.TryClaim("a.example", [], out _, out var request));
        Assert.True(_table.TryClaim("a.example", [], out _, out var socket));
        Assert.True(_table.TryClaim("a.example", [], out _, out var late));
        socket.BeginUpgrade();
        _table.Apply(Of(2, Route("a.example", Dead())));

        var changed = _table.Changed.Next;
        late.BeginUpgrade();
        Assert.True(changed.IsCompleted);
        Assert.Equal((3, 2), Assert.Single(_table.Status().Draining) is var d ? (d.InFlight, d.Upgraded) : default);
        changed = _table.Changed.Next;
        request.Leave();
        Assert.True(changed.IsCompleted);
        Assert.Equal([new DrainingTarget(old.InstanceId, old.Address, 2, 2)], _table.Status().Draining);
    }

    [Fact]
    public void A_target_that_is_still_in_some_route_does_not_drain()
    {
        var shared = Dead();
        _table.Apply(Of(1, Route("label.example", shared), Route("app.example", shared)));
        Assert.True(_table.TryClaim("app.example", [], out _, out var claim));
        _table.Apply(Of(2, Route("label.example", shared), Route("app.example", Dead())));

        Assert.Empty(_table.Status().Draining);
        Assert.True(_table.TryClaim("label.example", [], out _, out var again));
        Assert.Same(claim, again);
        Assert.Equal(2, again.InFlight);
    }

    [Fact]
    public void A_target_that_comes_back_while_it_drains_serves_again_with_its_count()
    {
        var target = Dead();
        _table.Apply(Of(1, Route("a.example", target)));
        Assert.True(_table.TryClaim("a.example", [], out _, out _));
        _table.Apply(Of(2));
        Assert.False(_table.TryClaim("a.example", [], out _, out _));
        _table.Apply(Of(3, Route("a.example", target)));

        Assert.Empty(_table.Status().Draining);
        Assert.True(_table.TryClaim("a.example", [], out _, out var claim));
        Assert.Equal(2, claim.InFlight);
    }

    [Fact]
    public void The_same_instance_at_another_address_is_another_target()
    {
        var target = Dead();
        _table.Apply(Of(1, Route("a.example", target)));
        Assert.True(_table.TryClaim("a.example", [], out _, out _));
        _table.Apply(Of(2, Route("a.example", target with { Address = "127.0.0.1:1" })));

        Assert.Equal(target.Address, Assert.Single(_table.Status().Draining).Address);
    }

    [Fact]
    public void Zero_in_flight_once_seen_is_final_however_fast_tables_and_claims_come()
    {
        const int Rounds = 400;
        var stopped = new ConcurrentDictionary<Guid, bool>();
        var claims = 0;
        var wrong = 0;
        using var done = new CancellationTokenSource();
        _table.Apply(Of(1, Route("a.example", Dead(), Dead())));
        var claimers = Enumerable.Range(0, 6).Select(_ => new Thread(() =>
        {
            while (!done.IsCancellationRequested)
            {
                if (!_table.TryClaim("a.example", [], out var _, out var target))
                {
                    Interlocked.Increment(ref wrong);
                    continue;
                }
                // From here to the end of the claim the instance must not have been called drained.
                if (stopped.ContainsKey(target.InstanceId))
                    Interlocked.Increment(ref wrong);
                Thread.SpinWait(Random.Shared.Next(200));
                if (stopped.ContainsKey(target.InstanceId))
                    Interlocked.Increment(ref wrong);
                target.Leave();
                Interlocked.Increment(ref claims);
            }
        })).ToList();
        claimers.ForEach(t => t.Start());

        var named = new HashSet<Guid>();
        var open = new HashSet<Guid>();
        for (var generation = 2; generation < Rounds; generation++)
        {
            var targets = Enumerable.Range(0, 2).Select(_ => Dead()).ToArray();
            _table.Apply(Of(generation, Route("a.example", targets)));
            open.UnionWith(named);
            named = [.. targets.Select(t => t.InstanceId)];
            var draining = _table.Status().Draining.Select(d => d.InstanceId).ToHashSet();
            foreach (var instance in open.Except(draining).ToList())
            {
                stopped[instance] = true;
                open.Remove(instance);
            }
        }
        var before = Volatile.Read(ref claims);
        SpinWait.SpinUntil(() => Volatile.Read(ref claims) > before);
        done.Cancel();
        claimers.ForEach(t => t.Join());

        Assert.Equal(0, wrong);
        Assert.NotEmpty(stopped);
        Assert.Empty(_table.Status().Draining);
    }

    [Fact]
    public void The_less_busy_of_two_is_taken_and_a_tried_one_never()
    {
        var (a, b) = (Dead(), Dead());
        _table.Apply(Of(1, Route("a.example", a, b)));
        for (var i = 0; i < 20; i++)
            Assert.True(_table.TryClaim("a.example", [], out _, out _));
        Assert.True(_table.TryClaim("a.example", [], out var route, out var last));
        Assert.Equal(11, last.InFlight);
        Assert.True(_table.TryClaim("a.example", [last], out _, out var other));
        Assert.NotSame(last, other);
        Assert.False(_table.TryClaim("a.example", [last, other], out _, out _));
        Assert.NotNull(route);
    }

    [Fact]
    public void A_target_that_cannot_be_connected_to_is_left_out_for_a_while_unless_all_are()
    {
        var (a, b) = (Dead(), Dead());
        _table.Apply(Of(1, Route("a.example", a, b)));
        Assert.True(_table.TryClaim("a.example", [], out var route, out var bad));
        bad.Leave();
        Fail(bad, 4);
        Assert.Same(bad, Sole(route!, bad));
        Fail(bad, 1);

        for (var i = 0; i < 50; i++)
            Assert.NotSame(bad, route!.Pick([], _clock.GetTimestamp()));
        var good = route!.Pick([], _clock.GetTimestamp())!;
        Assert.Same(bad, route.Pick([good], _clock.GetTimestamp()));
        Fail(good, 5);
        Assert.NotNull(route.Pick([], _clock.GetTimestamp()));
        _clock.Advance(TimeSpan.FromSeconds(6));
        Assert.Same(bad, Sole(route, bad));
    }

    private void Fail(TargetState target, int times)
    {
        for (var i = 0; i < times; i++)
            target.Breaker.Failed(_clock.GetTimestamp());
    }

    private TargetState? Sole(RouteState? route, TargetState wanted) =>
        Enumerable.Range(0, 200).Select(_ => route!.Pick([], _clock.GetTimestamp())).FirstOrDefault(t => t == wanted);
}
