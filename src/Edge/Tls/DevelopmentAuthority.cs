using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>
/// A certificate authority of one machine, for development: a person may trust it without fear, as it is good for
/// <c>localhost</c> and one base domain only (RFC 5280, 4.2.1.10). Immutable and thread-safe.
/// </summary>
public sealed class DevelopmentAuthority
{
    private const string NameConstraintsOid = "2.5.29.30";
    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";
    private const string Localhost = "localhost";

    /// <summary>Clocks of browsers and virtual machines may run behind.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromHours(1);

    private readonly string _domain;
    private readonly TimeProvider _clock;

    private DevelopmentAuthority(string certificate, Secret key, string domain, TimeProvider clock) =>
        (Certificate, Key, _domain, _clock) = (certificate, key, domain, clock);

    /// <summary>How many years an authority is good.</summary>
    public static int Years => 10;

    /// <summary>How long a certificate is good.</summary>
    public static TimeSpan LeafLife { get; } = TimeSpan.FromDays(90);

    /// <summary>Its certificate, PEM: what a person adds to what they trust.</summary>
    public string Certificate { get; }

    /// <summary>Its private key, PKCS#8 PEM; to be kept sealed.</summary>
    public Secret Key { get; }

    /// <summary>Makes one, with a new key on P-256.</summary>
    /// <param name="clock">Says when its life begins.</param>
    /// <param name="domain">The base domain of development, in lower case; <c>localhost</c> is always allowed beside it.</param>
    public static DevelopmentAuthority New(TimeProvider clock, string domain = Localhost)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Groundcrew development authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(Constraints(domain));
        var now = clock.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now - Skew, now.AddYears(Years));
        return new DevelopmentAuthority(certificate.ExportCertificatePem() + "\n", new Secret(key.ExportPkcs8PrivateKeyPem()), domain, clock);
    }

    /// <summary>
    /// Opens one that was kept. Refused, so that a new one is to be made, when the texts are no such pair, when it is
    /// good for another domain, or when it would not outlive a certificate that it signs.
    /// </summary>
    public static Judged<DevelopmentAuthority> Open(string certificate, Secret key, TimeProvider clock, string domain = Localhost)
    {
        var problems = new ProblemList();
        var pair = TryOpen(certificate, key);
        using (pair)
        {
            if (pair is null)
                problems.Add("unreadable", "certificate", "The authority's certificate and key do not go together.", "Make a new authority.");
            else if (pair.Until() < clock.GetUtcNow() + LeafLife)
                problems.Add("expired", "certificate", $"The authority ends on {pair.Until():yyyy-MM-dd}.", "Make a new authority.");
            else if (!pair.Extensions.Any(e => e.Oid?.Value == NameConstraintsOid && e.RawData.AsSpan().SequenceEqual(Constraints(domain).RawData)))
                problems.Add("other-domain", "certificate", $"The authority is not for {domain}.", "Make a new authority.");
        }
        return problems.IsEmpty
            ? Judged<DevelopmentAuthority>.Good(new DevelopmentAuthority(certificate, key, domain, clock))
            : Judged<DevelopmentAuthority>.Bad(problems.Problems);
    }

    /// <summary>
    /// A certificate for hosts below the domain, with a new key on P-256. A name may be <c>localhost</c>, the base domain,
    /// a host below either, or <c>*.</c> before any of these; many clients refuse <c>*.localhost</c>, so name hosts.
    /// </summary>
    public Judged<KeyedCertificate> Issue(params IReadOnlyList<string> names)
    {
        var problems = new ProblemList();
        if (names.Count == 0)
            problems.Add("missing", "names", "No name is given.", "Name at least one host.");
        for (var i = 0; i < names.Count; i++)
            JudgeName(names[i], $"names[{i}]", problems);
        return problems.IsEmpty ? Judged<KeyedCertificate>.Good(IssueFor(names)) : Judged<KeyedCertificate>.Bad(problems.Problems);
    }

    private void JudgeName(string name, string path, ProblemList problems)
    {
        if (!DnsNames.IsName(name))
            problems.Add("bad-host", path, $"'{name}' is not a host name.", "Use labels of a-z, 0-9 and '-', joined by dots, in lower case.");
        else if (!DnsNames.IsOfThisMachine(name) && !DnsNames.IsBelow(name, _domain))
            problems.Add("outside-development", path, $"'{name}' is not below {_domain}.", "Import a certificate for it, or let a public authority issue one.");
    }

    private KeyedCertificate IssueFor(IReadOnlyList<string> names)
    {
        using var authority = X509Certificate2.CreateFromPem(Certificate, Key.Reveal());
        using var signing = authority.GetECDsaPrivateKey()!;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = LeafRequest(key, names);
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var now = _clock.GetUtcNow();
        var (from, until) = (now - Skew, now + LeafLife);
        var (first, last) = (authority.From(), authority.Until());
        using var certificate = request.Create(
            authority.SubjectName, X509SignatureGenerator.CreateForECDsa(signing), from < first ? first : from, until > last ? last : until, Serial());
        return new KeyedCertificate(certificate.ExportCertificatePem() + "\n", new Secret(key.ExportPkcs8PrivateKeyPem()));
    }

    private static CertificateRequest LeafRequest(ECDsa key, IReadOnlyList<string> names)
    {
        var request = new CertificateRequest("CN=Groundcrew development", key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names.Distinct(StringComparer.Ordinal))
            alternatives.AddDnsName(name);
        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthenticationOid)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request;
    }

    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        // A positive number without leading zeros, as DER wants it.
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        return serial;
    }

    /// <summary>
    /// Which names it is good for (RFC 5280, 4.2.1.10). A permitted DNS name stands for itself and all below it; since it
    /// limits DNS names alone, every IP address is excluded beside it.
    /// </summary>
    private static X509Extension Constraints(string domain)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
                foreach (var name in new[] { Localhost, domain }.Distinct(StringComparer.Ordinal))
                    using (writer.PushSequence())
                        writer.WriteCharacterString(UniversalTagNumber.IA5String, name, new Asn1Tag(TagClass.ContextSpecific, 2));
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 1)))
                foreach (var addressAndMask in new[] { new byte[8], new byte[32] })
                    using (writer.PushSequence())
                        writer.WriteOctetString(addressAndMask, new Asn1Tag(TagClass.ContextSpecific, 7));
        }
        return new X509Extension(NameConstraintsOid, writer.Encode(), critical: true);
    }

    private static X509Certificate2? TryOpen(string certificate, Secret key)
    {
        try
        {
            return X509Certificate2.CreateFromPem(certificate, key.Reveal());
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>DNS names as certificates hold them. Pure.</summary>
public static class DnsNames
{
    private const int LongestName = 253;
    private const int LongestLabel = 63;

    /// <summary>Whether a text is a host name in lower case, with or without an asterisk as its first label.</summary>
    public static bool IsName(string? text)
    {
        if (text is null || text.Length > LongestName)
            return false;
        var labels = (text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text).Split('.');
        return labels.All(l => l.Length is > 0 and <= LongestLabel && l[0] != '-' && l[^1] != '-'
            && l.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_'));
    }

    /// <summary>Whether a host is a domain or lies below it; both in lower case.</summary>
    public static bool IsBelow(string host, string domain) => host == domain || host.EndsWith("." + domain, StringComparison.Ordinal);

    /// <summary>Whether a host is <c>localhost</c> or lies below it, and so never leaves the machine (RFC 6761, section 6.3).</summary>
    public static bool IsOfThisMachine(string host) => IsBelow(host, "localhost");

    /// <summary>Whether a certificate's name covers a host, an asterisk standing for one whole label (RFC 9525, 6.3).</summary>
    public static bool Covers(string held, string asked)
    {
        if (string.Equals(held, asked, StringComparison.OrdinalIgnoreCase))
            return true;
        var dot = asked.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && held.StartsWith("*.", StringComparison.Ordinal) && !asked.StartsWith('*')
            && held.AsSpan(1).Equals(asked.AsSpan(dot), StringComparison.OrdinalIgnoreCase);
    }
}
