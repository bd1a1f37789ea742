namespace Groundcrew.Contract;

/// <summary><c>POST /api/v1/edge/certificates</c>: brings a certificate with its key.</summary>
/// <param name="Chain">PEM: the certificate first, then each one's issuer; the root may be left out.</param>
/// <param name="Key">PEM: its private key, unencrypted. It is stored sealed and never shown.</param>
/// <param name="Replace">Whether one for the same names is replaced although it does not end earlier.</param>
public sealed record ImportCertificate(string? Chain, string? Key, bool? Replace);

/// <summary><c>PUT /api/v1/edge/certificate-authority</c>: who makes certificates from now on; replaces the whole setting.</summary>
/// <param name="Kind"><c>acme</c>, <c>development</c> (hosts below the base domain) or <c>none</c>.</param>
/// <param name="Directory"><c>letsencrypt</c>, <c>letsencrypt-staging</c>, or the address of another ACME directory.</param>
/// <param name="Contacts">Mail addresses that the authority may write to.</param>
/// <param name="TermsAgreed">Whether the authority's terms were read and agreed to; it serves nobody else.</param>
/// <param name="Challenge">How hosts are proven: <c>http-01</c> (port 80, the default) or <c>tls-alpn-01</c> (port 443).</param>
/// <param name="Roots">PEM: the roots that a private authority's server is trusted by.</param>
/// <param name="ExternalKeyId">The account elsewhere that ours belongs to, where the authority wants one.</param>
/// <param name="ExternalKey">Its key, base64url. It is stored sealed and never shown.</param>
public sealed record SetCertificateAuthority(
    string? Kind, string? Directory, IReadOnlyList<string>? Contacts, bool? TermsAgreed, string? Challenge, string? Roots, string? ExternalKeyId, string? ExternalKey);

/// <summary>A host that is to have a certificate, or an imported certificate, and how it stands.</summary>
/// <param name="Name">The host, or the first name of an imported certificate.</param>
/// <param name="State">valid, renewing (one is being made or was asked for), expiring, expired, missing or failing (the last attempt failed).</param>
/// <param name="Problem">Why it does not stand well, and what to do.</param>
/// <param name="NextAttempt">When the next one is made or asked for; null when the platform does not do that.</param>
/// <param name="EdgesServing">How many edges serve the current set of certificates.</param>
/// <param name="Edges">How many edges there are.</param>
public sealed record CertificateView(string Name, string State, string? Problem, DateTimeOffset? NextAttempt, int EdgesServing, int Edges)
{
    /// <summary>The certificate's id, another for each; null when there is none, as everything below.</summary>
    public Guid? Id { get; init; }

    /// <summary>The hosts that it is for.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>development, acme or imported.</summary>
    public string? Source { get; init; }

    /// <summary>Who signed it.</summary>
    public string? Issuer { get; init; }

    /// <summary>The issuer's number for it, hexadecimal.</summary>
    public string? Serial { get; init; }

    /// <summary>SHA-256 of the certificate, 64 hexadecimal digits.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>From when it is good.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Until when it is good.</summary>
    public DateTimeOffset? NotAfter { get; init; }

    /// <summary>When it came into the store.</summary>
    public DateTimeOffset? MadeAt { get; init; }

    /// <summary>Who brought it; <c>platform</c> for those that it made.</summary>
    public string? Actor { get; init; }
}

/// <summary>Who makes certificates: <c>GET /api/v1/edge/certificate-authority</c>.</summary>
/// <param name="Kind">acme, development or none.</param>
/// <param name="Directory">The ACME directory.</param>
/// <param name="Contacts">Where the authority writes to.</param>
/// <param name="Challenge">http-01 or tls-alpn-01.</param>
/// <param name="Roots">The roots that its server is trusted by, PEM; null for those of the system.</param>
/// <param name="ExternalKeyId">The account elsewhere that ours belongs to.</param>
/// <param name="SetAt">When it was set; null while the default holds: development below <c>localhost</c>, elsewhere none.</param>
/// <param name="Actor">Who set it.</param>
public sealed record CertificateAuthorityView(
    string Kind, string? Directory, IReadOnlyList<string> Contacts, string? Challenge, string? Roots, string? ExternalKeyId, DateTimeOffset? SetAt, string? Actor);
