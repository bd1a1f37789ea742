using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>The full path's connections to instances: pooled, and changing nothing of what passes. Thread-safe.</summary>
internal sealed class Upstream : IDisposable
{
    /// <summary>How long the connection that a request needs may take to open.</summary>
    public static readonly HttpRequestOptionsKey<TimeSpan> ConnectLimit = new("groundcrew.connect");

    /// <summary>Sends requests to instances.</summary>
    public HttpMessageInvoker Invoker { get; } = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        ConnectCallback = ConnectAsync,
        ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
        // Header bytes pass as they are, whatever their encoding.
        RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
        ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
    });

    /// <inheritdoc/>
    public void Dispose() => Invoker.Dispose();

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            timer.CancelAfter(context.InitialRequestMessage.Options.TryGetValue(ConnectLimit, out var limit) ? limit : new TimeLimits().Connect);
            await socket.ConnectAsync(context.DnsEndPoint, timer.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            socket.Dispose();
            throw new TimeoutException("The connection did not open in time.", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
