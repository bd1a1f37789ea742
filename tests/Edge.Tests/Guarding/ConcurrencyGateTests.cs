using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class ConcurrencyGateTests
{
    private readonly ManualClock _clock = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_beyond_the_limit_is_shed_when_nobody_may_wait()
    {
        var gate = Gate(2, 0);
        Assert.Equal(GateEnd.Entered, await gate.EnterAsync(Cancellation));
        Assert.Equal(GateEnd.Entered, await gate.EnterAsync(Cancellation));
        Assert.Equal(GateEnd.Full, await gate.EnterAsync(Cancellation));
        Assert.Equal((2, 0, 1), (gate.InFlight, gate.Waiting, gate.Shed));
        gate.Leave();
        Assert.Equal(GateEnd.Entered, await gate.EnterAsync(Cancellation));
    }

    [Fact]
    public async Task Those_who_wait_go_in_the_order_in_which_they_came_and_nobody_overtakes()
    {
        var gate = Gate(1, 3);
        await gate.EnterAsync(Cancellation);
        var waiting = Enumerable.Range(0, 3).Select(_ => gate.EnterAsync(Cancellation).AsTask()).ToList();
        Assert.Equal(GateEnd.Full, await gate.EnterAsync(Cancellation));
        foreach (var next in waiting)
        {
            Assert.All(waiting.SkipWhile(t => t != next), t => Assert.False(t.IsCompleted));
            gate.Leave();
            Assert.Equal(GateEnd.Entered, await next);
            Assert.Equal(1, gate.InFlight);
        }
        gate.Leave();
        Assert.Equal((0, 0), (gate.InFlight, gate.Waiting));
    }

    [Fact]
    public async Task One_whose_time_is_over_leaves_its_place_to_the_next()
    {
        var gate = Gate(1, 1);
        await gate.EnterAsync(Cancellation);
        var late = gate.EnterAsync(Cancellation).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(GateEnd.TimedOut, await late);
        Assert.Equal((1, 0, 1), (gate.InFlight, gate.Waiting, gate.Shed));

        var next = gate.EnterAsync(Cancellation).AsTask();
        gate.Leave();
        Assert.Equal(GateEnd.Entered, await next);
    }

    [Fact]
    public async Task A_client_that_leaves_gives_up_its_place_in_line()
    {
        var gate = Gate(1, 2);
        await gate.EnterAsync(Cancellation);
        using var client = new CancellationTokenSource();
        var leaving = gate.EnterAsync(client.Token).AsTask();
        var staying = gate.EnterAsync(Cancellation).AsTask();
        await client.CancelAsync();
        Assert.Equal(GateEnd.Left, await leaving);
        Assert.Equal(GateEnd.Left, await gate.EnterAsync(client.Token));
        Assert.Equal((1, 0), (gate.Waiting, gate.Shed));
        gate.Leave();
        Assert.Equal(GateEnd.Entered, await staying);
    }

    [Fact]
    public async Task Entering_and_leaving_allocates_nothing_while_nobody_waits()
    {
        var gate = Gate(4, 4);
        Assert.Equal(GateEnd.Entered, await gate.EnterAsync(Cancellation));
        gate.Leave();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            await gate.EnterAsync(CancellationToken.None);
            gate.Leave();
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public async Task A_place_that_becomes_free_while_somebody_joins_the_line_is_not_lost()
    {
        var gate = Gate(1, 1);
        for (var round = 0; round < 5000; round++)
        {
            Assert.Equal(GateEnd.Entered, await gate.EnterAsync(Cancellation));
            var leaving = Task.Run(gate.Leave, Cancellation);
            Assert.Equal(GateEnd.Entered, await gate.EnterAsync(Cancellation).AsTask().WaitAsync(Eventually.Limit, Cancellation));
            await leaving;
            gate.Leave();
        }
        Assert.Equal((0, 0), (gate.InFlight, gate.Waiting));
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(3, 2)]
    [InlineData(8, 16)]
    public async Task Many_at_once_never_are_more_than_the_limit_and_every_place_comes_back(int limit, int waiting)
    {
        var gate = Gate(limit, waiting);
        var (inside, most, entered, left) = (0, 0, 0, 0);
        await Task.WhenAll(Enumerable.Range(0, 24).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 400; i++)
            {
                using var client = new CancellationTokenSource();
                var entering = gate.EnterAsync(client.Token);
                if (random.Next(4) == 0)
                    await client.CancelAsync();
                if (random.Next(8) == 0)
                    _clock.Advance(TimeSpan.FromSeconds(random.Next(0, 3)));
                switch (await entering)
                {
                    case GateEnd.Entered:
                        Interlocked.Increment(ref entered);
                        var now = Interlocked.Increment(ref inside);
                        InterlockedMax(ref most, now);
                        if (random.Next(2) == 0)
                            await Task.Yield();
                        Interlocked.Decrement(ref inside);
                        gate.Leave();
                        break;
                    case GateEnd.Left:
                        Interlocked.Increment(ref left);
                        break;
                    case GateEnd.Full or GateEnd.TimedOut:
                        await Task.Yield();
                        break;
                }
            }
        }, Cancellation)));

        Assert.InRange(most, 1, limit);
        Assert.Equal((0, 0), (gate.InFlight, gate.Waiting));
        Assert.Equal(24 * 400, entered + left + gate.Shed);
    }

    private static void InterlockedMax(ref int place, int value)
    {
        var seen = Volatile.Read(ref place);
        while (value > seen)
        {
            var before = Interlocked.CompareExchange(ref place, value, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    private ConcurrencyGate Gate(int requests, int waiting) => new(new ConcurrencyLimit(requests) { Waiting = waiting }, _clock);
}
