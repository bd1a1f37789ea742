using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Groundcrew.Metrics;

/// <summary>Connections and credentials by the settings that scraping, discovery and remote write share.</summary>
internal static class HttpTransport
{
    /// <summary>Ordinary HTTP. Files of certificates are read when a connection is made, so that they may change.</summary>
    public static HttpMessageInvoker Create(HttpSettings settings)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = settings.ProxyUrl is not null,
            Proxy = settings.ProxyUrl is { } proxy ? new WebProxy(proxy) : null,
            PooledConnectionLifetime = TimeSpan.FromMinutes(15),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(30),
            MaxResponseHeadersLength = 64,
            // A lying server must not make us read on after its answer.
            MaxResponseDrainSize = 0,
        };
        handler.SslOptions = Tls(settings.Tls);
        // Behind a proxy the handler alone speaks to the target; the name is judged there, too, but not sent.
        if (settings.Tls.ServerName is { } name && settings.ProxyUrl is null)
            handler.ConnectCallback = (context, cancellation) => ConnectAsync(context, settings.Tls, name, cancellation);
        return new HttpMessageInvoker(handler);
    }

    /// <summary>Adds the credentials of the settings to a request. Throws <see cref="IOException"/> when their file cannot be read.</summary>
    public static void Authorize(HttpRequestMessage request, HttpSettings settings)
    {
        if (settings.BasicUser is { } user)
        {
            var password = settings.BasicPassword?.Reveal() ?? Read(settings.BasicPasswordFile) ?? "";
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
        }
        else if ((settings.Credentials?.Reveal() ?? Read(settings.CredentialsFile)) is { } credentials)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"{settings.AuthorizationType} {credentials}");
        }
    }

    private static string? Read(string? file) => file is null ? null : File.ReadAllText(file).Trim();

    /// <summary>
    /// Connects and, for https, speaks TLS to the server under a name of its own: the handler would send that of the address
    /// in the handshake (SNI, RFC 6066) whatever its options say.
    /// </summary>
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, TlsSettings tls, string name, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        SslStream? secured = null;
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            var stream = new NetworkStream(socket, ownsSocket: true);
            if (context.InitialRequestMessage.RequestUri?.Scheme != Uri.UriSchemeHttps)
                return stream;
            secured = new SslStream(stream);
            var options = Tls(tls);
            options.TargetHost = name;
            options.ApplicationProtocols = context.InitialRequestMessage.Version.Major >= 2 ? [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11] : [SslApplicationProtocol.Http11];
            await secured.AuthenticateAsClientAsync(options, cancellation);
            return secured;
        }
        catch
        {
            if (secured is not null)
                await secured.DisposeAsync();
            socket.Dispose();
            throw;
        }
    }

    private static SslClientAuthenticationOptions Tls(TlsSettings tls)
    {
        var options = new SslClientAuthenticationOptions { EnabledSslProtocols = Protocols(tls) };
        if (tls.CertFile is { } certificate && tls.KeyFile is { } key)
            options.LocalCertificateSelectionCallback = (_, _, _, _, _) => X509Certificate2.CreateFromPemFile(certificate, key);
#pragma warning disable CA5359 // The settings ask for it by name, as those of Prometheus do.
        if (tls.InsecureSkipVerify)
            options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        else if (tls.CaFile is not null || tls.Ca is not null || tls.ServerName is not null)
            options.RemoteCertificateValidationCallback = (_, shown, chain, errors) => IsTrusted(tls, shown, chain, errors);
        return options;
    }

    private static bool IsTrusted(TlsSettings tls, X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors)
    {
        if (shown is not X509Certificate2 certificate)
            return false;
        // Behind a proxy the handler compares with the name of the address: whether the certificate is of the name that the
        // settings demand is judged here.
        if (tls.ServerName is { } name)
            errors = certificate.MatchesHostname(name) ? errors & ~SslPolicyErrors.RemoteCertificateNameMismatch : SslPolicyErrors.RemoteCertificateNameMismatch;
        if ((errors | SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.RemoteCertificateChainErrors)
            return false;
        if (tls.CaFile is null && tls.Ca is null)
            return errors == SslPolicyErrors.None;
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPem(tls.Ca ?? Read(tls.CaFile));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            // Without its authorities nobody is trusted; the connection fails with the reason of the certificate.
            return false;
        }
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.AddRange(roots);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        foreach (var element in chain?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
            own.ChainPolicy.ExtraStore.Add(element.Certificate);
        return own.Build(certificate);
    }

    private static SslProtocols Protocols(TlsSettings tls)
    {
        if (tls.MinVersion is null && tls.MaxVersion is null)
            return SslProtocols.None;
        // Versions before 1.2 are not spoken whatever is asked for.
        return (tls.MinVersion != "TLS13" ? SslProtocols.Tls12 : SslProtocols.None) | (tls.MaxVersion is null or "TLS13" ? SslProtocols.Tls13 : SslProtocols.None);
    }
}
