using Groundcrew.Bedrock;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Fleet.OnNode;

/// <summary>
/// A node's side of the link: it dials the control plane, never the other way round. Says hello, takes tasks by a long
/// poll, and reports; the two loops share no lock with each other or with slow work. Thread-safe once started.
/// Disposing ends the loops and leaves everything that the handlers run as it is.
/// </summary>
public sealed class NodeLink : IAsyncDisposable
{
    private readonly NodeLinkOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger<NodeLink> _log;
    private readonly LinkCalls _calls;
    private readonly PlatformMemory _platform;
    private readonly LinkStreams _streams;
    private readonly Metric _reconnects;
    private readonly Metric _refusedTasks;
    private readonly Metric _reportsSent;
    private readonly List<INodeTaskHandler> _handlers = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Nudge _regained = new();
    private Task _running = Task.CompletedTask;
    private long _lastContact;
    private int _losses;
    private volatile Session? _session;
    private volatile bool _connected;

    /// <summary>A link that does not dial before <see cref="Start"/>.</summary>
    /// <param name="options">Where to, and who we are.</param>
    /// <param name="metrics">Gets <c>groundcrew_link_*</c>.</param>
    /// <param name="clock">Time.</param>
    /// <param name="log">Where trouble is told.</param>
    /// <param name="handlers">Makes the HTTP handler; null for the usual one.</param>
    /// <param name="files">How the platform file is written; null for the usual way.</param>
    public NodeLink(
        NodeLinkOptions options, MetricRegistry metrics, TimeProvider clock, ILogger<NodeLink> log,
        Func<HttpMessageHandler>? handlers = null, DurableFiles? files = null)
    {
        (_options, _clock, _log) = (options, clock, log);
        _calls = new LinkCalls(options, clock, handlers);
        _platform = new PlatformMemory(options.StateFolder, files ?? DurableFiles.Real);
        _reconnects = metrics.Counter("groundcrew_link_reconnects_total", "How often the link said hello again after it was lost.");
        _reportsSent = metrics.Counter("groundcrew_link_reports_total", "Reports of tasks that the control plane took.");
        _refusedTasks = metrics.Counter("groundcrew_link_refused_tasks_total", "Tasks that no handler of this node takes, or that another platform sent.");
        metrics.Observe("groundcrew_link_connected", "1 while the control plane answers.", () => Connected ? 1 : 0);
        _streams = new LinkStreams(_calls, options.MaxStreams, metrics, log);
    }

    /// <summary>Whether the control plane answered the latest exchange.</summary>
    public bool Connected => _connected;

    /// <summary>When it last answered; null when it never did.</summary>
    public DateTimeOffset? LastContact => Interlocked.Read(ref _lastContact) is var ticks and > 0 ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    /// <summary>Who this node is; null before the first hello was answered.</summary>
    public Guid? NodeId => _session?.NodeId;

    /// <summary>The platform that this node belongs to; null before the first contact.</summary>
    public Guid? Platform => _platform.Known;

    internal LinkCalls Calls => _calls;

    /// <summary>Adds a handler; only before <see cref="Start"/>.</summary>
    public void Register(INodeTaskHandler handler) => _handlers.Add(handler);

    /// <summary>Adds a stream source; only before <see cref="Start"/>.</summary>
    public void Register(INodeStreamSource source) => _streams.Register(source);

    /// <summary>Begins to dial. Once.</summary>
    public void Start() => _running = Task.Run(() => RunAsync(_stop.Token));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _streams.DisposeAsync();
        _connected = false;
        _calls.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        var isFirst = true;
        var again = Backoff.OfLink();
        try
        {
            while (true)
            {
                var session = await HelloAsync(stop);
                if (!isFirst)
                    _reconnects.Add();
                isFirst = false;
                _session = session;
                try
                {
                    await RunSessionAsync(session, stop);
                }
                catch (Exception e) when (!stop.IsCancellationRequested)
                {
                    // A handler's fault, say. A node that no longer dials is lost to everybody: it tells why and dials again.
                    _log.LogError(e, "A fault ended the session with {ControlPlane}; the node says hello again.", _options.ControlPlane);
                    Lost(e);
                }
                // A control plane that welcomes us and then does not know us must not be hammered.
                await Task.Delay(again.Next(), _clock, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The way that this loop ends.
        }
        catch (Exception e)
        {
            _connected = false;
            _log.LogCritical(e, "The link to {ControlPlane} ended, because of a fault of this program; restart it.", _options.ControlPlane);
            throw;
        }
    }

    private async Task<Session> HelloAsync(CancellationToken stop)
    {
        var hello = new LinkHello(_options.Hostname, _options.Role, _options.Region, _options.Capacity, _options.Version);
        var backoff = Backoff.OfLink();
        while (true)
        {
            try
            {
                var welcome = await _calls.PostAsync<LinkWelcome>("/link/v1/hello", hello, stop);
                if (IsOurs(welcome.Platform))
                {
                    Contact();
                    _log.LogInformation("The link to {ControlPlane} stands; this node is {Node}.", _options.ControlPlane, welcome.NodeId);
                    return new Session(welcome.NodeId);
                }
            }
            catch (LinkException e)
            {
                Lost(e);
            }
            catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
            {
                Lost(e);
            }
            await Task.Delay(backoff.Next(), _clock, stop);
        }
    }

    private async Task RunSessionAsync(Session session, CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var loops = new[] { Guarded(TakeTasksAsync), Guarded(ReportAsync) };
        try
        {
            await Task.WhenAll(loops);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // One of the loops asked for another hello and ended its sister.
        }

        async Task Guarded(Func<Session, CancellationToken, Task> loop)
        {
            try
            {
                await loop(session, either.Token);
            }
            finally
            {
                await either.CancelAsync();
            }
        }
    }

    /// <summary>Takes tasks until the control plane asks for another hello.</summary>
    private async Task TakeTasksAsync(Session session, CancellationToken cancellation)
    {
        var backoff = Backoff.OfLink();
        long after = 0;
        var isLost = false;
        while (true)
        {
            try
            {
                var path = $"/link/v1/nodes/{session.NodeId}/tasks?after={after}&wait={(int)_options.Wait.TotalSeconds}s";
                var answer = await _calls.GetAsync<LinkTasks>(path, _options.Wait + _options.CallTimeout, cancellation);
                Contact();
                backoff.Reset();
                // The poll came through first: what was told before the loss is told again now, not at the next heartbeat.
                if (isLost)
                    _regained.Set();
                isLost = false;
                if (answer is null)
                    continue;
                if (!IsOurs(answer.Platform))
                    return;
                after = answer.Revision;
                // Handlers may work and write to disk: not on a thread that carries bytes, as an edge's may be.
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                Hand(answer);
                continue;
            }
            catch (LinkException e)
            {
                Lost(e);
                if (e.NeedsHello)
                    return;
                // What is there now may be an older copy of the store: take the whole list again.
                after = 0;
                isLost = true;
            }
            await Task.Delay(backoff.Next(), _clock, cancellation);
        }
    }

    private void Hand(LinkTasks answer)
    {
        foreach (var stream in answer.Streams)
            _streams.Answer(stream);
        var taken = 0;
        foreach (var handler in _handlers)
        {
            var tasks = answer.Tasks.Where(t => t.Kind == handler.Kind).ToList();
            taken += tasks.Count;
            handler.Apply(tasks);
        }
        if (taken == answer.Tasks.Count)
            return;
        _refusedTasks.Add(answer.Tasks.Count - taken);
        _log.LogWarning("{Count} tasks are of a kind that this node does not take; is its program older than the control plane's?", answer.Tasks.Count - taken);
    }

    /// <summary>Reports until the control plane asks for another hello. The first report of a session holds everything.</summary>
    private async Task ReportAsync(Session session, CancellationToken cancellation)
    {
        var backoff = Backoff.OfLink();
        var told = new Dictionary<(string Kind, string Key), string>();
        var losses = Volatile.Read(ref _losses);
        var change = Task.CompletedTask;
        while (true)
        {
            // Taken before the look, so that a change after the look wakes us; kept while nothing came, so that nothing piles up.
            if (change.IsCompleted)
                change = Task.WhenAny([_regained.Next, .. _handlers.Select(h => h.Changed.Next)]);
            // A control plane that was away, seen by either loop, may have forgotten what it was told.
            if (losses != Volatile.Read(ref _losses))
                told.Clear();
            losses = Volatile.Read(ref _losses);
            var news = News(told);
            try
            {
                await _calls.PostAsync($"/link/v1/nodes/{session.NodeId}/reports", new LinkReports([.. news.Select(n => n.Report)]), cancellation);
                Contact();
                backoff.Reset();
                _reportsSent.Add(news.Count);
                foreach (var (kind, report) in news)
                    told[(kind, report.Key)] = Text(report);
            }
            catch (LinkException e)
            {
                Lost(e);
                if (e.NeedsHello)
                    return;
                await Task.Delay(backoff.Next(), _clock, cancellation);
                continue;
            }
            await Nudge.WaitAsync(change, _options.Heartbeat, _clock, cancellation);
            await Task.Delay(_options.Gather, _clock, cancellation);
        }
    }

    private List<(string Kind, TaskReport Report)> News(Dictionary<(string Kind, string Key), string> told)
    {
        var current = _handlers.SelectMany(h => h.Current().Select(r => (h.Kind, Report: r))).ToList();
        var kept = current.Select(c => (c.Kind, c.Report.Key)).ToHashSet();
        foreach (var gone in told.Keys.Where(k => !kept.Contains(k)).ToList())
            told.Remove(gone);
        return [.. current.Where(c => !told.TryGetValue((c.Kind, c.Report.Key), out var text) || text != Text(c.Report))];
    }

    private static string Text(TaskReport report) => $"{report.Generation} {report.Status.GetRawText()}";

    private bool IsOurs(Guid platform)
    {
        if (_platform.Accepts(platform))
            return true;
        _connected = false;
        _refusedTasks.Add();
        _log.LogError(
            "{ControlPlane} is platform {Other}, but this node belongs to {Ours}: none of its tasks is applied. Point the node at its own control plane, or remove {File} to let it join this one.",
            _options.ControlPlane, platform, _platform.Known, _platform.File);
        return false;
    }

    private void Contact()
    {
        _connected = true;
        Interlocked.Exchange(ref _lastContact, _clock.GetUtcNow().UtcTicks);
    }

    private void Lost(Exception e)
    {
        _connected = false;
        Interlocked.Increment(ref _losses);
        _log.LogWarning("The link to {ControlPlane} is down: {Why}", _options.ControlPlane, e.Message);
    }

    private sealed record Session(Guid NodeId);
}
