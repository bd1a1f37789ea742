using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Bedrock.Tests;

public sealed class NudgeTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private readonly ManualClock _clock = new();
    private readonly Nudge _nudge = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_set_between_the_look_and_the_wait_is_not_missed()
    {
        var next = _nudge.Next;
        _nudge.Set();
        Assert.True(next.IsCompleted);
        Assert.False(_nudge.Next.IsCompleted);
    }

    [Fact]
    public async Task One_set_wakes_everyone_who_waits()
    {
        var waiters = Enumerable.Range(0, 100).Select(_ => _nudge.Next).ToArray();
        _nudge.Set();
        await Task.WhenAll(waiters).WaitAsync(Eventually.Limit, Cancellation);
    }

    [Fact]
    public async Task A_condition_that_holds_already_needs_no_set() =>
        Assert.True(await _nudge.WaitUntilAsync(_ => Task.FromResult(true), _clock.GetUtcNow(), Hour, _clock, Cancellation));

    [Fact]
    public async Task A_set_makes_the_waiter_look_again()
    {
        var holds = false;
        var looks = 0;
        var waiting = _nudge.WaitUntilAsync(_ =>
        {
            Interlocked.Increment(ref looks);
            return Task.FromResult(Volatile.Read(ref holds));
        }, _clock.GetUtcNow() + Hour, Hour, _clock, Cancellation);
        await Eventually.TrueAsync(() => Volatile.Read(ref looks) == 1, "the first look");
        _nudge.Set();
        await Eventually.TrueAsync(() => Volatile.Read(ref looks) == 2, "the second look");
        Assert.False(waiting.IsCompleted);
        Volatile.Write(ref holds, true);
        _nudge.Set();
        Assert.True(await waiting.WaitAsync(Eventually.Limit, Cancellation));
    }

    [Fact]
    public async Task A_change_during_a_look_is_seen()
    {
        var level = 0;
        var waiting = _nudge.WaitUntilAsync(_ =>
        {
            var seen = level;
            // The change comes after the look, before the wait.
            level = 1;
            _nudge.Set();
            return Task.FromResult(seen == 1);
        }, _clock.GetUtcNow() + Hour, Hour, _clock, Cancellation);
        Assert.True(await waiting.WaitAsync(Eventually.Limit, Cancellation));
    }

    [Fact]
    public async Task The_deadline_ends_the_wait_after_a_last_look()
    {
        var looks = 0;
        var waiting = _nudge.WaitUntilAsync(_ =>
        {
            Interlocked.Increment(ref looks);
            return Task.FromResult(false);
        }, _clock.GetUtcNow() + Hour, TimeSpan.FromHours(5), _clock, Cancellation);
        await AdvanceUntil(waiting);
        Assert.False(await waiting);
        Assert.Equal(2, looks);
    }

    [Fact]
    public async Task Without_a_set_the_waiter_looks_again_at_the_given_pace()
    {
        var looks = 0;
        var waiting = _nudge.WaitUntilAsync(_ => Task.FromResult(Interlocked.Increment(ref looks) == 4),
            _clock.GetUtcNow() + TimeSpan.FromDays(1), TimeSpan.FromMinutes(1), _clock, Cancellation);
        await AdvanceUntil(waiting);
        Assert.True(await waiting);
        Assert.Equal(4, looks);
    }

    [Fact]
    public async Task A_wait_can_be_cancelled()
    {
        using var source = new CancellationTokenSource();
        var waiting = _nudge.WaitUntilAsync(_ => Task.FromResult(false), _clock.GetUtcNow() + Hour, Hour, _clock, source.Token);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Eventually.Limit, Cancellation));
    }

    [Fact]
    public async Task No_level_is_lost_between_setters_and_waiters()
    {
        const int Target = 20_000;
        var level = 0;
        var waiting = Enumerable.Range(0, 4).Select(_ => Task.Run(() => _nudge.WaitUntilAsync(
            _ => Task.FromResult(Volatile.Read(ref level) >= Target), _clock.GetUtcNow() + Hour, Hour, _clock, Cancellation), Cancellation)).ToArray();
        await Task.Run(() =>
        {
            for (var i = 0; i < Target; i++)
            {
                Interlocked.Increment(ref level);
                _nudge.Set();
            }
        }, Cancellation);
        // The clock stands still: only a set can wake them.
        Assert.All(await Task.WhenAll(waiting).WaitAsync(Eventually.Limit, Cancellation), Assert.True);
    }

    /// <summary>Moves the clock whenever the waiter has come to rest on a timer, until it is done.</summary>
    private Task AdvanceUntil(Task waiting) => Eventually.TrueAsync(() =>
    {
        if (!waiting.IsCompleted)
            _clock.Advance(TimeSpan.FromSeconds(20));
        return waiting.IsCompleted;
    }, "the end of the wait");
}
