using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class HoldGateTests
{
    private readonly ManualClock _clock = new();
    private readonly HoldGate _gate;

    public HoldGateTests() => _gate = new HoldGate(_clock);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_passes_at_once_and_without_allocating_while_nothing_is_held()
    {
        Assert.Equal(HoldEnd.Passed, await _gate.PassAsync(CancellationToken.None));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            await _gate.PassAsync(CancellationToken.None);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public async Task A_pause_makes_requests_wait_and_resuming_lets_them_all_go()
    {
        _gate.Apply(Paused());
        var waiting = Enumerable.Range(0, 3).Select(_ => _gate.PassAsync(Cancellation).AsTask()).ToList();
        Assert.Equal(3, _gate.Waiting);
        Assert.All(waiting, t => Assert.False(t.IsCompleted));
        _gate.Apply(null);
        Assert.All(await Task.WhenAll(waiting), e => Assert.Equal(HoldEnd.Passed, e));
        Assert.Equal((0, null), (_gate.Waiting, _gate.Current));
        Assert.Equal(HoldEnd.Passed, await _gate.PassAsync(Cancellation));
    }

    [Fact]
    public async Task Waiting_is_bounded_in_count_and_in_time()
    {
        _gate.Apply(Paused(mostWaiting: 2));
        var first = _gate.PassAsync(Cancellation).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(20));
        var second = _gate.PassAsync(Cancellation).AsTask();
        Assert.Equal(HoldEnd.Full, await _gate.PassAsync(Cancellation));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(HoldEnd.TimedOut, await first);
        Assert.Equal(1, _gate.Waiting);
        Assert.False(second.IsCompleted);
        _gate.Apply(null);
        Assert.Equal(HoldEnd.Passed, await second);
    }

    [Fact]
    public async Task A_stop_turns_away_those_who_come_and_those_who_wait()
    {
        _gate.Apply(Paused());
        var waiting = _gate.PassAsync(Cancellation).AsTask();
        var stopped = new Hold(HoldKind.Stopped, "Back soon.", TimeSpan.Zero, 0, _clock.GetUtcNow());
        _gate.Apply(stopped);
        Assert.Equal(HoldEnd.Stopped, await waiting);
        Assert.Equal(HoldEnd.Stopped, await _gate.PassAsync(Cancellation));
        Assert.Same(stopped, _gate.Current);
    }

    [Fact]
    public async Task The_same_level_applied_again_changes_nothing_for_those_who_wait()
    {
        _gate.Apply(Paused());
        var waiting = _gate.PassAsync(Cancellation).AsTask();
        _gate.Apply(Paused());
        Assert.False(waiting.IsCompleted);
        Assert.Equal(1, _gate.Waiting);
        _clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(HoldEnd.TimedOut, await waiting);
    }

    [Fact]
    public async Task A_client_that_leaves_waits_no_longer()
    {
        _gate.Apply(Paused());
        using var client = new CancellationTokenSource();
        var waiting = _gate.PassAsync(client.Token).AsTask();
        await client.CancelAsync();
        Assert.Equal(HoldEnd.Left, await waiting);
        Assert.Equal(HoldEnd.Left, await _gate.PassAsync(client.Token));
        Assert.Equal(0, _gate.Waiting);
    }

    [Fact]
    public async Task Nobody_is_forgotten_however_pauses_stops_departures_and_time_meet()
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var applying = Task.Run(() =>
        {
            var random = new Random(7);
            while (!done.IsCancellationRequested)
            {
                _gate.Apply(random.Next(3) switch
                {
                    0 => null,
                    1 => Paused(mostWaiting: 8),
                    _ => new Hold(HoldKind.Stopped, null, TimeSpan.Zero, 0, _clock.GetUtcNow()),
                });
                _clock.Advance(TimeSpan.FromSeconds(random.Next(0, 20)));
            }
        }, Cancellation);
        var ends = await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var (random, count) = (new Random(worker), 0);
            for (; count < 1000; count++)
            {
                using var client = new CancellationTokenSource();
                var passing = _gate.PassAsync(client.Token);
                if (random.Next(3) == 0)
                    await client.CancelAsync();
                await passing;
            }
            return count;
        }, Cancellation)));
        await done.CancelAsync();
        await applying;
        Assert.Equal(8000, ends.Sum());
        Assert.Equal(0, _gate.Waiting);
    }

    private Hold Paused(int mostWaiting = 100) => new(HoldKind.Paused, null, TimeSpan.FromSeconds(30), mostWaiting, _clock.GetUtcNow());
}
