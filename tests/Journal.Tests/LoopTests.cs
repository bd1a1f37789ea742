using System.Threading.Channels;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Journal.Tests;

public sealed class LoopTests : IAsyncLifetime
{
    private readonly ManualClock _clock = new();
    private readonly SeenSignals _signals = new();
    private readonly Loops _loops;
    private readonly CountingClock _counted;
    private readonly Channel<int> _ran = Channel.CreateBounded<int>(100);
    private int _runs;
    private int _atOnce;
    private int _mostAtOnce;
    private bool _broken;
    private Task _hold = Task.CompletedTask;

    public LoopTests() => _loops = new Loops(_signals, _counted = new CountingClock(_clock), NullLogger<Loops>.Instance, new MetricRegistry());

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_loop_runs_at_the_start_when_it_is_due_and_when_it_is_nudged()
    {
        var loop = await StartAsync();
        await RanAsync(1);
        _clock.Advance(TimeSpan.FromMinutes(1));
        await RanAsync(2);
        loop.Wake.Set();
        await RanAsync(3);
        await IdleAsync(3);
        var view = Assert.Single(_loops.Views);
        Assert.Equal(("sweep", 3L, 0L, "run 3"), (view.Name, view.Runs, view.Failures, view.LastResult));
        Assert.Equal(_clock.GetUtcNow(), view.LastStartedAt);
    }

    [Fact]
    public async Task A_nudge_during_a_run_makes_one_more_run_and_never_two_at_once()
    {
        var hold = new TaskCompletionSource();
        _hold = hold.Task;
        var loop = await StartAsync();
        await RanAsync(1);
        for (var i = 0; i < 10; i++)
            loop.Wake.Set();
        hold.SetResult();
        await RanAsync(2);
        await IdleAsync(2);
        Assert.Equal(1, _mostAtOnce);
        Assert.False(_ran.Reader.TryRead(out _));
    }

    [Fact]
    public async Task A_failing_loop_backs_off_is_shown_and_raises_one_signal()
    {
        _broken = true;
        await StartAsync();
        for (var failures = 1; failures <= 5; failures++)
        {
            await RanAsync(failures);
            await IdleAsync(failures);
            var view = _loops.Views[0];
            Assert.Equal((failures, "broken pipe", (string?)null), (view.FailuresInARow, view.LastError, view.LastResult));
            Assert.Equal(failures >= 3 ? 1 : 0, _signals.All.Count);
            _clock.Advance(TimeSpan.FromSeconds(1 << (failures - 1)) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(failures, _loops.Views[0].Runs);
            _broken = failures < 5;
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }
        await RanAsync(6);
        await IdleAsync(6);
        var healed = _loops.Views[0];
        Assert.Equal((0, 5L, (string?)null, "run 6"), (healed.FailuresInARow, healed.Failures, healed.LastError, healed.LastResult));
    }

    [Fact]
    public async Task A_stop_ends_a_run_that_waits_and_two_of_one_name_are_refused()
    {
        _hold = new TaskCompletionSource().Task;
        var loop = await StartAsync();
        Assert.Throws<ArgumentException>(() => _loops.Add(loop));
        await RanAsync(1);
        Assert.True(_loops.Views[0].Running);
        await _loops.StopAsync();
        Assert.False(_loops.Views[0].Running);
        Assert.Equal(0, _loops.Views[0].Failures);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _loops.DisposeAsync();

    private async Task<Loop> StartAsync()
    {
        var loop = new Loop("sweep", TimeSpan.FromMinutes(1), async cancellation =>
        {
            _mostAtOnce = Math.Max(_mostAtOnce, Interlocked.Increment(ref _atOnce));
            var run = ++_runs;
            await _ran.Writer.WriteAsync(run, cancellation);
            try
            {
                await _hold.WaitAsync(cancellation);
                return _broken ? throw new IOException("broken pipe") : $"run {run}";
            }
            finally
            {
                Interlocked.Decrement(ref _atOnce);
            }
        });
        _loops.Add(loop);
        await _loops.StartAsync();
        return loop;
    }

    private async Task RanAsync(int run) => Assert.Equal(run, await _ran.Reader.ReadAsync(Ct).AsTask().WaitAsync(Eventually.Limit, Ct));

    /// <summary>The run has ended and the loop waits on its clock: it makes one timer for each wait.</summary>
    private Task IdleAsync(int runs) =>
        Eventually.TrueAsync(() => _loops.Views[0] is { Running: false } view && view.Runs == runs && _counted.Timers == runs, "the loop waits");

    private sealed class CountingClock(ManualClock inner) : TimeProvider
    {
        private int _timers;

        public int Timers => Volatile.Read(ref _timers);

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow();

        public override long GetTimestamp() => inner.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = inner.CreateTimer(callback, state, dueTime, period);
            Interlocked.Increment(ref _timers);
            return timer;
        }
    }
}
