using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Edge.Acme;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Everything that is known of certificates, as one transaction sees it, without chains and keys. Immutable.</summary>
/// <param name="Now">The time of looking.</param>
/// <param name="Authority">Who makes certificates.</param>
/// <param name="Wanted">The hosts of the route table.</param>
/// <param name="Certificates">All that are stored.</param>
/// <param name="Hosts">What renewal goes by, of hosts that were asked for.</param>
internal sealed record CertificateBook(
    DateTimeOffset Now, AuthoritySetting Authority, IReadOnlyList<WantedHost> Wanted, IReadOnlyList<StoredCertificate> Certificates,
    IReadOnlyDictionary<string, CertificateHostRow> Hosts)
{
    private readonly ILookup<string?, StoredCertificate> _made = Certificates.ToLookup(c => c.Host, StringComparer.Ordinal);

    public static async Task<CertificateBook> ReadAsync(StoreContext db, Routes routes, DeploysOptions options, DateTimeOffset now, CancellationToken cancellation)
    {
        var authority = await CertificateAuthorities.ReadAsync(db, options, cancellation);
        var table = await routes.CurrentAsync(db, cancellation);
        var certificates = await ListAsync(db, cancellation);
        var hosts = await db.Set<CertificateHostRow>().AsNoTracking().ToDictionaryAsync(h => h.Host, StringComparer.Ordinal, cancellation);
        var wanted = CertificatePlan.Wanted(
            table.Routes.Select(r => (r.Host, r.Host == routes.HostOf(r.Deployment))), authority.Kind, options.BaseDomain, certificates, now);
        return new CertificateBook(now, authority, wanted, certificates, hosts);
    }

    /// <summary>The certificate that was made for a host and serves it: a good one of a public authority before ours, the newest first.</summary>
    public StoredCertificate? MadeFor(WantedHost wanted) => _made[wanted.Host].Where(wanted.Keeps)
        .OrderByDescending(c => c.IsGood(Now)).ThenByDescending(c => c.Source == CertificateSource.Acme).ThenByDescending(c => c.MadeAt).ThenByDescending(c => c.Id).FirstOrDefault();

    /// <summary>Where the renewal of a host stands with the one who makes its certificate now.</summary>
    public HostRenewal RenewalOf(WantedHost wanted)
    {
        var newest = _made[wanted.Host].Where(c => c.Source == wanted.Maker && (c.Source != CertificateSource.Acme || c.Authority == Authority.Directory))
            .MaxBy(c => (c.MadeAt, c.Id));
        if (!Hosts.TryGetValue(wanted.Host, out var row))
            return HostRenewal.New with { State = RenewalState.New with { NotBefore = newest?.Info.NotBefore, NotAfter = newest?.Info.NotAfter } };
        var state = new RenewalState(newest?.Info.NotBefore, newest?.Info.NotAfter, FailuresOf(row), row.WaitUntil);
        return new HostRenewal(state, row.Chance, row.Problem, row.RequestedAt, row.BeganAt);
    }

    /// <summary>Hosts whose certificate that one makes, and for which it is time, the longest overdue first.</summary>
    public IReadOnlyList<WantedHost> Due(CertificateSource maker) =>
    [
        .. Wanted.Where(w => w.Maker == maker).Select(w => (Wanted: w, At: CertificatePlan.NextAttempt(maker, RenewalOf(w))))
            .Where(w => w.At <= Now).OrderBy(w => w.At).Select(w => w.Wanted),
    ];

    public static IReadOnlyList<DateTimeOffset> FailuresOf(CertificateHostRow row) => JsonSerializer.Deserialize<IReadOnlyList<DateTimeOffset>>(row.Failures, Json.Options)!;

    /// <summary>Without what is large or secret.</summary>
    private static async Task<IReadOnlyList<StoredCertificate>> ListAsync(StoreContext db, CancellationToken cancellation)
    {
        var rows = await db.Set<CertificateRow>()
            .Select(c => new { c.Id, c.Source, c.Host, c.Authority, c.Names, c.Subject, c.Issuer, c.Serial, c.Fingerprint, c.NotBefore, c.NotAfter, c.MadeAt, c.Actor })
            .ToListAsync(cancellation);
        return
        [
            .. rows.Select(c => new StoredCertificate(
                c.Id, c.Source, c.Host, c.Authority,
                new CertificateInfo(JsonSerializer.Deserialize<IReadOnlyList<string>>(c.Names, Json.Options)!, c.Subject, c.Issuer, c.Serial, c.NotBefore, c.NotAfter, c.Fingerprint),
                c.MadeAt, c.Actor)),
        ];
    }
}
