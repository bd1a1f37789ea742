using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Journeys.Stage;

/// <summary>
/// Visitors of a host over TLS who trust one authority: each makes some requests on a connection and then comes with a new
/// one, half of them over HTTP/2. Whatever is not answered 200 has failed.
/// </summary>
public sealed class SecureVisitors : IAsyncDisposable
{
    private const int Visitors = 4;
    private const int RequestsOnAConnection = 20;
    private readonly CancellationTokenSource _stop = new();
    private readonly int _port;
    private readonly string _host;
    private readonly X509Certificate2 _root;
    private readonly Task _visiting;
    private long _sent;

    private SecureVisitors(int port, string host, X509Certificate2 root)
    {
        (_port, _host, _root) = (port, host, root);
        _visiting = Task.WhenAll(Enumerable.Range(0, Visitors).Select(i => Task.Run(() => VisitAsync(i % 2 == 0 ? HttpVersion.Version11 : HttpVersion.Version20))));
    }

    public long Sent => Interlocked.Read(ref _sent);

    public static SecureVisitors Start(int port, string host, X509Certificate2 root) => new(port, host, root);

    /// <summary>What one visitor is answered on a new connection, if it trusts it, and the fingerprint of the certificate that it was shown.</summary>
    public static async Task<(HttpStatusCode? Status, string Fingerprint)> LookAsync(int port, string host, X509Certificate2 root)
    {
        var shown = "";
        using var client = Client(port, host, root, c => shown = c);
        try
        {
            using var answer = await client.GetAsync(new Uri($"https://{host}/"), TestContext.Current.CancellationToken);
            return (answer.StatusCode, shown);
        }
        catch (HttpRequestException e) when (e.InnerException is AuthenticationException)
        {
            return (null, shown);
        }
    }

    /// <summary>Ends the visits; none may have failed.</summary>
    public async Task StopWithoutFailureAsync(string name)
    {
        await _stop.CancelAsync();
        await _visiting;
        Console.WriteLine($"journey: {name}: {Sent} requests over TLS, 0 failed");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await ((Task)_visiting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private static HttpClient Client(int port, string host, X509Certificate2 root, Action<string>? shown = null)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.Add(root);
        return new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions =
            {
                TargetHost = host,
                CertificateChainPolicy = policy,
                RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                {
                    shown?.Invoke(((X509Certificate2)certificate!).GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256).ToLowerInvariant());
                    return errors == SslPolicyErrors.None;
                },
            },
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(IPAddress.Loopback, port, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        { Timeout = Eventually.Limit };
    }

    private async Task VisitAsync(Version version)
    {
        while (!_stop.IsCancellationRequested)
        {
            using var client = Client(_port, _host, _root);
            for (var i = 0; i < RequestsOnAConnection && !_stop.IsCancellationRequested; i++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"https://{_host}/")) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
                using var answer = await client.SendAsync(request, CancellationToken.None);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                Interlocked.Increment(ref _sent);
            }
        }
    }
}
