using System.Net;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Edge.Tests;

public sealed class RateLimiterTests
{
    private readonly ManualClock _clock = new();

    private long Now => _clock.GetTimestamp();

    [Fact]
    public void A_burst_passes_at_once_and_then_one_for_each_interval()
    {
        var limiter = Limiter(10, TimeSpan.FromSeconds(1), burst: 5);
        for (var i = 4; i >= 0; i--)
        {
            Assert.True(limiter.TryTake("a", Now, out var passed));
            Assert.Equal((5, i, TimeSpan.Zero), (passed.Limit, passed.Remaining, passed.RetryAfter));
        }
        Assert.False(limiter.TryTake("a", Now, out var refused));
        Assert.Equal(new RateVerdict(5, 0, TimeSpan.FromMilliseconds(500), TimeSpan.FromMilliseconds(100)), refused);
        Assert.Equal((1, 1), (refused.ResetSeconds, refused.RetrySeconds));

        _clock.Advance(TimeSpan.FromMilliseconds(99));
        Assert.False(limiter.TryTake("a", Now, out _));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(limiter.TryTake("a", Now, out _));
        Assert.False(limiter.TryTake("a", Now, out _));
    }

    [Fact]
    public void A_refusal_costs_nothing_and_a_full_bucket_grows_no_further()
    {
        var limiter = Limiter(2, TimeSpan.FromSeconds(1));
        Take(limiter, "a", 2);
        Assert.Equal(0, limiter.Refused);
        for (var i = 0; i < 100; i++)
            Assert.False(limiter.TryTake("a", Now, out _));
        Assert.Equal(100, limiter.Refused);
        _clock.Advance(TimeSpan.FromMilliseconds(500));
        Assert.True(limiter.TryTake("a", Now, out _));
        _clock.Advance(TimeSpan.FromDays(3));
        Assert.Equal(2, Take(limiter, "a", 10));
    }

    [Fact]
    public void Keys_have_their_own_buckets_and_the_route_has_one()
    {
        var limiter = Limiter(1, TimeSpan.FromMinutes(1));
        Assert.True(limiter.TryTake("a", Now, out _));
        Assert.True(limiter.TryTake("b", Now, out _));
        Assert.False(limiter.TryTake("a", Now, out _));
        var route = new RateLimiter(new RateLimit("all", 1, TimeSpan.FromMinutes(1)) { By = RateKey.Route }, _clock);
        Assert.True(route.TryTake(Now, out _));
        Assert.False(route.TryTake(Now, out _));
        Assert.Equal(1, route.Kept);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("2001:db8::1", "192.0.2.1", false)]
    public void Addresses_share_a_bucket_by_host_or_by_the_network_of_a_subscriber(string one, string other, bool shared)
    {
        var limiter = Limiter(1, TimeSpan.FromMinutes(1));
        Assert.True(limiter.TryTake(IPAddress.Parse(one), Now, out _));
        Assert.Equal(!shared, limiter.TryTake(IPAddress.Parse(other), Now, out _));
    }

    [Fact]
    public void A_text_with_the_bytes_of_an_address_does_not_share_its_bucket()
    {
        var limiter = Limiter(1, TimeSpan.FromMinutes(1));
        Assert.True(limiter.TryTake(new IPAddress([65, 0, 66, 0]), Now, out _));
        Assert.True(limiter.TryTake("AB", Now, out _));
    }

    [Theory]
    [InlineData(-3600)]
    [InlineData(-5)]
    public void A_clock_set_back_holds_nobody_for_longer_than_a_bucket_takes_to_fill(int seconds)
    {
        var limiter = Limiter(10, TimeSpan.FromSeconds(1));
        Take(limiter, "a", 10);
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        Assert.True(Take(limiter, "a", 100) <= 10);
        _clock.Advance(TimeSpan.FromSeconds(Math.Min(11, -seconds) + 1));
        Assert.Equal(10, Take(limiter, "a", 100));
    }

    [Fact]
    public void A_time_that_comes_late_forgives_nothing()
    {
        var limiter = Limiter(10, TimeSpan.FromSeconds(1));
        Take(limiter, "a", 10);
        Assert.False(limiter.TryTake("a", Now - TimeSpan.TicksPerSecond, out _));
        Assert.False(limiter.TryTake("a", Now, out _));
    }

    [Fact]
    public void Buckets_that_are_full_again_are_forgotten_before_one_in_use_is_taken_over()
    {
        var limiter = Limiter(60, TimeSpan.FromMinutes(1), capacity: 8);
        for (var i = 0; i < 8; i++)
            Take(limiter, $"first {i}", 10);
        Assert.Equal((8, 0), (limiter.Kept, limiter.TakenOver));
        _clock.Advance(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 7; i++)
            Take(limiter, $"second {i}", 30);
        Take(limiter, "small", 1);
        Assert.Equal((8, 0), (limiter.Kept, limiter.TakenOver));

        Take(limiter, "another", 30);
        Assert.Equal((8, 1), (limiter.Kept, limiter.TakenOver));
        Assert.True(limiter.TryTake("second 3", Now, out var owing));
        Assert.Equal(29, owing.Remaining);
    }

    [Fact]
    public void Memory_is_bounded_however_many_keys_come()
    {
        var limiter = Limiter(10, TimeSpan.FromHours(1), capacity: 1000);
        for (var i = 0; i < 20_000; i++)
            limiter.TryTake($"key {i}", Now, out _);
        Assert.InRange(limiter.Kept, 900, 1000);
        Assert.True(limiter.TakenOver >= 19_000);
    }

    [Fact]
    public void A_bucket_that_is_known_is_used_without_allocating()
    {
        var limiter = Limiter(1_000_000, TimeSpan.FromSeconds(1));
        var address = IPAddress.Parse("2001:db8::1");
        limiter.TryTake("a key", 1, out _);
        limiter.TryTake(address, 1, out _);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            limiter.TryTake("a key", i, out _);
            limiter.TryTake(address, i, out _);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Eight_threads_never_get_more_than_the_burst_and_the_rate_times_the_time(int seed)
    {
        var random = new Random(seed);
        var (requests, burst) = (random.Next(50, 500), random.Next(1, 100));
        var limiter = Limiter(requests, TimeSpan.FromSeconds(1), burst);
        var (time, end) = (Now, Now + (10 * TimeSpan.TicksPerSecond));
        var begin = time;
        var passed = 0;
        // Each thread moves the shared time on by a little and uses what it read, so times come out of order.
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            var steps = new Random((seed * 100) + i);
            while (true)
            {
                var now = Interlocked.Add(ref time, steps.Next(1, 20_000));
                if (now > end)
                    return;
                if (limiter.TryTake("shared", now, out _))
                    Interlocked.Increment(ref passed);
            }
        }, TestContext.Current.CancellationToken)));

        var most = burst + (requests * 10);
        Assert.InRange(passed, most - (most / 50) - 2, most);
        Assert.True(time - begin >= 10 * TimeSpan.TicksPerSecond);
    }

    [Fact]
    public void Random_schedules_agree_with_a_bucket_that_counts_in_fractions()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            // Requests that divide a second, so that the interval has no rounding.
            var requests = new[] { 1, 2, 4, 5, 8, 10, 20, 25, 50, 100 }[random.Next(10)];
            var burst = random.Next(1, 30);
            var limiter = Limiter(requests, TimeSpan.FromSeconds(1), burst);
            decimal tokens = burst;
            var now = Now;
            for (var i = 0; i < 500; i++)
            {
                var step = random.Next(3) == 0 ? random.Next(0, 10_000_000) : random.Next(0, 200_000);
                now += step;
                tokens = Math.Min(burst, tokens + ((decimal)step * requests / TimeSpan.TicksPerSecond));
                var expected = tokens >= 1;
                Assert.Equal(expected, limiter.TryTake("k", now, out var verdict));
                tokens -= expected ? 1 : 0;
                Assert.Equal((int)tokens, verdict.Remaining);
            }
        }
    }

    [Fact]
    public void Methods_are_counted_as_the_limit_says()
    {
        var some = new RateLimiter(new RateLimit("writes", 1, TimeSpan.FromSeconds(1)) { Methods = ["POST", "PUT"] }, _clock);
        Assert.True(some.Counts("PUT"));
        Assert.False(some.Counts("GET"));
        Assert.True(Limiter(1, TimeSpan.FromSeconds(1)).Counts("GET"));
    }

    [Fact]
    public void Limits_beyond_what_a_clock_can_count_are_held_all_the_same()
    {
        var limiter = Limiter(1, TimeSpan.FromDays(1), burst: int.MaxValue);
        Assert.True(limiter.TryTake("a", Now, out var verdict));
        Assert.True(verdict.Remaining > 0);
        Assert.True(Limiter(int.MaxValue, TimeSpan.FromTicks(1)).TryTake("a", Now, out _));
    }

    private static int Take(RateLimiter limiter, string key, int times, long now) =>
        Enumerable.Range(0, times).Count(_ => limiter.TryTake(key, now, out var _));

    private int Take(RateLimiter limiter, string key, int times) => Take(limiter, key, times, Now);

    private RateLimiter Limiter(int requests, TimeSpan per, int? burst = null, int capacity = RateLimiter.DefaultCapacity) =>
        new(new RateLimit("test", requests, per) { Burst = burst }, _clock, capacity);
}
