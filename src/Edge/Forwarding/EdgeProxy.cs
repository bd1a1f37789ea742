using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>
/// Carries one request from the client to an instance and its response back. Takes no lock, touches no disk and asks
/// no control plane. Thread-safe.
/// </summary>
internal sealed class EdgeProxy(
    EdgeTable table, IHttpForwarder forwarder, Upstream upstream, EdgeMeters meters, AccessLog log, EdgeOptions options, TimeProvider clock)
{
    private readonly string _retryAfter = ((int)Math.Ceiling(options.RetryAfter.TotalSeconds)).ToString();

    /// <summary>Serves a request to its end.</summary>
    public async Task ServeAsync(HttpContext context)
    {
        var started = clock.GetTimestamp();
        var exchange = new Exchange(ClientHeaders.RequestIdOf(context.Request.Headers, clock));
        meters.Began();
        try
        {
            ClientHeaders.Prepare(context, exchange.RequestId);
            await OfferAsync(context, exchange);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client left while the edge spoke to it; the record below says so.
        }
        finally
        {
            meters.Ended();
            Record(context, exchange, started);
        }
    }

    /// <summary>Offers the request to one target after another, as long as that cannot do a thing twice.</summary>
    private async Task OfferAsync(HttpContext context, Exchange exchange)
    {
        while (table.TryClaim(HostOf(context), exchange.Tried, out var route, out var target))
        {
            exchange.Route = route;
            exchange.Begin(target);
            if (exchange.Attempts > 1)
                meters.CountRetry();
            try
            {
                exchange.Error = await forwarder.SendAsync(context, target.Prefix, upstream.Invoker, route!.Forwarding, exchange, context.RequestAborted);
            }
            finally
            {
                exchange.End();
            }
            if (exchange.Error == ForwarderError.None)
                return;
            if (!MayOfferAgain(context, exchange, target))
            {
                await ExplainAsync(context, exchange);
                return;
            }
            exchange.Exclude();
            context.Response.StatusCode = StatusCodes.Status200OK;
            context.Features.Set<IForwarderErrorFeature>(null);
        }
        await RefuseAsync(context, exchange);
    }

    private bool MayOfferAgain(HttpContext context, Exchange exchange, TargetState target)
    {
        if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            return false;
        var failure = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        var unreached = IsUnreached(exchange.Error, failure);
        if (unreached && target.FailedToConnect(options.EjectAfter, clock.GetTimestamp() + (long)(options.EjectFor.TotalSeconds * clock.TimestampFrequency)))
            meters.CountEjection();
        return exchange.Attempts < options.MaxAttempts
            && (unreached || (exchange.Error == ForwarderError.Request && IsHarmlessTwice(context)));
    }

    /// <summary>Whether no connection was made, so that nothing of the request was sent.</summary>
    private static bool IsUnreached(ForwarderError error, Exception? failure) => error switch
    {
        ForwarderError.Request => failure is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError,
        },
        // The handler tells its own connect timeout from our activity timeout by the exception inside.
        ForwarderError.RequestTimedOut => failure is OperationCanceledException { InnerException: TimeoutException },
        _ => false,
    };

    /// <summary>Idempotent (RFC 9110, section 9.2.2) and without a body that could be half gone.</summary>
    private static bool IsHarmlessTwice(HttpContext context)
    {
        var method = context.Request.Method;
        return context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true }
            && (HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method)
                || HttpMethods.IsPut(method) || HttpMethods.IsDelete(method) || HttpMethods.IsTrace(method));
    }

    /// <summary>No target could be claimed.</summary>
    private async Task RefuseAsync(HttpContext context, Exchange exchange)
    {
        if (exchange.Attempts > 0)
        {
            await Answer.SendAsync(context, StatusCodes.Status502BadGateway, "unreachable", "No instance could be reached.", exchange.RequestId);
            return;
        }
        exchange.Route = table.Find(HostOf(context));
        if (exchange.Route is null)
        {
            meters.CountNoRoute();
            await Answer.SendAsync(context, StatusCodes.Status404NotFound, "no-route", "There is no route for this host.", exchange.RequestId);
            return;
        }
        context.Response.Headers.RetryAfter = _retryAfter;
        await Answer.SendAsync(context, StatusCodes.Status503ServiceUnavailable, "no-instance", "No instance is ready to serve this host.", exchange.RequestId);
    }

    /// <summary>Forwarding failed for good; says so when nothing was sent to the client yet.</summary>
    private static Task ExplainAsync(HttpContext context, Exchange exchange)
    {
        if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            return Task.CompletedTask;
        return exchange.Error switch
        {
            ForwarderError.RequestTimedOut when context.Features.Get<IForwarderErrorFeature>()?.Exception is not { InnerException: TimeoutException } =>
                Answer.SendAsync(context, StatusCodes.Status504GatewayTimeout, "timeout", "The instance did not answer in time.", exchange.RequestId),
            ForwarderError.RequestBodyClient =>
                Answer.SendAsync(context, context.Response.StatusCode, "bad-request-body", "The request body could not be read.", exchange.RequestId),
            _ => Answer.SendAsync(context, StatusCodes.Status502BadGateway, "bad-gateway", "The instance did not answer.", exchange.RequestId),
        };
    }

    private void Record(HttpContext context, Exchange exchange, long started)
    {
        var took = clock.GetElapsedTime(started);
        var status = exchange.WasUpgraded ? StatusCodes.Status101SwitchingProtocols
            : !context.Response.HasStarted && context.RequestAborted.IsCancellationRequested ? StatusCodes.Status499ClientClosedRequest
            : context.Response.StatusCode;
        if (exchange.Route is { } route)
        {
            route.Requests.Count(status);
            if (!exchange.WasUpgraded)
                route.Duration.Observe(took.TotalSeconds);
        }
        log.Add(new AccessRecord(
            clock.GetUtcNow() - took, exchange.RequestId, context.Request.Host.Value ?? "", context.Request.Method,
            context.Request.Path.Value ?? "", status, took, context.Response.ContentLength, ClientHeaders.ClientOf(context),
            exchange.Route?.Route, exchange.Target?.InstanceId, exchange.Attempts,
            exchange.Error == ForwarderError.None ? null : exchange.Error.ToString()));
    }

    /// <summary>The host without port and without the root dot; it is looked up whole (T-40).</summary>
    private static ReadOnlySpan<char> HostOf(HttpContext context)
    {
        var host = context.Request.Host.Value.AsSpan();
        var colon = host.LastIndexOf(':');
        if (colon >= 0 && host[colon..].IndexOf(']') < 0)
            host = host[..colon];
        return host is [.., '.'] ? host[..^1] : host;
    }
}
