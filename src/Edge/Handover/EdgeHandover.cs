using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Edge;

/// <summary>
/// How one edge process takes the place of another without refusing a connection or cutting a request. The new one asks
/// for the listening sockets, starts, and says that it is ready; only then the old one stops accepting, and finishes what
/// it has. At any moment exactly one of them accepts; connections that come in between wait in the kernel. Thread-safe.
/// </summary>
/// <remarks>
/// Order of a host: <see cref="TakeAsync"/>, start, <see cref="BeginAsync"/>, <see cref="HearReplacedAsync"/>, link; when
/// <see cref="Left"/> completes: <see cref="DrainAsync"/>, stop. A host that calls none of it is an edge that cannot be replaced.
/// </remarks>
public sealed class EdgeHandover : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);
    private readonly EdgeOptions _options;
    private readonly EdgeTable _table;
    private readonly EdgeCertificates _certificates;
    private readonly EdgeListeners _listeners;
    private readonly Departure _departure;
    private readonly TimeProvider _clock;
    private readonly ILogger<EdgeHandover> _log;
    private readonly LeavingFiles _files;
    private readonly HandoverDoor _door;
    private readonly ReplacedEdges _replaced;
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Func<Task> _beforeLeaving = () => Task.CompletedTask;
    private HandoverLines? _before;
    private ProcessIdentity? _beforeProcess;
    private int _giving;
    private int _began;

    internal EdgeHandover(
        EdgeOptions options, EdgeTable table, EdgeCertificates certificates, EdgeListeners listeners, Departure departure, DurableFiles files, TimeProvider clock,
        ILogger<EdgeHandover> log)
    {
        (_options, _table, _certificates, _listeners, _departure, _clock, _log) = (options, table, certificates, listeners, departure, clock, log);
        _files = new LeavingFiles(options.StateFolder, files);
        _replaced = new ReplacedEdges(table, clock, options.Process);
        _door = new HandoverDoor(options.StateFolder, AnswerAsync, options.User, clock, log);
    }

    /// <summary>Completes when another edge has taken over and this one accepts nothing any more.</summary>
    public Task Left => _left.Task;

    /// <summary>How the edge of a state folder is, asked over its handover socket; null when none answers.</summary>
    public static async Task<HandoverState?> AskAsync(string stateFolder, CancellationToken cancellation)
    {
        if (HandoverDoor.PathOf(stateFolder) is not { } path)
            return null;
        try
        {
            using var lines = await HandoverLines.ConnectAsync(path, cancellation);
            if (lines is null)
                return null;
            await lines.WriteAsync(new HandoverAsk(HandoverAsk.Current, HandoverAsk.State, null), cancellation);
            return (await lines.ReadAsync<HandoverAnswer>(cancellation))?.State;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            // It ended, or gave its place to another, in the middle of its answer.
            return null;
        }
    }

    /// <summary>The processes that were replaced in a state folder and still finish requests.</summary>
    public static IReadOnlyList<ProcessIdentity> LeavingOf(string stateFolder) => new LeavingFiles(stateFolder, DurableFiles.Real).Living();

    /// <summary>
    /// Before the host starts: takes the sockets of the edge that serves from this state folder, if one does. From then on
    /// that one applies no table, until it hears more. Returns why it does not give them; null when all is well.
    /// </summary>
    public async Task<string?> TakeAsync(CancellationToken cancellation)
    {
        if (HandoverDoor.PathOf(_options.StateFolder) is not { } path || await HandoverLines.ConnectAsync(path, cancellation) is not { } lines)
            return null;
        using var limit = new CancellationTokenSource(_options.TakeOverWithin, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await lines.WriteAsync(new HandoverAsk(HandoverAsk.Current, HandoverAsk.Take, _options.Process), either.Token);
            if (await lines.ReadAsync<HandoverAnswer>(either.Token) is not { } answer)
            {
                lines.Dispose();
                return null;
            }
            if (Unfit(answer) is { } why)
            {
                lines.Dispose();
                return why;
            }
            _listeners.Inherit(answer.Endpoints!.Zip(lines.TakeHandles()));
            (_before, _beforeProcess) = (lines, answer.Process);
            return null;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            lines.Dispose();
            return $"the edge that serves here ended the talk: {e.Message}";
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            lines.Dispose();
            return $"the edge that serves here did not answer within {Quantity.Format(_options.TakeOverWithin)}";
        }

        string? Unfit(HandoverAnswer answer) =>
            answer.Refused is { } refused ? $"the edge that serves here refused: {refused}"
            : answer.Version != HandoverAsk.Current ? $"the edge that serves here speaks version {answer.Version} of the handover protocol, not {HandoverAsk.Current}"
            : answer.Process is null || answer.Endpoints is null ? "the edge that serves here sent no sockets" : null;
    }

    /// <summary>
    /// After the host started: begins to accept. When sockets were taken over, the old edge lets go of them first. Returns why
    /// it does not, and then the host must stop; null when all is well.
    /// </summary>
    /// <param name="beforeLeaving">Called when this edge is replaced itself, before it lets go: ends its link.</param>
    /// <param name="takingOver">Called just before the old edge is asked to let go: leaves word of who serves now.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<string?> BeginAsync(Func<Task> beforeLeaving, Action takingOver, CancellationToken cancellation)
    {
        _beforeLeaving = beforeLeaving;
        if (_before is not null && await RelieveAsync(takingOver, cancellation) is { } why)
            return why;
        foreach (var process in _files.Living().Where(p => p != _options.Process))
            _replaced.Expect(process);
        _listeners.Open();
        _door.Open();
        return null;
    }

    /// <summary>
    /// Waits until the edges that were replaced have said what they still use and serve by the table that is served here, so
    /// that <see cref="EdgeTable.Status"/> is right from its first report on.
    /// </summary>
    public async Task HearReplacedAsync(CancellationToken cancellation)
    {
        // By time that passes, not by the clock on the wall, which somebody may set meanwhile.
        var began = _clock.GetTimestamp();
        while (true)
        {
            var next = _table.Changed.Next;
            if (!_table.Leaving.AnyBehind(_table.Current?.Generation ?? 0))
                return;
            if (_clock.GetElapsedTime(began) >= _options.TakeOverWithin)
                break;
            await Nudge.WaitAsync(next, LookEvery, _clock, cancellation);
        }
        _log.LogWarning("An edge that was replaced did not say within {Limit} what it still uses; instances that it may use are not called drained.", _options.TakeOverWithin);
    }

    /// <summary>
    /// Once <see cref="Left"/> completed: finishes what is open, and meanwhile tells the new edge which instances are in use.
    /// Connections that outlast their time are cut off.
    /// </summary>
    public async Task DrainAsync(CancellationToken stop)
    {
        using var teller = new Teller(_options, _table, _departure, _began, _clock, _log);
        var telling = teller.TellAsync(stop);
        try
        {
            await _departure.DrainAsync(stop);
            teller.Finish();
        }
        finally
        {
            await telling;
        }
        _files.Delete(_options.Process);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _before?.Dispose();
        await _door.DisposeAsync();
        await _replaced.DisposeAsync();
    }

    /// <summary>The new edge's side of the change.</summary>
    private async Task<string?> RelieveAsync(Action takingOver, CancellationToken cancellation)
    {
        using var lines = _before!;
        using var limit = new CancellationTokenSource(_options.TakeOverWithin, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            // The old edge applies nothing now: this is the table that it serves by.
            _table.Follow();
            takingOver();
            await lines.WriteAsync(new HandoverWord(Ready: true), either.Token);
            if (await lines.ReadAsync<HandoverEnd>(either.Token) is { } end)
                return end.Left ? Succeed() : $"the edge that serves here serves on: {end.Refused}";
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            _log.LogWarning("The talk with the edge before ended: {Reason}", e.Message);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return $"the edge that serves here did not let go within {Quantity.Format(_options.TakeOverWithin)}";
        }
        return _beforeProcess!.IsAlive() ? "the edge that serves here ended the talk and serves on" : Succeed();
    }

    private string? Succeed()
    {
        if (_beforeProcess!.IsAlive())
            _replaced.Expect(_beforeProcess);
        FollowCertificates();
        _log.LogInformation("This edge took over from process {Pid} at generation {Generation}.", _beforeProcess.Pid, _table.Current?.Generation ?? 0);
        return null;
    }

    /// <summary>The old edge takes no certificate any more: what it took last is on the disk.</summary>
    private void FollowCertificates()
    {
        try
        {
            _certificates.Follow();
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            _log.LogWarning("The certificates of the edge before could not be read; those of the start serve on: {Reason}", e.Message);
        }
    }

    private Task AnswerAsync(HandoverLines lines, HandoverAsk ask, CancellationToken ending) => ask switch
    {
        { Ask: HandoverAsk.Take } => GiveAsync(lines, ask.Process, ending),
        { Ask: HandoverAsk.Report, Process: { } process } => _replaced.HearAsync(lines, process, ending),
        { Ask: HandoverAsk.State } => lines.WriteAsync(new HandoverAnswer(HandoverAsk.Current, _options.Process, State: State()), ending),
        _ => throw new InvalidDataException("The question is not one of this protocol."),
    };

    private HandoverState State() => new(_options.Process, _table.Current?.Generation ?? 0, _departure.Count().Requests, _replaced.All());

    /// <summary>The old edge's side of the change. Until the new one is ready, it serves on whatever happens.</summary>
    private async Task GiveAsync(HandoverLines lines, ProcessIdentity? to, CancellationToken ending)
    {
        if (Interlocked.CompareExchange(ref _giving, 1, 0) != 0)
        {
            await lines.WriteAsync(new HandoverAnswer(HandoverAsk.Current, _options.Process, Refused: "Another process is taking over already."), ending);
            return;
        }
        _table.Freeze();
        var isReady = false;
        try
        {
            isReady = await OfferAsync(lines, ending);
        }
        finally
        {
            if (!isReady)
            {
                _log.LogWarning("Process {Pid} wanted to take over and did not become ready; this edge serves on.", to?.Pid);
                _table.Thaw();
                Volatile.Write(ref _giving, 0);
            }
        }
        if (isReady)
            await LeaveAsync(lines, to, ending);
    }

    private async Task<bool> OfferAsync(HandoverLines lines, CancellationToken ending)
    {
        var held = _listeners.Held;
        var answer = new HandoverAnswer(HandoverAsk.Current, _options.Process, Endpoints: [.. held.Select(h => h.Endpoint)]);
        await lines.WriteAsync(answer, ending, [.. held.Select(h => h.Handle)]);
        using var limit = new CancellationTokenSource(_options.TakeOverWithin, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ending);
        try
        {
            return await lines.ReadAsync<HandoverWord>(either.Token) is { Ready: true };
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            await lines.WriteAsync(new HandoverEnd(false, $"the new edge was not ready within {Quantity.Format(_options.TakeOverWithin)}"), ending);
            return false;
        }
    }

    private async Task LeaveAsync(HandoverLines lines, ProcessIdentity? to, CancellationToken ending)
    {
        _table.Leave();
        try
        {
            await _beforeLeaving();
        }
        catch (Exception e)
        {
            // The new edge waits, and this one must not stop half-way: the fault is told, and the change goes on.
            _log.LogError(e, "A fault while this edge prepared to leave.");
        }
        KeepWord();
        _departure.Leave();
        await _listeners.LeaveAsync();
        _began = _departure.Count().Requests;
        await _door.CloseAsync();
        _left.TrySetResult();
        _log.LogInformation("Process {Pid} has taken over; this one finishes {Requests} requests.", to?.Pid, _began);
        await lines.WriteAsync(new HandoverEnd(true), ending);
    }

    /// <summary>A disk that takes nothing must not keep an edge from being replaced: the new one hears of this one by its word too.</summary>
    private void KeepWord()
    {
        try
        {
            _files.Write(_options.Process);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("It could not be kept on disk that this edge is leaving: {Reason}", e.Message);
        }
    }
}
