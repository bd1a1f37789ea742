using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>
/// The way that takes everything: any version of HTTP, upgrades, trailers. What the server refuses by itself, it says in a
/// diagnostic event, so that such a request is recorded as any other. Thread-safe.
/// </summary>
internal sealed class FullPath(EdgeProxy proxy, IHttpForwarder forwarder, Upstream upstream, Encoders encoders, DiagnosticListener server, TimeProvider clock)
    : IHostedService, IObserver<KeyValuePair<string, object?>>
{
    private const string BadRequest = "Microsoft.AspNetCore.Server.Kestrel.BadRequest";
    private IDisposable? _listening;

    /// <summary>Serves a request to its end.</summary>
    public Task ServeAsync(HttpContext context)
    {
        context.Features.Set(Known.Instance);
        var exchange = new FullExchange(context, forwarder, upstream, encoders, clock);
        if (RequestFields.Refusal(context.Request) is not { } status)
            return proxy.ServeAsync(exchange).AsTask();
        // As the server refuses what it cannot read.
        context.Response.StatusCode = status;
        context.Response.Headers.Connection = "close";
        proxy.Refused(exchange, status);
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _listening = server.Subscribe(this, name => name == BadRequest);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _listening?.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>The server refused a request. One that came as far as here is recorded already; one at another port is not the edge's.</summary>
    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Value is IFeatureCollection request && request.Get<Known>() is null && request.Get<OpenConnection>() is { IsTraffic: true }
            && request.Get<IBadRequestExceptionFeature>()?.Error is BadHttpRequestException refusal)
            proxy.Refused(new FullExchange(new DefaultHttpContext(request), forwarder, upstream, encoders, clock), refusal.StatusCode);
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    /// <summary>On a request that came out of the server, and has or will have its record.</summary>
    private sealed class Known
    {
        public static readonly Known Instance = new();
    }
}
