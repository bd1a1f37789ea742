using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Traffic that somebody holds back.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
/// <param name="Hold">What is done with it.</param>
/// <param name="Actor">Who did it.</param>
public sealed record HoldInfo(string Org, string Project, string Environment, Hold Hold, string Actor);

/// <summary>
/// Pausing, stopping and resuming the traffic of an environment, as levels: the last one holds until another or none is
/// applied, over deploys and restarts. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="routes">Publishes it to the edges.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class Holds(Store store, Routes routes, Audit audit, TimeProvider clock)
{
    /// <summary>How long a request waits where nothing is said.</summary>
    public static readonly TimeSpan DefaultMaxWait = TimeSpan.FromSeconds(30);

    /// <summary>How many requests wait at one edge where nothing is said.</summary>
    public const int DefaultMaxWaiting = 1000;

    /// <summary>Everything that is wrong with a pause; empty when <see cref="PauseAsync"/> takes it.</summary>
    public static IReadOnlyList<Problem> JudgePause(string? message, TimeSpan maxWait, int maxWaiting) =>
        Judge(new Hold(HoldKind.Paused, message, maxWait, maxWaiting, default));

    /// <summary>Requests wait, within bounds, until traffic is resumed.</summary>
    public Task<TrafficChange> PauseAsync(EnvironmentKey where, string? message, TimeSpan maxWait, int maxWaiting, Actor actor, CancellationToken cancellation) =>
        SetAsync("traffic.pause", where, new Hold(HoldKind.Paused, message, maxWait, maxWaiting, clock.StoreNow()), actor, cancellation);

    /// <summary>Requests are answered 503 with the message; those that wait are, too.</summary>
    public Task<TrafficChange> CloseAsync(EnvironmentKey where, string? message, Actor actor, CancellationToken cancellation) =>
        SetAsync("traffic.close", where, new Hold(HoldKind.Stopped, message, DefaultMaxWait, DefaultMaxWaiting, clock.StoreNow()), actor, cancellation);

    /// <summary>Traffic passes again, those that wait first; nothing changes when nothing is held.</summary>
    public Task<TrafficChange> ResumeAsync(EnvironmentKey where, Actor actor, CancellationToken cancellation) =>
        SetAsync("traffic.resume", where, null, actor, cancellation);

    /// <summary>All holds, or those of one organization, in the order of their names.</summary>
    public Task<IReadOnlyList<HoldInfo>> ListAsync(string? org, CancellationToken cancellation) =>
        store.ReadAsync((db, cancel) => ReadAsync(db, org, cancel), cancellation);

    internal static async Task<IReadOnlyList<HoldInfo>> ReadAsync(StoreContext db, string? org, CancellationToken cancellation)
    {
        var rows = await db.Set<HoldRow>().AsNoTracking()
            .Join(db.Set<ProjectRow>(), h => h.ProjectId, p => p.Id, (h, p) => new { Hold = h, p.Org, p.Name })
            .Where(r => org == null || r.Org == org).ToListAsync(cancellation);
        return
        [
            .. rows.OrderBy(r => r.Org, StringComparer.Ordinal).ThenBy(r => r.Name, StringComparer.Ordinal).ThenBy(r => r.Hold.Environment, StringComparer.Ordinal)
                .Select(r => new HoldInfo(r.Org, r.Name, r.Hold.Environment,
                    new Hold(r.Hold.Kind, r.Hold.Message, r.Hold.MaxWait, r.Hold.MaxWaiting, r.Hold.Since), r.Hold.Actor)),
        ];
    }

    private async Task<TrafficChange> SetAsync(string action, EnvironmentKey where, Hold? hold, Actor actor, CancellationToken cancellation)
    {
        if (hold is not null && Judge(hold) is { Count: > 0 } problems)
            return new TrafficChange.Refused(problems);
        return await store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            if (await where.FindAsync(db, cancel) is not { } environment)
                return new TrafficChange.NotFound($"{where}");
            await db.Set<HoldRow>().Where(h => h.ProjectId == environment.ProjectId && h.Environment == environment.Name).ExecuteDeleteAsync(cancel);
            if (hold is not null)
                db.Add(new HoldRow
                {
                    ProjectId = environment.ProjectId, Environment = environment.Name, Kind = hold.Kind, Message = hold.Message, MaxWait = hold.MaxWait,
                    MaxWaiting = hold.MaxWaiting, Since = hold.Since, Actor = actor.Name,
                });
            audit.Write(db, actor, action, $"{where.Org}/{where.Project}", "done", new { where.Environment });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);
    }

    /// <summary>As the edge judges it, so that nothing is stored that an edge refuses.</summary>
    private static IReadOnlyList<Problem> Judge(Hold hold)
    {
        var problems = new ProblemList();
        LevelJudge.Judge(hold, "", problems);
        return [.. problems.Problems.Select(p => p with { Path = p.Path.TrimStart('.') })];
    }
}
