using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>The set of certificates that edges should serve: computed whole, and given to every edge as a new generation. Thread-safe.</summary>
internal sealed class CertificateSets(Store store, Nodes nodes, Link link, Routes routes, DeploysOptions options, TimeProvider clock)
{
    /// <summary>Pure: each host has one certificate; what covers several hosts names them itself.</summary>
    public static IReadOnlyList<CertificateReference> Compute(CertificateBook book)
    {
        var imported = book.Certificates.Where(c => c.Source == CertificateSource.Imported).OrderByDescending(c => c.Info.NotAfter).ThenBy(c => c.Id)
            .Select(c => (IsGood: c.IsGood(book.Now), Reference: new CertificateReference(c.Id, c.Info.Names))).ToList();
        var made = book.Wanted.Where(w => w.Imported is null).Select(w => (w.Host, Certificate: book.MadeFor(w))).Where(m => m.Certificate is not null)
            .Select(m => new CertificateReference(m.Certificate!.Id, [m.Host]));
        // Of two that name a host the first one serves it: one that has ended is better than none, and worse than any other.
        return [.. imported.Where(i => i.IsGood).Select(i => i.Reference), .. made, .. imported.Where(i => !i.IsGood).Select(i => i.Reference)];
    }

    /// <summary>
    /// Computes the set from what the transaction sees and, when it differs, gives it to every edge as the next generation,
    /// beyond <paramref name="beyond"/>. An edge that came later is given it too. Returns the generation that holds; 0 while
    /// there never was a certificate.
    /// </summary>
    public async Task<long> PublishAsync(StoreContext db, CancellationToken cancellation, long beyond = 0)
    {
        await db.SaveChangesAsync(cancellation);
        var references = Compute(await CertificateBook.ReadAsync(db, routes, options, clock.GetUtcNow(), cancellation));
        var row = await db.Set<CertificateSetRow>().AsTracking().SingleOrDefaultAsync(cancellation);
        if (row is null && references.Count == 0)
            return 0;
        if (row is null)
            db.Add(row = new CertificateSetRow { Id = CertificateTables.OnlyRow, Generation = 0, Certificates = "" });
        var text = JsonSerializer.Serialize(references, Json.Options);
        if (text != row.Certificates || row.Generation <= beyond)
            (row.Generation, row.Certificates) = (Math.Max(row.Generation, beyond) + 1, text);
        var set = new CertificateSet(row.Generation, store.PlatformId, references);
        foreach (var edge in (await nodes.ListAsync(db, cancellation)).Where(n => n.Role == NodeRole.Edge))
            await nodes.PutTaskAsync(db, edge.Id, CertificatesReport.Key, CertificatesReport.Kind, set, cancellation, row.Generation);
        await db.SaveChangesAsync(cancellation);
        return row.Generation;
    }

    /// <summary>The ids that the set names which edges have now.</summary>
    public static async Task<IReadOnlySet<Guid>> NamedAsync(StoreContext db, CancellationToken cancellation) =>
        await db.Set<CertificateSetRow>().AsNoTracking().SingleOrDefaultAsync(cancellation) is { } row
            ? JsonSerializer.Deserialize<IReadOnlyList<CertificateReference>>(row.Certificates, Json.Options)!.Select(c => c.Id).ToHashSet()
            : new HashSet<Guid>();

    /// <summary>How many edges serve the current set, and how many there are.</summary>
    public async Task<(int Serving, int All)> ServingAsync(CancellationToken cancellation)
    {
        var reports = (await nodes.ListAsync(cancellation)).Where(n => n.Role == NodeRole.Edge).Select(n => ReportOf(n.Id)).ToList();
        // After the reports: none of them can know a set of ours that is newer than this.
        var generation = await GenerationAsync(cancellation);
        return (generation == 0 ? 0 : reports.Count(r => r?.Serving == generation), reports.Count);
    }

    /// <summary>
    /// The highest generation that an edge serves beyond ours, as after the store went back to an older backup; 0 when none
    /// does.
    /// </summary>
    public async Task<long> ForeignAsync(CancellationToken cancellation)
    {
        var serving = (await nodes.ListAsync(cancellation)).Where(n => n.Role == NodeRole.Edge).Max(n => ReportOf(n.Id)?.Serving) ?? 0;
        return serving > await GenerationAsync(cancellation) ? serving : 0;
    }

    private Task<long> GenerationAsync(CancellationToken cancellation) => store.ReadAsync(
        async (db, cancel) => (await db.Set<CertificateSetRow>().SingleOrDefaultAsync(cancel))?.Generation ?? 0, cancellation);

    private CertificatesReport? ReportOf(Guid node) => link.ReportOf(node, CertificatesReport.Key)?.Status.Deserialize<CertificatesReport>(Json.Options);
}
