using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>A request on the full path: Kestrel speaks to the client, in any version of HTTP, and YARP's forwarder to the target.</summary>
#pragma warning disable CA1001 // The counting stream owns nothing: the server closes what it writes to.
internal sealed partial class FullExchange : Exchange
#pragma warning restore CA1001
{
    private readonly HttpContext _context;
    private readonly IHttpForwarder _forwarder;
    private readonly Upstream _upstream;
    private readonly Encoders _encoders;
    private readonly TimeProvider _clock;
    private readonly Crossing _crossing;
    private CancellationTokenSource? _answerTimer;
    private CountingStream? _sent;
    private WatchedBody? _received;
    private bool _isPrepared;

    public FullExchange(HttpContext context, IHttpForwarder forwarder, Upstream upstream, Encoders encoders, TimeProvider clock)
    {
        (_context, _forwarder, _upstream, _encoders, _clock) = (context, forwarder, upstream, encoders, clock);
        _crossing = new Crossing(this);
        Remote = AddressText.Plain(context.Connection.RemoteIpAddress);
        Begin(clock);
        RequestId = ClientHeaders.RequestIdOf(OnlyValue(ClientHeaders.RequestId), StartedTime);
    }

    // Of a request that cannot be read, nothing is there.
    public override string Method => _context.Request.Method ?? "";

    /// <summary>As it travels: the framework's own reading decodes names of other scripts.</summary>
    public override string Host => _context.Request.Headers.Host is [{ } host] ? host : "";

    public override string Path => _context.Request.Path.Value ?? "";

    public override string PathAndQuery => RequestTarget.Of(_context) ?? $"{_context.Request.Path}{_context.Request.QueryString}";

    public override IPAddress? Remote { get; }

    public override bool IsTls => _context.Request.IsHttps;

    public override long? BodyLength =>
        _context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false } ? 0 : _context.Request.ContentLength;

    public override bool HasStarted => _context.Response.HasStarted;

    public override CancellationToken Left => _context.RequestAborted;

    public override int Status => WasUpgraded ? StatusCodes.Status101SwitchingProtocols : _context.Response.StatusCode;

    public override long? BytesSent => WasUpgraded ? null : _sent?.Count ?? 0;

    public override string? Header(string name) => _context.Request.Headers[name] is [{ } first, ..] ? first : null;

    public override StringValues Headers(string name) => _context.Request.Headers[name];

    public override async ValueTask<Outcome> SendAsync()
    {
        Prepare();
        var policy = Route!.Policy;
        SentAt = _clock.GetTimestamp();
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(Left);
        _answerTimer = timer;
        // While a body is sent, the forwarder's own limit on idleness counts.
        if (BodyLength == 0)
            timer.CancelAfter(policy.Time.Response);
        var isUpgrade = _context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
            || _context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true };
        var error = await _forwarder.SendAsync(_context, Target!.Prefix, _upstream.Invoker, isUpgrade ? Route.Upgrading : Route.Forwarding, _crossing, timer.Token);
        _answerTimer = null;
        if (WasUpgraded)
            Target.EndUpgrade();
        var failure = _context.Features.Get<IForwarderErrorFeature>()?.Exception;
        var outcome = OutcomeOf(error, failure, timer.IsCancellationRequested && !Left.IsCancellationRequested);
        await EndEncodingAsync(isWhole: outcome == Outcome.Served);
        if (outcome != Outcome.Served && !HasStarted)
        {
            _context.Response.Clear();
            _context.Features.Set<IForwarderErrorFeature>(null);
        }
        return outcome;
    }

    public override async ValueTask AnswerAsync(Answer answer)
    {
        var response = _context.Response;
        response.StatusCode = answer.Status;
        response.ContentType = answer.ContentType;
        response.ContentLength = answer.Body.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers[ClientHeaders.RequestId] = RequestId;
        foreach (var (name, value) in answer.Headers)
            response.Headers.Append(name, value);
        if (!HttpMethods.IsHead(Method))
            await Body().WriteAsync(answer.Body, Left);
    }

    /// <summary>Makes the request's headers what the instance is to see; the forwarder copies them from there.</summary>
    private void Prepare()
    {
        if (_isPrepared)
            return;
        _isPrepared = true;
        // A body whose length is not said beforehand is cut off where the limit is.
        if (Route!.Policy.MaxBodyBytes is { } most && _context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = most;
        // A call of gRPC may be silent for long while both sides are well: it ends by the limit on idleness.
        if (_context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true
            && _context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        // A length, even of nothing, is what keeps the handler from sending it again by itself.
        if (BodyLength == 0 && !IsHarmlessTwice)
            _context.Request.Headers.ContentLength = 0;
        RequestFields.Rewrite(_context.Request.Headers, this);
        Body();
        if (BodyLength != 0)
            _context.Request.Body = _received = new WatchedBody(_context.Request.Body, BodyIsSent);
    }

    /// <summary>The client's side of the answer, which counts what it is sent.</summary>
    private CountingStream Body()
    {
        if (_sent is null)
            _context.Response.Body = _sent = new CountingStream(_context.Response.Body, _clock);
        return _sent;
    }

    /// <summary>From here the target has its time to answer, unless it did so before.</summary>
    private void BodyIsSent()
    {
        if (AnsweredAt == 0)
            _answerTimer?.CancelAfter(Route!.Policy.Time.Response);
    }

    private string? OnlyValue(string header) => _context.Request.Headers[header] is [{ } only] ? only : null;

    private Outcome OutcomeOf(ForwarderError error, Exception? failure, bool isLate) => error switch
    {
        ForwarderError.None => Outcome.Served,
        _ when Scarcity.IsIn(Inside<System.Net.Sockets.SocketException>(failure)) => Outcome.Shed,
        _ when isLate => Outcome.TargetTimeout,
        ForwarderError.RequestTimedOut when _received is { IsWaiting: true } => Outcome.ClientSlow,
        ForwarderError.ResponseBodyCanceled or ForwarderError.ResponseBodyClient when TakesNothing() => Outcome.ClientSlow,
        ForwarderError.Request => failure is HttpRequestException request ? OutcomeOf(request.HttpRequestError) : Outcome.TargetNoAnswer,
        // The handler tells its own connect timeout from our limit on idleness by the exception inside.
        ForwarderError.RequestTimedOut => failure is OperationCanceledException { InnerException: TimeoutException } ? Outcome.TargetUnreachable : Outcome.TargetTimeout,
        ForwarderError.RequestCanceled or ForwarderError.RequestBodyCanceled => Outcome.ClientLeft,
        ForwarderError.RequestBodyClient when IsTooLarge(failure) => Outcome.TooLarge,
        ForwarderError.RequestBodyClient => Left.IsCancellationRequested ? Outcome.ClientLeft
            : IsSlow(failure) ? Outcome.ClientSlow
            : Outcome.ClientBad,
        ForwarderError.RequestBodyDestination => Outcome.TargetNoAnswer,
        ForwarderError.ResponseHeaders => Outcome.TargetBadAnswer,
        ForwarderError.ResponseBodyCanceled or ForwarderError.ResponseBodyClient => Left.IsCancellationRequested ? Outcome.ClientLeftMidway : Outcome.TargetCut,
        ForwarderError.ResponseBodyDestination => Outcome.TargetCut,
        // Either side may end an upgraded connection at any time; only the target's failure is one.
        ForwarderError.UpgradeRequestDestination or ForwarderError.UpgradeResponseDestination => Outcome.TargetCut,
        _ when WasUpgraded => Outcome.Served,
        _ => Outcome.TargetNoAnswer,
    };

    private static bool IsTooLarge(Exception? failure) => Inside<BadHttpRequestException>(failure) is { StatusCode: StatusCodes.Status413PayloadTooLarge };

    /// <summary>
    /// Whether the client took nothing for as long as is allowed. The server ends the connection then, which looks as if
    /// the client had left; the limit began a moment before the write did.
    /// </summary>
    private bool TakesNothing() =>
        _sent is { WaitingSince: > 0 and var since } && _clock.GetElapsedTime(since) >= Route!.Policy.Time.Idle * 0.9;

    /// <summary>Whether the bytes of the body only did not come in time; otherwise something is wrong with them.</summary>
    private static bool IsSlow(Exception? failure) => Inside<BadHttpRequestException>(failure) is { } bad
        ? bad.StatusCode == StatusCodes.Status408RequestTimeout
        : Inside<OperationCanceledException>(failure) is not null;

    private static T? Inside<T>(Exception? failure) where T : Exception => failure switch
    {
        null => null,
        T found => found,
        AggregateException all => all.InnerExceptions.Select(Inside<T>).FirstOrDefault(e => e is not null),
        _ => Inside<T>(failure.InnerException),
    };

    private static Outcome OutcomeOf(HttpRequestError error) => error switch
    {
        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError => Outcome.TargetUnreachable,
        HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded => Outcome.TargetBadAnswer,
        _ => Outcome.TargetNoAnswer,
    };

    /// <summary>What happens to the heads as they cross the edge.</summary>
    private sealed class Crossing(FullExchange exchange) : HttpTransformer
    {
        /// <inheritdoc/>
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            proxyRequest.Options.Set(Upstream.ConnectLimit, exchange.Route!.Policy.Time.Connect);
            proxyRequest.RequestUri = RequestTarget.For(httpContext, destinationPrefix);
            // The forwarder takes it for a field about this hop.
            if (httpContext.Request.Headers.UpgradeInsecureRequests is { Count: > 0 } insecure)
                proxyRequest.Headers.TryAddWithoutValidation(HeaderNames.UpgradeInsecureRequests, insecure.ToString());
        }

        /// <inheritdoc/>
        public override async ValueTask<bool> TransformResponseAsync(
            HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            if (proxyResponse is null)
                return false;
            exchange.AnsweredAt = exchange._clock.GetTimestamp();
            exchange._answerTimer!.CancelAfter(Timeout.InfiniteTimeSpan);
            AnswerFields.Judge(proxyResponse);
            if (proxyResponse.StatusCode == HttpStatusCode.SwitchingProtocols && exchange._context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true })
                throw new InvalidDataException("The target switches protocols though nobody asked it to.");
            if (proxyResponse.StatusCode == HttpStatusCode.SwitchingProtocols || exchange._context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true })
            {
                exchange.WasUpgraded = true;
                exchange.Target!.BeginUpgrade();
                httpContext.Features.Get<OpenConnection>()?.BeginUpgrade();
            }
            var copy = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
            AnswerFields.Rewrite(httpContext.Response.Headers, proxyResponse, exchange);
            if (!exchange.WasUpgraded)
                exchange.Shape(httpContext.Response);
            return copy;
        }
    }
}
