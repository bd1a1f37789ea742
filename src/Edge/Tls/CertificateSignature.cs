using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Groundcrew.Edge;

/// <summary>Whether one certificate signed another (RFC 5280, 4.1). Pure.</summary>
internal static class CertificateSignature
{
    private static readonly Asn1Tag VersionTag = new(TagClass.ContextSpecific, 0);

    /// <summary>
    /// Whether the names follow each other and the signature is right. A signature of a kind that is rarely seen
    /// (anything but PKCS#1 1.5 and ECDSA with SHA-2) is taken on the names alone, as clients judge it anyway.
    /// </summary>
    public static bool IsBy(X509Certificate2 certificate, X509Certificate2 issuer)
    {
        if (!certificate.IssuerName.RawData.AsSpan().SequenceEqual(issuer.SubjectName.RawData))
            return false;
        var (signed, isConsistent, signature) = Parts(certificate);
        if (!isConsistent || HashOf(certificate.SignatureAlgorithm.Value) is not { } hash)
            return isConsistent;
        using var curve = issuer.GetECDsaPublicKey();
        using var rsa = issuer.GetRSAPublicKey();
        try
        {
            return curve?.VerifyData(signed.Span, signature, hash, DSASignatureFormat.Rfc3279DerSequence)
                ?? rsa?.VerifyData(signed.Span, signature, hash, RSASignaturePadding.Pkcs1)
                ?? false;
        }
        catch (CryptographicException)
        {
            // A signature that is not even well-formed is nobody's.
            return false;
        }
    }

    /// <summary>The algorithm stands inside and outside of what is signed, and must be the same (RFC 5280, 4.1.1.2).</summary>
    internal static (ReadOnlyMemory<byte> Signed, bool IsConsistent, byte[] Signature) Parts(X509Certificate2 certificate)
    {
        var whole = new AsnReader(certificate.RawDataMemory, AsnEncodingRules.DER).ReadSequence();
        var signed = whole.ReadEncodedValue();
        var outside = whole.ReadEncodedValue();
        var inside = new AsnReader(signed, AsnEncodingRules.DER).ReadSequence();
        if (inside.PeekTag().HasSameClassAndValue(VersionTag))
            inside.ReadEncodedValue();
        inside.ReadEncodedValue();
        var signature = whole.ReadBitString(out var unusedBits);
        return (signed, unusedBits == 0 && inside.ReadEncodedValue().Span.SequenceEqual(outside.Span), signature);
    }

    private static HashAlgorithmName? HashOf(string? algorithm) => algorithm switch
    {
        "1.2.840.113549.1.1.11" or "1.2.840.10045.4.3.2" => HashAlgorithmName.SHA256,
        "1.2.840.113549.1.1.12" or "1.2.840.10045.4.3.3" => HashAlgorithmName.SHA384,
        "1.2.840.113549.1.1.13" or "1.2.840.10045.4.3.4" => HashAlgorithmName.SHA512,
        _ => null,
    };
}

/// <summary>The times of a certificate with the offset that the framework leaves out. Pure.</summary>
internal static class CertificateTimes
{
    /// <summary>From when it is good, in UTC.</summary>
    public static DateTimeOffset From(this X509Certificate2 certificate) => new DateTimeOffset(certificate.NotBefore).ToUniversalTime();

    /// <summary>Until when it is good, in UTC.</summary>
    public static DateTimeOffset Until(this X509Certificate2 certificate) => new DateTimeOffset(certificate.NotAfter).ToUniversalTime();
}
