using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Groundcrew.Deploys;

/// <summary>What the DNS of a domain says, as far as a check is concerned (ZW-91).</summary>
/// <param name="IsRight">Whether it leads to the environment.</param>
/// <param name="IsAlias">Whether it has a CNAME record.</param>
/// <param name="Found">Where it leads.</param>
/// <param name="Problem">Why it could not be asked; null when it could.</param>
public sealed record DnsFinding(bool IsRight, bool IsAlias, string Found, string? Problem);

/// <summary>How a site answered a request for its first page: nothing but the status is kept of what it said (ZW-92).</summary>
/// <param name="Status">The status; null without an answer.</param>
/// <param name="Problem">Why there is none; null when there is.</param>
/// <param name="CertificateEndsAt">When its certificate ends; null where none was shown.</param>
public sealed record SiteFinding(int? Status, string? Problem, DateTimeOffset? CertificateEndsAt);

/// <summary>What a check of a domain found.</summary>
/// <param name="Domain">The claim, as the check left it.</param>
/// <param name="Dns">Its DNS; null on a platform for development.</param>
/// <param name="Https">Its site over TLS; null on a platform for development.</param>
/// <param name="Http">Its site without; on a platform for development, asked of the edge on this machine.</param>
public sealed record DomainCheck(DomainInfo Domain, DnsFinding? Dns, SiteFinding? Https, SiteFinding Http);

/// <summary>
/// Asks for the first page of a host as the public would. Whoever rules a domain says where it leads, so only addresses of the
/// public Internet and those of the edge itself are ever connected to, the name is not looked up a second time, and no
/// redirect is followed (server-side request forgery). Thread-safe.
/// </summary>
internal sealed class SiteCheck(DeploysOptions settings, TimeProvider clock)
{
    private const int MostAddresses = 4;
    private const int HeadKib = 32;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly DomainOptions _options = settings.Domains;

    /// <summary>Asks the host at the addresses that it leads to.</summary>
    public async Task<SiteFinding> AskAsync(
        string scheme, string host, IReadOnlyList<IPAddress> addresses, IReadOnlyList<IPAddress> edge, CancellationToken cancellation)
    {
        var open = addresses.Where(a => edge.Contains(a) || PublicAddress.Is(a)).Take(MostAddresses).ToArray();
        if (open.Length > 0)
            return await AskAsync(scheme, host, open, scheme == Uri.UriSchemeHttps ? _options.HttpsPort : _options.HttpPort, cancellation);
        return new SiteFinding(null, addresses.Count == 0 ? "it has no address" : "it leads to addresses that are not public; they are not asked", null);
    }

    /// <summary>Asks the edge on this machine for the host.</summary>
    public Task<SiteFinding> AskLocallyAsync(string host, CancellationToken cancellation) =>
        AskAsync(Uri.UriSchemeHttp, host, [IPAddress.Loopback], _options.LocalEdgePort, cancellation);

    private async Task<SiteFinding> AskAsync(string scheme, string host, IPAddress[] addresses, int port, CancellationToken cancellation)
    {
        var shown = new ShownCertificate();
        using var handler = Handler(addresses, port, shown);
        using var http = new HttpMessageInvoker(handler);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{scheme}://{host}:{port}/");
        request.Headers.Host = host;
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("groundcrew-domain-check", null));
        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        try
        {
            using var response = await http.SendAsync(request, either.Token);
            return new SiteFinding((int)response.StatusCode, null, shown.EndsAt);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new SiteFinding(null, "no answer came in time", shown.EndsAt);
        }
        catch (HttpRequestException e)
        {
            return new SiteFinding(null, shown.Problem ?? Words(e), shown.EndsAt);
        }
    }

    private SocketsHttpHandler Handler(IPAddress[] addresses, int port, ShownCertificate shown)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false, AllowAutoRedirect = false, UseCookies = false, MaxResponseHeadersLength = HeadKib, MaxResponseDrainSize = 0,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    await socket.ConnectAsync(addresses, port, cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        handler.SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = shown.Judge };
        if (_options.Roots is { } roots)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.ImportFromPem(roots);
        }
        return handler;
    }

    private static string Words(HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.ConnectionError => e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? "nobody answers there" : "it cannot be connected to",
        HttpRequestError.SecureConnectionError => "TLS could not be agreed on",
        _ => "what it answered is not HTTP",
    };

    /// <summary>What a site showed of itself during one handshake. Written by one connection, read when it is done.</summary>
    private sealed class ShownCertificate
    {
        public DateTimeOffset? EndsAt { get; private set; }

        public string? Problem { get; private set; }

        public bool Judge(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            if (certificate is X509Certificate2 whole)
                EndsAt = new DateTimeOffset(whole.NotAfter).ToUniversalTime();
            var ended = chain?.ChainStatus.Any(s => s.Status.HasFlag(X509ChainStatusFlags.NotTimeValid)) == true;
            Problem = errors switch
            {
                SslPolicyErrors.None => null,
                _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) => "it shows no certificate",
                _ when ended => "its certificate is not valid at this time",
                _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) => "its certificate is for other names",
                _ => "its certificate comes from no authority that is trusted here",
            };
            return errors == SslPolicyErrors.None;
        }
    }
}

/// <summary>Which addresses are of the public Internet. Pure.</summary>
internal static class PublicAddress
{
    /// <summary>Networks for special use (RFC 6890 and the registries that it began), but for those that are as good as public.</summary>
    private static readonly IPNetwork[] Special =
    [
        .. ((ReadOnlySpan<string>)
        [
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        ]).ToArray().Select(n => IPNetwork.Parse(n)),
    ];

    private static readonly IPNetwork Unicast = IPNetwork.Parse("2000::/3");

    public static bool Is(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return (plain.AddressFamily == AddressFamily.InterNetwork || Unicast.Contains(plain)) && !Special.Any(s => s.Contains(plain));
    }
}
