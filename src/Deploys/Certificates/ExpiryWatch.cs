using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>How near the end of a certificate is, where that asks something of people.</summary>
internal enum ExpiryLevel
{
    /// <summary>Within thirty days, or a third of a short life.</summary>
    Soon,

    /// <summary>Within seven days.</summary>
    Near,

    /// <summary>It has ended, or there never was one.</summary>
    Over,
}

/// <summary>
/// Tells people of certificates that end and that the platform does not renew, or fails to (U-18, ZZ-33, T-74): each at
/// every level, and again after a day. After a crash it may tell once more.
/// </summary>
internal sealed class ExpiryWatch(Store store, ISignals signals, MetricRegistry metrics, TimeProvider clock)
{
    private static readonly TimeSpan Again = TimeSpan.FromDays(1);
    private static readonly TimeSpan NearEnd = TimeSpan.FromDays(7);

    /// <summary>A host that was never served with TLS is told of when its authority refused it so often.</summary>
    private const int FailuresTold = 3;

    private readonly Metric _ends = metrics.Gauge(
        "groundcrew_certificate_not_after_timestamp_seconds", "When each certificate ends, as seconds since 1970: which one ends next?", "host", "source");

    private HashSet<string> _shown = [];

    /// <summary>Looks at all of them once.</summary>
    public async Task LookAsync(CertificateBook book, CancellationToken cancellation)
    {
        // How many edges serve them is not asked.
        var entries = CertificateEntries.Of(book, serving: 0, edges: 0);
        Measure(entries);
        var levels = entries.Select(e => (Entry: e, Level: LevelOf(book, e))).Where(l => l.Level is not null).ToDictionary(l => l.Entry.Key, l => (l.Entry, Level: l.Level!.Value), StringComparer.Ordinal);
        var told = await store.ReadAsync((db, cancel) => db.Set<CertificateWarningRow>().ToDictionaryAsync(w => w.Subject, StringComparer.Ordinal, cancel), cancellation);
        var now = clock.StoreNow();
        var due = levels.Where(l => !told.TryGetValue(l.Key, out var last) || last.Level != l.Value.Level || now - last.RaisedAt >= Again).ToList();
        var over = told.Keys.Where(k => !levels.ContainsKey(k)).ToList();
        if (due.Count + over.Count == 0)
            return;
        foreach (var (_, (entry, level)) in due)
            signals.Raise(SignalOf(entry, level, now));
        await store.WriteAsync(async (db, cancel) =>
        {
            var gone = over.Concat(due.Select(d => d.Key)).ToList();
            await db.Set<CertificateWarningRow>().Where(w => gone.Contains(w.Subject)).ExecuteDeleteAsync(cancel);
            foreach (var (key, (_, level)) in due)
                db.Add(new CertificateWarningRow { Subject = key, Level = level, RaisedAt = now });
        }, cancellation);
    }

    /// <summary>What asks something of people: one that the platform renews does only when that fails.</summary>
    private static ExpiryLevel? LevelOf(CertificateBook book, CertificateEntry entry)
    {
        var made = book.Wanted.FirstOrDefault(w => w.Host == entry.Name && w.Imported is null);
        var failures = made is { Maker: not null } ? book.RenewalOf(made).State.Failures.Count : 0;
        if (entry.Certificate is not { } certificate)
            return failures >= FailuresTold ? ExpiryLevel.Over : null;
        var isServed = certificate.Source == CertificateSource.Imported || made is not null;
        if (!isServed || (made is { Maker: not null } && failures == 0 && certificate.IsGood(book.Now)))
            return null;
        var left = certificate.Info.NotAfter - book.Now;
        return left <= TimeSpan.Zero ? ExpiryLevel.Over : left > CertificatePlan.ToldBefore(certificate) ? null : left <= NearEnd ? ExpiryLevel.Near : ExpiryLevel.Soon;
    }

    private static Signal SignalOf(CertificateEntry entry, ExpiryLevel level, DateTimeOffset now)
    {
        var isImported = entry.Certificate is { Source: CertificateSource.Imported };
        var end = entry.Certificate is not { } c ? $"There is no certificate for {entry.Name}."
            : level == ExpiryLevel.Over ? $"The certificate of {entry.Name} ended on {c.Info.NotAfter:yyyy-MM-dd HH:mm} UTC."
            : $"The certificate of {entry.Name} ends on {c.Info.NotAfter:yyyy-MM-dd HH:mm} UTC.";
        var what = isImported ? "Import a newer one: crew edge certs import" : $"{entry.Problem ?? "No new one was made."} See: crew edge certs show {entry.Name}";
        return new Signal(level == ExpiryLevel.Over ? "certificate-expired" : "certificate-expiring", entry.Name, $"{end} {what}", level == ExpiryLevel.Over ? SignalUrgency.Urgent : SignalUrgency.Warning, now);
    }

    private void Measure(IReadOnlyList<CertificateEntry> entries)
    {
        var shown = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (entry.Certificate is not { } certificate)
                continue;
            shown.Add(entry.Name);
            _ends.With(entry.Name, certificate.Source.ToString().ToLowerInvariant()).Set(certificate.Info.NotAfter.ToUnixTimeSeconds());
        }
        foreach (var gone in _shown.Except(shown, StringComparer.Ordinal))
            _ends.Remove("host", gone);
        _shown = shown;
    }
}
