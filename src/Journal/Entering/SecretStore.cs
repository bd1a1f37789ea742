using Groundcrew.Bedrock;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Journal;

/// <summary>A secret without its value.</summary>
/// <param name="Org">The organization.</param>
/// <param name="Name">Its name there.</param>
/// <param name="Version">The newest version, from 1; it only grows, also over a deletion.</param>
/// <param name="SetAt">When that was set.</param>
/// <param name="Actor">The name of who set it.</param>
public sealed record SecretView(string Org, string Name, int Version, DateTimeOffset SetAt, string Actor);

/// <summary>
/// The secrets that deployments need, sealed in the store under the key of <see cref="SealedBox"/>. The newest five
/// versions of each are kept. Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="box">Seals and opens.</param>
/// <param name="clock">The clock.</param>
public sealed class SecretStore(Store store, SealedBox box, TimeProvider clock)
{
    private const int KeptVersions = 5;

    /// <summary>Sets a value in the caller's write; returns its version.</summary>
    public async Task<int> SetAsync(StoreContext db, string org, string name, Secret value, Actor actor, CancellationToken cancellation = default)
    {
        var newest = await db.Set<SecretRow>().Where(s => s.Org == org && s.Name == name).MaxAsync(s => (int?)s.Version, cancellation) ?? 0;
        var version = newest + 1;
        db.Add(new SecretRow { Org = org, Name = name, Version = version, Sealed = box.Seal(value, ContextOf(org, name, version)), SetAt = clock.StoreNow(), Actor = actor.Name });
        await db.Set<SecretRow>().Where(s => s.Org == org && s.Name == name && s.Version <= version - KeptVersions).ExecuteDeleteAsync(cancellation);
        return version;
    }

    /// <summary>Sets a value in a write of its own; returns its version.</summary>
    public Task<int> SetAsync(string org, string name, Secret value, Actor actor, CancellationToken cancellation = default) =>
        store.WriteAsync((db, token) => SetAsync(db, org, name, value, actor, token), cancellation);

    /// <summary>The secrets of an organization by name; never their values.</summary>
    public Task<IReadOnlyList<SecretView>> ListAsync(string org, CancellationToken cancellation = default) => store.ReadAsync(async (db, token) =>
    {
        var rows = await db.Set<SecretRow>().Where(s => s.Org == org)
            .Select(s => new { s.Name, s.Version, s.SetAt, s.Actor, Gone = s.Sealed == null }).ToListAsync(token);
        return (IReadOnlyList<SecretView>)
        [
            .. rows.GroupBy(s => s.Name, StringComparer.Ordinal).Select(g => g.MaxBy(s => s.Version)!).Where(s => !s.Gone)
                .OrderBy(s => s.Name, StringComparer.Ordinal).Select(s => new SecretView(org, s.Name, s.Version, s.SetAt, s.Actor)),
        ];
    }, cancellation);

    /// <summary>
    /// Deletes every value of a secret in the caller's write. Its last version number stays, so that a number never
    /// means two values. False when there is none.
    /// </summary>
    public async Task<bool> DeleteAsync(StoreContext db, string org, string name, Actor actor, CancellationToken cancellation = default)
    {
        var newest = await db.Set<SecretRow>().AsNoTracking().Where(s => s.Org == org && s.Name == name).OrderByDescending(s => s.Version).FirstOrDefaultAsync(cancellation);
        if (newest?.Sealed is null)
            return false;
        await db.Set<SecretRow>().Where(s => s.Org == org && s.Name == name).ExecuteDeleteAsync(cancellation);
        db.Add(new SecretRow { Org = org, Name = name, Version = newest.Version, Sealed = null, SetAt = clock.StoreNow(), Actor = actor.Name });
        return true;
    }

    /// <summary>Deletes a secret in a write of its own.</summary>
    public Task<bool> DeleteAsync(string org, string name, Actor actor, CancellationToken cancellation = default) =>
        store.WriteAsync((db, token) => DeleteAsync(db, org, name, actor, token), cancellation);

    /// <summary>Opens a secret for the place that needs it: its newest version, or the one asked for. Null when there is none.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">The key file is not the one it was sealed with.</exception>
    public Task<Secret?> RevealAsync(string org, string name, int? version = null, CancellationToken cancellation = default) => store.ReadAsync(async (db, token) =>
    {
        var row = await db.Set<SecretRow>().Where(s => s.Org == org && s.Name == name && (version == null || s.Version == version))
            .OrderByDescending(s => s.Version).FirstOrDefaultAsync(token);
        return row?.Sealed is { } bytes ? box.Unseal(bytes, ContextOf(org, name, row.Version)) : null;
    }, cancellation);

    private static string ContextOf(string org, string name, int version) => $"{org}/{name}/{version}";
}

/// <summary>One version of a secret; without bytes when it was deleted.</summary>
internal sealed class SecretRow
{
    public required string Org { get; init; }

    public required string Name { get; init; }

    public required int Version { get; init; }

    public byte[]? Sealed { get; init; }

    public required DateTimeOffset SetAt { get; init; }

    public required string Actor { get; init; }
}
