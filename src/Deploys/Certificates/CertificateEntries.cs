namespace Groundcrew.Deploys;

/// <summary>From what is stored to how each host and certificate stands: pure.</summary>
internal static class CertificateEntries
{
    /// <summary>
    /// One for each host whose certificate the platform makes or lacks, and one for each imported certificate; in the order
    /// of names.
    /// </summary>
    public static IReadOnlyList<CertificateEntry> Of(CertificateBook book, int serving, int edges)
    {
        var hosts = book.Wanted.Where(w => w.Imported is null && !(w.IsLabel && w.Maker is null)).Select(w => OfHost(book, w));
        var wanted = book.Wanted.Where(w => w.Imported is null).Select(w => w.Host).ToHashSet(StringComparer.Ordinal);
        var others = book.Certificates.Where(c => c.Host is null || !wanted.Contains(c.Host)).Select(c => c.Host is null ? OfImported(book, c) : OfKept(book, c));
        return
        [
            .. hosts.Concat(others).OrderBy(e => e.Name, StringComparer.Ordinal).ThenBy(e => e.Key, StringComparer.Ordinal)
                .Select(e => e.Certificate is null ? e with { Edges = edges } : e with { EdgesServing = serving, Edges = edges }),
        ];
    }

    private static CertificateEntry OfHost(CertificateBook book, WantedHost wanted)
    {
        var certificate = book.MadeFor(wanted);
        if (wanted.Maker is not { } maker)
            return new CertificateEntry(wanted.Host, certificate, Standing(book, certificate), NoMaker(book, wanted), null, 0, 0);
        var renewal = book.RenewalOf(wanted);
        var next = CertificatePlan.NextAttempt(maker, renewal);
        var state = renewal.RequestedAt is not null || renewal.BeganAt is not null ? CertificateState.Renewing
            : certificate is null ? renewal.Problem is null ? CertificateState.Missing : CertificateState.Failing
            : !certificate.IsGood(book.Now) ? CertificateState.Expired
            : renewal.Problem is not null ? CertificateState.Failing
            : CertificateState.Valid;
        return new CertificateEntry(wanted.Host, certificate, state, renewal.Problem, next > book.Now ? next : book.Now, 0, 0);
    }

    private static CertificateEntry OfImported(CertificateBook book, StoredCertificate certificate)
    {
        var state = Standing(book, certificate);
        var problem = state switch
        {
            CertificateState.Expired => "It has ended. Import a newer one: crew edge certs import",
            CertificateState.Expiring => "It ends soon, and the platform cannot renew what was imported. Import a newer one: crew edge certs import",
            _ => null,
        };
        return new CertificateEntry(certificate.Info.Names[0], certificate, state, problem, null, 0, 0);
    }

    private static CertificateEntry OfKept(CertificateBook book, StoredCertificate certificate)
    {
        var forgotten = (book.Hosts.GetValueOrDefault(certificate.Host!)?.GoneSince ?? book.Now) + CertificatePlan.KeptGone;
        return new CertificateEntry(certificate.Host!, certificate, Standing(book, certificate),
            $"Its host has no route of its own now, or an imported certificate serves it. It is forgotten on {forgotten:yyyy-MM-dd}.", null, 0, 0);
    }

    private static CertificateState Standing(CertificateBook book, StoredCertificate? certificate) =>
        certificate is null ? CertificateState.Missing
        : !certificate.IsGood(book.Now) ? CertificateState.Expired
        : certificate.Info.NotAfter - book.Now <= CertificatePlan.ToldBefore(certificate) ? CertificateState.Expiring
        : CertificateState.Valid;

    private static string NoMaker(CertificateBook book, WantedHost wanted) => book.Authority.Kind == AuthorityKind.Development
        ? $"'{wanted.Host}' is not below the base domain, so the development authority cannot make a certificate for it. Import one, or set an authority: crew edge certs authority set letsencrypt"
        : "Nobody makes certificates. Import one that covers it, or set an authority: crew edge certs authority set letsencrypt";
}
