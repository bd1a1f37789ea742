using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class BreakerTests
{
    private readonly ManualClock _clock = new();

    private long Now => _clock.GetTimestamp();

    [Fact]
    public void Failures_in_a_row_open_it_and_a_trial_that_goes_well_closes_it()
    {
        var breaker = Breaker();
        for (var i = 0; i < 4; i++)
            Assert.False(breaker.Failed(Now));
        Assert.True(breaker.Allows(Now));
        Assert.True(breaker.Failed(Now));
        Assert.False(breaker.Allows(Now));
        Assert.Equal(new BreakerStatus(BreakerState.Open, 5, 5, 100, _clock.GetUtcNow() + TimeSpan.FromSeconds(5), 1), breaker.Status(Now));

        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.True(breaker.Allows(Now));
        Assert.True(breaker.TryEnter(Now, out var trial));
        Assert.Equal(1, trial);
        Assert.False(breaker.Allows(Now));
        Assert.False(breaker.TryEnter(Now, out _));
        breaker.Succeeded(Now, trial);
        Assert.True(breaker.TryEnter(Now, out trial));
        Assert.Equal(0, trial);
        Assert.Equal(new BreakerStatus(BreakerState.Closed, 0, 0, 0, null, 1), breaker.Status(Now));
    }

    [Fact]
    public void A_success_between_failures_begins_the_row_anew()
    {
        var breaker = Breaker(p => p with { MinimumRequests = 1000 });
        for (var i = 0; i < 30; i++)
        {
            if (i % 5 == 4)
                breaker.Succeeded(Now);
            else
                Assert.False(breaker.Failed(Now));
        }
        Assert.Equal(BreakerState.Closed, breaker.Status(Now).State);
    }

    [Theory]
    [InlineData(11, 9, false)]
    [InlineData(10, 10, true)]
    public void The_share_of_failures_opens_it_once_enough_requests_are_known(int well, int failed, bool opens)
    {
        var breaker = Breaker(p => p with { Failures = 1000 });
        for (var i = 0; i < well; i++)
            breaker.Succeeded(Now);
        for (var i = 0; i < failed; i++)
            breaker.Failed(Now);
        Assert.Equal(opens ? BreakerState.Open : BreakerState.Closed, breaker.Status(Now).State);
    }

    [Fact]
    public void Failures_older_than_the_window_are_not_counted()
    {
        var breaker = Breaker(p => p with { Failures = 1000 });
        for (var i = 0; i < 19; i++)
            breaker.Failed(Now);
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.False(breaker.Failed(Now));
        Assert.Equal((1, 100), (breaker.Status(Now).Requests, breaker.Status(Now).FailurePercent));
    }

    [Fact]
    public void Late_verdicts_on_requests_from_before_change_nothing()
    {
        var breaker = Opened();
        breaker.Succeeded(Now);
        breaker.Failed(Now);
        Assert.Equal((BreakerState.Open, 1), (breaker.Status(Now).State, breaker.Opened));
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.True(breaker.TryTrial(Now, out var first));
        breaker.Failed(Now);
        Assert.Equal(BreakerState.HalfOpen, breaker.Status(Now).State);
        Assert.True(breaker.Failed(Now, first));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.True(breaker.TryTrial(Now, out var second));
        // The first one's number is of an earlier time.
        breaker.Succeeded(Now, first);
        Assert.Equal(BreakerState.HalfOpen, breaker.Status(Now).State);
        breaker.Succeeded(Now, second);
        Assert.Equal(BreakerState.Closed, breaker.Status(Now).State);
    }

    [Fact]
    public void A_trial_without_a_verdict_makes_room_for_another()
    {
        var breaker = Opened();
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.True(breaker.TryTrial(Now, out var trial));
        breaker.TrialLeft(Now, trial);
        Assert.True(breaker.TryTrial(Now, out _));
    }

    [Fact]
    public void As_many_trials_as_the_policy_says_run_at_once_and_all_must_go_well()
    {
        var breaker = Opened(p => p with { Trials = 3 });
        _clock.Advance(TimeSpan.FromSeconds(5));
        var trials = Enumerable.Range(0, 3).Select(_ => breaker.TryTrial(Now, out var t) ? t : 0).ToList();
        Assert.DoesNotContain(0, trials);
        Assert.False(breaker.TryTrial(Now, out _));
        breaker.Succeeded(Now, trials[0]);
        breaker.Succeeded(Now, trials[1]);
        Assert.False(breaker.Allows(Now));
        breaker.Succeeded(Now, trials[2]);
        Assert.True(breaker.Allows(Now));
    }

    [Fact]
    public void Verdicts_and_looks_allocate_nothing()
    {
        var breaker = Breaker();
        void Use(int times)
        {
            for (var i = 0; i < times; i++)
            {
                var now = i * 100_000L;
                breaker.TryEnter(now, out var trial);
                if (i % 3 == 0)
                    breaker.Failed(now, trial);
                else
                    breaker.Succeeded(now, trial);
            }
        }
        Use(10);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Use(1000);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public async Task Of_many_at_once_only_as_many_as_the_policy_says_become_trials()
    {
        for (var round = 0; round < 200; round++)
        {
            var breaker = Opened(p => p with { Trials = 2 });
            var now = Now + (5 * TimeSpan.TicksPerSecond);
            var granted = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
                Task.Run(() => breaker.TryEnter(now, out var trial) && trial != 0, TestContext.Current.CancellationToken)));
            Assert.Equal(2, granted.Count(g => g));
        }
    }

    [Fact]
    public async Task Every_verdict_of_many_threads_is_counted()
    {
        var breaker = Breaker(p => p with { Failures = int.MaxValue, MinimumRequests = int.MaxValue });
        var now = Now;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                if (i % 4 == 0)
                    breaker.Failed(now);
                else
                    breaker.Succeeded(now);
            }
        }, TestContext.Current.CancellationToken)));
        Assert.Equal((80_000, 25), (breaker.Status(now).Requests, breaker.Status(now).FailurePercent));
    }

    private Breaker Opened(Func<BreakerPolicy, BreakerPolicy>? change = null)
    {
        var breaker = Breaker(change);
        for (var i = 0; i < 5; i++)
            breaker.Failed(Now);
        Assert.Equal(BreakerState.Open, breaker.Status(Now).State);
        return breaker;
    }

    private Breaker Breaker(Func<BreakerPolicy, BreakerPolicy>? change = null)
    {
        var policy = new BreakerPolicy();
        return new Breaker(change?.Invoke(policy) ?? policy, _clock);
    }
}
