using System.Net;
using System.Security.Cryptography.X509Certificates;
using Groundcrew.Edge;
using Groundcrew.Edge.Acme;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Shows an authority, over real sockets, the answers that the edge's table holds at that moment.</summary>
internal sealed class TableEdge : IAsyncDisposable
{
    private static readonly object AskedFor = new();

    private readonly Func<RouteTable> _table;
    private readonly X509Certificate2 _usual;
    private readonly WebApplication _app;

    private TableEdge(int httpPort, int tlsPort, Func<RouteTable> table)
    {
        _table = table;
        var usual = DevelopmentAuthority.New(TimeProvider.System).Issue("usual.localhost").Value!;
        _usual = X509Certificate2.CreateFromPem(usual.Chain, usual.Key.Reveal());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, httpPort);
            k.Listen(IPAddress.Loopback, tlsPort, l => l.UseHttps(Show));
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public static async Task<TableEdge> StartAsync(int httpPort, int tlsPort, Func<RouteTable> table)
    {
        var edge = new TableEdge(httpPort, tlsPort, table);
        await edge._app.StartAsync(TestContext.Current.CancellationToken);
        return edge;
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
        https.ServerCertificateSelector = (connection, name) =>
            IsAskedFor(connection) && _table().Challenges.FirstOrDefault(c => c.Host == name) is { } challenge
                ? TlsAlpnChallenge.Certificate(challenge.Host, challenge.Answer, TimeProvider.System)
                : _usual;
        https.OnAuthenticate = (connection, tls) =>
        {
            if (IsAskedFor(connection))
                tls.ApplicationProtocols = [TlsAlpnChallenge.Protocol];
        };
    }

    private static bool IsAskedFor(ConnectionContext? connection) => connection?.Items.ContainsKey(AskedFor) == true;

    private async Task AnswerAsync(HttpContext context)
    {
        var found = _table().Challenges.FirstOrDefault(c => c.Host == context.Request.Host.Host && AcmeChallenge.HttpPrefix + c.Token == context.Request.Path);
        if (found is not null)
            await context.Response.WriteAsync(found.Answer);
        else
            context.Response.StatusCode = StatusCodes.Status404NotFound;
    }
}
