using System.Diagnostics;
using System.Net;
using System.Text;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>The connections to instances: pooled, and changing nothing of what passes. Thread-safe.</summary>
internal sealed class Upstream(EdgeOptions options) : IDisposable
{
    /// <summary>Sends requests to instances.</summary>
    public HttpMessageInvoker Invoker { get; } = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        ConnectTimeout = options.ConnectTimeout,
        ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
        // Header bytes pass as they are, whatever their encoding.
        RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
        ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
    });

    /// <inheritdoc/>
    public void Dispose() => Invoker.Dispose();
}
