using System.Formats.Asn1;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Groundcrew.Edge;

/// <summary>
/// A certificate opened with its key, with everything prepared that does not have to happen in a handshake. Immutable.
/// It is never disposed of: a handshake may still use it when another one serves already.
/// </summary>
internal sealed class ServedCertificate
{
    private ServedCertificate(CertificateInfo info, bool namesResponder, SslServerAuthenticationOptions options) =>
        (Info, NamesResponder, Options) = (info, namesResponder, options);

    /// <summary>What it says of itself.</summary>
    public CertificateInfo Info { get; }

    /// <summary>Whether it names where its status may be asked for (OCSP, RFC 6960), which the framework then staples.</summary>
    public bool NamesResponder { get; }

    /// <summary>What handshakes go by: one object for all of them, since sessions are resumed only within one.</summary>
    public SslServerAuthenticationOptions Options { get; }

    /// <summary>Opens one. It may be expired: what to do about that is the business of whoever sends it.</summary>
    /// <exception cref="InvalidDataException">Says why it cannot serve, without anything of the key.</exception>
    public static ServedCertificate Open(KeyedCertificate keyed)
    {
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(keyed.Chain);
            if (chain.Count == 0)
                throw new InvalidDataException("there is no certificate in it");
            // The one that came of the chain has no key; the one that is opened with it takes its place.
            chain[0].Dispose();
            chain.RemoveAt(0);
            var own = X509Certificate2.CreateFromPem(keyed.Chain, keyed.Key.Reveal());
            var responder = own.Extensions.OfType<X509AuthorityInformationAccessExtension>().Any(e => e.EnumerateOcspUris().Any());
            // Online, the framework asks the responder by itself, beside the handshakes; otherwise it asks nobody anything.
            var context = SslStreamCertificateContext.Create(own, chain, offline: !responder);
            return new ServedCertificate(CertificateJudge.Info(own), responder, OptionsOf(context, SslApplicationProtocol.Http2, SslApplicationProtocol.Http11));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or AsnContentException)
        {
            throw new InvalidDataException($"certificate and key cannot be opened together ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>Whether it is for a name; one with an asterisk must stand in it as such.</summary>
    public bool Covers(string name) => Info.Names.Any(held => DnsNames.Covers(held, name));

    /// <summary>How handshakes are made: TLS 1.2 and 1.3, no certificate of the client, sessions are resumed.</summary>
    public static SslServerAuthenticationOptions OptionsOf(SslStreamCertificateContext context, params List<SslApplicationProtocol> protocols) => new()
    {
        ServerCertificateContext = context,
        ApplicationProtocols = protocols,
#pragma warning disable CA5398 // The two that are safe (RFC 9325); what the machine allows beside them is not.
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
#pragma warning restore CA5398
        ClientCertificateRequired = false,
        AllowRenegotiation = false,
    };
}
