using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>A token, without its secret.</summary>
/// <param name="Id">Its id, also that of its actor.</param>
/// <param name="Name">What it is for.</param>
/// <param name="Role">What it may do.</param>
/// <param name="Org">The only organization where; null for all.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">When it ends; null for never.</param>
/// <param name="RevokedAt">When it was taken back; null while it holds.</param>
/// <param name="LastUsedAt">When it was last used, to about a minute; null for never.</param>
public sealed record TokenView(
    Guid Id, string Name, Role Role, string? Org, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt, DateTimeOffset? LastUsedAt);

/// <summary>A new token.</summary>
/// <param name="Token">What is kept.</param>
/// <param name="Secret">Shown once: only its hash is kept.</param>
public sealed record CreatedToken(TokenView Token, Secret Secret);

/// <summary>
/// Who may come in (T-42): tokens of 32 random bytes, of which the store keeps the SHA-256. All of them are held in
/// memory, so that a call costs no read. Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="clock">The clock.</param>
#pragma warning disable CA1001 // The semaphore makes no wait handle, so there is nothing to dispose of.
public sealed class Access(Store store, TimeProvider clock)
#pragma warning restore CA1001
{
    /// <summary>What every token starts with, so that a scanner can find a leaked one.</summary>
    public const string Prefix = "gct_";

    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly ConcurrentDictionary<Guid, DateTimeOffset> _used = new();
    private volatile Known? _known;
    private long _version;

    /// <summary>Makes a token in the caller's write.</summary>
    public CreatedToken Create(StoreContext db, string name, Role role, string? org = null, DateTimeOffset? expiresAt = null)
    {
        var text = Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var row = new TokenRow
        {
            Id = Ids.New(clock),
            Name = name,
            Role = role,
            Org = org,
            Hash = Hash(text),
            CreatedAt = clock.StoreNow(),
            ExpiresAt = expiresAt,
        };
        db.Add(row);
        db.AfterCommit(Forget);
        return new CreatedToken(row.ToView(), new Secret(text));
    }

    /// <summary>Makes a token in a write of its own.</summary>
    public Task<CreatedToken> CreateAsync(string name, Role role, string? org = null, DateTimeOffset? expiresAt = null, CancellationToken cancellation = default) =>
        store.WriteAsync((db, _) => Task.FromResult(Create(db, name, role, org, expiresAt)), cancellation);

    /// <summary>Takes a token back in the caller's write; it is refused from the commit on. False when there is none that holds.</summary>
    public async Task<bool> RevokeAsync(StoreContext db, Guid id, CancellationToken cancellation = default)
    {
        var row = await db.Set<TokenRow>().FirstOrDefaultAsync(t => t.Id == id && t.RevokedAt == null, cancellation);
        if (row is null)
            return false;
        row.RevokedAt = clock.StoreNow();
        db.AfterCommit(Forget);
        return true;
    }

    /// <summary>Takes a token back in a write of its own.</summary>
    public Task<bool> RevokeAsync(Guid id, CancellationToken cancellation = default) =>
        store.WriteAsync((db, token) => RevokeAsync(db, id, token), cancellation);

    /// <summary>Every token, the newest first; also those that do not hold any more.</summary>
    public Task<IReadOnlyList<TokenView>> ListAsync(CancellationToken cancellation = default) => store.ReadAsync(async (db, token) =>
    {
        var rows = await db.Set<TokenRow>().OrderByDescending(t => t.CreatedAt).ThenByDescending(t => t.Id).ToListAsync(token);
        return (IReadOnlyList<TokenView>)[.. rows.Select(t => t.ToView() with { LastUsedAt = _used.TryGetValue(t.Id, out var used) ? used : t.LastUsedAt })];
    }, cancellation);

    /// <summary>
    /// Whose token this is; null when nobody's that holds. It is looked up by its hash, which tells a guesser nothing
    /// about the token, and compared in constant time.
    /// </summary>
    public async Task<Actor?> AuthenticateAsync(Secret token, CancellationToken cancellation = default)
    {
        var text = token.Reveal();
        if (text.Length > 200 || !text.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        var hash = Hash(text);
        var known = await KnownAsync(cancellation);
        var now = clock.GetUtcNow();
        if (!known.ByHash.TryGetValue(Convert.ToHexString(hash), out var row) || !CryptographicOperations.FixedTimeEquals(row.Hash, hash))
            return null;
        if (row.RevokedAt is not null || row.ExpiresAt <= now)
            return null;
        _used[row.Id] = now;
        return new Actor(row.Id.ToString("D"), row.Name, row.Role, row.Org);
    }

    /// <summary>
    /// Makes sure that a file (mode 0600) holds a token of this name and role that works: the way in after the first
    /// start. When file and store do not agree, a new token replaces both. True when one was made.
    /// </summary>
    public async Task<bool> EnsureTokenFileAsync(string path, string name, Role role, CancellationToken cancellation = default)
    {
        if (File.Exists(path))
        {
            var held = await AuthenticateAsync(new Secret((await File.ReadAllTextAsync(path, cancellation)).Trim()), cancellation);
            if (held is not null && held.Role == role && held.Name == name)
                return false;
        }
        var made = await store.WriteAsync(async (db, token) =>
        {
            foreach (var old in await db.Set<TokenRow>().Where(t => t.Name == name && t.RevokedAt == null).ToListAsync(token))
                old.RevokedAt = clock.StoreNow();
            return Create(db, name, role);
        }, cancellation);
        // After the commit: a crash between the two leaves a file that does not work, which the next start mends.
        DurableFiles.Real.Replace(path, made.Secret.Reveal() + "\n");
        return true;
    }

    /// <summary>Writes down when tokens were last used. Called by a loop, so that a call costs no write. Returns how many.</summary>
    public async Task<int> SaveLastUsedAsync(CancellationToken cancellation = default)
    {
        var used = _used.ToArray();
        if (used.Length == 0)
            return 0;
        await store.WriteAsync(async (db, token) =>
        {
            foreach (var (id, at) in used)
                await db.Set<TokenRow>().Where(t => t.Id == id).ExecuteUpdateAsync(set => set.SetProperty(t => t.LastUsedAt, (DateTimeOffset?)at), token);
        }, cancellation);
        foreach (var pair in used)
            _used.TryRemove(pair);
        return used.Length;
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private void Forget() => Interlocked.Increment(ref _version);

    /// <summary>What is in memory, not older than half a minute: another control plane may have taken a token back.</summary>
    private async Task<Known> KnownAsync(CancellationToken cancellation)
    {
        if (Fresh() is { } fresh)
            return fresh;
        await _loading.WaitAsync(cancellation);
        try
        {
            if (Fresh() is { } other)
                return other;
            // Both taken before the read: what is revoked while it runs makes its result stale at once.
            var (version, readAt) = (Volatile.Read(ref _version), clock.GetTimestamp());
            var rows = await store.ReadAsync((db, token) => db.Set<TokenRow>().Where(t => t.RevokedAt == null).ToListAsync(token), cancellation);
            return _known = new Known(version, readAt, rows.ToDictionary(t => Convert.ToHexString(t.Hash), StringComparer.Ordinal));
        }
        finally
        {
            _loading.Release();
        }
    }

    private Known? Fresh() =>
        _known is { } known && known.Version == Volatile.Read(ref _version) && clock.GetElapsedTime(known.ReadAt) is var age && age >= TimeSpan.Zero && age < FreshFor
            ? known
            : null;

    private sealed record Known(long Version, long ReadAt, Dictionary<string, TokenRow> ByHash);
}

/// <summary>A token as it is kept.</summary>
internal sealed class TokenRow
{
    public required Guid Id { get; init; }

    public required string Name { get; init; }

    public required Role Role { get; init; }

    public string? Org { get; init; }

    public required byte[] Hash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? RevokedAt { get; set; }

    public DateTimeOffset? LastUsedAt { get; set; }

    public TokenView ToView() => new(Id, Name, Role, Org, CreatedAt, ExpiresAt, RevokedAt, LastUsedAt);
}
