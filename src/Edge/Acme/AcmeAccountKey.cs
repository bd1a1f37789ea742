using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge.Acme;

/// <summary>The key that an account with an authority is known by.</summary>
public static class AcmeAccountKey
{
    /// <summary>A new key on P-256, as PKCS#8 PEM: keep it sealed, for whoever holds it holds the account.</summary>
    public static Secret New()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new Secret(key.ExportPkcs8PrivateKeyPem());
    }
}

/// <summary>Signs requests with the account's key: JWS with ES256, flattened (RFC 7515; RFC 8555, 6.2). Thread-safe.</summary>
internal sealed class AccountSigner : IDisposable
{
    private const string P256 = "1.2.840.10045.3.1.7";

    private readonly Lock _gate = new();
    private readonly ECDsa _key;

    /// <summary>Opens the key; throws <see cref="ArgumentException"/> when it is no private key on P-256.</summary>
    public AccountSigner(Secret key)
    {
        _key = Open(key);
        var point = _key.ExportParameters(includePrivateParameters: false).Q;
        // The members in the order of their names: the thumbprint is over exactly these bytes (RFC 7638).
        Jwk = $$"""{"crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}""";
        Thumbprint = Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(Jwk)));
    }

    /// <summary>The public key as JSON.</summary>
    public string Jwk { get; }

    /// <summary>The public key's thumbprint (RFC 7638), which key authorizations end with.</summary>
    public string Thumbprint { get; }

    /// <summary>
    /// The body of a request. Without a payload it is a POST-as-GET; without an account the public key is sent along.
    /// </summary>
    public byte[] Sign(Uri url, string nonce, Uri? account, ReadOnlySpan<byte> payload)
    {
        var head = Header("ES256", url, nonce, account?.AbsoluteUri);
        return Body(head, payload, Signature);
    }

    /// <summary>The proof that the holder of an external account asks for this key's account (RFC 8555, 7.3.4).</summary>
    public byte[] Bind(Uri url, ExternalAccount external)
    {
        var head = Header("HS256", url, nonce: null, external.KeyId);
        var mac = MacKey(external);
        return Body(head, Encoding.UTF8.GetBytes(Jwk), data => HMACSHA256.HashData(mac, data));
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    private static ECDsa Open(Secret pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem.Reveal());
            if (key.ExportParameters(includePrivateParameters: true).Curve.Oid.Value == P256)
                return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new ArgumentException("The account key is not a private key in PEM; make one with AcmeAccountKey.New.", nameof(pem), e);
        }
        key.Dispose();
        throw new ArgumentException("The account key is not on P-256; make one with AcmeAccountKey.New.", nameof(pem));
    }

    private static byte[] MacKey(ExternalAccount external)
    {
        try
        {
            return Base64Url.DecodeFromChars(external.MacKey.Reveal());
        }
        catch (FormatException e)
        {
            throw new ArgumentException("The key of the external account is not base64url, as authorities give it.", nameof(external), e);
        }
    }

    private byte[] Header(string algorithm, Uri url, string? nonce, string? keyId)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("alg", algorithm);
            if (nonce is not null)
                json.WriteString("nonce", nonce);
            json.WriteString("url", url.AbsoluteUri);
            if (keyId is not null)
                json.WriteString("kid", keyId);
            else
            {
                json.WritePropertyName("jwk");
                json.WriteRawValue(Jwk);
            }
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    private static byte[] Body(byte[] head, ReadOnlySpan<byte> payload, Func<byte[], byte[]> sign)
    {
        var (protectedText, payloadText) = (Base64Url.EncodeToString(head), Base64Url.EncodeToString(payload));
        var signature = Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes($"{protectedText}.{payloadText}")));
        // All three are base64url, so nothing is to be escaped.
        return Encoding.ASCII.GetBytes($$"""{"protected":"{{protectedText}}","payload":"{{payloadText}}","signature":"{{signature}}"}""");
    }

    private byte[] Signature(byte[] data)
    {
        lock (_gate)
            return _key.SignData(data, HashAlgorithmName.SHA256);
    }
}
