using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Journal;

/// <summary>
/// A reconciler: looks at the world and makes it so, woken by time or a nudge that carries no data. It must be
/// idempotent; it is never run twice at the same time.
/// </summary>
public interface ILoop
{
    /// <summary>Unique, hyphenated, such as <c>place-instances</c>.</summary>
    string Name { get; }

    /// <summary>From the end of a run to the next one, when nothing nudges.</summary>
    TimeSpan Every { get; }

    /// <summary>Wakes it early.</summary>
    Nudge Wake { get; }

    /// <summary>Looks once and acts. Returns one line about what it did; throws when it could not.</summary>
    Task<string> RunAsync(CancellationToken cancellation);
}

/// <summary>Where a loop stands. Immutable.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Every">Its period.</param>
/// <param name="Running">Whether it runs right now.</param>
/// <param name="LastStartedAt">When its last run began; null before the first.</param>
/// <param name="LastDuration">How long the last finished run took.</param>
/// <param name="LastResult">What the last good run said.</param>
/// <param name="LastError">Why the last run failed; null when it did not.</param>
/// <param name="Runs">How many runs there were.</param>
/// <param name="Failures">How many of them failed.</param>
/// <param name="FailuresInARow">How many failed since the last good one.</param>
public sealed record LoopView(
    string Name, TimeSpan Every, bool Running, DateTimeOffset? LastStartedAt, TimeSpan? LastDuration, string? LastResult, string? LastError,
    long Runs, long Failures, int FailuresInARow);

/// <summary>A loop made of a few lambdas.</summary>
/// <param name="name">Its name.</param>
/// <param name="every">Its period.</param>
/// <param name="run">What it does.</param>
/// <param name="wake">What wakes it; null for a nudge of its own.</param>
public sealed class Loop(string name, TimeSpan every, Func<CancellationToken, Task<string>> run, Nudge? wake = null) : ILoop
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public TimeSpan Every => every;

    /// <inheritdoc/>
    public Nudge Wake { get; } = wake ?? new Nudge();

    /// <inheritdoc/>
    public Task<string> RunAsync(CancellationToken cancellation) => run(cancellation);
}

/// <summary>Hosts loops: each by itself, so that a slow or failing one holds up no other. Thread-safe; started and stopped once.</summary>
/// <param name="signals">Receives <c>loop-failing</c>.</param>
/// <param name="clock">The clock.</param>
/// <param name="log">The log.</param>
/// <param name="metrics">Counts runs and failures; null for none.</param>
public sealed class Loops(ISignals signals, TimeProvider clock, ILogger<Loops> log, MetricRegistry? metrics = null) : IAsyncDisposable
{
    private readonly List<LoopRun> _runs = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Metric? _counted = metrics?.Counter("loop_runs_total", "Runs of the control plane's loops.", "loop", "result");
    private Task _all = Task.CompletedTask;

    /// <summary>Adds a loop, before <see cref="StartAsync"/>.</summary>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public void Add(ILoop loop)
    {
        if (_runs.Exists(r => r.View.Name == loop.Name))
            throw new ArgumentException($"There is a loop '{loop.Name}' already.", nameof(loop));
        _runs.Add(new LoopRun(loop, signals, clock, log, _counted));
    }

    /// <summary>Runs every loop once now, and then when it is due or nudged.</summary>
    public Task StartAsync()
    {
        _all = Task.WhenAll(_runs.Select(r => Task.Run(() => r.RunAsync(_stop.Token))));
        return Task.CompletedTask;
    }

    /// <summary>Ends the runs and waits for them.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _all;
    }

    /// <summary>Where every loop stands, in the order in which they were added.</summary>
    public IReadOnlyList<LoopView> Views => [.. _runs.Select(r => r.View)];

    /// <summary>Wakes a loop by its name; false when there is none.</summary>
    public bool Nudge(string name)
    {
        var run = _runs.Find(r => r.View.Name == name);
        run?.Wake();
        return run is not null;
    }

    /// <summary>Stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }
}

/// <summary>One hosted loop.</summary>
internal sealed class LoopRun(ILoop loop, ISignals signals, TimeProvider clock, ILogger log, Metric? counted)
{
    private const int SignalAfter = 3;
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(5);
    private LoopView _view = new(loop.Name, loop.Every, false, null, null, null, null, 0, 0, 0);

    public LoopView View => Volatile.Read(ref _view);

    public void Wake() => loop.Wake.Set();

    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                // Taken before the run: what changes while it looks makes it look again.
                var next = loop.Wake.Next;
                await RunOnceAsync(stop);
                if (View.FailuresInARow > 0)
                    await Task.Delay(Backoff(View.FailuresInARow), clock, stop);
                else
                    await Nudge.WaitAsync(next, loop.Every, clock, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to end.
        }
    }

    private async Task RunOnceAsync(CancellationToken stop)
    {
        var started = clock.GetTimestamp();
        Show(View with { Running = true, LastStartedAt = clock.GetUtcNow(), Runs = View.Runs + 1 });
        try
        {
            var result = await loop.RunAsync(stop);
            counted?.With(loop.Name, "ok").Add(1);
            Show(View with { Running = false, LastDuration = clock.GetElapsedTime(started), LastResult = result, LastError = null, FailuresInARow = 0 });
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Show(View with { Running = false });
            throw;
        }
        catch (Exception e)
        {
            log.LogError(e, "Loop {Loop} failed", loop.Name);
            counted?.With(loop.Name, "failed").Add(1);
            Show(View with
            {
                Running = false,
                LastDuration = clock.GetElapsedTime(started),
                LastError = e.Message,
                Failures = View.Failures + 1,
                FailuresInARow = View.FailuresInARow + 1,
            });
            if (View.FailuresInARow == SignalAfter)
                signals.Raise(new Signal("loop-failing", loop.Name, $"The loop '{loop.Name}' failed {SignalAfter} times in a row: {e.Message}", SignalUrgency.Warning, clock.GetUtcNow()));
        }
    }

    private void Show(LoopView view) => Volatile.Write(ref _view, view);

    private static TimeSpan Backoff(int failures) =>
        TimeSpan.FromTicks(Math.Min(FirstBackoff.Ticks << Math.Min(failures - 1, 16), LongestBackoff.Ticks));
}
