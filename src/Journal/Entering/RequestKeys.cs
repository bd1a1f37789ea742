using System.Collections.Concurrent;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>An answer that was given, to be given again.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="ContentType">The type of the body; null without one.</param>
/// <param name="Body">The body.</param>
public sealed record KeptResponse(int Status, string? ContentType, byte[] Body);

/// <summary>What an idempotency key stands for: a closed set.</summary>
public abstract record KeyClaim
{
    private KeyClaim()
    {
    }

    /// <summary>
    /// The request is new: do it, then complete or abandon the ticket, whatever happens.
    /// </summary>
    /// <param name="Ticket">Names the claim.</param>
    public sealed record Claimed(KeyTicket Ticket) : KeyClaim;

    /// <summary>It was done before: give this answer again.</summary>
    /// <param name="Response">The answer.</param>
    public sealed record Replay(KeptResponse Response) : KeyClaim;

    /// <summary>It is being done right now, for longer than the wait: 409.</summary>
    public sealed record InProgress : KeyClaim;

    /// <summary>The same actor used the key for another request: 422.</summary>
    public sealed record Reused : KeyClaim;

    /// <summary>So many keys are kept that no further one is taken: 429 or 503.</summary>
    public sealed record Crowded : KeyClaim;
}

/// <summary>Names a claimed key.</summary>
/// <param name="ActorId">Whose.</param>
/// <param name="Key">The key.</param>
public sealed record KeyTicket(string ActorId, string Key);

/// <summary>
/// Idempotency keys of plain requests: the first answer to (actor, key, request) is kept for 24 hours and given again.
/// A claim that a crash left open is free for the next program. Thread-safe; one control plane at a time.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="clock">The clock.</param>
/// <param name="maxKeys">How many are kept; beyond it new ones are refused until the loop has pruned.</param>
public sealed class RequestKeys(Store store, TimeProvider clock, int maxKeys = 100_000)
{
    /// <summary>How long an answer is kept.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(24);

    /// <summary>The largest body that is kept, in bytes.</summary>
    public const int MaxBody = 1024 * 1024;

    private readonly string _owner = Ids.New(clock).ToString("D");
    private readonly ConcurrentDictionary<KeyTicket, Nudge> _open = new();
    private int _count = -1;

    /// <summary>
    /// Asks what to do with a request. A repeat of one that is being done waits up to <paramref name="wait"/> for its answer.
    /// </summary>
    public async Task<KeyClaim> ClaimAsync(Actor actor, string key, string requestHash, TimeSpan wait, CancellationToken cancellation = default)
    {
        var ticket = new KeyTicket(actor.Id, key);
        KeyClaim? claim = null;
        var changed = _open.GetOrAdd(ticket, _ => new Nudge());
        // Each second as well: after an abandoned claim, the nudge of the next one is another.
        await changed.WaitUntilAsync(async token =>
        {
            claim = await TryClaimAsync(ticket, requestHash, token);
            return claim is not KeyClaim.InProgress;
        }, clock.GetUtcNow() + wait, TimeSpan.FromSeconds(1), clock, cancellation);
        if (claim is KeyClaim.Replay or KeyClaim.Reused or KeyClaim.Crowded)
            _open.TryRemove(ticket, out _);
        return claim!;
    }

    /// <summary>
    /// Keeps the answer, in the caller's write if it has one: then deed and answer are one. A body that is too large to
    /// keep frees the key instead.
    /// </summary>
    public async Task CompleteAsync(StoreContext db, KeyTicket ticket, KeptResponse response, CancellationToken cancellation = default)
    {
        var mine = Mine(db, ticket);
        if (response.Body.Length > MaxBody)
            await mine.ExecuteDeleteAsync(cancellation);
        else
        {
            await mine.ExecuteUpdateAsync(set => set.SetProperty(k => k.Status, (int?)response.Status)
                .SetProperty(k => k.ContentType, response.ContentType).SetProperty(k => k.Body, response.Body), cancellation);
        }
        db.AfterCommit(() => Wake(ticket));
    }

    /// <summary>As <see cref="CompleteAsync(StoreContext, KeyTicket, KeptResponse, CancellationToken)"/>, in a write of its own.</summary>
    public Task CompleteAsync(KeyTicket ticket, KeptResponse response, CancellationToken cancellation = default) =>
        store.WriteAsync((db, token) => CompleteAsync(db, ticket, response, token), cancellation);

    /// <summary>Frees the key: the request came to nothing (a fault of ours) and may be tried again.</summary>
    public Task AbandonAsync(KeyTicket ticket, CancellationToken cancellation = default) => store.WriteAsync(async (db, token) =>
    {
        await Mine(db, ticket).Where(k => k.Status == null).ExecuteDeleteAsync(token);
        db.AfterCommit(() => Wake(ticket));
    }, cancellation);

    /// <summary>Forgets answers that are older than 24 hours. Called by a loop. Returns how many.</summary>
    public Task<int> PruneAsync(CancellationToken cancellation = default) => store.WriteAsync(async (db, token) =>
    {
        var now = clock.StoreNow();
        var gone = await db.Set<RequestKeyRow>().Where(k => k.ExpiresAt <= now).ExecuteDeleteAsync(token);
        var left = await db.Set<RequestKeyRow>().CountAsync(token);
        db.AfterCommit(() => Volatile.Write(ref _count, left));
        return gone;
    }, cancellation);

    private IQueryable<RequestKeyRow> Mine(StoreContext db, KeyTicket ticket) =>
        db.Set<RequestKeyRow>().Where(k => k.ActorId == ticket.ActorId && k.Key == ticket.Key && k.Owner == _owner);

    private Task<KeyClaim> TryClaimAsync(KeyTicket ticket, string requestHash, CancellationToken cancellation) => store.WriteAsync<KeyClaim>(async (db, token) =>
    {
        var now = clock.StoreNow();
        var row = await db.Set<RequestKeyRow>().FirstOrDefaultAsync(k => k.ActorId == ticket.ActorId && k.Key == ticket.Key, token);
        if (row is not null && row.ExpiresAt > now && (row.Status is not null || row.Owner == _owner))
        {
            return row.RequestHash != requestHash ? new KeyClaim.Reused()
                : row.Status is { } status ? new KeyClaim.Replay(new KeptResponse(status, row.ContentType, row.Body ?? []))
                : new KeyClaim.InProgress();
        }
        if (row is null && await CountAsync(db, token) >= maxKeys)
            return new KeyClaim.Crowded();
        if (row is null)
            db.Add(row = new RequestKeyRow { ActorId = ticket.ActorId, Key = ticket.Key });
        else
            (row.Status, row.ContentType, row.Body) = (null, null, null);
        (row.RequestHash, row.Owner, row.ClaimedAt, row.ExpiresAt) = (requestHash, _owner, now, now + KeptFor);
        db.AfterCommit(() => Interlocked.Increment(ref _count));
        return new KeyClaim.Claimed(ticket);
    }, cancellation);

    /// <summary>Counted once and then kept by the way, for it only has to bound.</summary>
    private async Task<int> CountAsync(StoreContext db, CancellationToken cancellation)
    {
        if (Volatile.Read(ref _count) < 0)
            Volatile.Write(ref _count, await db.Set<RequestKeyRow>().CountAsync(cancellation));
        return Volatile.Read(ref _count);
    }

    private void Wake(KeyTicket ticket)
    {
        if (_open.TryRemove(ticket, out var waiting))
            waiting.Set();
    }
}

/// <summary>A key as it is kept; without a status while the request is being done.</summary>
internal sealed class RequestKeyRow
{
    public required string ActorId { get; init; }

    public required string Key { get; init; }

    public string RequestHash { get; set; } = "";

    public string Owner { get; set; } = "";

    public DateTimeOffset ClaimedAt { get; set; }

    public DateTimeOffset ExpiresAt { get; set; }

    public int? Status { get; set; }

    public string? ContentType { get; set; }

    public byte[]? Body { get; set; }
}
