using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Bedrock;

namespace Groundcrew.Edge;

/// <summary>A private key that somebody brings, opened to be compared. Not thread-safe.</summary>
internal sealed class PrivateKey : IDisposable
{
    private const int LongestText = 64 * 1024;

    private readonly AsymmetricAlgorithm _key;

    private PrivateKey(AsymmetricAlgorithm key) => _key = key;

    /// <summary>Opens it; null with a problem when it is none.</summary>
    public static PrivateKey? Read(Secret key, ProblemList problems)
    {
        var text = key.Reveal();
        if (text.Length > LongestText || !PemEncoding.TryFind(text, out var found))
        {
            problems.Add("unreadable", "key", "There is no key in PEM in it.", "Bring text that begins with -----BEGIN PRIVATE KEY-----.");
            return null;
        }
        if (text.Contains("ENCRYPTED", StringComparison.Ordinal))
        {
            problems.Add("encrypted", "key", "The key is encrypted with a password.", "Decrypt it first, for example with 'openssl pkey'.");
            return null;
        }
        if (TryOpen(ECDsa.Create(), text) is { } curve)
            return new PrivateKey(curve);
        if (TryOpen(RSA.Create(), text) is { } rsa)
            return new PrivateKey(rsa);
        problems.Add("unreadable", "key", $"The '{text[found.Label]}' is no private key for P-256, P-384, P-521 or RSA that can be read.", "Bring the private key of the certificate, unencrypted.");
        return null;
    }

    /// <summary>Whether a certificate is for this key.</summary>
    public bool Fits(X509Certificate2 certificate) =>
        certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(_key.ExportSubjectPublicKeyInfo());

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    private static AsymmetricAlgorithm? TryOpen(AsymmetricAlgorithm key, string text)
    {
        try
        {
            key.ImportFromPem(text);
            // A public key imports as well; only a private one can be written as such.
            CryptographicOperations.ZeroMemory(key.ExportPkcs8PrivateKey());
            return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            return null;
        }
    }
}
