using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Edge;

/// <summary>
/// The old edge's mouth: tells whoever serves from the state folder now which instances this one still uses, and follows
/// the tables that are applied there. When that edge dies, the next one is told. For one drain.
/// </summary>
internal sealed class Teller(EdgeOptions options, EdgeTable table, Departure departure, int began, TimeProvider clock, ILogger log) : IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastWordWithin = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _hopeless = new();
    private readonly Nudge _finished = new();
    private readonly long _started = clock.GetTimestamp();
    private volatile bool _isDone;

    /// <summary>Nothing is open any more: one last word, if somebody hears it soon.</summary>
    public void Finish()
    {
        _isDone = true;
        _finished.Set();
        _hopeless.CancelAfter(LastWordWithin);
    }

    /// <summary>Tells until the last word was heard, or nobody is there to hear it.</summary>
    public async Task TellAsync(CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _hopeless.Token);
        try
        {
            while (!await TellOneAsync(either.Token))
                await Task.Delay(LookEvery, clock, either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            log.LogInformation("No other edge heard the last word of this one.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _hopeless.Dispose();

    /// <summary>Tells one edge; false when another has to be found.</summary>
    private async Task<bool> TellOneAsync(CancellationToken cancellation)
    {
        if (HandoverDoor.PathOf(options.StateFolder) is not { } path || await HandoverLines.ConnectAsync(path, cancellation) is not { } connected)
            return false;
        using var lines = connected;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var following = Task.CompletedTask;
        try
        {
            await lines.WriteAsync(new HandoverAsk(HandoverAsk.Current, HandoverAsk.Report, options.Process), cancellation);
            if (await lines.ReadAsync<HandoverAnswer>(cancellation) is not { Refused: null })
                return false;
            following = FollowAsync(lines, over);
            return await ReportAsync(lines, over.Token);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            log.LogInformation("The edge that serves now does not listen: {Reason}", e.Message);
            return false;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It ended the talk; another one may be there.
            return false;
        }
        finally
        {
            await over.CancelAsync();
            await following;
        }
    }

    private async Task<bool> ReportAsync(HandoverLines lines, CancellationToken over)
    {
        var told = "";
        while (true)
        {
            var next = Task.WhenAny(table.Changed.Next, _finished.Next);
            var word = Word();
            var text = JsonSerializer.Serialize(word with { Took = TimeSpan.Zero }, Json.Options);
            if (text != told)
                await lines.WriteAsync(word, over);
            told = text;
            if (word.IsDone)
                return true;
            await Nudge.WaitAsync(next, LookEvery, clock, over);
        }
    }

    /// <summary>What is in use is read before what is open, so that "nothing is open" is the last that is seen.</summary>
    private Farewell Word()
    {
        var isDone = _isDone;
        var (generation, targets) = table.InUse();
        var (connections, requests, upgraded) = departure.Count();
        return new Farewell(generation, targets, began, requests, upgraded, connections, clock.GetElapsedTime(_started), isDone);
    }

    private async Task FollowAsync(HandoverLines lines, CancellationTokenSource over)
    {
        try
        {
            while (await lines.ReadAsync<HandoverWord>(over.Token) is not null)
                table.Follow();
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            log.LogWarning("A newer table could not be followed while this edge is leaving: {Reason}", e.Message);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            return;
        }
        // The talk is over: begin another.
        await over.CancelAsync();
    }
}
