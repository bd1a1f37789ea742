using Groundcrew.Edge.Acme;

namespace Groundcrew.Deploys;

/// <summary>A certificate with its sealed key, as stored: in one row, so that neither is there without the other.</summary>
internal sealed class CertificateRow
{
    public required Guid Id { get; set; }

    public required CertificateSource Source { get; set; }

    /// <summary>The host that it was made for; null for one that somebody brought.</summary>
    public string? Host { get; set; }

    /// <summary>The directory of the public authority that issued it; null for others.</summary>
    public string? Authority { get; set; }

    /// <summary>A JSON array of host names in lower case.</summary>
    public required string Names { get; set; }

    public required string Subject { get; set; }

    public required string Issuer { get; set; }

    public required string Serial { get; set; }

    public required string Fingerprint { get; set; }

    public required DateTimeOffset NotBefore { get; set; }

    public required DateTimeOffset NotAfter { get; set; }

    public required string Chain { get; set; }

    public required byte[] SealedKey { get; set; }

    public required DateTimeOffset MadeAt { get; set; }

    public required string Actor { get; set; }
}

/// <summary>What decides when a certificate of a host is asked for next, as stored.</summary>
internal sealed class CertificateHostRow
{
    public required string Host { get; set; }

    /// <summary>A JSON array of times, the oldest first.</summary>
    public required string Failures { get; set; }

    public DateTimeOffset? WaitUntil { get; set; }

    public required double Chance { get; set; }

    /// <summary>Why the last attempt failed; null when it did not.</summary>
    public string? Problem { get; set; }

    /// <summary>When a person asked for a new one; null when that was done.</summary>
    public DateTimeOffset? RequestedAt { get; set; }

    /// <summary>When the attempt began that runs, or that a crash ended; null when none does.</summary>
    public DateTimeOffset? BeganAt { get; set; }

    /// <summary>Since when the host needs no certificate of ours; null while it does.</summary>
    public DateTimeOffset? GoneSince { get; set; }
}

/// <summary>What the edges answer to an authority, as stored while an order runs.</summary>
internal sealed class ChallengeRow
{
    public required string Host { get; set; }

    public required string Token { get; set; }

    public required string Answer { get; set; }

    public required DateTimeOffset Since { get; set; }
}

/// <summary>Who makes certificates, as stored: one row, none while the default holds.</summary>
internal sealed class AuthorityRow
{
    public required long Id { get; set; }

    public required AuthorityKind Kind { get; set; }

    public string? Directory { get; set; }

    /// <summary>A JSON array.</summary>
    public required string Contacts { get; set; }

    public required bool TermsAgreed { get; set; }

    public required AcmeChallengeKind Challenge { get; set; }

    public string? Roots { get; set; }

    public string? ExternalKeyId { get; set; }

    public byte[]? SealedExternalKey { get; set; }

    public required DateTimeOffset SetAt { get; set; }

    public required string Actor { get; set; }
}

/// <summary>Our account with a public authority, as stored before it is used.</summary>
internal sealed class AcmeAccountRow
{
    public required string Directory { get; set; }

    public required byte[] SealedKey { get; set; }

    /// <summary>Whether the authority knows it.</summary>
    public required bool IsRegistered { get; set; }

    public required DateTimeOffset MadeAt { get; set; }
}

/// <summary>The authority of development, as stored: one row.</summary>
internal sealed class DevelopmentAuthorityRow
{
    public required long Id { get; set; }

    public required string Certificate { get; set; }

    public required byte[] SealedKey { get; set; }

    public required DateTimeOffset MadeAt { get; set; }
}

/// <summary>The set of certificates that edges should have: one row, replaced with each generation.</summary>
internal sealed class CertificateSetRow
{
    public required long Id { get; set; }

    public required long Generation { get; set; }

    /// <summary>A JSON array of references.</summary>
    public required string Certificates { get; set; }
}

/// <summary>What people were told last about the end of a certificate, so that they are not told too often.</summary>
internal sealed class CertificateWarningRow
{
    public required string Subject { get; set; }

    public required ExpiryLevel Level { get; set; }

    public required DateTimeOffset RaisedAt { get; set; }
}
