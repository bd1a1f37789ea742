using System.Collections.Concurrent;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Fleet;

/// <summary>
/// The control plane's end of the dial-out link: answers the nodes' long polls with their tasks, takes their reports,
/// and asks them for streams. Thread-safe. Waiting costs no thread; nothing polls.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="nodes">The registry.</param>
/// <param name="clock">The time.</param>
public sealed class Link(Store store, Nodes nodes, TimeProvider clock)
{
    /// <summary>The most stream requests that wait for one node.</summary>
    public const int MaxWaitingStreams = 64;

    private readonly ConcurrentDictionary<(Guid Node, string Key), TaskReport> _reports = new();
    private readonly ConcurrentDictionary<Guid, WaitingStream> _streams = new();

    /// <summary>Wakes who waits for a report of any node.</summary>
    public Nudge Reported { get; } = new();

    /// <summary>The tasks of a node, as soon as they are newer than <paramref name="after"/>; null when the wait passed first.</summary>
    public async Task<LinkTasks?> TasksAsync(Guid nodeId, long after, TimeSpan wait, CancellationToken cancellation)
    {
        var deadline = clock.GetUtcNow() + wait;
        var wake = nodes.WakeOf(nodeId);
        while (true)
        {
            var next = wake.Next;
            var revision = await RevisionAsync(nodeId, cancellation);
            var streams = TakeStreams(nodeId);
            if (revision > after || streams.Count > 0)
                return await SnapshotAsync(nodeId, streams, cancellation);
            var left = deadline - clock.GetUtcNow();
            if (left <= TimeSpan.Zero)
                return null;
            await Nudge.WaitAsync(next, left, clock, cancellation);
        }
    }

    /// <summary>Keeps what a node observes. Reports of instances go to <paramref name="instances"/>.</summary>
    public async Task ReportAsync(Guid nodeId, LinkReports reports, Instances instances, CancellationToken cancellation)
    {
        var ofInstances = reports.Reports.Where(r => Guid.TryParse(r.Key, out _)).ToList();
        // Instances come and go without end and are kept in the store; the few other keys of a node are kept here.
        foreach (var report in reports.Reports.Except(ofInstances))
            _reports[(nodeId, report.Key)] = report;
        if (ofInstances.Count > 0)
            await instances.ObserveAsync(nodeId, ofInstances, cancellation);
        if (reports.Reports.Count > 0)
            Reported.Set();
    }

    /// <summary>
    /// The latest report of a node for a key that is not an instance; null when it has not reported since this control
    /// plane started.
    /// </summary>
    public TaskReport? ReportOf(Guid nodeId, string key) => _reports.GetValueOrDefault((nodeId, key));

    /// <summary>Forgets the report of a key that is over, such as of a job.</summary>
    public void ForgetReport(Guid nodeId, string key) => _reports.TryRemove((nodeId, key), out _);

    /// <summary>
    /// Asks a node for a stream and waits until it dials in with it. The caller reads it and disposes the result, which
    /// ends the node's sending. Null when the node did not answer in time or too many requests wait for it.
    /// </summary>
    public async Task<NodeAnswer?> OpenStreamAsync<TQuestion>(
        Guid nodeId, string kind, TQuestion question, TimeSpan wait, CancellationToken cancellation)
    {
        if (_streams.Count(s => s.Value.Node == nodeId) >= MaxWaitingStreams)
            return null;
        var request = new StreamRequest(Ids.New(clock), kind, JsonSerializer.SerializeToElement(question, Json.Options));
        var waiting = new WaitingStream(nodeId, request);
        _streams[request.Id] = waiting;
        nodes.WakeOf(nodeId).Set();
        try
        {
            return await waiting.Arrived.Task.WaitAsync(wait, clock, cancellation);
        }
        catch (TimeoutException)
        {
            // A node that dials in after this finds nobody, and is told so.
            return _streams.TryRemove(request.Id, out _) ? null : await waiting.Arrived.Task;
        }
        catch (OperationCanceledException)
        {
            _streams.TryRemove(request.Id, out _);
            throw;
        }
    }

    /// <summary>
    /// A node dialled in with a stream: hands it to who asked and returns when they have read enough.
    /// False when nobody waits for it any more.
    /// </summary>
    public async Task<bool> DeliverStreamAsync(Guid requestId, Stream content, CancellationToken cancellation)
    {
        if (!_streams.TryRemove(requestId, out var waiting))
            return false;
        var stream = new NodeAnswer(content);
        waiting.Arrived.SetResult(stream);
        await stream.Finished.WaitAsync(cancellation);
        return true;
    }

    private Task<long> RevisionAsync(Guid nodeId, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => db.Set<NodeRow>().Where(n => n.Id == nodeId).Select(n => n.Revision).SingleOrDefaultAsync(cancel), cancellation);

    private Task<LinkTasks> SnapshotAsync(Guid nodeId, IReadOnlyList<StreamRequest> streams, CancellationToken cancellation) =>
        store.ReadAsync(async (db, cancel) =>
        {
            var revision = await db.Set<NodeRow>().Where(n => n.Id == nodeId).Select(n => n.Revision).SingleAsync(cancel);
            var rows = await db.Set<NodeTaskRow>().Where(t => t.NodeId == nodeId).ToListAsync(cancel);
            return new LinkTasks(
                revision, nodes.Platform,
                [.. rows.Select(r => new NodeTask(r.Key, r.Kind, r.Generation, JsonSerializer.Deserialize<JsonElement>(r.Payload, Json.Options)))],
                streams);
        }, cancellation);

    private List<StreamRequest> TakeStreams(Guid nodeId)
    {
        var taken = new List<StreamRequest>();
        foreach (var stream in _streams.Values)
            if (stream.Node == nodeId && stream.TryTake())
                taken.Add(stream.Request);
        return taken;
    }

    private sealed class WaitingStream(Guid node, StreamRequest request)
    {
        private int _taken;

        public Guid Node => node;

        public StreamRequest Request => request;

        public TaskCompletionSource<NodeAnswer> Arrived { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool TryTake() => Interlocked.Exchange(ref _taken, 1) == 0;
    }
}

/// <summary>Bytes that a node sends; disposing ends the sending. For one reader.</summary>
public sealed class NodeAnswer : IDisposable
{
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal NodeAnswer(Stream content) => Content = content;

    /// <summary>What the node sends.</summary>
    public Stream Content { get; }

    internal Task Finished => _finished.Task;

    /// <inheritdoc/>
    public void Dispose() => _finished.TrySetResult();
}
