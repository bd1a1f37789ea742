using System.Text.Json;
using Groundcrew.Cli.Calling;
using Groundcrew.Contract;

namespace Groundcrew.Cli.Following;

/// <summary>What the follower tells.</summary>
internal interface IOperationWatcher
{
    /// <summary>The operation as it stands now.</summary>
    void Seen(OperationStatusView operation);

    /// <summary>The control plane is away, or back.</summary>
    void Away(bool isAway);
}

/// <summary>
/// Follows an operation to its end over a control plane that may die and come back: the operation is journalled there and
/// goes on, so the command does, too.
/// </summary>
internal sealed class OperationFollower(CrewClient client, TimeProvider clock)
{
    /// <summary>A connection that says nothing for so long may be dead without a word; it is opened anew.</summary>
    public static TimeSpan Silence { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Returns the operation as it ended or got stuck.</summary>
    /// <remarks>When the control plane stays away for longer than the patience, the last failure is thrown; see <see cref="IsAway"/>.</remarks>
    public async Task<OperationStatusView> FollowAsync(Guid id, IOperationWatcher watcher, CancellationToken cancellation)
    {
        long? awaySince = null;
        while (true)
        {
            try
            {
                var last = await WatchOnceAsync(id, watcher, () => awaySince = null, cancellation);
                if (IsOver(last))
                    return last;
            }
            catch (Exception e) when (IsAway(e) && (awaySince is not { } since || clock.GetElapsedTime(since) < PatientHandler.Patience))
            {
                awaySince ??= clock.GetTimestamp();
                watcher.Away(true);
            }
            await Task.Delay(PatientHandler.Pause, clock, cancellation);
        }
    }

    public static bool IsOver(OperationStatusView operation) => operation.State is "ended" or "stuck";

    private async Task<OperationStatusView> WatchOnceAsync(Guid id, IOperationWatcher watcher, Action heard, CancellationToken cancellation)
    {
        using var silence = new CancellationTokenSource(Silence, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, silence.Token);
        try
        {
            await foreach (var view in client.WatchOperationAsync(id, either.Token))
            {
                silence.CancelAfter(Silence);
                heard();
                watcher.Away(false);
                watcher.Seen(view);
                if (IsOver(view))
                    return view;
            }
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            // Asked again below, over a new connection.
        }
        var now = await client.GetAsync<OperationStatusView>($"operations/{id}", cancellation);
        heard();
        watcher.Away(false);
        watcher.Seen(now);
        return now;
    }

    /// <summary>Whether a failure says that the control plane is away. A line that was cut off in the middle is no JSON.</summary>
    public static bool IsAway(Exception e) =>
        e is CrewUnreachableException or HttpRequestException or IOException or JsonException or CrewProblemException { Problem.Status: >= 502 and <= 504 };
}
