using System.Buffers;
using System.Formats.Asn1;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Groundcrew.Edge.Acme;

/// <summary>A way of proof that is known to us.</summary>
public enum AcmeChallengeKind
{
    /// <summary>A text at a path of the name, on port 80 (RFC 8555, 8.3).</summary>
    Http01,

    /// <summary>A certificate for the name, on port 443, under a protocol of its own (RFC 8737).</summary>
    TlsAlpn01,
}

/// <summary>
/// One way to prove one name, with all that an edge needs to answer it. Nothing of it is secret: whoever asks for the
/// name may read the answer. Immutable.
/// </summary>
/// <param name="Kind">What is to be shown.</param>
/// <param name="Name">The DNS name that is proven.</param>
/// <param name="Token">The authority's token: base64url, so it is safe as a part of a path.</param>
/// <param name="KeyAuthorization">The token with the account key's thumbprint (RFC 8555, 8.1).</param>
/// <param name="Url">What names it.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Error">Why it is invalid; null when it is not, or when the authority does not say.</param>
public sealed record AcmeChallenge(
    AcmeChallengeKind Kind, string Name, string Token, string KeyAuthorization, Uri Url, AcmeStatus Status, AcmeProblem? Error)
{
    /// <summary>The path below which HTTP-01 is answered, the last slash included.</summary>
    public const string HttpPrefix = "/.well-known/acme-challenge/";

    /// <summary>
    /// Where <see cref="KeyAuthorization"/> must be the whole body of a 200 answer, over plain HTTP on port 80 of
    /// <see cref="Name"/>, when <see cref="Kind"/> is <see cref="AcmeChallengeKind.Http01"/>.
    /// </summary>
    public string HttpPath => HttpPrefix + Token;
}

/// <summary>Answers TLS-ALPN-01 (RFC 8737): a handshake for the name under <see cref="Protocol"/> shows the certificate, then ends.</summary>
public static class TlsAlpnChallenge
{
    /// <summary>The one protocol of such a handshake: "acme-tls/1".</summary>
    public static SslApplicationProtocol Protocol { get; } = new("acme-tls/1");

    /// <summary>The extension that holds the digest (RFC 8737, 6.1).</summary>
    internal const string IdentifierOid = "1.3.6.1.5.5.7.1.31";

    private const int LongestRecord = (1 << 14) + 5;

    private static readonly TimeSpan Life = TimeSpan.FromDays(7);

    /// <summary>
    /// The certificate to show for a name: signed by itself, for this name alone, with the digest of the key
    /// authorization in a critical extension. It holds its private key; the caller disposes of it.
    /// </summary>
    public static X509Certificate2 Certificate(string name, string keyAuthorization, TimeProvider clock)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=acme-tls-alpn-01", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509Extension(IdentifierOid, Digest(keyAuthorization), critical: true));
        var now = clock.GetUtcNow();
        return request.CreateSelfSigned(now - TimeSpan.FromDays(1), now + Life);
    }

    /// <summary>
    /// Whether the first bytes of a connection ask for the answer to a challenge: they offer <see cref="Protocol"/> and
    /// nothing else (RFC 8737, 3). Such a handshake shows the certificate of the challenge, every other one the usual
    /// certificate of the name. Kestrel gives these bytes to <c>TlsClientHelloBytesCallback</c>. False for a hello that is
    /// cut, malformed or longer than one record.
    /// </summary>
    public static bool IsAskedFor(ReadOnlySequence<byte> clientHello)
    {
        if (clientHello.Length > LongestRecord)
            return false;
        return ClientHello.OffersOnly(clientHello.IsSingleSegment ? clientHello.FirstSpan : clientHello.ToArray(), Protocol.Protocol.Span);
    }

    private static byte[] Digest(string keyAuthorization)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteOctetString(SHA256.HashData(Encoding.ASCII.GetBytes(keyAuthorization)));
        return writer.Encode();
    }
}
