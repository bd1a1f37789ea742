using System.Net;
using Groundcrew.Edge.Tests.Conformance;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;
using static Groundcrew.Edge.Tests.Tables;

namespace Groundcrew.Edge.Tests;

/// <summary>
/// The clock on the wall is set forward and back by hours while the edge serves: nothing that is a length of time notices,
/// and what is a time of day follows.
/// </summary>
public abstract class ClockTests(bool isDirect) : IAsyncLifetime
{
    private const string Host = "app.example.org";
    private static readonly TimeSpan Jump = TimeSpan.FromHours(30);
    private readonly TempFolder _folder = new();
    private readonly JumpingClock _clock = new();
    private EdgeHost _edge = null!;
    private Instance _instance = null!;
    private long _generation;

    public async ValueTask InitializeAsync()
    {
        _edge = await EdgeHost.StartAsync(_folder.Path, clock: _clock, isDirect: isDirect);
        _instance = await Instance.SayingAsync("well");
    }

    public async ValueTask DisposeAsync()
    {
        await _edge.DisposeAsync();
        await _instance.DisposeAsync();
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Requests_that_a_pause_holds_go_on_waiting()
    {
        var hold = new ServiceHold("acme", "web", "production", new Hold(HoldKind.Paused, null, TimeSpan.FromHours(1), 10, _clock.GetUtcNow()));
        Apply(RoutePolicy.Default, t => t with { Holds = [hold] });
        var held = _edge.GetAsync(Host);
        await Eventually.TrueAsync(() => _edge.Table.Find(Host)!.Hold.Waiting == 1, "it waits");
        foreach (var step in Steps())
        {
            _clock.Offset = step;
            Assert.False(held.IsCompleted);
            Assert.Equal(1, _edge.Table.Find(Host)!.Hold.Waiting);
        }
        Apply(RoutePolicy.Default);
        Assert.Equal((HttpStatusCode.OK, "well"), await held);
    }

    [Fact]
    public async Task A_rate_that_is_used_up_does_not_come_back_and_one_that_is_not_stays()
    {
        Apply(RoutePolicy.Default with { Rates = [new RateLimit("all", 2, TimeSpan.FromHours(20)) { By = RateKey.Route }] });
        Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
        foreach (var step in Steps())
        {
            _clock.Offset = step;
            if (step == Jump)
                Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
            using var request = _edge.Request(HttpMethod.Get, Host, "/");
            using var refused = await _edge.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
            Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromHours(9), TimeSpan.FromHours(10));
        }
    }

    [Fact]
    public async Task A_breaker_stays_open_and_a_closed_one_closed()
    {
        Apply(RoutePolicy.Default with { Breaker = new BreakerPolicy { Failures = 1, OpenFor = TimeSpan.FromHours(20), OpenAtMost = TimeSpan.FromHours(20) } });
        foreach (var step in Steps())
        {
            _clock.Offset = step;
            Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
        }
        _clock.Offset = TimeSpan.Zero;
        _edge.Table.Find(Host)!.Service.Breaker.Failed(_clock.GetTimestamp());
        foreach (var step in Steps())
        {
            _clock.Offset = step;
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _edge.GetAsync(Host)).Status);
            // Shown as a time of day, it is that much from the new now.
            Assert.Contains($"{_clock.GetUtcNow().AddHours(20):yyyy-MM-dd}", await _edge.Status.GetStringAsync("/debug/circuit-breakers", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        await AccessFile.WithOutcomeAsync(_folder.Path, "breaker-open");
    }

    [Fact]
    public async Task Maintenance_with_an_end_follows_the_time_of_day()
    {
        var now = _clock.GetUtcNow();
        var maintenance = new Maintenance(null, null, TimeSpan.Zero, true, now.AddHours(-100), now.AddHours(1), []);
        Apply(RoutePolicy.Default, t => t with { Maintenance = [maintenance] });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _edge.GetAsync(Host)).Status);
        _clock.Offset = Jump;
        Assert.Equal(HttpStatusCode.OK, (await _edge.GetAsync(Host)).Status);
        _clock.Offset = -Jump;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await _edge.GetAsync(Host)).Status);
    }

    [Fact]
    public async Task Records_and_answers_say_the_new_time_and_no_length_that_never_was()
    {
        Apply(RoutePolicy.Default);
        foreach (var (i, step) in Steps().Index())
        {
            _clock.Offset = step;
            using var request = _edge.Request(HttpMethod.Get, Host, "/");
            request.Headers.Add("X-Request-Id", $"jump-{i}");
            using var answer = await _edge.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var record = await AccessFile.RecordAsync(_folder.Path, $"jump-{i}");
            Assert.InRange(record.GetProperty("time").GetDateTimeOffset(), _clock.GetUtcNow().AddMinutes(-10), _clock.GetUtcNow());
            Assert.InRange(record.GetProperty("duration_ms").GetDouble(), 0, 600_000);
        }
    }

    [Fact]
    public async Task Probes_and_slow_starts_go_on()
    {
        var isWell = true;
        await using var other = await Instance.StartAsync(c =>
        {
            c.Response.StatusCode = c.Request.Path == "/probe" && !isWell ? 500 : 200;
            return c.Response.WriteAsync("other");
        });
        Apply(
            RoutePolicy.Default with { SlowStart = TimeSpan.FromHours(20), Probe = new ProbePolicy("/probe") { Period = TimeSpan.FromMilliseconds(10), Failures = 1 } },
            t => t with { Routes = [t.Routes[0] with { Targets = [_instance.Target, other.Target] }] });
        foreach (var step in Steps())
        {
            _clock.Offset = step;
            isWell = false;
            await Eventually.TrueAsync(async () => !await IsAskedAsync("other"), "the probe sees that it is not well");
            isWell = true;
            await Eventually.TrueAsync(() => IsAskedAsync("other"), "the probe sees that it is well");
        }
    }

    /// <summary>Whether one of many requests comes to an instance.</summary>
    private async Task<bool> IsAskedAsync(string instance)
    {
        for (var i = 0; i < 20; i++)
            if ((await _edge.GetAsync(Host)).Body == instance)
                return true;
        return false;
    }

    private static TimeSpan[] Steps() => [Jump, -Jump, TimeSpan.Zero];

    private void Apply(RoutePolicy policy, Func<RouteTable, RouteTable>? change = null)
    {
        var table = Of(++_generation, Route(Host, _instance.Target) with { Policy = policy });
        Assert.IsType<ApplyOutcome.Applied>(_edge.Table.Apply(change?.Invoke(table) ?? table));
    }

    /// <summary>Time that passes as it does, under a clock on the wall that is set.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private long _offset;

        public TimeSpan Offset
        {
            get => TimeSpan.FromTicks(Volatile.Read(ref _offset));
            set => Volatile.Write(ref _offset, value.Ticks);
        }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
    }
}

/// <summary>On the direct path.</summary>
public sealed class ClockOfTheDirectPathTests() : ClockTests(isDirect: true);

/// <summary>On the full path.</summary>
public sealed class ClockOfTheFullPathTests() : ClockTests(isDirect: false);
