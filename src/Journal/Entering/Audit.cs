using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>One thing that was done, or refused (invariant 12). Immutable, and never changed in the store.</summary>
/// <param name="Id">Its id.</param>
/// <param name="At">When.</param>
/// <param name="ActorId">Who, for programs.</param>
/// <param name="Actor">Who, for people.</param>
/// <param name="Role">The role it was done with.</param>
/// <param name="Action">What, such as <c>deploy</c> or <c>token.revoke</c>.</param>
/// <param name="Subject">What it was done to, such as <c>acme/web</c>.</param>
/// <param name="Outcome">What came of it, such as <c>ok</c>, <c>refused</c> or <c>forbidden</c>.</param>
/// <param name="Detail">More, as a JSON document without secrets; null for nothing.</param>
/// <param name="RequestId">The request, to find it in the logs.</param>
public sealed record AuditEntry(
    Guid Id, DateTimeOffset At, string ActorId, string Actor, Role Role, string Action, string Subject, string Outcome, string? Detail, string? RequestId);

/// <summary>Which entries; every condition that is set must hold.</summary>
/// <param name="ActorId">Only of this actor.</param>
/// <param name="Action">Only this action.</param>
/// <param name="Subject">Only about exactly this.</param>
/// <param name="SubjectPrefix">Only about what starts so, such as <c>acme/</c>.</param>
/// <param name="Since">Only at or after.</param>
/// <param name="Until">Only before.</param>
public sealed record AuditFilter(
    string? ActorId = null, string? Action = null, string? Subject = null, string? SubjectPrefix = null, DateTimeOffset? Since = null, DateTimeOffset? Until = null);

/// <summary>The record of who did what: only ever added to, which the database itself enforces. Thread-safe.</summary>
/// <param name="store">The store.</param>
/// <param name="clock">The clock.</param>
public sealed class Audit(Store store, TimeProvider clock)
{
    private const int MaxDetail = 16 * 1024;

    /// <summary>
    /// Adds an entry in the caller's write, so that the deed and its record are one. The detail is written as JSON, in
    /// which every <see cref="Secret"/> redacts itself; one of more than 16 KiB is left out and says so.
    /// </summary>
    public AuditEntry Write(StoreContext db, Actor actor, string action, string subject, string outcome, object? detail = null, string? requestId = null)
    {
        var json = detail is null ? null : JsonSerializer.Serialize(detail, detail.GetType(), Json.Options);
        if (json?.Length > MaxDetail)
            json = JsonSerializer.Serialize(new { leftOut = $"{json.Length} characters" }, Json.Options);
        var row = new AuditRow
        {
            Id = Ids.New(clock),
            At = clock.StoreNow(),
            ActorId = actor.Id,
            Actor = actor.Name,
            Role = actor.Role,
            Action = action,
            Subject = subject,
            Outcome = outcome,
            Detail = json,
            RequestId = requestId,
        };
        db.Add(row);
        return row.ToEntry();
    }

    /// <summary>Adds an entry in a write of its own, such as for what was refused.</summary>
    public Task<AuditEntry> WriteAsync(
        Actor actor, string action, string subject, string outcome, object? detail = null, string? requestId = null, CancellationToken cancellation = default) =>
        store.WriteAsync((db, _) => Task.FromResult(Write(db, actor, action, subject, outcome, detail, requestId)), cancellation);

    /// <summary>Entries, newest first; at most 500 at a time.</summary>
    public Task<Page<AuditEntry>> ListAsync(AuditFilter filter, int limit, PageCursor? cursor = null, CancellationToken cancellation = default) =>
        store.ReadAsync(async (db, token) =>
        {
            limit = Math.Clamp(limit, 1, 500);
            var rows = await Where(db.Set<AuditRow>(), filter, cursor)
                .OrderByDescending(a => a.At).ThenByDescending(a => a.Id).Take(limit + 1).ToListAsync(token);
            var next = rows.Count > limit ? new PageCursor(rows[limit - 1].At, rows[limit - 1].Id) : null;
            return new Page<AuditEntry>([.. rows.Take(limit).Select(a => a.ToEntry())], next);
        }, cancellation);

    private static IQueryable<AuditRow> Where(IQueryable<AuditRow> rows, AuditFilter filter, PageCursor? cursor)
    {
        if (filter.ActorId is { } actor)
            rows = rows.Where(a => a.ActorId == actor);
        if (filter.Action is { } action)
            rows = rows.Where(a => a.Action == action);
        if (filter.Subject is { } subject)
            rows = rows.Where(a => a.Subject == subject);
        if (filter.SubjectPrefix is { } prefix)
            rows = rows.Where(a => a.Subject.StartsWith(prefix));
        if (filter.Since is { } since)
            rows = rows.Where(a => a.At >= since);
        if (filter.Until is { } until)
            rows = rows.Where(a => a.At < until);
        return cursor is null ? rows : rows.Where(a => a.At < cursor.At || (a.At == cursor.At && a.Id.CompareTo(cursor.Id) < 0));
    }
}

/// <summary>An entry as it is kept.</summary>
internal sealed class AuditRow
{
    public required Guid Id { get; init; }

    public required DateTimeOffset At { get; init; }

    public required string ActorId { get; init; }

    public required string Actor { get; init; }

    public required Role Role { get; init; }

    public required string Action { get; init; }

    public required string Subject { get; init; }

    public required string Outcome { get; init; }

    public string? Detail { get; init; }

    public string? RequestId { get; init; }

    public AuditEntry ToEntry() => new(Id, At, ActorId, Actor, Role, Action, Subject, Outcome, Detail, RequestId);
}
