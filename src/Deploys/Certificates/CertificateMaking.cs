using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Edge.Acme;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Makes certificates of development, and orders those of an authority, each to its end. Thread-safe.</summary>
internal sealed class CertificateMaking(
    Store store, Certificates certificates, CertificateAuthorities authorities, AcmeOrders orders, CertificateUpkeep upkeep, Audit audit, MetricRegistry metrics, TimeProvider clock)
{
    /// <summary>Made in one write, so that none takes long.</summary>
    private const int MostAtOnce = 50;

    /// <summary>How long no order begins after one found that the authority cannot be asked: it is so for all of them.</summary>
    private static readonly TimeSpan HoldFor = TimeSpan.FromMinutes(1);

    private readonly Metric.Series _issued = Orders(metrics, "issued");
    private readonly Metric.Series _limited = Orders(metrics, "rate-limited");
    private readonly Metric.Series _failed = Orders(metrics, "failed");
    private long _heldUntil;

    /// <summary>Whether no order is to begin now, as the authority cannot be asked.</summary>
    public bool IsHeld => clock.GetUtcNow().UtcTicks < Volatile.Read(ref _heldUntil);

    /// <summary>Makes whatever is due of development; its authority too, so that people can trust it before the first host.</summary>
    public async Task MakeAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var book = await certificates.BookAsync(cancellation);
            if (book.Authority.Kind != AuthorityKind.Development && book.Due(CertificateSource.Development).Count == 0)
                return;
            var authority = await authorities.DevelopmentAsync(cancellation);
            // Looked at again: with another authority, what the one before signed is gone.
            var due = (await certificates.BookAsync(cancellation)).Due(CertificateSource.Development).Take(MostAtOnce).ToList();
            if (due.Count == 0)
                return;
            var made = due.Select(w => (w.Host, Judged: authority.Issue(w.Host))).ToList();
            foreach (var (host, judged) in made.Where(m => m.Judged.Value is null))
                await upkeep.FailedAsync(host, new AcmeProblem("urn:groundcrew:acme:not-made", string.Join(' ', judged.Problems)), cancellation);
            await KeepAsync([.. made.Where(m => m.Judged.Value is not null).Select(m => (m.Host, m.Judged.Value!))], cancellation);
        }
    }

    /// <summary>One order, from its begin to what is kept of it. Cancelled, it is as if the control plane had ended.</summary>
    public async Task OrderAsync(AuthoritySetting authority, string host, CancellationToken cancellation)
    {
        switch (await orders.ObtainAsync(authority, host, cancellation))
        {
            case CertificateOutcome.Issued issued:
                // Kept whatever happens: the authority has counted it.
                await upkeep.SucceededAsync(host, authority.Directory!, issued.Certificate, CancellationToken.None);
                _issued.Add();
                break;
            case CertificateOutcome.RateLimited limited:
                await upkeep.FailedAsync(host, limited.Problem, cancellation);
                _limited.Add();
                break;
            case CertificateOutcome.Failed failed:
                if (failed.Problem.Type == AcmeProblem.UnreachableType)
                    Volatile.Write(ref _heldUntil, (clock.GetUtcNow() + HoldFor).UtcTicks);
                await upkeep.FailedAsync(host, failed.Problem, cancellation);
                _failed.Add();
                break;
        }
    }

    private Task KeepAsync(IReadOnlyList<(string Host, KeyedCertificate Certificate)> made, CancellationToken cancellation) => store.WriteAsync(async (db, cancel) =>
    {
        if (made.Count == 0)
            return;
        foreach (var (host, certificate) in made)
        {
            await certificates.KeepAsync(db, CertificateSource.Development, null, host, certificate, cancel);
            await db.Set<CertificateHostRow>().Where(h => h.Host == host).ExecuteDeleteAsync(cancel);
        }
        audit.Write(db, CertificateUpkeep.Maker, "certificate.make", made.Count == 1 ? made[0].Host : $"{made.Count} hosts", "done", new { hosts = made.Select(m => m.Host) });
        await certificates.Sets.PublishAsync(db, cancel);
    }, cancellation);

    private static Metric.Series Orders(MetricRegistry metrics, string result) => metrics.Counter(
        "groundcrew_certificate_orders_total", "Orders of certificates that ended, by result: does the authority serve us?", "result").With(result);
}
