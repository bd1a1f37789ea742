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

    /// <summary>Begins one that was judged good; the generation of the route table that has it.</summary>
    public Task<long> BeginAsync(MaintenanceInfo info, Actor actor, CancellationToken cancellation) =>
        store.WriteAsync(async (db, cancel) =>
        {
            var (id, m, name) = info;
            db.Add(new MaintenanceRow
            {
                Id = id, Org = m.Org, Message = m.Message, RetryAfter = m.RetryAfter, RetryAfterIsRemaining = m.RetryAfterIsRemaining, Since = m.Since,
                Until = m.Until, Exempt = JsonSerializer.Serialize(m.Exempt, Json.Options), Actor = name,
            });
            audit.Write(db, actor, "maintenance.begin", m.Org ?? "the platform", "done", new { id, m.Until });
            return await routes.PublishAsync(db, cancel);
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
}
