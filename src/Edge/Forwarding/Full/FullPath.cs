using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>The way that takes everything: any version of HTTP, upgrades, trailers. Thread-safe.</summary>
internal sealed class FullPath(EdgeProxy proxy, IHttpForwarder forwarder, Upstream upstream, TimeProvider clock)
{
    /// <summary>Serves a request to its end.</summary>
    public Task ServeAsync(HttpContext context)
    {
        if (RequestFields.Refusal(context.Request) is not { } status)
            return proxy.ServeAsync(new FullExchange(context, forwarder, upstream, clock)).AsTask();
        // As the server refuses what it cannot read.
        context.Response.StatusCode = status;
        context.Response.Headers.Connection = "close";
        return Task.CompletedTask;
    }
}
