using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Tests;

/// <summary>A private authority of tests: a root, an authority below it, and certificates of any shape.</summary>
internal sealed class TestAuthority
{
    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _below;

    public TestAuthority()
    {
        _root = Make("CN=test root", null, authority: true);
        _below = Make("CN=test authority", _root, authority: true);
    }

    /// <summary>What a client trusts, PEM.</summary>
    public string Root => _root.ExportCertificatePem() + "\n";

    /// <summary>The authority that signs, with its key: a responder signs for it.</summary>
    public (string Certificate, string Key) Signer => (_below.ExportCertificatePem() + "\n", _below.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n");

    /// <summary>A certificate whose chain holds the authority above it, and not the root.</summary>
    public KeyedCertificate Issue(params string[] names) => Issue(null, false, names);

    /// <param name="ocsp">Where its status is told.</param>
    /// <param name="withRoot">Whether the chain goes up to the root.</param>
    /// <param name="names">Its hosts.</param>
    public KeyedCertificate Issue(Uri? ocsp, bool withRoot, params string[] names)
    {
        using var certificate = Make("CN=" + names[0], _below, authority: false, ocsp, names);
        return new KeyedCertificate(
            certificate.ExportCertificatePem() + "\n" + Signer.Certificate + (withRoot ? Root : ""), new Secret(certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()));
    }

    private static X509Certificate2 Make(string subject, X509Certificate2? issuer, bool authority, Uri? ocsp = null, params string[] names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(authority, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        if (names.Length > 0)
        {
            var alternatives = new SubjectAlternativeNameBuilder();
            foreach (var name in names)
                alternatives.AddDnsName(name);
            request.CertificateExtensions.Add(alternatives.Build());
        }
        if (ocsp is not null)
            request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension([ocsp.ToString()], []));
        var now = TimeProvider.System.GetUtcNow();
        var serial = RandomNumberGenerator.GetBytes(8);
        serial[0] = 0x11;
        if (issuer is null)
            return request.CreateSelfSigned(now.AddDays(-1), now.AddYears(1));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, true, false));
        using var made = request.Create(issuer, now.AddHours(-1), now.AddDays(authority ? 300 : 90), serial);
        return made.CopyWithPrivateKey(key);
    }
}

/// <summary>Sets of tests.</summary>
internal static class Sets
{
    public static Guid NewId() => Ids.New(TimeProvider.System);

    public static CertificateReference Named(Guid id, params string[] names) => new(id, names);

    public static CertificateSet Of(long generation, params CertificateReference[] certificates) => new(generation, Tables.Platform, certificates);

    public static Dictionary<Guid, KeyedCertificate> With(params (Guid Id, KeyedCertificate Certificate)[] fetched) => fetched.ToDictionary(f => f.Id, f => f.Certificate);

    public static Dictionary<Guid, KeyedCertificate> Nothing => [];

    /// <summary>Serves one certificate for names, as the only one.</summary>
    public static void Serve(this EdgeCertificates certificates, long generation, KeyedCertificate certificate, params string[] names)
    {
        var id = NewId();
        var outcome = certificates.Apply(Of(generation, Named(id, names)), With((id, certificate)));
        if (outcome is not ApplyOutcome.Applied || certificates.State.Problem is not null)
            throw new InvalidOperationException($"{outcome} {certificates.State.Problem}");
    }
}
