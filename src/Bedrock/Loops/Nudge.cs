namespace Groundcrew.Bedrock;

/// <summary>
/// A wake-up that carries no data: "look again". Sets before a wait are not lost, and many of them wake a waiter once.
/// Thread-safe; any number of waiters, each of which is woken by the next set after it began to wait.
/// </summary>
public sealed class Nudge
{
    private volatile TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Completes at the next <see cref="Set"/>. Take it before looking at the state, then look, then await it:
    /// a change between the look and the wait is not missed.
    /// </summary>
    public Task Next => _next.Task;

    /// <summary>Wakes everyone who waits.</summary>
    public void Set() =>
        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    /// <summary>
    /// Waits until <paramref name="condition"/> holds, looking again at every set and at least each
    /// <paramref name="atLeastEvery"/>. Returns false when <paramref name="deadline"/> passed first.
    /// </summary>
    public async Task<bool> WaitUntilAsync(
        Func<CancellationToken, Task<bool>> condition, DateTimeOffset deadline, TimeSpan atLeastEvery, TimeProvider clock, CancellationToken cancellation)
    {
        while (true)
        {
            var next = Next;
            if (await condition(cancellation))
                return true;
            var left = deadline - clock.GetUtcNow();
            if (left <= TimeSpan.Zero)
                return false;
            await WaitAsync(next, left < atLeastEvery ? left : atLeastEvery, clock, cancellation);
        }
    }

    /// <summary>Waits for <paramref name="next"/> or for a time, whichever comes first.</summary>
    public static async Task WaitAsync(Task next, TimeSpan atMost, TimeProvider clock, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var delay = Task.Delay(atMost, clock, either.Token);
        await Task.WhenAny(next, delay);
        await either.CancelAsync();
        cancellation.ThrowIfCancellationRequested();
    }
}
