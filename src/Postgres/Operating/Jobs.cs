using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Postgres;

/// <summary>How a job ended: with a result, or with a reason.</summary>
/// <param name="Status">What the node said last; null when it said nothing.</param>
/// <param name="Why">Why it was not done; null when it was.</param>
internal sealed record JobEnd(JobStatus? Status, string? Why)
{
    public JobResult? Result => Status?.Result;
}

/// <summary>Gives jobs to nodes, waits for their ends, breaks them off, and has them forgotten. Thread-safe.</summary>
internal sealed class Jobs(Store store, Nodes nodes, Link link, DatabasesOptions options, TimeProvider clock)
{
    private static readonly TimeSpan SayEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(2);

    /// <summary>A node has long seen that it may forget a job.</summary>
    private static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(10);

    public static string KeyOf(Guid jobId) => $"job-{jobId:D}";

    /// <summary>Gives a job to a node; again changes nothing.</summary>
    public Task GiveAsync(Guid clusterId, Guid nodeId, Guid operation, Guid jobId, ClusterWork work, CancellationToken cancellation) =>
        store.WriteAsync(async (db, cancel) =>
        {
            var row = await db.Set<JobRow>().FindAsync([jobId], cancel);
            if (row is null)
                db.Add(row = new JobRow { Id = jobId, ClusterId = clusterId, NodeId = nodeId, Operation = operation, CreatedAt = clock.StoreNow() });
            if (row.DroppedAt is null && row.CancelledBy is null)
                await nodes.EnsureTaskAsync(db, nodeId, KeyOf(jobId), ClusterJob.TaskKind, new ClusterJob(jobId, clusterId, work), cancel);
        }, cancellation);

    /// <summary>What the node said of a job last; null when it has not said anything since this control plane started.</summary>
    public JobStatus? StatusOf(Guid nodeId, Guid jobId) => link.ReportOf(nodeId, KeyOf(jobId))?.Status.Deserialize<JobStatus>(Json.Options);

    /// <summary>Waits for the end of a job, and says how far it is. Always ends: with its end, or with why it is not waited for any more.</summary>
    public async Task<JobEnd> WaitAsync<TPlan>(
        StepContext<TPlan> context, Guid clusterId, Guid nodeId, string hostname, Guid jobId, ClusterWork work, CancellationToken cancellation)
    {
        await GiveAsync(clusterId, nodeId, context.Operation, jobId, work, cancellation);
        var said = new ProgressLines(clock);
        var (asked, cancelledBy, silent) = (clock.GetUtcNow(), (string?)null, (string?)null);
        var isOver = await link.Reported.WaitUntilAsync(async cancel =>
        {
            var status = StatusOf(nodeId, jobId);
            if (status is not null && said.Next(status, SayEvery) is { } line)
                context.Say(line);
            if (status is { State: JobState.Succeeded or JobState.Failed or JobState.Cancelled })
                return true;
            if (clock.GetUtcNow() - asked < AskEvery)
                return false;
            asked = clock.GetUtcNow();
            if (cancelledBy is null && (cancelledBy = await CancelledByAsync(jobId, cancel)) is not null)
            {
                context.Say($"{cancelledBy} asked to break it off");
                await WishAsync(nodeId, new ClusterJob(jobId, clusterId, work, JobDesire.Cancelled), cancel);
            }
            return (silent = await SilenceAsync(nodeId, hostname, status, context.StepStartedAt, cancel)) is not null;
        }, context.StepStartedAt + options.JobLimit, options.LookEvery, clock, cancellation);
        var last = StatusOf(nodeId, jobId);
        return (last?.State, isOver) switch
        {
            (JobState.Succeeded, _) => new JobEnd(last, null),
            (JobState.Cancelled, _) => new JobEnd(last, cancelledBy is null ? "it was broken off" : $"{cancelledBy} broke it off"),
            (JobState.Failed, _) => new JobEnd(last, last!.Words is { Length: > 0 } words ? words : "the node gave no reason"),
            (_, true) => new JobEnd(last, silent),
            _ => new JobEnd(last, $"it did not end within {Quantity.Format(options.JobLimit)}"),
        };
    }

    /// <summary>
    /// Breaks a job off and waits until the node says so. A node that does not answer breaks it off once it is back: that is not
    /// waited for.
    /// </summary>
    public async Task<StepEnd> BreakOffAsync<TPlan>(StepContext<TPlan> context, Guid clusterId, Guid nodeId, Guid jobId, ClusterWork work, CancellationToken cancellation)
    {
        var known = await store.ReadAsync((db, cancel) => db.Set<JobRow>().AnyAsync(j => j.Id == jobId, cancel), cancellation);
        if (!known || StatusOf(nodeId, jobId) is { State: JobState.Succeeded or JobState.Failed or JobState.Cancelled })
            return StepEnd.Done;
        await WishAsync(nodeId, new ClusterJob(jobId, clusterId, work, JobDesire.Cancelled), cancellation);
        var ended = await link.Reported.WaitUntilAsync(
            _ => Task.FromResult(StatusOf(nodeId, jobId) is { State: JobState.Succeeded or JobState.Failed or JobState.Cancelled }),
            context.StepStartedAt + options.CancelLimit, options.LookEvery, clock, cancellation);
        if (!ended)
            context.Say("its node does not answer: it breaks the work off once it is back");
        return StepEnd.Done;
    }

    /// <summary>Asks that what an operation works on be broken off; false when it has no job that moves.</summary>
    public static async Task<bool> CancelAsync(StoreContext db, Guid clusterId, Guid operation, string actor, CancellationToken cancellation)
    {
        var rows = await db.Set<JobRow>().Where(j => j.ClusterId == clusterId && j.Operation == operation && j.DroppedAt == null).ToListAsync(cancellation);
        foreach (var row in rows)
            row.CancelledBy ??= actor;
        return rows.Count > 0;
    }

    /// <summary>Lets nodes forget what is over and was read: of operations that ended.</summary>
    public async Task<int> SweepAsync(Func<Guid, CancellationToken, Task<bool>> isMoving, CancellationToken cancellation)
    {
        var rows = await store.ReadAsync((db, cancel) => db.Set<JobRow>().OrderBy(j => j.CreatedAt).Take(1000).ToListAsync(cancel), cancellation);
        var seen = rows.Count == 0 ? [] : (await nodes.ListAsync(cancellation)).ToDictionary(n => n.Id, n => n.LastSeen);
        var swept = 0;
        foreach (var row in rows)
        {
            var isThere = seen.TryGetValue(row.NodeId, out var lastSeen);
            if (row.DroppedAt is { } dropped)
            {
                if (isThere && (clock.GetUtcNow() - dropped < ForgetAfter || lastSeen < dropped))
                    continue;
                await store.WriteAsync(async (db, cancel) =>
                {
                    await Nodes.ForgetTaskAsync(db, row.NodeId, KeyOf(row.Id), cancel);
                    await db.Set<JobRow>().Where(j => j.Id == row.Id).ExecuteDeleteAsync(cancel);
                }, cancellation);
                link.ForgetReport(row.NodeId, KeyOf(row.Id));
                swept++;
            }
            else if (!await isMoving(row.Operation, cancellation) && (!isThere || StatusOf(row.NodeId, row.Id) is { State: JobState.Succeeded or JobState.Failed or JobState.Cancelled }))
            {
                await store.WriteAsync(async (db, cancel) =>
                {
                    await nodes.EnsureTaskAsync(db, row.NodeId, KeyOf(row.Id), ClusterJob.TaskKind, Forgotten(row), cancel);
                    var kept = await db.Set<JobRow>().SingleAsync(j => j.Id == row.Id, cancel);
                    kept.DroppedAt = clock.StoreNow();
                }, cancellation);
            }
        }
        return swept;
    }

    /// <summary>What is to be done does not matter any more, and may be long: the keys of thousands of objects.</summary>
    private static ClusterJob Forgotten(JobRow row) => new(row.Id, row.ClusterId, new DeleteBackups("", [], new ArchiveSpec(new StorageSpec(""), TimeSpan.Zero)), JobDesire.Dropped);

    private Task WishAsync(Guid nodeId, ClusterJob job, CancellationToken cancellation) =>
        store.WriteAsync((db, cancel) => nodes.EnsureTaskAsync(db, nodeId, KeyOf(job.Id), ClusterJob.TaskKind, job, cancel), cancellation);

    private Task<string?> CancelledByAsync(Guid jobId, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => db.Set<JobRow>().Where(j => j.Id == jobId).Select(j => j.CancelledBy).SingleOrDefaultAsync(cancel), cancellation);

    /// <summary>Why a node's word is not waited for any more; null while it is.</summary>
    private async Task<string?> SilenceAsync(Guid nodeId, string hostname, JobStatus? status, DateTimeOffset since, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var node = (await nodes.ListAsync(cancellation)).FirstOrDefault(n => n.Id == nodeId);
        if (node is null)
            return $"node {hostname} was removed";
        if (now - node.LastSeen > options.SilenceLimit)
            return $"node {hostname} has not been heard of for {Quantity.Format(options.SilenceLimit)}: see whether its agent runs and reaches the control plane";
        return status is null && now - since > options.SilenceLimit && now - node.LastSeen < Nodes.DownAfter
            ? $"node {hostname} answers, and has said nothing about the job for {Quantity.Format(options.SilenceLimit)}: its agent may be of an older version" : null;
    }
}

/// <summary>Turns what a node says of a job into lines, with rate and remaining time; not more often than is asked. For one waiter.</summary>
internal sealed class ProgressLines(TimeProvider clock)
{
    private (DateTimeOffset At, long Done)? _first;
    private DateTimeOffset _saidAt;
    private string _words = "";

    /// <summary>A line, when there is something new to say.</summary>
    public string? Next(JobStatus status, TimeSpan every)
    {
        var now = clock.GetUtcNow();
        _first ??= (now, status.DoneBytes);
        var isNew = status.Words != _words;
        if (!isNew && (now - _saidAt < every || status.State != JobState.Running || status.DoneBytes == 0))
            return null;
        (_words, _saidAt) = (status.Words, now);
        var line = Line(status, now - _first.Value.At, status.DoneBytes - _first.Value.Done);
        return line.Length == 0 ? null : line;
    }

    internal static string Line(JobStatus status, TimeSpan elapsed, long since)
    {
        var parts = new List<string>();
        if (status.DoneBytes > 0)
            parts.Add(status.TotalBytes > 0
                ? $"{Quantity.FormatBytes(status.DoneBytes)} of {Quantity.FormatBytes(status.TotalBytes)} ({Math.Min(100, status.DoneBytes * 100 / status.TotalBytes)}%)"
                : Quantity.FormatBytes(status.DoneBytes));
        var rate = elapsed >= TimeSpan.FromSeconds(1) ? (long)(since / elapsed.TotalSeconds) : 0;
        if (rate > 0)
            parts.Add($"{Quantity.FormatBytes(rate)}/s");
        if (rate > 0 && status.TotalBytes > status.DoneBytes && status.State == JobState.Running)
            parts.Add($"{Quantity.Format(TimeSpan.FromSeconds(Math.Ceiling((status.TotalBytes - status.DoneBytes) / (double)rate)))} left");
        var figures = string.Join(", ", parts);
        return (status.Words.Length > 0, figures.Length > 0) switch { (true, true) => $"{status.Words}: {figures}", (true, false) => status.Words, _ => figures };
    }
}
