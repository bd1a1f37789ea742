using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>A time of maintenance.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Maintenance">What it says, of whom and until when.</param>
/// <param name="Actor">Who began it.</param>
public sealed record MaintenanceInfo(Guid Id, Maintenance Maintenance, string Actor);

/// <summary>
/// Maintenance of an organization or of all (ZM-111, AZ-57). Several may hold at once. One with an end is forgotten when
/// that has come. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="routes">Publishes it to the edges.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class MaintenanceTimes(Store store, Routes routes, Audit audit, TimeProvider clock)
{
    private const int MostExempt = 100;
    private const int LongestPath = 1024;

    /// <summary>Of one organization, or of all. They go to every edge with every table.</summary>
    private const int MostOfOne = 10;

    /// <summary>Of all organizations together; those of all are beside these, so that nobody takes their place.</summary>
    private const int MostTogether = 200;

    /// <summary>Judges what is asked for, whole: what comes out of it <see cref="BeginAsync"/> takes.</summary>
    public Judged<MaintenanceInfo> Plan(Maintenance wanted, Actor actor)
    {
        var problems = new ProblemList();
        LevelJudge.Judge(wanted, "", problems);
        if (wanted is { RetryAfterIsRemaining: true, Until: null })
            problems.Add("missing", "until", "What remains is to be told, and there is no end.", "Give an end, or a time to come again.");
        if (wanted.Exempt.Count > MostExempt || wanted.Exempt.Any(p => p?.Length > LongestPath))
            problems.Add("too-long", "exempt", "There are too many exempt paths, or one is too long.", $"Use at most {MostExempt} paths of {LongestPath} characters; '*' may stand at the end.");
        return problems.IsEmpty
            ? Judged<MaintenanceInfo>.Good(new MaintenanceInfo(Ids.New(clock), wanted, actor.Name))
            : Judged<MaintenanceInfo>.Bad([.. problems.Problems.Select(p => p with { Path = p.Path.TrimStart('.') })]);
    }

    /// <summary>Begins one that was judged good; it is refused when too many hold already.</summary>
    public Task<TrafficChange> BeginAsync(MaintenanceInfo info, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<TrafficChange>(async (db, cancel) =>
        {
            var (id, m, name) = info;
            if (await TooManyAsync(db, m.Org, cancel) is { } problem)
                return new TrafficChange.Refused([problem]);
            db.Add(new MaintenanceRow
            {
                Id = id, Org = m.Org, Message = m.Message, RetryAfter = m.RetryAfter, RetryAfterIsRemaining = m.RetryAfterIsRemaining, Since = m.Since,
                Until = m.Until, Exempt = JsonSerializer.Serialize(m.Exempt, Json.Options), Actor = name,
            });
            audit.Write(db, actor, "maintenance.begin", m.Org ?? "the platform", "done", new { id, m.Until });
            return new TrafficChange.Done(await routes.PublishAsync(db, cancel));
        }, cancellation);

    /// <summary>Ends one; the generation of the route table without it, or null when there is none with that id.</summary>
    public Task<long?> EndAsync(Guid id, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync<long?>(async (db, cancel) =>
        {
            if (await db.Set<MaintenanceRow>().AsNoTracking().SingleOrDefaultAsync(m => m.Id == id, cancel) is not { } row)
                return null;
            await db.Set<MaintenanceRow>().Where(m => m.Id == id).ExecuteDeleteAsync(cancel);
            audit.Write(db, actor, "maintenance.end", row.Org ?? "the platform", "done", new { id });
            return await routes.PublishAsync(db, cancel);
        }, cancellation);

    /// <summary>What holds now, oldest first: all, or what holds for one organization, that of all organizations included.</summary>
    public Task<IReadOnlyList<MaintenanceInfo>> ListAsync(string? org, CancellationToken cancellation) =>
        store.ReadAsync<IReadOnlyList<MaintenanceInfo>>(async (db, cancel) =>
        {
            var now = clock.GetUtcNow();
            var rows = await db.Set<MaintenanceRow>()
                .Where(m => (org == null || m.Org == null || m.Org == org) && (m.Until == null || m.Until > now)).ToListAsync(cancel);
            return [.. rows.OrderBy(m => m.Id).Select(Info)];
        }, cancellation);

    internal static MaintenanceInfo Info(MaintenanceRow r) => new(
        r.Id, new Maintenance(r.Org, r.Message, r.RetryAfter, r.RetryAfterIsRemaining, r.Since, r.Until, JsonSerializer.Deserialize<IReadOnlyList<string>>(r.Exempt, Json.Options)!),
        r.Actor);

    private async Task<Problem?> TooManyAsync(StoreContext db, string? org, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var hold = db.Set<MaintenanceRow>().Where(m => m.Until == null || m.Until > now);
        if (await hold.CountAsync(m => m.Org == org, cancellation) >= MostOfOne)
            return new Problem("too-many", "org", $"{MostOfOne} times of maintenance of {org ?? "all organizations"} hold already.", "End one of them first: crew edge maintenance list, crew edge maintenance off ID.");
        return org is not null && await hold.CountAsync(m => m.Org != null, cancellation) >= MostTogether
            ? new Problem("too-many", "org", $"{MostTogether} times of maintenance hold already, over all organizations.", "End one of them first: crew edge maintenance list, crew edge maintenance off ID.")
            : null;
    }
}
