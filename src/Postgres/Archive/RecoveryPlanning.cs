using System.Globalization;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// From a wanted moment to what a restore will do, or to why it cannot be done and which moments can. Pure.
/// </summary>
/// <remarks>
/// For a time and for a place the plan has a segment of log behind the target as far as there is one, because PostgreSQL knows
/// that it reached a target only by what comes behind it. When recovery says that the log ended before the target was reached,
/// nothing was committed between the two: it has reached it.
/// </remarks>
internal static class RecoveryPlanning
{
    /// <summary>Plans a restore.</summary>
    /// <param name="catalogue">What the archive holds.</param>
    /// <param name="systemId">Which history; null for the newest that has a base backup.</param>
    /// <param name="target">The moment. A time is sought on the timeline that was alive then, a place on the newest that has it.</param>
    public static Judged<RecoveryPlan> Plan(Catalogue catalogue, string? systemId, RecoveryTarget target)
    {
        var problems = new ProblemList();
        if ((target.Time is null ? 0 : 1) + (target.Position is null ? 0 : 1) + (target.Name is null ? 0 : 1) > 1)
            problems.Add("bad-target", "target", "A restore aims at one moment, and this one names several.", "Give a time, a place or a name.");
        if (target.Name is "" or { Length: > 63 })
            problems.Add("bad-target", "target.name", "A named point has 1 to 63 characters.", "Give the name that pg_create_restore_point was given.");
        var history = systemId is null ? catalogue.Histories.LastOrDefault(h => h.Bases.Count > 0) : catalogue.Histories.FirstOrDefault(h => h.SystemId == systemId);
        if (history is null)
            problems.Add(NoHistory(catalogue, systemId));
        if (!problems.IsEmpty)
            return Judged<RecoveryPlan>.Bad(problems.Problems);

        var proofs = new BackupProofs(catalogue.Marks);
        var runs = RecoveryWindows.Runs(history!, b => !proofs.IsDamaged(b.Name));
        if (runs.Count == 0)
            return Judged<RecoveryPlan>.Bad([NothingWhole(catalogue, history!, proofs)]);
        var chosen = target switch
        {
            { Time: { } time } => ForTime(runs, time),
            { Position: { } place } => ForPlace(runs, place),
            { Name: not null } => ForName(runs),
            _ => Latest(runs),
        };
        return chosen is var (run, until)
            ? Judged<RecoveryPlan>.Good(Make(run, until, target))
            : Judged<RecoveryPlan>.Bad([Uncovered(catalogue, history!, target)]);
    }

    /// <summary>What a restore by this plan leaves behind, in sentences for people; read before it is done.</summary>
    /// <param name="catalogue">What the plan was made from.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="now">The present, for saying how long ago a moment was.</param>
    public static IReadOnlyList<string> Loss(Catalogue catalogue, RecoveryPlan plan, DateTimeOffset now)
    {
        var proofs = new BackupProofs(catalogue.Marks);
        var history = catalogue.Histories.First(h => h.SystemId == plan.SystemId);
        var run = RecoveryWindows.Runs(history, b => !proofs.IsDamaged(b.Name)).First(r => r.Base.Name == plan.Base.Name && r.Path.Timeline == plan.Timeline);
        var lines = new List<string>
        {
            plan.Target switch
            {
                { Time: { } time } => $"What was committed after {Text(time)} is left out: {Since(time, now)} until now.",
                { Position: { } place } => $"What lies behind {place} is left out; the archive goes on to {run.Island.To}.",
                { Name: { } name } => $"What was committed after the point '{name}' is left out; where that is, only the log itself says.",
                _ => $"What was committed after {Text(run.ToTime)} may be missing: {Since(run.ToTime, now)} until now.",
            },
        };
        if (plan.Target is { Time: null, Position: null, Name: null })
            lines.AddRange(Unreachable(catalogue, history, run));
        if (!proofs.IsVerified(plan.Base.Name))
            lines.Add($"Base backup '{plan.Base.Name}' was never verified.");
        return lines;
    }

    private static (RecoveryRun Run, Lsn Until)? Latest(IReadOnlyList<RecoveryRun> runs)
    {
        var best = runs.OrderBy(r => r.Path.Timeline).ThenBy(r => r.Island.To).ThenBy(r => r.Base.Start).Last();
        return (best, best.Island.To);
    }

    /// <summary>Only the log says where a named point is, so all of it that leads to the latest moment is needed.</summary>
    private static (RecoveryRun Run, Lsn Until)? ForName(IReadOnlyList<RecoveryRun> runs)
    {
        var end = Latest(runs)!.Value.Run;
        return (runs.First(r => r.Path.Timeline == end.Path.Timeline && r.Island.To == end.Island.To), end.Island.To);
    }

    private static (RecoveryRun Run, Lsn Until)? ForPlace(IReadOnlyList<RecoveryRun> runs, Lsn place)
    {
        var best = runs.Where(r => r.Covers(place)).OrderBy(r => r.Path.Timeline).ThenBy(r => r.Base.Stop).LastOrDefault();
        return best is null ? null : (best, Behind(best, place));
    }

    private static (RecoveryRun Run, Lsn Until)? ForTime(IReadOnlyList<RecoveryRun> runs, DateTimeOffset time)
    {
        var covering = runs.Where(r => r.Covers(time)).ToList();
        if (covering.Count == 0)
            return null;
        var timelines = covering.Select(r => r.Path).DistinctBy(p => p.Timeline).OrderBy(p => p.Timeline).ToList();
        var alive = (timelines.FindLast(p => AliveSince(covering[0].History, p) <= time) ?? timelines[0]).Timeline;
        var best = covering.Where(r => r.Path.Timeline == alive).MaxBy(r => r.FromTime)!;
        return (best, best.Island.PlaceOf(time) is { } place ? Behind(best, place) : best.Island.To);
    }

    /// <summary>The first sign of life of a timeline: what is before it happened on its parent.</summary>
    private static DateTimeOffset? AliveSince(ArchiveHistory history, TimelinePath path) =>
        history.Wal.Where(w => w.Timeline == path.Timeline && w.End >= path.OwnFrom && w.CaughtUpAt is not null).Select(w => w.CaughtUpAt)
            .Concat(history.Bases.Where(b => b.Timeline == path.Timeline).Select(b => (DateTimeOffset?)b.StartedAt)).Min();

    private static Lsn Behind(RecoveryRun run, Lsn place)
    {
        var enough = Math.Max(place.Value, run.Base.Stop.Value) + Lsn.SegmentBytes;
        return enough < run.Island.To.Value ? new(enough) : run.Island.To;
    }

    private static RecoveryPlan Make(RecoveryRun run, Lsn until, RecoveryTarget target)
    {
        IReadOnlyList<WalPiece> wal = [.. run.Island.Between(run.NeedsFrom, until).Select(s => s.Piece)];
        return new(run.History.SystemId, run.Base, wal, run.History.Forks, run.Path.Timeline, target, run.Base.Files.Sum(f => f.Bytes) + wal.Sum(w => w.Bytes));
    }

    private static Problem NoHistory(Catalogue catalogue, string? systemId) => systemId is null || catalogue.Histories.Count == 0
        ? new("no-backup", "", $"The archive of '{catalogue.Cluster}' has no base backup.", "Restore a dump if there is one, and take a base backup.")
        : new("unknown-history", "systemId", $"The archive of '{catalogue.Cluster}' has no history {systemId}.", $"It has {string.Join(", ", catalogue.Histories.Select(h => h.SystemId))}.");

    private static Problem NothingWhole(Catalogue catalogue, ArchiveHistory history, BackupProofs proofs)
    {
        var damaged = history.Bases.Where(b => proofs.IsDamaged(b.Name)).Select(b => b.Name).ToList();
        var why = damaged.Count > 0 ? $" ({string.Join(", ", damaged)} did not pass verification)" : "";
        return new("no-backup", "", $"No base backup of '{catalogue.Cluster}' in history {history.SystemId} is good and has the log that it needs{why}.", "Restore a dump if there is one, and take a base backup.");
    }

    private static Problem Uncovered(Catalogue catalogue, ArchiveHistory history, RecoveryTarget target)
    {
        var windows = RecoveryWindows.Of(catalogue);
        var own = windows.Where(w => w.SystemId == history.SystemId).ToList();
        if (target.Position is { } place)
        {
            var before = own.Where(w => w.To < place).Select(w => (Lsn?)w.To).Max();
            var after = own.Where(w => w.From > place).Select(w => (Lsn?)w.From).Min();
            return new("uncovered-place", "target", $"The archive cannot bring back {place}.", Nearest(before?.ToString(), after?.ToString()));
        }
        var time = target.Time!.Value;
        var elsewhere = windows.FirstOrDefault(w => w.SystemId != history.SystemId && w.FromTime <= time && time <= w.ToTime);
        var fix = Nearest(
            own.Where(w => w.ToTime < time).Select(w => (DateTimeOffset?)w.ToTime).Max() is { } earlier ? Text(earlier) : null,
            own.Where(w => w.FromTime > time).Select(w => (DateTimeOffset?)w.FromTime).Min() is { } later ? Text(later) : null);
        return new("uncovered-moment", "target", $"The archive cannot bring back {Text(time)}.",
            elsewhere is null ? fix : $"{fix} Or name history {elsewhere.SystemId} of the cluster, which has it.");
    }

    private static string Nearest(string? before, string? after) => (before, after) switch
    {
        ({ } earlier, { } later) => $"The nearest that it can are {earlier} before it and {later} behind it.",
        ({ } earlier, null) => $"The nearest that it can is {earlier} before it.",
        (null, { } later) => $"The nearest that it can is {later} behind it.",
        _ => "There is nothing near that it can.",
    };

    private static IEnumerable<string> Unreachable(Catalogue catalogue, ArchiveHistory history, RecoveryRun run)
    {
        var end = history.Wal.Where(w => w.End > w.Start && (w.Timeline > run.Path.Timeline || (w.Timeline == run.Path.Timeline && w.End > run.Island.To)))
            .OrderBy(w => w.Timeline).ThenBy(w => w.End).LastOrDefault();
        if (end is not null)
            yield return $"The archive has log up to {end.End} on timeline {end.Timeline} that cannot be reached: what should lead there from {run.Island.To} is missing.";
        if (catalogue.Histories.SkipWhile(h => h.SystemId != history.SystemId).Skip(1).LastOrDefault() is { } newer)
            yield return $"The cluster has been made anew since; of its newer history {newer.SystemId} nothing comes back.";
    }

    private static string Since(DateTimeOffset moment, DateTimeOffset now) =>
        now > moment ? Quantity.Format(TimeSpan.FromSeconds(Math.Ceiling((now - moment).TotalSeconds))) : "nothing";

    private static string Text(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
