using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Edge.Acme;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Keeps what is stored of hosts and orders true: what a crash left, what is gone, how attempts ended. Thread-safe.</summary>
internal sealed class CertificateUpkeep(Store store, Certificates certificates, EdgeChallenges challenges, Audit audit, TimeProvider clock)
{
    private const int LongestProblem = 2000;

    /// <summary>The platform as who makes certificates.</summary>
    public static Actor Maker { get; } = Actor.Platform("certificates");

    /// <summary>
    /// Ends attempts that a crash ended, takes their answers back, and forgets certificates of hosts that are gone.
    /// </summary>
    /// <param name="running">Hosts whose orders run in this process.</param>
    /// <param name="cancellation">Gives up.</param>
    public Task MendAsync(List<string> running, CancellationToken cancellation) => store.WriteAsync(async (db, cancel) =>
    {
        foreach (var row in await db.Set<CertificateHostRow>().AsTracking().Where(h => h.BeganAt != null).ToListAsync(cancel))
            if (!running.Contains(row.Host))
                Fail(row, row.BeganAt!.Value, new AcmeProblem("urn:groundcrew:acme:interrupted", "The control plane ended while the order ran."));
        await challenges.SweepAsync(db, running, cancel);
        await db.SaveChangesAsync(cancel);
        await ForgetAsync(db, cancel);
    }, cancellation);

    /// <summary>Writes down that an attempt begins, before it does: a crash in it then counts as a failure, and never becomes a flood.</summary>
    public Task BeginAsync(string host, CancellationToken cancellation) => store.WriteAsync(
        async (db, cancel) => (await Certificates.HostAsync(db, host, cancel)).BeganAt = clock.StoreNow(), cancellation);

    /// <summary>An attempt ended with a certificate: it takes its place, and what failed before is forgotten.</summary>
    public Task SucceededAsync(string host, string authority, IssuedCertificate issued, CancellationToken cancellation) => store.WriteAsync(async (db, cancel) =>
    {
        await certificates.KeepAsync(db, CertificateSource.Acme, authority, host, new Edge.KeyedCertificate(issued.Chain, issued.Key), cancel);
        await db.Set<CertificateHostRow>().Where(h => h.Host == host).ExecuteDeleteAsync(cancel);
        audit.Write(db, Maker, "certificate.issue", host, "done", new { authority, issued.NotAfter });
        await certificates.Sets.PublishAsync(db, cancel);
    }, cancellation);

    /// <summary>An attempt ended without one.</summary>
    public Task FailedAsync(string host, AcmeProblem problem, CancellationToken cancellation) => store.WriteAsync(async (db, cancel) =>
    {
        Fail(await Certificates.HostAsync(db, host, cancel), clock.StoreNow(), problem);
        audit.Write(db, Maker, "certificate.issue", host, "failed", new { problem = problem.ToString() });
    }, cancellation);

    private static void Fail(CertificateHostRow row, DateTimeOffset at, AcmeProblem problem)
    {
        var after = new RenewalState(null, null, CertificateBook.FailuresOf(row), row.WaitUntil).AfterFailure(at, problem);
        var text = problem.ToString();
        (row.Failures, row.WaitUntil, row.Chance) = (JsonSerializer.Serialize(after.Failures, Json.Options), after.WaitUntil, Random.Shared.NextDouble());
        (row.Problem, row.BeganAt, row.RequestedAt) = (text.Length > LongestProblem ? text[..LongestProblem] : text, null, null);
    }

    /// <summary>
    /// What is made here goes at once when it is not needed; what a public authority issued is kept a while, for asking
    /// again counts against its limits.
    /// </summary>
    private async Task ForgetAsync(StoreContext db, CancellationToken cancellation)
    {
        var book = await certificates.BookAsync(db, cancellation);
        var wanted = book.Wanted.ToDictionary(w => w.Host, StringComparer.Ordinal);
        var gone = book.Certificates.Where(c => c.Host is not null && !(wanted.TryGetValue(c.Host, out var w) && w.Keeps(c))).ToList();
        var development = gone.Where(c => c.Source == CertificateSource.Development).Select(c => c.Id).ToList();
        if (development.Count > 0)
            await db.Set<CertificateRow>().Where(c => development.Contains(c.Id)).ExecuteDeleteAsync(cancellation);
        var goneHosts = gone.Where(c => c.Source == CertificateSource.Acme).Select(c => c.Host!)
            .Concat(book.Hosts.Keys.Where(h => !wanted.TryGetValue(h, out var w) || w.Maker is null)).ToHashSet(StringComparer.Ordinal);
        foreach (var host in goneHosts)
            (await Certificates.HostAsync(db, host, cancellation)).GoneSince ??= book.Now;
        foreach (var back in book.Hosts.Values.Where(h => h.GoneSince is not null && !goneHosts.Contains(h.Host)))
            (await Certificates.HostAsync(db, back.Host, cancellation)).GoneSince = null;
        var over = book.Hosts.Values.Where(h => goneHosts.Contains(h.Host) && h.GoneSince is { } since && book.Now - since >= CertificatePlan.KeptGone).Select(h => h.Host).ToList();
        if (over.Count == 0)
            return;
        await db.SaveChangesAsync(cancellation);
        await db.Set<CertificateHostRow>().Where(h => over.Contains(h.Host)).ExecuteDeleteAsync(cancellation);
        var ids = gone.Where(c => over.Contains(c.Host!)).Select(c => c.Id).ToList();
        await db.Set<CertificateRow>().Where(c => ids.Contains(c.Id)).ExecuteDeleteAsync(cancellation);
    }
}
