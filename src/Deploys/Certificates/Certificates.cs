using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>
/// The one store of certificates (T-74): what is made for hosts, what somebody brought, and what edges are given. A key is
/// sealed with the id of its certificate, and leaves only to an edge that was named the certificate. Thread-safe.
/// </summary>
/// <param name="store">The control plane's memory.</param>
/// <param name="box">Seals the keys.</param>
/// <param name="nodes">Which nodes are edges.</param>
/// <param name="routes">The hosts.</param>
/// <param name="link">What edges report.</param>
/// <param name="options">The base domain.</param>
/// <param name="audit">Who did it.</param>
/// <param name="clock">The time.</param>
public sealed class Certificates(
    Store store, SealedBox box, Nodes nodes, Routes routes, Link link, DeploysOptions options, Audit audit, TimeProvider clock)
{
    /// <summary>The set that edges are given.</summary>
    internal CertificateSets Sets { get; } = new(store, nodes, link, routes, options, clock);

    /// <summary>Every host that is to have a certificate and every imported certificate, in the order of names.</summary>
    public async Task<IReadOnlyList<CertificateEntry>> ListAsync(CancellationToken cancellation)
    {
        var (serving, edges) = await Sets.ServingAsync(cancellation);
        return CertificateEntries.Of(await BookAsync(cancellation), serving, edges);
    }

    /// <summary>One, by its id or by a host that it is for; null when there is none.</summary>
    public async Task<CertificateEntry?> FindAsync(string hostOrId, CancellationToken cancellation)
    {
        var all = await ListAsync(cancellation);
        if (Guid.TryParse(hostOrId, out var id))
            return all.FirstOrDefault(e => e.Certificate?.Id == id);
        var host = hostOrId.TrimEnd('.').ToLowerInvariant();
        return all.FirstOrDefault(e => e.Name == host)
            ?? all.Where(e => e.Certificate is { Host: null } imported && (imported.Info.Names.Contains(host, StringComparer.Ordinal) || imported.Covers(host)))
                .MaxBy(e => e.Certificate!.Info.NotAfter);
    }

    /// <summary>
    /// Takes a certificate that somebody brings, judged whole. One for the same names that is there already is replaced
    /// when the new one ends later, or when <paramref name="replace"/> says so.
    /// </summary>
    public async Task<CertificateChange> ImportAsync(string? chain, Secret? key, bool replace, Actor actor, CancellationToken cancellation)
    {
        var judged = JudgeImport(chain, key);
        if (judged.Value is not { } info)
            return new CertificateChange.Refused(judged.Problems);
        var id = Ids.New(clock);
        var why = await store.WriteAsync(async (db, cancel) =>
        {
            var twins = (await BookAsync(db, cancel)).Certificates.Where(c => c.Source == CertificateSource.Imported && c.Info.Names.ToHashSet(StringComparer.Ordinal).SetEquals(info.Names)).ToList();
            if (!replace && twins.Find(t => t.Info.NotAfter >= info.NotAfter) is { } better)
                return $"Certificate {better.Id} for the same names is no older: it ends on {better.Info.NotAfter:yyyy-MM-dd HH:mm}. Say that it is to be replaced, if it is.";
            var ids = twins.Select(t => t.Id).ToList();
            await db.Set<CertificateRow>().Where(c => ids.Contains(c.Id)).ExecuteDeleteAsync(cancel);
            Add(db, new StoredCertificate(id, CertificateSource.Imported, null, null, info, clock.StoreNow(), actor.Name), Blocks(chain!), key!);
            audit.Write(db, actor, "certificate.import", info.Names[0], "done", new { id, info.Names, info.Fingerprint, info.NotAfter, replaced = ids });
            await PublishAsync(db, cancel);
            return null;
        }, cancellation);
        return why is null ? new CertificateChange.Done((await FindAsync(id.ToString(), cancellation))!) : new CertificateChange.InTheWay(why);
    }

    /// <summary>Asks for a new certificate of a host now. It comes later: the entry says how it goes.</summary>
    public async Task<CertificateChange> RenewAsync(string host, Actor actor, CancellationToken cancellation)
    {
        if (await FindAsync(host, cancellation) is not { } entry)
            return new CertificateChange.NotFound($"host '{host}' with a certificate");
        if (entry.Certificate is { Source: CertificateSource.Imported })
            return new CertificateChange.InTheWay($"'{host}' is served by an imported certificate, which the platform cannot renew. Import a newer one: crew edge certs import");
        var isDone = await store.WriteAsync(async (db, cancel) =>
        {
            if ((await BookAsync(db, cancel)).Wanted.FirstOrDefault(w => w.Host == entry.Name) is not { Maker: not null })
                return false;
            var row = await HostAsync(db, entry.Name, cancel);
            row.RequestedAt = clock.StoreNow();
            audit.Write(db, actor, "certificate.renew", entry.Name, "accepted");
            db.AfterCommit(routes.Changed.Set);
            return true;
        }, cancellation);
        return isDone ? new CertificateChange.Done((await FindAsync(entry.Name, cancellation))!) : new CertificateChange.InTheWay(entry.Problem ?? $"Nobody makes certificates for '{host}'.");
    }

    /// <summary>Forgets an imported certificate; the hosts that it served go back to what the platform makes.</summary>
    public async Task<CertificateChange> RemoveAsync(Guid id, Actor actor, CancellationToken cancellation)
    {
        if (await FindAsync(id.ToString(), cancellation) is not { } entry)
            return new CertificateChange.NotFound($"certificate {id}");
        if (entry.Certificate is not { Source: CertificateSource.Imported, Info: var info })
            return new CertificateChange.InTheWay($"The platform made it for '{entry.Name}', and would make it again. It goes when the host does.");
        return await store.WriteAsync<CertificateChange>(async (db, cancel) =>
        {
            if (await db.Set<CertificateRow>().Where(c => c.Id == id).ExecuteDeleteAsync(cancel) == 0)
                return new CertificateChange.NotFound($"certificate {id}");
            audit.Write(db, actor, "certificate.remove", entry.Name, "done", new { id, info.Names, info.Fingerprint });
            await PublishAsync(db, cancel);
            return new CertificateChange.Done(entry);
        }, cancellation);
    }

    /// <summary>
    /// The certificates with their keys, opened, for an edge; those that the current set does not name are left out. Null
    /// when the node is no edge.
    /// </summary>
    public async Task<IReadOnlyList<CertificateMaterial>?> MaterialAsync(Guid node, IReadOnlyList<Guid> ids, CancellationToken cancellation)
    {
        if (!(await nodes.ListAsync(cancellation)).Any(n => n.Id == node && n.Role == NodeRole.Edge))
            return null;
        var rows = await store.ReadAsync(async (db, cancel) =>
        {
            var named = await CertificateSets.NamedAsync(db, cancel);
            var asked = ids.Distinct().Where(named.Contains).ToList();
            return await db.Set<CertificateRow>().Where(c => asked.Contains(c.Id)).Select(c => new { c.Id, c.Chain, c.SealedKey }).ToListAsync(cancel);
        }, cancellation);
        return [.. rows.Select(r => new CertificateMaterial(r.Id, r.Chain, box.Unseal(r.SealedKey, ContextOf(r.Id))))];
    }

    internal Task<CertificateBook> BookAsync(CancellationToken cancellation) => store.ReadAsync(BookAsync, cancellation);

    internal Task<CertificateBook> BookAsync(StoreContext db, CancellationToken cancellation) =>
        CertificateBook.ReadAsync(db, routes, options, clock.GetUtcNow(), cancellation);

    /// <summary>Puts a certificate of a host in the place of those that the same one made before, in the caller's transaction.</summary>
    internal async Task KeepAsync(StoreContext db, CertificateSource source, string? authority, string host, KeyedCertificate made, CancellationToken cancellation)
    {
        // One of a public authority is better than ours; ours never takes the place of one of theirs.
        await db.Set<CertificateRow>().Where(c => c.Host == host && (c.Source == source || source == CertificateSource.Acme)).ExecuteDeleteAsync(cancellation);
        var info = made.Info();
        info = info with { Names = [.. info.Names.Select(n => n.ToLowerInvariant())] };
        Add(db, new StoredCertificate(Ids.New(clock), source, host, authority, info, clock.StoreNow(), "platform"), made.Chain, made.Key);
    }

    /// <summary>What renewal goes by for a host, made when it is not there; tracked.</summary>
    internal static async Task<CertificateHostRow> HostAsync(StoreContext db, string host, CancellationToken cancellation)
    {
        var row = await db.Set<CertificateHostRow>().AsTracking().SingleOrDefaultAsync(h => h.Host == host, cancellation);
        if (row is null)
            db.Add(row = new CertificateHostRow { Host = host, Failures = "[]", Chance = 0 });
        return row;
    }

    private static Judged<CertificateInfo> JudgeImportNames(CertificateInfo info)
    {
        // Only names are looked for in a handshake; addresses are not.
        var hosts = info.Names.Select(n => n.ToLowerInvariant()).Where(DnsNames.IsName).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return hosts.Count > 0
            ? Judged<CertificateInfo>.Good(info with { Names = hosts })
            : Judged<CertificateInfo>.Bad([new Problem("no-names", "chain[0]", "The certificate is for no host name.", "Ask for one with its hosts as subject alternative names.")]);
    }

    private Judged<CertificateInfo> JudgeImport(string? chain, Secret? key)
    {
        var problems = new ProblemList();
        if (string.IsNullOrEmpty(chain))
            problems.Add("missing", "chain", "There is no certificate.", "Bring the certificate and those above it, as PEM.");
        if (key is null || key.Reveal().Length == 0)
            problems.Add("missing", "key", "There is no private key.", "Bring the key of the certificate, as PEM.");
        if (!problems.IsEmpty)
            return Judged<CertificateInfo>.Bad(problems.Problems);
        var judged = CertificateJudge.Judge(chain!, key!, [], clock.GetUtcNow());
        return judged.Value is { } info ? JudgeImportNames(info) : judged;
    }

    private void Add(StoreContext db, StoredCertificate c, string chain, Secret key) => db.Add(new CertificateRow
    {
        Id = c.Id, Source = c.Source, Host = c.Host, Authority = c.Authority, Names = JsonSerializer.Serialize(c.Info.Names, Json.Options), Subject = c.Info.Subject,
        Issuer = c.Info.Issuer, Serial = c.Info.Serial, Fingerprint = c.Info.Fingerprint, NotBefore = c.Info.NotBefore, NotAfter = c.Info.NotAfter, Chain = chain,
        SealedKey = box.Seal(key, ContextOf(c.Id)), MadeAt = c.MadeAt, Actor = c.Actor,
    });

    private async Task PublishAsync(StoreContext db, CancellationToken cancellation)
    {
        await Sets.PublishAsync(db, cancellation);
        db.AfterCommit(routes.Changed.Set);
    }

    /// <summary>The certificates alone: people's files hold remarks between them.</summary>
    private static string Blocks(string chain)
    {
        var blocks = new StringBuilder();
        for (var rest = chain.AsSpan(); PemEncoding.TryFind(rest, out var found); rest = rest[found.Location.End..])
            blocks.Append(rest[found.Location]).Append('\n');
        return blocks.ToString();
    }

    private static string ContextOf(Guid id) => $"certificate/{id:D}/key";
}
