using Groundcrew.Bedrock;
using Groundcrew.Journal;

namespace Groundcrew.Postgres;

/// <summary>One or two jobs on a node, and then a look at the archive: every choice made before the start.</summary>
internal sealed record JobPlan
{
    /// <summary>The cluster.</summary>
    public required Guid ClusterId { get; init; }

    /// <summary>The node that does it.</summary>
    public required Guid NodeId { get; init; }

    /// <summary>Its machine, for words.</summary>
    public required string Hostname { get; init; }

    /// <summary>The job.</summary>
    public required Guid JobId { get; init; }

    /// <summary>What it does.</summary>
    public required ClusterWork Work { get; init; }

    /// <summary>The cluster's name in the archive.</summary>
    public required string ArchiveName { get; init; }

    /// <summary>The job that looks at what came of it, or at what stays.</summary>
    public required Guid SecondJobId { get; init; }

    /// <summary>What to look at before anything is deleted (T-51); null when nothing is there to be kept, or it was looked at already.</summary>
    public string? LookAt { get; init; }

    /// <summary>The schedule that asked; null when a person or the watch did.</summary>
    public Guid? ScheduleId { get; init; }
}

/// <summary>The operations that are a job on a node: backups, dumps, looking at backups, drills, upkeep and deleting.</summary>
internal sealed class JobOperations(Jobs jobs, Archives archives, DrillRecords drills, ScheduleRecords schedules)
{
    public const string BackupKind = "db-backup";
    public const string DumpKind = "db-dump";
    public const string VerifyKind = "db-verify";
    public const string DrillKind = "db-drill";
    public const string UpkeepKind = "db-upkeep";
    public const string PruneKind = "db-prune";

    /// <summary>All of them, by kind.</summary>
    public IReadOnlyDictionary<string, OperationDefinition<JobPlan>> All => field ??= new[]
    {
        Definition(BackupKind, First("take the backup", TakenAsync), Second("compare its checksums", TakenOf), ReadArchive),
        Definition(DumpKind, First("take the dump", TakenAsync), Second("read it back", TakenOf), ReadArchive),
        Definition(VerifyKind, First("look at the backup", LookedAsync), ReadArchive),
        Definition(DrillKind, First("restore, check, measure", DrilledAsync), ReadArchive),
        Definition(UpkeepKind, First("do the upkeep", KeptUpAsync)),
        Definition(PruneKind, Second("look at what stays", plan => plan.LookAt), First("delete", (_, _, _) => Task.FromResult(StepEnd.Done)), ReadArchive),
    }.ToDictionary(d => d.Kind, StringComparer.Ordinal);

    private Step<JobPlan> ReadArchive => new("read the archive", async (context, cancellation) =>
    {
        if (await archives.RefreshAsync(context.Plan.ClusterId, cancellation) is { } why)
            context.Say($"the archive could not be read now ({why}); the watch tries again");
        return StepEnd.Done;
    }, Undo.None<JobPlan>("looking changes nothing"));

    private OperationDefinition<JobPlan> Definition(string kind, params Step<JobPlan>[] steps) => new()
    {
        Kind = kind, Steps = steps, Success = _ => "Done.",
        Finished = (db, plan, outcome) => schedules.EndedAsync(db, plan.ScheduleId, outcome),
    };

    private Step<JobPlan> First(string name, Func<StepContext<JobPlan>, JobResult?, CancellationToken, Task<StepEnd>> then) => new(name, async (context, cancellation) =>
    {
        var plan = context.Plan;
        var end = await jobs.WaitAsync(context, plan.ClusterId, plan.NodeId, plan.Hostname, plan.JobId, plan.Work, cancellation);
        return end.Why is { } why ? StepEnd.Failed(why) : await then(context, end.Result, cancellation);
    }, Undo.By<JobPlan>((context, cancellation) =>
        jobs.BreakOffAsync(context, context.Plan.ClusterId, context.Plan.NodeId, context.Plan.JobId, context.Plan.Work, cancellation)));

    private Step<JobPlan> Second(string name, Func<JobPlan, string?> of) => new(name, async (context, cancellation) =>
    {
        var plan = context.Plan;
        if (of(plan) is not { } backup || ArchiveOf(plan.Work) is not { } archive)
        {
            context.Say("there is nothing to look at");
            return StepEnd.Done;
        }
        var work = new VerifyBackup(plan.ArchiveName, backup, archive, plan.Work is TakeDump ? VerifyLevel.Tool : VerifyLevel.Checksums);
        var end = await jobs.WaitAsync(context, plan.ClusterId, plan.NodeId, plan.Hostname, plan.SecondJobId, work, cancellation);
        if (end.Why is { } why)
            return StepEnd.Failed($"{backup} could not be looked at: {why}");
        return end.Result is BackupVerified { IsGood: false } bad ? StepEnd.Failed($"{backup} is damaged: {string.Join("; ", bad.Findings.Take(5))}") : StepEnd.Done;
    }, Undo.None<JobPlan>("looking changes nothing"));

    /// <summary>The backup's name is the node's choice for a base backup; its report names it until the job is dropped.</summary>
    private string? TakenOf(JobPlan plan) => jobs.StatusOf(plan.NodeId, plan.JobId)?.Result switch
    {
        BaseBackupTaken taken => taken.Manifest.Name,
        DumpTaken taken => taken.Manifest.Name,
        _ => null,
    };

    private static ArchiveSpec? ArchiveOf(ClusterWork work) => work switch
    {
        TakeBaseBackup take => take.Archive,
        TakeDump take => take.Archive,
        DeleteBackups delete => delete.Archive,
        _ => null,
    };

    private static Task<StepEnd> TakenAsync(StepContext<JobPlan> context, JobResult? result, CancellationToken cancellation)
    {
        var (name, bytes, plain) = result switch
        {
            BaseBackupTaken { Manifest: var m } => (m.Name, m.Files.Sum(f => f.Bytes), m.Files.Sum(f => f.PlainBytes)),
            DumpTaken { Manifest: var m } => (m.Name, m.File.Bytes, m.File.PlainBytes),
            _ => ("", 0, 0),
        };
        if (name.Length == 0)
            return Task.FromResult(StepEnd.Failed("its node calls it done and names no backup: its agent may be of another version"));
        context.Say($"{name}: {Quantity.FormatBytes(bytes)} in the storage, {Quantity.FormatBytes(plain)} of data");
        context.Conclude($"{name} is there, with {Quantity.FormatBytes(bytes)}, and its checksums are right");
        return Task.FromResult(StepEnd.Done);
    }

    private static Task<StepEnd> LookedAsync(StepContext<JobPlan> context, JobResult? result, CancellationToken cancellation)
    {
        var backup = ((VerifyBackup)context.Plan.Work).Backup;
        if (result is BackupVerified { IsGood: false } bad)
            return Task.FromResult(StepEnd.Failed($"{backup} is damaged: {string.Join("; ", bad.Findings.Take(5))}"));
        context.Conclude($"{backup} is as it was written");
        return Task.FromResult(StepEnd.Done);
    }

    private async Task<StepEnd> DrilledAsync(StepContext<JobPlan> context, JobResult? result, CancellationToken cancellation)
    {
        if (result is not DrillDone drill)
            return StepEnd.Failed("its node calls it done and gives no result: its agent may be of another version");
        await drills.AddAsync(context, drill, cancellation);
        if (!drill.IsGood)
            return StepEnd.Failed($"it did not come back as it should: {string.Join("; ", drill.Findings.Take(5))}");
        context.Conclude($"{drill.Restored?.Backup} came back and passed every check: {Quantity.Format(Rounded(drill.Took))} to recover, {Quantity.Format(Rounded(drill.Lost))} of changes missing");
        return StepEnd.Done;
    }

    private static Task<StepEnd> KeptUpAsync(StepContext<JobPlan> context, JobResult? result, CancellationToken cancellation)
    {
        var done = result as UpkeepDone ?? new UpkeepDone([], 0);
        foreach (var line in done.Lines)
            context.Say(line);
        context.Conclude(done.Lines.Count == 0 ? "nothing needed it"
            : $"{done.Lines.Count} {(done.Lines.Count == 1 ? "object" : "objects")} done{(done.FreedBytes > 0 ? $", {Quantity.FormatBytes(done.FreedBytes)} freed" : "")}");
        return Task.FromResult(StepEnd.Done);
    }

    private static TimeSpan Rounded(TimeSpan span) => TimeSpan.FromMilliseconds(Math.Round(span.TotalMilliseconds));
}
