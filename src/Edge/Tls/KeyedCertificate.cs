using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>A certificate with its key. Immutable.</summary>
/// <param name="Chain">The certificate and those above it, PEM, the certificate first, without the root.</param>
/// <param name="Key">Its private key, PKCS#8 PEM.</param>
public sealed record KeyedCertificate(string Chain, Secret Key)
{
    /// <summary>What it says of itself.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">The chain holds no certificate that can be read.</exception>
    public CertificateInfo Info()
    {
        using var certificate = X509Certificate2.CreateFromPem(Chain);
        return CertificateJudge.Info(certificate);
    }
}

/// <summary>What a person wants to know of a certificate. Immutable.</summary>
/// <param name="Names">The DNS names and addresses that it is for.</param>
/// <param name="Subject">Whose it says it is, such as <c>CN=example.org</c>; often empty.</param>
/// <param name="Issuer">Who signed it.</param>
/// <param name="Serial">The issuer's number for it, hexadecimal.</param>
/// <param name="NotBefore">From when it is good.</param>
/// <param name="NotAfter">Until when it is good.</param>
/// <param name="Fingerprint">SHA-256 of the certificate, 64 hexadecimal digits in lower case.</param>
public sealed record CertificateInfo(
    IReadOnlyList<string> Names, string Subject, string Issuer, string Serial, DateTimeOffset NotBefore, DateTimeOffset NotAfter,
    string Fingerprint);
