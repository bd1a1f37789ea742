using System.Text;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Groundcrew.Edge;

/// <summary>How a host becomes an edge: its services, the traffic port and the status port.</summary>
public static class EdgeServices
{
    /// <summary>
    /// Adds an edge to a host, with <see cref="EdgeTable"/> and <see cref="EdgeCertificates"/> as its face, and sets Kestrel's limits for carrying other
    /// people's traffic. A <see cref="MetricRegistry"/>, <see cref="ISignals"/>, <see cref="DurableFiles"/> and
    /// <see cref="TimeProvider"/> that the host registered before are used; signals go to the log when there is none.
    /// </summary>
    public static IServiceCollection AddEdge(this IServiceCollection services, EdgeOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(DurableFiles.Real);
        services.TryAddSingleton<MetricRegistry>();
        services.TryAddSingleton<ISignals, LoggedSignals>();
        services.AddSingleton(options);
        services.AddHttpForwarder();
        services.AddSingleton<EdgeMeters>();
        services.AddSingleton<EdgeTable>();
        services.AddSingleton<EdgeCertificates>();
        services.AddSingleton<TlsPort>();
        services.AddSingleton<Upstream>();
        services.AddSingleton<AccessLog>();
        services.AddHostedService(s => s.GetRequiredService<AccessLog>());
        services.AddSingleton<Admission>();
        services.AddSingleton<EdgeProxy>();
        services.AddSingleton<Encoders>();
        services.AddSingleton<FullPath>();
        services.AddHostedService(s => s.GetRequiredService<FullPath>());
        services.AddSingleton<DirectPath>();
        services.AddHostedService(s => s.GetRequiredService<DirectPath>());
        services.AddHostedService<Probing>();
        services.AddSingleton<StatusDoor>();
        services.AddSingleton<Departure>();
        services.AddSingleton<Scarcity>();
        services.AddSingleton<EdgeListeners>();
        services.AddSingleton<IConnectionListenerFactory>(s => s.GetRequiredService<EdgeListeners>());
        services.AddSingleton<PriorKnowledge>();
        services.AddSingleton<IConnectionListenerFactory>(s => s.GetRequiredService<PriorKnowledge>());
        services.AddOptions<KestrelServerOptions>().PostConfigure<PriorKnowledge>((kestrel, prior) => prior.Open(kestrel));
        services.AddSingleton(s => new EdgeHandover(
            options, s.GetRequiredService<EdgeTable>(), s.GetRequiredService<EdgeCertificates>(), s.GetRequiredService<EdgeListeners>(),
            s.GetRequiredService<Departure>(), s.GetRequiredService<DurableFiles>(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<EdgeHandover>>()));
        services.AddRouting();
        services.Configure<KestrelServerOptions>(Limit);
        // These two write a request's whole URL, query and all; the access log says what may be said.
        services.AddLogging(l => l
            .AddFilter("Yarp.ReverseProxy", LogLevel.Error)
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning));
        return services;
    }

    /// <summary>Ends the pipeline of the traffic port: every request that comes here is routed by its host.</summary>
    public static void MapEdge(this IApplicationBuilder app)
    {
        var path = app.ApplicationServices.GetRequiredService<FullPath>();
        var departure = app.ApplicationServices.GetRequiredService<Departure>();
        app.Run(context => departure.ServeAsync(context, path.ServeAsync));
    }

    /// <summary>
    /// Makes an endpoint of Kestrel a traffic port: ordinary HTTP/1.1 takes the direct path there, and without TLS a client
    /// may begin with HTTP/2 (RFC 9113, section 3.3).
    /// </summary>
    public static void UseEdge(this ListenOptions endpoint) => endpoint.UseEdge(isDirect: true);

    /// <summary>The same, perhaps without the direct path.</summary>
    internal static void UseEdge(this ListenOptions endpoint, bool isDirect)
    {
        var path = endpoint.ApplicationServices.GetRequiredService<DirectPath>();
        endpoint.ApplicationServices.GetRequiredService<PriorKnowledge>().IsWanted = true;
        endpoint.Use(next => connection =>
        {
            if (connection.Features.Get<OpenConnection>() is { } open)
                open.IsTraffic = true;
            // An endpoint's protocols may be named after this call, but before its first connection.
            return isDirect && endpoint.Protocols.HasFlag(HttpProtocols.Http1)
                ? path.ServeAsync(connection, next, endpoint.Protocols.HasFlag(HttpProtocols.Http2))
                : next(connection);
        });
    }

    /// <summary>Makes an endpoint of Kestrel a traffic port with TLS, by the certificates of <see cref="EdgeCertificates"/>.</summary>
    public static void UseEdgeTls(this ListenOptions endpoint)
    {
        var tls = endpoint.ApplicationServices.GetRequiredService<TlsPort>();
        endpoint.Use(next => connection => tls.BeginAsync(connection, next));
        endpoint.UseHttps(tls.Options);
        endpoint.Use(next => connection => tls.AgreedAsync(connection, next));
        endpoint.UseEdge();
    }

    /// <summary>
    /// Opens the status door: <c>/health</c>, <c>/health/live</c>, <c>/health/ready</c>, <c>/ready</c>, <c>/metrics</c>,
    /// <c>/routes</c> and <c>/certificates</c>. For the status port only: it asks nobody who they are.
    /// </summary>
    public static void MapEdgeStatus(this IEndpointRouteBuilder endpoints) =>
        endpoints.ServiceProvider.GetRequiredService<StatusDoor>().Map(endpoints);

    private static void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MaxRequestHeaderCount = 100;
        kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
        kestrel.Limits.MaxRequestLineSize = 16 * 1024;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        // Header bytes pass as they are, whatever their encoding.
        kestrel.RequestHeaderEncodingSelector = _ => Encoding.Latin1;
        kestrel.ResponseHeaderEncodingSelector = _ => Encoding.Latin1;
    }
}

/// <summary>Signals of an edge that nobody connected, so that they are at least read in the log. Thread-safe.</summary>
internal sealed class LoggedSignals(ILogger<LoggedSignals> logger) : ISignals
{
    public void Raise(Signal signal) =>
        logger.LogError("{Kind} ({Urgency}) {Subject}: {Message}", signal.Kind, signal.Urgency, signal.Subject, signal.Message);
}
