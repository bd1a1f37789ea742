using System.Collections.Concurrent;
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
/// An edge that shows answers to challenges on the ports where Pebble looks, by Kestrel: plain HTTP, and HTTPS where only
/// handshakes of <c>acme-tls/1</c> see the certificates of challenges.
/// </summary>
internal sealed class ChallengeEdge : IAcmeChallenges, IAsyncDisposable
{
    private static readonly object AskedFor = new();

    private readonly ConcurrentDictionary<string, AcmeChallenge> _byPath = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, X509Certificate2> _byName = new(StringComparer.Ordinal);
    private readonly X509Certificate2 _usual;
    private readonly bool _silent;
    private readonly WebApplication _app;

    private ChallengeEdge(Pebble pebble, bool silent)
    {
        _silent = silent;
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

    /// <summary>What was published and not withdrawn.</summary>
    public int Shown => _byPath.Count + _byName.Count;

    public ConcurrentQueue<string> Published { get; } = [];

    public ConcurrentQueue<string> Withdrawn { get; } = [];

    /// <summary>The names that were asked for under the protocol of challenges.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    /// <param name="pebble">Who looks.</param>
    /// <param name="silent">Whether it shows nothing of what it is told to publish.</param>
    public static async Task<ChallengeEdge> StartAsync(Pebble pebble, bool silent = false)
    {
        var edge = new ChallengeEdge(pebble, silent);
        await edge._app.StartAsync(TestContext.Current.CancellationToken);
        return edge;
    }

    public Task PublishAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Published.Enqueue(challenge.Name);
        if (_silent)
            return Task.CompletedTask;
        if (challenge.Kind == AcmeChallengeKind.Http01)
            _byPath[challenge.HttpPath] = challenge;
        else
            _byName[challenge.Name] = TlsAlpnChallenge.Certificate(challenge.Name, challenge.KeyAuthorization, TimeProvider.System);
        return Task.CompletedTask;
    }

    public Task WithdrawAsync(AcmeChallenge challenge, CancellationToken cancellation)
    {
        Withdrawn.Enqueue(challenge.Name);
        _byPath.TryRemove(challenge.HttpPath, out _);
        _byName.TryRemove(challenge.Name, out _);
        return Task.CompletedTask;
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
        https.ServerCertificateSelector = (connection, name) => IsAskedFor(connection) && name is not null && _byName.TryGetValue(name, out var own) ? own : _usual;
        https.OnAuthenticate = (connection, tls) =>
        {
            if (!IsAskedFor(connection))
                return;
            tls.ApplicationProtocols = [TlsAlpnChallenge.Protocol];
            Asked.Enqueue("acme-tls/1");
        };
    }

    private static bool IsAskedFor(ConnectionContext? connection) => connection?.Items.ContainsKey(AskedFor) == true;

    private async Task AnswerAsync(HttpContext context)
    {
        if (_byPath.TryGetValue(context.Request.Path, out var challenge) && context.Request.Host.Host == challenge.Name)
            await context.Response.WriteAsync(challenge.KeyAuthorization);
        else
            context.Response.StatusCode = StatusCodes.Status404NotFound;
    }
}
