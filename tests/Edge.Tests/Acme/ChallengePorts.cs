using System.Net;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Edge.Acme;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>
/// The ports where an authority looks for answers to challenges, by Kestrel: plain HTTP, and HTTPS where only handshakes
/// of <c>acme-tls/1</c> see the certificates of challenges.
/// </summary>
internal sealed class ChallengePorts : IAsyncDisposable
{
    private static readonly object AskedFor = new();

    private readonly Func<string, string, string?> _answerOf;
    private readonly Func<string, X509Certificate2?> _certificateOf;
    private readonly Action _asked;
    private readonly X509Certificate2 _usual;
    private readonly WebApplication _app;

    private ChallengePorts(Pebble pebble, Func<string, string, string?> answerOf, Func<string, X509Certificate2?> certificateOf, Action asked)
    {
        (_answerOf, _certificateOf, _asked) = (answerOf, certificateOf, asked);
        var usual = DevelopmentAuthority.New(TimeProvider.System).Issue("usual.localhost").Value!;
        _usual = X509Certificate2.CreateFromPem(usual.Chain, usual.Key.Reveal());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, pebble.HttpPort);
            k.Listen(IPAddress.Loopback, pebble.TlsPort, l => l.UseHttps(Show));
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    /// <param name="pebble">Who looks.</param>
    /// <param name="answerOf">What is answered at a host's path; null for 404.</param>
    /// <param name="certificateOf">What a handshake of challenges shows for a host; null for the usual certificate.</param>
    /// <param name="asked">Called at each such handshake.</param>
    public static async Task<ChallengePorts> StartAsync(
        Pebble pebble, Func<string, string, string?> answerOf, Func<string, X509Certificate2?> certificateOf, Action? asked = null)
    {
        var ports = new ChallengePorts(pebble, answerOf, certificateOf, asked ?? (() => { }));
        await ports._app.StartAsync(TestContext.Current.CancellationToken);
        return ports;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _usual.Dispose();
    }

    private void Show(HttpsConnectionAdapterOptions https)
    {
        https.TlsClientHelloBytesCallback = (connection, hello) =>
        {
            if (TlsAlpnChallenge.IsAskedFor(hello))
                connection.Items[AskedFor] = true;
        };
        https.ServerCertificateSelector = (connection, name) => (IsAskedFor(connection) && name is not null ? _certificateOf(name) : null) ?? _usual;
        https.OnAuthenticate = (connection, tls) =>
        {
            if (!IsAskedFor(connection))
                return;
            tls.ApplicationProtocols = [TlsAlpnChallenge.Protocol];
            _asked();
        };
    }

    private static bool IsAskedFor(ConnectionContext? connection) => connection?.Items.ContainsKey(AskedFor) == true;

    private async Task AnswerAsync(HttpContext context)
    {
        if (_answerOf(context.Request.Host.Host, context.Request.Path.Value ?? "") is { } answer)
            await context.Response.WriteAsync(answer);
        else
            context.Response.StatusCode = StatusCodes.Status404NotFound;
    }
}
