namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// The two probe loops of one run of an instance. They tell only changes of their verdict. A check that never passed
/// is asked faster than its period, so that a deploy does not wait for the next beat.
/// </summary>
internal sealed class ProbeLoops(Prober prober, InstanceSpec spec, int port, TimeProvider clock, Func<InstanceEvent, ValueTask> tell)
{
    private static readonly TimeSpan Fastest = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ConnectPeriod = TimeSpan.FromSeconds(5);
    private const int ConnectThreshold = 3;

    /// <summary>Runs until cancelled.</summary>
    /// <param name="wasReady">Whether readiness had passed in this run already (an adopted process).</param>
    /// <param name="cancellation">Ends both.</param>
    public Task RunAsync(bool wasReady, CancellationToken cancellation) =>
        Task.WhenAll(ReadinessAsync(wasReady, cancellation), LivenessAsync(wasReady, cancellation));

    private async Task ReadinessAsync(bool isReady, CancellationToken cancellation)
    {
        var probe = spec.Readiness;
        var period = probe?.Period ?? ConnectPeriod;
        var threshold = Math.Max(1, probe?.FailureThreshold ?? ConnectThreshold);
        var hasPassed = isReady;
        var failures = 0;
        string? told = null;
        if (!isReady && probe is { InitialDelay: var wait } && wait > TimeSpan.Zero)
            await Task.Delay(wait, clock, cancellation);
        while (true)
        {
            var why = await prober.AskAsync(port, probe, cancellation);
            failures = why is null ? 0 : failures + 1;
            if (why is null && !isReady)
            {
                (isReady, hasPassed, told) = (true, true, null);
                await tell(new InstanceEvent(InstanceEventKind.ReadinessPassed));
            }
            else if (why is not null && isReady && failures >= threshold)
            {
                (isReady, told) = (false, why);
                await tell(new InstanceEvent(InstanceEventKind.ReadinessLost, $"not ready: {why}"));
            }
            else if (why is not null && !isReady && why != told)
            {
                told = why;
                await tell(new InstanceEvent(InstanceEventKind.ReadinessFailing, $"not ready{(hasPassed ? "" : " yet")}: {why}"));
            }
            await Task.Delay(hasPassed || period < Fastest ? Floor(period) : Fastest, clock, cancellation);
        }
    }

    private async Task LivenessAsync(bool isRunning, CancellationToken cancellation)
    {
        if (spec.Liveness is not { } probe)
            return;
        var failures = 0;
        if (!isRunning && probe.InitialDelay > TimeSpan.Zero)
            await Task.Delay(probe.InitialDelay, clock, cancellation);
        while (true)
        {
            var why = await prober.AskAsync(port, probe, cancellation);
            failures = why is null ? 0 : failures + 1;
            if (failures >= Math.Max(1, probe.FailureThreshold))
            {
                await tell(new InstanceEvent(InstanceEventKind.LivenessLost, $"being restarted: the liveness check failed {failures} times in a row, last: {why}"));
                return;
            }
            await Task.Delay(Floor(probe.Period), clock, cancellation);
        }
    }

    // A period of nothing would be a busy loop against the instance.
    private static TimeSpan Floor(TimeSpan period) => period < TimeSpan.FromMilliseconds(10) ? TimeSpan.FromMilliseconds(10) : period;
}
