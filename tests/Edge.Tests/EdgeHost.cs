using System.Net;
using Groundcrew.Bedrock;
using Groundcrew.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Groundcrew.Edge.Tests;

/// <summary>A whole edge on loopback, put together as the daemon does: one host, a traffic port and a status port.</summary>
internal sealed class EdgeHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private EdgeHost(WebApplication app, SeenSignals signals, int trafficPort, int statusPort, int tlsPort)
    {
        (_app, Signals, TrafficPort, StatusPort, TlsPort) = (app, signals, trafficPort, statusPort, tlsPort);
        Client = ClientFor(trafficPort);
        Status = ClientFor(statusPort);
    }

    public int TrafficPort { get; }

    public int StatusPort { get; }

    public int TlsPort { get; }

    public HttpClient Client { get; }

    public HttpClient Status { get; }

    public SeenSignals Signals { get; }

    public EdgeCertificates Certificates => _app.Services.GetRequiredService<EdgeCertificates>();

    public EdgeTable Table => _app.Services.GetRequiredService<EdgeTable>();

    public MetricRegistry Metrics => _app.Services.GetRequiredService<MetricRegistry>();

    /// <param name="folder">The state folder.</param>
    /// <param name="change">What is not as the defaults are.</param>
    /// <param name="clock">The clock; null for the system's.</param>
    /// <param name="isDirect">Whether ordinary requests take the direct path, as in production; otherwise the full path takes all.</param>
    /// <param name="protocols">What the traffic port speaks.</param>
    public static async Task<EdgeHost> StartAsync(
        string folder, Func<EdgeOptions, EdgeOptions>? change = null, TimeProvider? clock = null, bool isDirect = true, HttpProtocols protocols = HttpProtocols.Http1AndHttp2)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var signals = new SeenSignals();
        builder.Services.AddSingleton<ISignals>(signals);
        if (clock is not null)
            builder.Services.AddSingleton(clock);
        var options = new EdgeOptions { StateFolder = folder };
        builder.Services.AddEdge(change?.Invoke(options) ?? options);
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, 0, l =>
            {
                l.Protocols = protocols;
                l.UseEdge(isDirect);
            });
            k.Listen(IPAddress.Loopback, 0);
            k.Listen(IPAddress.Loopback, 0, l => l.UseEdgeTls());
        });
        var app = builder.Build();
        var statusPort = 0;
        app.MapWhen(c => c.Connection.LocalPort == statusPort, door =>
        {
            door.UseRouting();
            door.UseEndpoints(e => e.MapEdgeStatus());
        });
        app.MapEdge();
        await app.StartAsync(TestContext.Current.CancellationToken);
        var ports = app.Urls.Take(3).Select(u => new Uri(u).Port).ToList();
        statusPort = ports[1];
        return new EdgeHost(app, signals, ports[0], statusPort, ports[2]);
    }

    /// <summary>A request for a host, as a client behind DNS would send it.</summary>
    public HttpRequestMessage Request(HttpMethod method, string host, string path, HttpContent? content = null) =>
        new(method, new Uri($"http://127.0.0.1:{TrafficPort}{path}")) { Headers = { Host = host }, Content = content };

    public async Task<(HttpStatusCode Status, string Body)> GetAsync(string host, string path = "/")
    {
        using var request = Request(HttpMethod.Get, host, path);
        using var response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>The value of the first series in the metrics whose line starts so; 0 when there is none.</summary>
    public double Metric(string start)
    {
        var line = Metrics.WriteText().Split('\n').FirstOrDefault(l => l.StartsWith(start, StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[(line.LastIndexOf(' ') + 1)..]);
    }

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Status.Dispose();
        await _app.DisposeAsync();
    }

    private static HttpClient ClientFor(int port) => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
    {
        BaseAddress = new Uri($"http://127.0.0.1:{port}/"),
        Timeout = Eventually.Limit,
    };
}

/// <summary>An instance: a real Kestrel server with one handler for everything.</summary>
internal sealed class Instance : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _seen;

    private Instance(WebApplication app) => _app = app;

    public Guid Id { get; } = Ids.New(TimeProvider.System);

    public Target Target => new(Id, $"127.0.0.1:{new Uri(_app.Urls.First()).Port}", "local");

    /// <summary>How many requests reached it.</summary>
    public int Seen => Volatile.Read(ref _seen);

    public static async Task<Instance> StartAsync(RequestDelegate handler, bool webSockets = false, HttpProtocols protocols = HttpProtocols.Http1AndHttp2)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, 0, l => l.Protocols = protocols);
            k.Limits.MaxRequestBodySize = null;
        });
        var app = builder.Build();
        var instance = new Instance(app);
        if (webSockets)
            app.UseWebSockets();
        app.Run(c =>
        {
            Interlocked.Increment(ref instance._seen);
            return handler(c);
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return instance;
    }

    public static Task<Instance> SayingAsync(string text) => StartAsync(c => c.Response.WriteAsync(text));

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>Tables of tests.</summary>
internal static class Tables
{
    public static readonly Guid Platform = Guid.Parse("01940000-0000-7000-8000-000000000001");

    public static Route Route(string host, params Target[] targets) => new(host, "acme", "web", "production", "web-a7x9k2m-acme", targets);

    public static RouteTable Of(long generation, params Route[] routes) => new(generation, Platform, routes);

    /// <summary>A target where nothing listens.</summary>
    public static Target Dead() => new(Ids.New(TimeProvider.System), $"127.0.0.1:{FreePort.Next()}", "local");
}
