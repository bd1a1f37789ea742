using System.Net;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Http;

namespace Groundcrew.Edge;

/// <summary>
/// Whether a request may pass, before any target hears of it: the network, maintenance, HTTPS, the body's size, rates,
/// holds, and how many are in flight, in this order. Thread-safe.
/// </summary>
internal sealed class Admission(EdgeTable table, EdgeOptions options, EdgeMeters meters, TimeProvider clock)
{
    private const string ChallengePath = "/.well-known/acme-challenge/";
    private static readonly KeyValuePair<string, string> SoonAgain = new("Retry-After", "1");
    private readonly AddressSet? _trusted = options.TrustedProxies.Count == 0 ? null : Trusted(options.TrustedProxies);

    /// <summary>Null when it may; otherwise the answer for the client. What was taken for it is given back by <see cref="Leave"/>.</summary>
    public ValueTask<Answer?> AdmitAsync(Exchange exchange)
    {
        Introduce(exchange);
        if (exchange.Path.StartsWith(ChallengePath, StringComparison.Ordinal) && ChallengeAnswer(exchange) is { } challenge)
            return new(challenge);
        // No route is told when no target can be claimed, as every other lack is.
        if (table.Find(exchange) is not { } route)
            return new((Answer?)null);
        if (Refusal(exchange, route) is { } refusal)
            return new(refusal);
        return route.Hold.Current is null && route.Service.Concurrency is null ? new((Answer?)null) : WaitAsync(exchange, route);
    }

    /// <summary>The request has ended.</summary>
    public static void Leave(Exchange exchange) => exchange.Entered?.Leave();

    private static AddressSet Trusted(IReadOnlyList<string> networks)
    {
        var problems = new ProblemList();
        var set = AddressSet.Parse(networks, "trustedProxies", problems);
        return problems.IsEmpty ? set : throw new ArgumentException(string.Join("; ", problems.Problems), nameof(networks));
    }

    /// <summary>Who the client is, by the connection or by the proxies in front that are trusted.</summary>
    public void Introduce(Exchange exchange)
    {
        if (_trusted is null || exchange.Remote is not { } remote || !_trusted.Contains(remote))
        {
            exchange.ForwardedFor = exchange.Remote?.ToString();
            return;
        }
        // One of the two headers, never the other when it lacks: a proxy that writes the one passes the client's other through.
        var client = ClientAddress.ByForwardedFor(remote, exchange.Headers("X-Forwarded-For"), _trusted);
        (exchange.Client, exchange.ForwardedFor) = (client.Address, client.Forwarded);
        exchange.IsSecure |= exchange.Header("X-Forwarded-Proto") == "https";
    }

    private Answer? ChallengeAnswer(Exchange exchange)
    {
        if (table.ChallengeOf(exchange.HostName, exchange.Path.AsSpan(ChallengePath.Length)) is not { } answer)
            return null;
        exchange.Outcome = Outcome.Answered;
        return new Answer(StatusCodes.Status200OK, "application/octet-stream", System.Text.Encoding.ASCII.GetBytes(answer));
    }

    private Answer? Refusal(Exchange exchange, RouteState route)
    {
        if (!route.Networks.IsOpen && !route.Networks.Admits(exchange.Client))
            return Refused(exchange, Outcome.Denied, StatusCodes.Status403Forbidden, "denied", "This network may not come in.");
        if (table.MaintenanceOf(route.Route.Org, exchange.Path) is { } maintenance)
            return MaintenanceAnswerOf(exchange, maintenance);
        if (route.Policy.RedirectToHttps && !exchange.IsSecure)
            return RedirectOf(exchange);
        if (exchange.BodyLength > route.Policy.MaxBodyBytes)
            return Refused(exchange, Outcome.TooLarge, StatusCodes.Status413PayloadTooLarge, "too-large", $"The body is larger than {route.Policy.MaxBodyBytes} bytes.");
        foreach (var rate in route.Rates)
            if (rate.Counts(exchange.Method) && !TryTake(exchange, route, rate, out var verdict))
                return RateAnswer(exchange, route, rate, verdict);
        return null;
    }

    private bool TryTake(Exchange exchange, RouteState route, RateLimiter rate, out RateVerdict verdict)
    {
        var now = exchange.Now;
        if (rate.Limit.By == RateKey.Route)
            return rate.TryTake(now, out verdict);
        var value = rate.Limit.By switch
        {
            RateKey.Token => exchange.Header("Authorization"),
            RateKey.Header => exchange.Header(rate.Limit.Header!),
            RateKey.Tenant => exchange.Header(route.Policy.TenantHeader!),
            _ => null,
        };
        return value is null
            ? rate.TryTake(exchange.Client ?? IPAddress.None, now, out verdict)
            : rate.TryTake(value, now, out verdict);
    }

    private Answer RateAnswer(Exchange exchange, RouteState route, RateLimiter rate, RateVerdict verdict)
    {
        exchange.LimitedBy = rate.Limit.Name;
        meters.CountLimited(route.Route, rate.Limit.Name);
        return Refused(exchange, Outcome.RateLimited, StatusCodes.Status429TooManyRequests, "rate-limited",
            $"More than {rate.Limit.Requests} requests in {Quantity.Format(rate.Limit.Per)}: come again in {verdict.RetrySeconds} s.",
            new("Retry-After", $"{verdict.RetrySeconds}"), new("X-RateLimit-Limit", $"{verdict.Limit}"),
            new("X-RateLimit-Remaining", $"{verdict.Remaining}"), new("X-RateLimit-Reset", $"{verdict.ResetSeconds}"));
    }

    private Answer MaintenanceAnswerOf(Exchange exchange, Maintenance maintenance)
    {
        exchange.Outcome = Outcome.Maintenance;
        var answer = MaintenanceAnswer.For(maintenance, exchange.Header("Accept"), clock.GetUtcNow());
        return new Answer(StatusCodes.Status503ServiceUnavailable, answer.ContentType, answer.Body) { Headers = [new("Retry-After", $"{answer.RetryAfter}")] };
    }

    /// <summary>308 keeps method and body (RFC 9110, section 15.4.9).</summary>
    private Answer RedirectOf(Exchange exchange)
    {
        exchange.Outcome = Outcome.Answered;
        var port = options.HttpsPort == 443 ? "" : $":{options.HttpsPort}";
        return Answer.Of(exchange, StatusCodes.Status308PermanentRedirect, "https", "Use HTTPS.",
            new KeyValuePair<string, string>("Location", $"https://{exchange.HostName}{port}{exchange.PathAndQuery}"));
    }

    private async ValueTask<Answer?> WaitAsync(Exchange exchange, RouteState route)
    {
        var refusal = await WaitForTurnAsync(exchange, route);
        exchange.Look(clock);
        return refusal;
    }

    private static async ValueTask<Answer?> WaitForTurnAsync(Exchange exchange, RouteState route)
    {
        var hold = route.Hold.Current;
        switch (await route.Hold.PassAsync(exchange.Left))
        {
            case HoldEnd.Stopped:
                return Refused(exchange, Outcome.Stopped, StatusCodes.Status503ServiceUnavailable, "stopped",
                    (route.Hold.Current ?? hold)?.Message ?? "The service is stopped.", SoonAgain);
            case HoldEnd.TimedOut:
                return Refused(exchange, Outcome.Held, StatusCodes.Status504GatewayTimeout, "paused", "The service is paused, and was not resumed in time.");
            case HoldEnd.Full:
                return Refused(exchange, Outcome.Held, StatusCodes.Status503ServiceUnavailable, "paused", "The service is paused, and as many requests wait as may.", SoonAgain);
            case HoldEnd.Left:
                throw new OperationCanceledException(exchange.Left);
        }
        if (route.Service.Concurrency is not { } gate)
            return null;
        switch (await gate.EnterAsync(exchange.Left))
        {
            case GateEnd.Entered:
                exchange.Entered = gate;
                return null;
            case GateEnd.Left:
                throw new OperationCanceledException(exchange.Left);
            default:
                return Refused(exchange, Outcome.Shed, StatusCodes.Status503ServiceUnavailable, "overloaded", "Too many requests at once.", SoonAgain);
        }
    }

    private static Answer Refused(
        Exchange exchange, Outcome outcome, int status, string code, string sentence, params IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        exchange.Outcome = outcome;
        return Answer.Of(exchange, status, code, sentence, headers);
    }
}
