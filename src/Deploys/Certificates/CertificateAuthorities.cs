using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Edge.Acme;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>
/// Who makes the certificates of the platform's hosts: the setting, our account with a public authority, and our own
/// authority of development. Keys are stored sealed before they are used. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="box">Seals the keys.</param>
/// <param name="options">The base domain.</param>
/// <param name="routes">Wakes who makes certificates.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class CertificateAuthorities(Store store, SealedBox box, DeploysOptions options, Routes routes, Audit audit, TimeProvider clock)
{
    private const string ExternalContext = "certificate-authority/external-key";
    private const string DevelopmentContext = "development-authority/key";

    /// <summary>What is asked for, or everything that is wrong with it.</summary>
    public static Judged<AuthoritySetting> Judge(AuthorityRequest wanted) => AuthorityJudge.Judge(wanted);

    /// <summary>Who makes certificates now. Where nothing was set: development below <c>localhost</c>, elsewhere nobody.</summary>
    public Task<AuthoritySetting> GetAsync(CancellationToken cancellation) => store.ReadAsync((db, cancel) => ReadAsync(db, options, cancel), cancellation);

    /// <summary>
    /// Sets who makes certificates from now on. What other authorities issued serves until there is better. Another contact
    /// or external account means a new account.
    /// </summary>
    public async Task<Judged<AuthoritySetting>> SetAsync(AuthorityRequest wanted, Actor actor, CancellationToken cancellation)
    {
        var judged = Judge(wanted);
        if (judged.Value is not { } setting)
            return judged;
        setting = setting with { SetAt = clock.StoreNow(), Actor = actor.Name };
        await store.WriteAsync(async (db, cancel) =>
        {
            var before = await ReadAsync(db, options, cancel);
            await db.Set<AuthorityRow>().ExecuteDeleteAsync(cancel);
            db.Add(Row(setting, wanted.ExternalKey is { } key ? box.Seal(key, ExternalContext) : null));
            if (setting.ExternalKeyId is not null || !setting.Contacts.SequenceEqual(before.Contacts, StringComparer.Ordinal))
                await db.Set<AcmeAccountRow>().Where(a => a.Directory == setting.Directory).ExecuteDeleteAsync(cancel);
            // What one authority refused says nothing of another.
            if (setting.Directory != before.Directory)
                await db.Set<CertificateHostRow>().Where(h => h.BeganAt == null).ExecuteDeleteAsync(cancel);
            audit.Write(db, actor, "certificate-authority.set", "the platform", "done", new { setting.Kind, setting.Directory, setting.Challenge, setting.ExternalKeyId });
            db.AfterCommit(routes.Changed.Set);
        }, cancellation);
        return Judged<AuthoritySetting>.Good(setting);
    }

    /// <summary>The certificate of our authority of development, PEM; null when there is none, as nothing needed it yet.</summary>
    public Task<string?> DevelopmentCertificateAsync(CancellationToken cancellation) =>
        store.ReadAsync(async (db, cancel) => (await db.Set<DevelopmentAuthorityRow>().SingleOrDefaultAsync(cancel))?.Certificate, cancellation);

    internal static async Task<AuthoritySetting> ReadAsync(StoreContext db, DeploysOptions options, CancellationToken cancellation)
    {
        if (await db.Set<AuthorityRow>().AsNoTracking().SingleOrDefaultAsync(cancellation) is { } row)
            return new AuthoritySetting(
                row.Kind, row.Directory, JsonSerializer.Deserialize<IReadOnlyList<string>>(row.Contacts, Json.Options)!, row.TermsAgreed, row.Challenge, row.Roots,
                row.ExternalKeyId, row.SetAt, row.Actor);
        var kind = DnsNames.IsOfThisMachine(options.BaseDomain) ? AuthorityKind.Development : AuthorityKind.None;
        return new AuthoritySetting(kind, null, [], false, AcmeChallengeKind.Http01, null, null, null, null);
    }

    /// <summary>
    /// Our authority of development. One that cannot be used any more is replaced, and what it signed is forgotten with it.
    /// </summary>
    internal async Task<DevelopmentAuthority> DevelopmentAsync(CancellationToken cancellation)
    {
        var row = await store.ReadAsync((db, cancel) => db.Set<DevelopmentAuthorityRow>().SingleOrDefaultAsync(cancel), cancellation);
        if (row is not null && DevelopmentAuthority.Open(row.Certificate, box.Unseal(row.SealedKey, DevelopmentContext), clock, options.BaseDomain).Value is { } kept)
            return kept;
        var made = DevelopmentAuthority.New(clock, options.BaseDomain);
        await store.WriteAsync(async (db, cancel) =>
        {
            await db.Set<DevelopmentAuthorityRow>().ExecuteDeleteAsync(cancel);
            await db.Set<CertificateRow>().Where(c => c.Source == CertificateSource.Development).ExecuteDeleteAsync(cancel);
            db.Add(new DevelopmentAuthorityRow
            {
                Id = CertificateTables.OnlyRow, Certificate = made.Certificate, SealedKey = box.Seal(made.Key, DevelopmentContext), MadeAt = clock.StoreNow(),
            });
            audit.Write(db, Actor.Platform("certificates"), "development-authority.make", options.BaseDomain, "done");
        }, cancellation);
        return made;
    }

    /// <summary>The key of our account with an authority, made and stored when there is none; and whether the authority knows it.</summary>
    internal Task<(Secret Key, bool IsRegistered)> AccountAsync(string directory, CancellationToken cancellation) =>
        store.WriteAsync(async (db, cancel) =>
        {
            if (await db.Set<AcmeAccountRow>().AsNoTracking().SingleOrDefaultAsync(a => a.Directory == directory, cancel) is { } known)
                return (box.Unseal(known.SealedKey, ContextOf(directory)), known.IsRegistered);
            var key = AcmeAccountKey.New();
            db.Add(new AcmeAccountRow { Directory = directory, SealedKey = box.Seal(key, ContextOf(directory)), IsRegistered = false, MadeAt = clock.StoreNow() });
            return (key, false);
        }, cancellation);

    /// <summary>Remembers whether the authority knows our account.</summary>
    internal Task RegisteredAsync(string directory, bool isRegistered, CancellationToken cancellation) =>
        store.WriteAsync((db, cancel) => db.Set<AcmeAccountRow>().Where(a => a.Directory == directory)
            .ExecuteUpdateAsync(s => s.SetProperty(a => a.IsRegistered, isRegistered), cancel), cancellation);

    /// <summary>The account elsewhere that ours is to belong to; null for none.</summary>
    internal Task<ExternalAccount?> ExternalAsync(CancellationToken cancellation) => store.ReadAsync(
        async (db, cancel) => await db.Set<AuthorityRow>().SingleOrDefaultAsync(cancel) is { ExternalKeyId: { } id, SealedExternalKey: { } sealedKey }
            ? new ExternalAccount(id, box.Unseal(sealedKey, ExternalContext))
            : null, cancellation);

    private static string ContextOf(string directory) => $"acme-account/{directory}";

    private static AuthorityRow Row(AuthoritySetting s, byte[]? sealedExternalKey) => new()
    {
        Id = CertificateTables.OnlyRow, Kind = s.Kind, Directory = s.Directory, Contacts = JsonSerializer.Serialize(s.Contacts, Json.Options), TermsAgreed = s.TermsAgreed,
        Challenge = s.Challenge, Roots = s.Roots, ExternalKeyId = s.ExternalKeyId, SealedExternalKey = sealedExternalKey, SetAt = s.SetAt!.Value, Actor = s.Actor!,
    };
}
