using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Postgres.OnNode;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Groundcrew.Postgres.Tests.Clusters;

/// <summary>The jobs of a node: one of a cluster at a time, known after a restart, told until they are dropped.</summary>
public sealed class JobHostTests
{
    private static readonly Guid Shop = Ids.New(TimeProvider.System);

    [Fact]
    public async Task A_job_is_done_once_and_its_result_is_told_until_it_is_dropped()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop);
        var run = await node.Runner.BegunAsync(job);
        run.Progress.Expect(100);
        run.Progress.Add(40);
        run.Progress.Say("copies");
        var status = await node.SeeAsync(job, s => s.DoneBytes == 40);
        Assert.Equal((JobState.Running, "copies", 100L), (status.State, status.Words, status.TotalBytes));
        run.End.SetResult(new UpkeepDone(["orders"], 5));
        status = await node.SeeAsync(job, s => s.State == JobState.Succeeded);
        Assert.Equal(5, Assert.IsType<UpkeepDone>(status.Result).FreedBytes);
        node.Again();
        await node.RestartAsync();
        Assert.Equal(JobState.Succeeded, node.StatusOf(job)!.State);
        Assert.Equal(1, node.Runner.Runs);
        node.Want(job, JobDesire.Dropped);
        Assert.Null(node.StatusOf(job));
        Assert.Empty(node.Files());
    }

    [Fact]
    public async Task Jobs_of_one_cluster_follow_each_other_and_those_of_others_do_not_wait()
    {
        await using var node = new JobNode();
        var (first, second, other, third) = (node.Ask(Shop), node.Ask(Shop), node.Ask(Ids.New(TimeProvider.System)), node.Ask(Ids.New(TimeProvider.System)));
        var run = await node.Runner.BegunAsync(first);
        var beside = await node.Runner.BegunAsync(other);
        Assert.Equal((JobState.Waiting, JobState.Waiting), (node.StatusOf(second)!.State, node.StatusOf(third)!.State));
        run.End.SetResult(null);
        (await node.Runner.BegunAsync(second)).End.SetResult(null);
        (await node.Runner.BegunAsync(third)).End.SetResult(null);
        beside.End.SetResult(null);
        foreach (var job in new[] { first, second, other, third })
            await node.SeeAsync(job, s => s.State == JobState.Succeeded);
        Assert.Equal(2, node.Runner.MostAtOnce);
    }

    [Fact]
    public async Task A_failure_is_told_in_its_own_words()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop);
        (await node.Runner.BegunAsync(job)).End.SetException(new JobFailedException("there is no such dump"));
        var status = await node.SeeAsync(job, s => s.State == JobState.Failed);
        Assert.Equal("there is no such dump", status.Words);
        Assert.NotNull(status.EndedAt);
    }

    [Fact]
    public async Task Jobs_are_broken_off_whether_they_run_or_wait()
    {
        await using var node = new JobNode();
        var (running, waiting) = (node.Ask(Shop), node.Ask(Shop));
        await node.Runner.BegunAsync(running);
        node.Want(waiting, JobDesire.Cancelled);
        Assert.Equal(JobState.Cancelled, node.StatusOf(waiting)!.State);
        node.Want(running, JobDesire.Cancelled);
        await node.SeeAsync(running, s => s.State == JobState.Cancelled);
        Assert.Equal(1, node.Runner.Runs);
    }

    [Fact]
    public async Task A_running_job_that_is_dropped_is_ended_and_forgotten()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop);
        await node.Runner.BegunAsync(job);
        node.Want(job, JobDesire.Dropped);
        await Eventually.TrueAsync(() => node.StatusOf(job) is null, "that it is forgotten");
        Assert.Empty(node.Files());
    }

    [Fact]
    public async Task A_job_in_whose_middle_the_agent_was_killed_is_cleaned_up_and_told_as_failed()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop);
        await node.Runner.BegunAsync(job);
        // What is on the disk at this moment is what an agent finds that starts after a kill.
        await node.KilledAsync();
        var cleaning = await node.Runner.CleaningAsync(job);
        Assert.Equal(JobState.Running, node.StatusOf(job)!.State);
        var next = node.Ask(Shop);
        Assert.Equal(JobState.Waiting, node.StatusOf(next)!.State);
        cleaning.SetResult();
        var status = await node.SeeAsync(job, s => s.State == JobState.Failed);
        Assert.Contains("ended in the middle of it, and nothing half is left behind", status.Words, StringComparison.Ordinal);
        await node.Runner.BegunAsync(next);
        Assert.Equal(2, node.Runner.Runs);
    }

    [Fact]
    public async Task An_agent_that_is_stopped_breaks_its_jobs_off_and_says_so()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop);
        await node.Runner.BegunAsync(job);
        await node.RestartAsync();
        var status = node.StatusOf(job)!;
        Assert.Equal(JobState.Failed, status.State);
        Assert.Contains("The agent was stopped in the middle of it", status.Words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_nobody_can_do_and_a_task_that_cannot_be_read_are_failures()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop, new VerifyBackup("main", "base-1", new(new("/nowhere"), TimeSpan.FromSeconds(1)), VerifyLevel.Tool));
        var status = await node.SeeAsync(job, s => s.State == JobState.Failed);
        Assert.Contains("does not do such jobs (VerifyBackup)", status.Words, StringComparison.Ordinal);
        node.Host.Apply([new("job-1", ClusterJob.TaskKind, 1, JsonSerializer.SerializeToElement(new { id = job, clusterId = Shop, work = new { kind = "from-the-future" } }))]);
        Assert.Contains(node.Host.Current(), r => r.Key == "job-1" && r.Status.GetProperty("state").GetString() == "failed");
    }

    [Fact]
    public async Task What_a_job_does_is_what_it_was_told_first_and_older_tasks_are_refused()
    {
        await using var node = new JobNode();
        var job = node.Ask(Shop);
        var run = await node.Runner.BegunAsync(job);
        node.Host.Apply([new($"job-{job}", ClusterJob.TaskKind, 0, JsonSerializer.SerializeToElement(new ClusterJob(job, Shop, JobNode.Work, JobDesire.Cancelled), Json.Options))]);
        run.End.SetResult(null);
        await node.SeeAsync(job, s => s.State == JobState.Succeeded);
    }

    /// <summary>One run of a job, which the test ends.</summary>
    private sealed record Run(ClusterJob Job, JobProgress Progress, TaskCompletionSource<JobResult?> End);

    /// <summary>Does upkeep when the test says so.</summary>
    private sealed class TestRunner : IJobRunner
    {
        private readonly Lock _gate = new();
        private readonly List<Run> _runs = [];
        private readonly Dictionary<Guid, TaskCompletionSource> _cleaning = [];
        private int _now;

        public int Runs
        {
            get
            {
                lock (_gate)
                    return _runs.Count;
            }
        }

        public int MostAtOnce { get; private set; }

        public bool Takes(ClusterWork work) => work is Maintain;

        public async Task<JobResult?> RunAsync(ClusterJob job, JobProgress progress, CancellationToken cancellation)
        {
            var run = new Run(job, progress, new(TaskCreationOptions.RunContinuationsAsynchronously));
            lock (_gate)
            {
                _runs.Add(run);
                MostAtOnce = Math.Max(MostAtOnce, ++_now);
            }
            try
            {
                return await run.End.Task.WaitAsync(cancellation);
            }
            finally
            {
                lock (_gate)
                    _now--;
            }
        }

        public async Task CleanUpAsync(ClusterJob job, CancellationToken cancellation)
        {
            var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_gate)
                _cleaning[job.Id] = end;
            await end.Task.WaitAsync(cancellation);
        }

        public async Task<Run> BegunAsync(Guid job)
        {
            Run? run = null;
            await Eventually.TrueAsync(
                () =>
                {
                    lock (_gate)
                        return (run = _runs.Find(r => r.Job.Id == job)) is not null;
                },
                "its begin");
            return run!;
        }

        public async Task<TaskCompletionSource> CleaningAsync(Guid job)
        {
            TaskCompletionSource? end = null;
            await Eventually.TrueAsync(
                () =>
                {
                    lock (_gate)
                        return _cleaning.TryGetValue(job, out end);
                },
                "its cleaning up");
            return end!;
        }
    }

    private sealed class JobNode : IAsyncDisposable
    {
        public static readonly ClusterWork Work = new Maintain(Guid.Empty, "shop", Upkeep.Vacuum, []);
        private readonly TempFolder _folder = new();
        private readonly TempFolder _copy = new();
        private readonly Dictionary<Guid, NodeTask> _tasks = [];
        private long _generation;
        private JobHost? _before;

        public JobNode()
        {
            Host = Make(_folder.Path);
            Host.Start();
        }

        public TestRunner Runner { get; } = new();

        public JobHost Host { get; private set; }

        public IEnumerable<string> Files() => Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories);

        public Guid Ask(Guid cluster, ClusterWork? work = null)
        {
            var id = Ids.New(TimeProvider.System);
            Apply(new(id, cluster, work ?? Work));
            return id;
        }

        public void Want(Guid job, JobDesire desire) => Apply(_tasks[job].Payload.Deserialize<ClusterJob>(Json.Options)! with { Desire = desire });

        public void Again() => Host.Apply([.. _tasks.Values]);

        public JobStatus? StatusOf(Guid job) => Host.Current().FirstOrDefault(r => r.Key == $"job-{job}")?.Status.Deserialize<JobStatus>(Json.Options);

        public async Task<JobStatus> SeeAsync(Guid job, Func<JobStatus, bool> isSo)
        {
            await Eventually.TrueAsync(() => StatusOf(job) is { } status && isSo(status), "the status of the job");
            return StatusOf(job)!;
        }

        public async Task RestartAsync()
        {
            await Host.DisposeAsync();
            Host = Make(_folder.Path);
            Host.Start();
            Again();
        }

        /// <summary>Another host on a copy of what is on the disk now, while the first still runs.</summary>
        public async Task KilledAsync()
        {
            var folder = Path.Combine(_copy.Path, "cluster-jobs");
            Directory.CreateDirectory(folder);
            foreach (var file in Files())
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            _before = Host;
            Host = Make(_copy.Path);
            Host.Start();
            Again();
            await Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            await Host.DisposeAsync();
            if (_before is not null)
                await _before.DisposeAsync();
            _folder.Dispose();
            _copy.Dispose();
        }

        private void Apply(ClusterJob job)
        {
            _tasks[job.Id] = new($"job-{job.Id}", ClusterJob.TaskKind, ++_generation, JsonSerializer.SerializeToElement(job, Json.Options));
            Again();
        }

        private JobHost Make(string folder) => new(new() { StateFolder = folder, TellEvery = TimeSpan.FromSeconds(0.05) }, [Runner], TimeProvider.System, NullLogger<JobHost>.Instance);
    }
}
