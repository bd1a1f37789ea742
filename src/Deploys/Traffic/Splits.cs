using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>How the traffic of an environment is split.</summary>
/// <param name="Where">The environment.</param>
/// <param name="Current">What it points at, which takes the rest; null when it points nowhere.</param>
/// <param name="Shares">What others take, in the order of their labels; empty for no split.</param>
/// <param name="Since">Since when; null for no split.</param>
/// <param name="Actor">Who split it; null for no split.</param>
public sealed record SplitInfo(EnvironmentKey Where, string? Current, IReadOnlyList<SplitShare> Shares, DateTimeOffset? Since, string? Actor);

/// <summary>What one deployment takes of a split.</summary>
/// <param name="Deployment">Its label.</param>
/// <param name="Percent">How much, 1 to 100.</param>
/// <param name="Ready">Its instances that are ready now; with none, its share goes to the current deployment.</param>
public sealed record SplitShare(string Deployment, int Percent, int Ready);

/// <summary>
/// Splitting the traffic of an environment between the deployment it points at and others that still run. A split ends by
/// the next rollout that succeeds; until then what it names is not stopped. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="instances">Who is ready.</param>
/// <param name="routes">Publishes it to the edges.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class Splits(Store store, Instances instances, Routes routes, Audit audit, TimeProvider clock)
{
    private const int MostShares = 10;

    /// <summary>Replaces the split of an environment.</summary>
    public Task<TrafficChange> SetAsync(EnvironmentKey where, IReadOnlyDictionary<string, int> shares, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            if (await where.FindAsync(db, cancel) is not { } environment)
                return new TrafficChange.NotFound($"{where}");
            var problems = await JudgeAsync(db, environment, shares, cancel);
            if (problems.Count > 0)
                return new TrafficChange.Refused(problems);
            if (environment.Current is null)
                return new TrafficChange.InTheWay($"Nothing serves {where.Environment} of {where.Org}/{where.Project}: there is no traffic to split.");
            if (await Leases.HolderAsync(db, Deployments.LeaseOf(environment.ProjectId, environment.Name), cancel) is { } holder)
                return new TrafficChange.Busy(holder);
            await EndAsync(db, environment.ProjectId, environment.Name, shares.Keys, clock.StoreNow(), cancel);
            foreach (var (label, percent) in shares)
                db.Add(new SplitRow
                {
                    ProjectId = environment.ProjectId, Environment = environment.Name, Deployment = label, Percent = percent, Since = clock.StoreNow(), Actor = actor.Name,
                });
            audit.Write(db, actor, "traffic.split", $"{where.Org}/{where.Project}", "done", new { where.Environment, shares });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>All traffic goes to the current deployment again; nothing changes where nothing is split.</summary>
    public Task<TrafficChange> ClearAsync(EnvironmentKey where, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            if (await where.FindAsync(db, cancel) is not { } environment)
                return new TrafficChange.NotFound($"{where}");
            await EndAsync(db, environment.ProjectId, environment.Name, [], clock.StoreNow(), cancel);
            audit.Write(db, actor, "traffic.unsplit", $"{where.Org}/{where.Project}", "done", new { where.Environment });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>How an environment is split; null when there is no such environment.</summary>
    public Task<SplitInfo?> FindAsync(EnvironmentKey where, CancellationToken cancellation) =>
        store.ReadAsync(async (db, cancel) =>
            await where.FindAsync(db, cancel) is { } environment
                ? await InfoAsync(db, where, environment, [.. await Of(db, environment.ProjectId, environment.Name).ToListAsync(cancel)], cancel)
                : null, cancellation);

    /// <summary>Every split there is, in the order of projects and environments.</summary>
    public Task<IReadOnlyList<SplitInfo>> ListAsync(CancellationToken cancellation) =>
        store.ReadAsync<IReadOnlyList<SplitInfo>>(async (db, cancel) =>
        {
            var all = new List<SplitInfo>();
            foreach (var split in (await db.Set<SplitRow>().AsNoTracking().ToListAsync(cancel)).GroupBy(s => (s.ProjectId, s.Environment)))
            {
                var project = await db.Set<ProjectRow>().AsNoTracking().SingleAsync(p => p.Id == split.Key.ProjectId, cancel);
                var environment = await db.Set<EnvironmentRow>().AsNoTracking().SingleAsync(e => e.ProjectId == project.Id && e.Name == split.Key.Environment, cancel);
                all.Add(await InfoAsync(db, new EnvironmentKey(project.Org, project.Name, environment.Name), environment, [.. split], cancel));
            }
            return [.. all.OrderBy(s => $"{s.Where.Org}/{s.Where.Project}/{s.Where.Environment}", StringComparer.Ordinal)];
        }, cancellation);

    /// <summary>
    /// Ends a split in the caller's transaction. Who leaves it served until now, and is kept for a rollback window from
    /// now on. Returns what it was, in words; null when there was none.
    /// </summary>
    internal static async Task<string?> EndAsync(
        StoreContext db, Guid projectId, string environment, IEnumerable<string> staying, DateTimeOffset now, CancellationToken cancellation)
    {
        var rows = await Of(db, projectId, environment).ToListAsync(cancellation);
        var leaving = rows.Select(r => r.Deployment).Except(staying, StringComparer.Ordinal).ToList();
        foreach (var row in await db.Set<DeploymentRow>().AsTracking().Where(d => leaving.Contains(d.Label) && d.Status == DeploymentStatus.Inactive && d.KeptUntil != null).ToListAsync(cancellation))
        {
            var keptUntil = now + Deployments.SettingsOf(row).RollbackWindow;
            if (row.KeptUntil < keptUntil)
                row.KeptUntil = keptUntil;
        }
        await Of(db, projectId, environment).ExecuteDeleteAsync(cancellation);
        return Words(rows);
    }

    /// <summary>The split of an environment in words; null when there is none.</summary>
    internal static async Task<string?> WordsAsync(StoreContext db, Guid projectId, string environment, CancellationToken cancellation) =>
        Words(await Of(db, projectId, environment).ToListAsync(cancellation));

    private static IQueryable<SplitRow> Of(StoreContext db, Guid projectId, string environment) =>
        db.Set<SplitRow>().AsNoTracking().Where(s => s.ProjectId == projectId && s.Environment == environment);

    private static string? Words(IReadOnlyList<SplitRow> rows) => rows.Count == 0 ? null
        : string.Join(", ", rows.OrderBy(r => r.Deployment, StringComparer.Ordinal).Select(r => $"{r.Deployment} {r.Percent} %"));

    private async Task<IReadOnlyList<Problem>> JudgeAsync(StoreContext db, EnvironmentRow environment, IReadOnlyDictionary<string, int> shares, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        if (shares.Count is 0 or > MostShares)
            problems.Add("bad-count", "shares", $"{shares.Count} deployments are named.", $"Name 1 to {MostShares}, each with its percent; to end a split, delete it.");
        foreach (var (label, percent) in shares.Where(s => s.Value is < 1 or > 100))
            problems.Add("out-of-range", $"shares.{label}", $"{percent} is no share.", "Use 1 to 100 percent.");
        if (shares.Values.Sum(s => (long)s) > 100)
            problems.Add("out-of-range", "shares", $"The shares are {shares.Values.Sum(s => (long)s)} percent together.", "Use at most 100; what is left goes to the current deployment.");
        if (shares.Count > MostShares)
            return problems.Problems;
        foreach (var label in shares.Keys)
            await JudgeAsync(db, environment, label, problems, cancellation);
        return problems.Problems;
    }

    /// <summary>Only what runs takes a share (invariant 1).</summary>
    private async Task JudgeAsync(StoreContext db, EnvironmentRow environment, string label, ProblemList problems, CancellationToken cancellation)
    {
        var row = await db.Set<DeploymentRow>().AsNoTracking().SingleOrDefaultAsync(
            d => d.Label == label && d.ProjectId == environment.ProjectId && d.Environment == environment.Name, cancellation);
        if (row is null)
            problems.Add("unknown-deployment", $"shares.{label}", $"'{label}' is no deployment of this project in {environment.Name}.", "Name one: crew deployments ORG/PROJECT lists them.");
        else if (label == environment.Current)
            problems.Add("is-current", $"shares.{label}", $"{environment.Name} points at '{label}' already: it takes what the others leave.", "Name the others only.");
        else if (row.Status != DeploymentStatus.Inactive || !(await instances.ListAsync(db, label, cancellation)).Any(i => i.TakesTraffic))
            problems.Add("not-running", $"shares.{label}", $"'{label}' does not run: no instance of it is ready.", "Name one that is kept running beside the current one; a longer rollbackWindow keeps it.");
    }

    private async Task<SplitInfo> InfoAsync(StoreContext db, EnvironmentKey where, EnvironmentRow environment, IReadOnlyList<SplitRow> rows, CancellationToken cancellation)
    {
        var shares = new List<SplitShare>();
        foreach (var row in rows.OrderBy(r => r.Deployment, StringComparer.Ordinal))
            shares.Add(new SplitShare(row.Deployment, row.Percent, (await instances.ListAsync(db, row.Deployment, cancellation)).Count(i => i.TakesTraffic)));
        return new SplitInfo(where, environment.Current, shares, rows.Count == 0 ? null : rows[0].Since, rows.Count == 0 ? null : rows[0].Actor);
    }
}
