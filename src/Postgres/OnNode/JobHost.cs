using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Fleet.OnNode;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// Does the jobs of a node's clusters: those of one cluster one after the other, in the order in which they came, those of
/// different clusters at once, within a bound. What a job came to is kept on disk and told until it is dropped. Thread-safe.
/// </summary>
internal sealed class JobHost : INodeTaskHandler, IAsyncDisposable
{
    private const int MostRefused = 1000;
    private readonly JobHostOptions _options;
    private readonly IReadOnlyList<IJobRunner> _runners;
    private readonly TimeProvider _clock;
    private readonly ILogger<JobHost> _log;
    private readonly string _folder;
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, Entry> _entries = [];
    private readonly Dictionary<string, TaskReport> _refused = new(StringComparer.Ordinal);
    private readonly Nudge _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _telling = Task.CompletedTask;
    private bool _isStarted;

    /// <summary>A host that does nothing before <see cref="Start"/>.</summary>
    /// <param name="options">Folders and limits.</param>
    /// <param name="runners">Who does which kinds of jobs; the first that takes one does it.</param>
    /// <param name="clock">Time.</param>
    /// <param name="log">Where trouble is told.</param>
    public JobHost(JobHostOptions options, IReadOnlyList<IJobRunner> runners, TimeProvider clock, ILogger<JobHost> log)
    {
        (_options, _runners, _clock, _log) = (options, runners, clock, log);
        _folder = Path.Combine(options.StateFolder, "cluster-jobs");
        Directory.CreateDirectory(_folder);
    }

    /// <inheritdoc/>
    public string Kind => ClusterJob.TaskKind;

    /// <inheritdoc/>
    public Nudge Changed { get; } = new();

    /// <summary>Reads the records; a job that was under way when the agent ended is cleaned up and then told as failed. Once, before the first <see cref="Apply"/>.</summary>
    public void Start()
    {
        lock (_gate)
        {
            foreach (var file in Directory.EnumerateFiles(_folder, "*.json"))
                Load(file);
            _isStarted = true;
            Pump();
        }
        _telling = Task.Run(TellAsync);
        Changed.Set();
    }

    /// <inheritdoc/>
    public void Apply(IReadOnlyList<NodeTask> tasks)
    {
        lock (_gate)
        {
            if (!_isStarted)
                throw new InvalidOperationException("Jobs are looked for first: call Start before the first task.");
            foreach (var task in tasks)
                Take(task);
            var asked = tasks.Select(t => t.Key).ToHashSet(StringComparer.Ordinal);
            var before = _clock.GetUtcNow() - _options.KeepUnasked;
            foreach (var old in _entries.Values.Where(e => e.Record.IsOver && e.Record.Status.EndedAt < before && !asked.Contains(KeyOf(e.Record.Job.Id))).ToList())
                Forget(old);
            Pump();
        }
        Changed.Set();
    }

    /// <inheritdoc/>
    public IReadOnlyList<TaskReport> Current()
    {
        lock (_gate)
            return
            [
                .. _entries.Values.Select(e => new TaskReport(KeyOf(e.Record.Job.Id), e.Record.Generation, JsonSerializer.SerializeToElement(e.Now, Json.Options))),
                .. _refused.Values,
            ];
    }

    /// <summary>Breaks off what is under way, and tells it as failed when it is asked again.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_gate)
        {
            _isStarted = false;
            running = [.. _entries.Values.Select(e => e.Running).OfType<Task>()];
        }
        await _stop.CancelAsync();
        await Task.WhenAll(running);
        await _telling;
        _stop.Dispose();
    }

    private static string KeyOf(Guid id) => $"job-{id}";

    private string FileOf(Guid id) => Path.Combine(_folder, $"{id}.json");

    private void Load(string file)
    {
        try
        {
            var record = JobRecord.Read(file);
            _entries[record.Job.Id] = new(record) { WasInterrupted = record.Status.State == JobState.Running };
        }
        catch (InvalidDataException e)
        {
            // Never touched: a person may still read it.
            Refuse(KeyOf(Guid.TryParse(Path.GetFileNameWithoutExtension(file), out var id) ? id : Guid.Empty), 0, e.Message);
        }
    }

    private void Take(NodeTask task)
    {
        ClusterJob? job;
        try
        {
            job = task.Payload.Deserialize<ClusterJob>(Json.Options);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            Refuse(task.Key, task.Generation, $"the job cannot be read; the agent may be older than the control plane: {e.Message}");
            return;
        }
        if (job?.Work is null || task.Key != KeyOf(job.Id))
        {
            Refuse(task.Key, task.Generation, "the task's key is not the id of its job");
            return;
        }
        try
        {
            Hand(task, job);
            _refused.Remove(task.Key);
        }
        catch (IOException e)
        {
            // A full disk: what is not recorded is not begun, and the next list tries it again.
            Refuse(task.Key, task.Generation, $"the job cannot be recorded: {e.Message}");
        }
    }

    private void Hand(NodeTask task, ClusterJob job)
    {
        if (!_entries.TryGetValue(job.Id, out var entry))
        {
            if (job.Desire == JobDesire.Dropped)
                return;
            var status = new JobStatus(JobState.Waiting, "", 0, 0, null, null, null);
            entry = new(new() { Job = job, Generation = task.Generation, Since = _clock.GetUtcNow(), Status = status });
            Write(entry.Record);
            _entries[job.Id] = entry;
        }
        else if (task.Generation < entry.Record.Generation)
        {
            _log.LogWarning("Job {Id}: generation {Old} is refused, {Newer} was applied already.", job.Id, task.Generation, entry.Record.Generation);
            return;
        }
        else if (task.Generation > entry.Record.Generation)
        {
            // What it does was said when it came; only what should become of it may change.
            var record = entry.Record with { Job = entry.Record.Job with { Desire = job.Desire }, Generation = task.Generation };
            Write(record);
            entry.Record = record;
        }
        Obey(entry);
    }

    /// <summary>Breaks off what is not wanted any more, and forgets what is dropped.</summary>
    private void Obey(Entry entry)
    {
        if (entry.Record.Job.Desire == JobDesire.Done)
            return;
        if (entry is { Running: not null, WasInterrupted: true })
            return; // Its cleaning up is what is wanted; it is over soon.
        if (entry.Running is not null)
            entry.Cancel();
        else if (entry.Record.Job.Desire == JobDesire.Dropped)
            Forget(entry);
        else if (!entry.Record.IsOver && !entry.WasInterrupted)
            End(entry, JobState.Cancelled, "broken off before it was begun", null);
    }

    /// <summary>Begins whatever may begin now.</summary>
    private void Pump()
    {
        if (!_isStarted)
            return;
        var busy = _entries.Values.Where(e => e.Running is not null).Select(e => e.Record.Job.ClusterId).ToHashSet();
        foreach (var entry in _entries.Values.Where(e => e.Running is null && !e.Record.IsOver).OrderBy(e => e.WasInterrupted ? 0 : 1).ThenBy(e => e.Record.Since).ThenBy(e => e.Record.Job.Id).ToList())
        {
            if (busy.Count >= _options.MostAtOnce)
                return;
            if (busy.Add(entry.Record.Job.ClusterId))
                Begin(entry);
        }
    }

    private void Begin(Entry entry)
    {
        var cancellation = entry.Begin(_stop.Token);
        entry.Running = Task.Run(() => RunAsync(entry, cancellation), CancellationToken.None);
        _wake.Set();
    }

    private async Task RunAsync(Entry entry, CancellationToken cancellation)
    {
        var outcome = entry.WasInterrupted ? await CleanUpAsync(entry, cancellation) : await OutcomeAsync(entry, cancellation);
        lock (_gate)
        {
            if (outcome is var (state, words, result))
                End(entry, state, words, result);
            entry.Ended();
            if (entry.Record.Job.Desire == JobDesire.Dropped)
                Forget(entry);
            Pump();
        }
        Changed.Set();
    }

    /// <summary>Cleans up after a job in whose middle the agent was ended; null when the agent is stopped again, and it has to be done by the next.</summary>
    private async Task<(JobState State, string Words, JobResult? Result)?> CleanUpAsync(Entry entry, CancellationToken cancellation)
    {
        const string ended = "The agent was ended in the middle of it";
        var job = entry.Record.Job;
        try
        {
            if (_runners.FirstOrDefault(r => r.Takes(job.Work)) is { } runner)
                await runner.CleanUpAsync(job, cancellation);
            return (JobState.Failed, $"{ended}, and nothing half is left behind: ask for it again.", null);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception e)
        {
            _log.LogError(e, "What the job {Id} left half of cluster {Cluster} is not removed.", job.Id, job.ClusterId);
            return (JobState.Failed, $"{ended}, and what is half of it could not be removed: {e.Message}", null);
        }
    }

    private async Task<(JobState State, string Words, JobResult? Result)?> OutcomeAsync(Entry entry, CancellationToken cancellation)
    {
        var job = entry.Record.Job;
        var kind = job.Work.GetType().Name;
        if (_runners.FirstOrDefault(r => r.Takes(job.Work)) is not { } runner)
            return (JobState.Failed, $"This agent does not do such jobs ({kind}): update it.", null);
        try
        {
            lock (_gate)
            {
                entry.Record = entry.Record with { Status = entry.Record.Status with { State = JobState.Running, StartedAt = _clock.GetUtcNow() } };
                Write(entry.Record);
            }
            Changed.Set();
            _log.LogInformation("Job {Id} ({Kind}) of cluster {Cluster} is begun.", job.Id, kind, job.ClusterId);
            var result = await runner.RunAsync(job, entry.Progress, cancellation);
            return (JobState.Succeeded, entry.Progress.Words, result);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return _stop.IsCancellationRequested
                ? (JobState.Failed, "The agent was stopped in the middle of it, and nothing half is left behind: ask for it again.", null)
                : (JobState.Cancelled, "broken off, as asked", null);
        }
        catch (Exception e) when (e is JobFailedException or IOException or UnauthorizedAccessException or NpgsqlException)
        {
            _log.LogWarning("Job {Id} ({Kind}) of cluster {Cluster} failed: {Why}", job.Id, kind, job.ClusterId, e.Message);
            return (JobState.Failed, e.InnerException is { } inner && e is NpgsqlException ? $"{e.Message}: {inner.Message}" : e.Message, null);
        }
        catch (Exception e)
        {
            _log.LogCritical(e, "Job {Id} ({Kind}) of cluster {Cluster} failed because of a fault of the agent.", job.Id, kind, job.ClusterId);
            return (JobState.Failed, $"It failed because of a fault of the agent, see its log: {e.Message}", null);
        }
    }

    private void End(Entry entry, JobState state, string words, JobResult? result)
    {
        var status = entry.Now with { State = state, Words = words, EndedAt = _clock.GetUtcNow(), Result = result };
        entry.Record = entry.Record with { Status = status };
        entry.WasInterrupted = false;
        TryWrite(entry);
        _log.LogInformation("Job {Id} of cluster {Cluster}: {State}. {Words}", entry.Record.Job.Id, entry.Record.Job.ClusterId, state, words);
    }

    private void Forget(Entry entry)
    {
        _entries.Remove(entry.Record.Job.Id);
        try
        {
            _options.Files.Delete(FileOf(entry.Record.Job.Id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is there again after a restart, and is dropped again.
            _log.LogWarning("The record of job {Id} cannot be deleted now: {Why}", entry.Record.Job.Id, e.Message);
        }
    }

    private void Write(JobRecord record) => _options.Files.Replace(FileOf(record.Job.Id), JsonSerializer.Serialize(record, Json.Indented));

    private void TryWrite(Entry entry)
    {
        try
        {
            Write(entry.Record);
            entry.IsUnsaved = false;
        }
        catch (IOException e)
        {
            // It is tried again with each look; until then an end of the agent would make it a failed job.
            entry.IsUnsaved = true;
            _log.LogWarning("What job {Id} came to cannot be recorded now: {Why}", entry.Record.Job.Id, e.Message);
        }
    }

    /// <summary>While jobs run, says that they went on, when they did.</summary>
    private async Task TellAsync()
    {
        try
        {
            while (true)
            {
                var next = _wake.Next;
                if (Look())
                    await Task.Delay(_options.TellEvery, _clock, _stop.Token);
                else
                    await next.WaitAsync(_stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The way that this loop ends.
        }
    }

    /// <summary>Whether there is anything to look at again.</summary>
    private bool Look()
    {
        var (isNeeded, isNews) = (false, false);
        lock (_gate)
            foreach (var entry in _entries.Values)
            {
                if (entry.IsUnsaved)
                    TryWrite(entry);
                isNeeded |= entry.Running is not null || entry.IsUnsaved;
                isNews |= entry.Running is not null && entry.HasMoved();
            }
        if (isNews)
            Changed.Set();
        return isNeeded;
    }

    private void Refuse(string key, long generation, string why)
    {
        _log.LogError("The task {Key} of generation {Generation} is refused: {Why}", key, generation, why);
        if (_refused.Count < MostRefused)
            _refused[key] = new(key, generation, JsonSerializer.SerializeToElement(new JobStatus(JobState.Failed, why, 0, 0, null, _clock.GetUtcNow(), null), Json.Options));
    }

    /// <summary>One job. Its host's lock guards it, but for the progress.</summary>
    private sealed class Entry(JobRecord record)
    {
        private CancellationTokenSource? _cancel;
        private (string, long, long) _told;

        public JobRecord Record { get; set; } = record;

        public JobProgress Progress { get; } = new();

        public Task? Running { get; set; }

        public bool WasInterrupted { get; set; }

        public bool IsUnsaved { get; set; }

        /// <summary>Its status with the progress of this moment.</summary>
        public JobStatus Now => Running is null || WasInterrupted
            ? Record.Status
            : Record.Status with { Words = Progress.Words, DoneBytes = Progress.Done, TotalBytes = Progress.Total };

        public CancellationToken Begin(CancellationToken stop)
        {
            _cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
            return _cancel.Token;
        }

        public void Cancel() => _cancel?.Cancel();

        public void Ended()
        {
            Running = null;
            _cancel?.Dispose();
            _cancel = null;
        }

        public bool HasMoved()
        {
            var now = (Progress.Words, Progress.Done, Progress.Total);
            var hasMoved = now != _told;
            _told = now;
            return hasMoved;
        }
    }
}
