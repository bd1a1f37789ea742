using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// The new edge's ear for those that it replaced: each tells what it still uses, and is told of newer tables. One that
/// ends without a word is known to be gone once its process is. Thread-safe.
/// </summary>
internal sealed class ReplacedEdges(EdgeTable table, TimeProvider clock, ProcessIdentity self) : IAsyncDisposable
{
    private const int Remembered = 16;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly List<ReplacedEdge> _all = [];
    private readonly List<Task> _watches = [];

    /// <summary>Those that spoke, in the order of their first word; the oldest are forgotten.</summary>
    public IReadOnlyList<ReplacedEdge> All()
    {
        lock (_gate)
            return [.. _all];
    }

    /// <summary>It was replaced and lives: it will report.</summary>
    public void Expect(ProcessIdentity process)
    {
        if (!table.Leaving.Expect(process))
            return;
        lock (_gate)
        {
            _watches.RemoveAll(w => w.IsCompleted);
            _watches.Add(WatchAsync(process));
        }
    }

    /// <summary>Listens to one of them until it ends the talk.</summary>
    public async Task HearAsync(HandoverLines lines, ProcessIdentity process, CancellationToken ending)
    {
        Expect(process);
        await lines.WriteAsync(new HandoverAnswer(HandoverAsk.Current, self), ending);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ending);
        var telling = TellTablesAsync(lines, over.Token);
        try
        {
            while (await lines.ReadAsync<Farewell>(ending) is { } word)
            {
                Remember(process, word);
                if (word.IsDone)
                    table.Leaving.Forget(process);
                else
                    table.Leaving.Hear(process, word);
            }
        }
        finally
        {
            await over.CancelAsync();
            await telling;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        Task[] watches;
        lock (_gate)
            watches = [.. _watches];
        await Task.WhenAll(watches);
        _ending.Dispose();
    }

    private async Task TellTablesAsync(HandoverLines lines, CancellationToken over)
    {
        var told = 0L;
        try
        {
            while (true)
            {
                var next = table.Changed.Next;
                var generation = table.Current?.Generation ?? 0;
                if (generation > told)
                    await lines.WriteAsync(new HandoverWord(Generation: told = generation), over);
                await next.WaitAsync(over);
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // The way that it ends.
        }
        catch (IOException)
        {
            // The reader of the same connection hears it too.
        }
    }

    private async Task WatchAsync(ProcessIdentity process)
    {
        try
        {
            while (process.IsAlive())
            {
                await Task.Delay(LookEvery, clock, _ending.Token);
                if (!table.Leaving.Knows(process))
                    return;
            }
            table.Leaving.Forget(process);
            lock (_gate)
                if (_all.FindIndex(e => e.Process == process) is var at and >= 0 && !_all[at].IsGone)
                    _all[at] = _all[at] with { Requests = 0, Upgraded = 0, IsGone = true };
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The way that it ends.
        }
    }

    private void Remember(ProcessIdentity process, Farewell word)
    {
        var edge = new ReplacedEdge(process, word.Began, word.Requests, word.Upgraded, word.Took, word.IsDone);
        lock (_gate)
        {
            if (_all.FindIndex(e => e.Process == process) is var at and >= 0)
                _all[at] = edge;
            else
                _all.Add(edge);
            if (_all.Count > Remembered)
                _all.RemoveAt(0);
        }
    }
}
