using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Groundcrew.Edge.Acme;

/// <summary>Reads chains that an authority sent. Pure.</summary>
internal static class PemChain
{
    private const int LongestChain = 16;

    /// <summary>The certificates of a download and nothing else: other things in it are refused (RFC 8555, 11.4).</summary>
    public static string Clean(byte[] body)
    {
        try
        {
            var text = Encoding.UTF8.GetString(body);
            var chain = new List<string>();
            for (var at = 0; PemEncoding.TryFind(text.AsSpan(at), out var found) && chain.Count < LongestChain; at += found.Location.End.Value)
            {
                var block = text.AsSpan(at)[found.Location];
                if (!text.AsSpan(at)[found.Label].SequenceEqual("CERTIFICATE"))
                    throw AcmeException.BadAnswer("The authority sent a chain with something else than certificates in it.");
                using var certificate = X509Certificate2.CreateFromPem(block);
                chain.Add(certificate.ExportCertificatePem());
            }
            return chain.Count > 0 ? string.Join('\n', chain) + "\n" : throw AcmeException.BadAnswer("The authority sent a chain without a certificate.");
        }
        catch (CryptographicException e)
        {
            throw AcmeException.BadAnswer($"The authority sent a certificate that cannot be read: {e.Message}", e);
        }
    }
}
