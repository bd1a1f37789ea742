using Groundcrew.Edge;
using Groundcrew.Edge.Acme;

namespace Groundcrew.Deploys;

/// <summary>A host of the route table, and who makes its certificate.</summary>
/// <param name="Host">The host.</param>
/// <param name="IsLabel">Whether it is the host of one deployment.</param>
/// <param name="Maker">Who makes its certificate; null when nobody does.</param>
/// <param name="Imported">The good imported certificate that covers it; null when none does.</param>
internal sealed record WantedHost(string Host, bool IsLabel, CertificateSource? Maker, StoredCertificate? Imported)
{
    /// <summary>Whether certificates that were made for it before are kept: what serves it now is no better.</summary>
    public bool Keeps(StoredCertificate made) =>
        Imported is null && (made.Source == CertificateSource.Acme || Maker is CertificateSource.Development or CertificateSource.Acme);
}

/// <summary>What decides when a host's certificate is asked for next.</summary>
/// <param name="State">What happened so far, of the authority that is asked.</param>
/// <param name="Chance">Of the last failure.</param>
/// <param name="Problem">Why the last attempt failed.</param>
/// <param name="RequestedAt">When a person asked for a new one.</param>
/// <param name="BeganAt">When the attempt began that runs.</param>
internal sealed record HostRenewal(RenewalState State, double Chance, string? Problem, DateTimeOffset? RequestedAt, DateTimeOffset? BeganAt)
{
    public static HostRenewal New { get; } = new(RenewalState.New, 0, null, null, null);
}

/// <summary>Which hosts need which certificates, and when: pure.</summary>
internal static class CertificatePlan
{
    /// <summary>Before the end of an imported certificate people are told so long; they need weeks (ZZ-33, T-74).</summary>
    public static readonly TimeSpan TellBefore = TimeSpan.FromDays(30);

    /// <summary>How long what was obtained for a host is kept when the host is gone: asking again counts against limits.</summary>
    public static readonly TimeSpan KeptGone = TimeSpan.FromDays(7);

    /// <summary>
    /// Who makes the certificate of each host. Hosts below <c>localhost</c> never leave the machine, so that no public
    /// authority proves them; one host for each deployment would soon reach such an authority's limits.
    /// </summary>
    public static IReadOnlyList<WantedHost> Wanted(
        IEnumerable<(string Host, bool IsLabel)> hosts, AuthorityKind kind, string baseDomain, IReadOnlyList<StoredCertificate> certificates, DateTimeOffset now)
    {
        var imported = certificates.Where(c => c.Source == CertificateSource.Imported && c.IsGood(now)).OrderByDescending(c => c.Info.NotAfter).ThenBy(c => c.Id).ToList();
        return
        [
            .. hosts.DistinctBy(h => h.Host, StringComparer.Ordinal).OrderBy(h => h.Host, StringComparer.Ordinal).Select(h =>
            {
                var by = imported.Find(c => c.Covers(h.Host));
                return new WantedHost(h.Host, h.IsLabel, by is null ? MakerOf(h.Host, h.IsLabel, kind, baseDomain) : null, by);
            }),
        ];
    }

    /// <summary>When the next certificate is due; a time that has passed means now.</summary>
    public static DateTimeOffset NextAttempt(CertificateSource maker, HostRenewal renewal)
    {
        if (renewal.RequestedAt is not null)
            return maker == CertificateSource.Development ? DateTimeOffset.MinValue : Allowed(renewal.State);
        return RenewalPlan.NextAttempt(renewal.State, renewal.Chance);
    }

    /// <summary>
    /// Until when the platform tells nobody of the coming end: for one that it renews by itself there is nothing to do
    /// before a third of a short life is left.
    /// </summary>
    public static TimeSpan ToldBefore(StoredCertificate certificate)
    {
        var third = (certificate.Info.NotAfter - certificate.Info.NotBefore) / 3;
        return certificate.Source == CertificateSource.Imported || third > TellBefore ? TellBefore : third;
    }

    /// <summary>What a person asks for does not wait for the failures before it, but for the authority's own limits.</summary>
    private static DateTimeOffset Allowed(RenewalState state)
    {
        var window = state.Failures.Count >= RenewalPlan.MostFailures ? state.Failures[^RenewalPlan.MostFailures] + RenewalPlan.FailureWindow : DateTimeOffset.MinValue;
        return state.WaitUntil is { } wait && wait > window ? wait : window;
    }

    private static CertificateSource? MakerOf(string host, bool isLabel, AuthorityKind kind, string baseDomain) => kind switch
    {
        AuthorityKind.None => null,
        _ when DnsNames.IsOfThisMachine(host) => CertificateSource.Development,
        AuthorityKind.Development => DnsNames.IsBelow(host, baseDomain) ? CertificateSource.Development : null,
        _ => isLabel ? null : CertificateSource.Acme,
    };
}
