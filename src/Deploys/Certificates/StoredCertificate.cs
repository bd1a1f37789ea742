using Groundcrew.Bedrock;
using Groundcrew.Edge;

namespace Groundcrew.Deploys;

/// <summary>Where a certificate comes from.</summary>
public enum CertificateSource
{
    /// <summary>Our own authority of development, which only those trust who were told to.</summary>
    Development,

    /// <summary>A public authority, or a private one that speaks ACME (RFC 8555).</summary>
    Acme,

    /// <summary>Somebody brought it.</summary>
    Imported,
}

/// <summary>How a certificate stands.</summary>
public enum CertificateState
{
    /// <summary>It is good, and nothing is to be done.</summary>
    Valid,

    /// <summary>A new one is being made, or was asked for.</summary>
    Renewing,

    /// <summary>It ends soon.</summary>
    Expiring,

    /// <summary>It has ended.</summary>
    Expired,

    /// <summary>There is none.</summary>
    Missing,

    /// <summary>The last attempt to make one failed; the next one is known.</summary>
    Failing,
}

/// <summary>A certificate of the store, without its key. Immutable.</summary>
/// <param name="Id">Its id: another for each certificate, also for the same names.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Host">The host that it was made for; null for one that somebody brought.</param>
/// <param name="Authority">The directory of the authority that issued it; null where that was not ACME.</param>
/// <param name="Info">What stands in it.</param>
/// <param name="MadeAt">When it came into the store.</param>
/// <param name="Actor">Who brought it; the platform for those it made.</param>
public sealed record StoredCertificate(
    Guid Id, CertificateSource Source, string? Host, string? Authority, CertificateInfo Info, DateTimeOffset MadeAt, string Actor)
{
    /// <summary>Whether its time has begun and not ended.</summary>
    internal bool IsGood(DateTimeOffset now) => Info.NotBefore <= now && now < Info.NotAfter;

    internal bool Covers(string host) => Info.Names.Any(n => DnsNames.Covers(n, host));
}

/// <summary>A host that is to have a certificate, or a certificate that somebody brought, and how it stands. Immutable.</summary>
/// <param name="Name">The host, or the first name of an imported certificate.</param>
/// <param name="Certificate">What serves; null when there is none.</param>
/// <param name="State">How it stands.</param>
/// <param name="Problem">Why it does not stand well, for a person; null when nothing is wrong.</param>
/// <param name="NextAttempt">When the next one is asked for, or made; null when the platform does not do that.</param>
/// <param name="EdgesServing">How many edges serve the current set of certificates.</param>
/// <param name="Edges">How many edges there are.</param>
public sealed record CertificateEntry(
    string Name, StoredCertificate? Certificate, CertificateState State, string? Problem, DateTimeOffset? NextAttempt, int EdgesServing, int Edges)
{
    /// <summary>What is known of an entry in lists: its place, stable while it is there.</summary>
    public string Key => Certificate is { Source: CertificateSource.Imported } ? $"{Name} {Certificate.Id}" : Name;
}

/// <summary>How asking for a change of certificates ended: a closed set.</summary>
public abstract record CertificateChange
{
    private CertificateChange()
    {
    }

    /// <summary>It is stored, and on its way to the edges.</summary>
    public sealed record Done(CertificateEntry Entry) : CertificateChange;

    /// <summary>The input has problems; nothing changed.</summary>
    public sealed record Refused(IReadOnlyList<Problem> Problems) : CertificateChange;

    /// <summary>There is no such certificate or host.</summary>
    public sealed record NotFound(string What) : CertificateChange;

    /// <summary>What stands now does not allow it.</summary>
    public sealed record InTheWay(string Why) : CertificateChange;
}
