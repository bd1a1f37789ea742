using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;

namespace Groundcrew.Edge;

/// <summary>
/// What happens to every request, whichever path carries it: it is routed, judged, offered to one target after another
/// as far as that cannot do a thing twice, and recorded. Takes no lock, touches no disk and asks no control plane.
/// Thread-safe.
/// </summary>
internal sealed class EdgeProxy(EdgeTable table, Admission admission, EdgeMeters meters, AccessLog log, EdgeOptions options, TimeProvider clock)
{
    private readonly KeyValuePair<string, string> _retryAfter = new("Retry-After", ((int)Math.Ceiling(options.RetryAfter.TotalSeconds)).ToString());

    /// <summary>Serves a request to its end.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask ServeAsync(Exchange exchange)
    {
        meters.Began();
        try
        {
            if (await admission.AdmitAsync(exchange) is { } refusal)
            {
                await exchange.AnswerAsync(refusal);
                return;
            }
            // One target after another, as far as that cannot do a thing twice.
            for (var isOffered = IsLetIn(exchange); isOffered && table.TryClaim(exchange); isOffered = MayOfferAgain(exchange))
            {
                try
                {
                    exchange.Outcome = await exchange.SendAsync();
                }
                finally
                {
                    exchange.Look(clock);
                    Judge(exchange);
                    exchange.Release();
                }
            }
            if (IsUnanswered(exchange))
                await ExplainAsync(exchange);
        }
        catch (OperationCanceledException) when (exchange.Left.IsCancellationRequested)
        {
            exchange.Outcome = exchange.HasStarted ? Outcome.ClientLeftMidway : Outcome.ClientLeft;
        }
        finally
        {
            exchange.Look(clock);
            JudgeService(exchange);
            Admission.Leave(exchange);
            meters.Ended();
            Record(exchange, exchange.Outcome == Outcome.ClientLeft ? StatusCodes.Status499ClientClosedRequest : exchange.Status);
        }
    }

    /// <summary>A request was refused before it could be judged, with a status: it is recorded as any other.</summary>
    public void Refused(Exchange exchange, int status)
    {
        admission.Introduce(exchange);
        exchange.Outcome = status switch
        {
            StatusCodes.Status408RequestTimeout => Outcome.ClientSlow,
            StatusCodes.Status413PayloadTooLarge => Outcome.TooLarge,
            _ => Outcome.ClientBad,
        };
        Record(exchange, status);
    }

    /// <summary>Whether its service takes requests at all, which counts it there.</summary>
    private static bool IsLetIn(Exchange exchange)
    {
        if (exchange.Route?.Service is not { } service)
            return false;
        if (!service.Breaker.TryEnter(exchange.Now, out var trial))
        {
            exchange.Outcome = Outcome.BreakerOpen;
            return false;
        }
        (exchange.LetInBy, exchange.ServiceTrial) = (service.Breaker, trial);
        service.Retries.Deposit(exchange.Now);
        return true;
    }

    /// <summary>Whether the client is there and still waits for an answer.</summary>
    private static bool IsUnanswered(Exchange exchange)
    {
        if (exchange.HasStarted || (exchange.Attempts > 0 && exchange.Outcome == Outcome.Served))
            return false;
        if (exchange.Attempts == 0 || !exchange.Left.IsCancellationRequested)
            return true;
        exchange.Outcome = Outcome.ClientLeft;
        return false;
    }

    /// <summary>What the outcome of one attempt says of the health of the target.</summary>
    private void Judge(Exchange exchange)
    {
        var (target, now) = (exchange.Target!.Breaker, exchange.Now);
        if (exchange.Outcome.IsTargets())
        {
            if (target.Failed(now, exchange.Trial))
                meters.CountEjection();
        }
        else if (exchange.Outcome != Outcome.Served)
            target.TrialLeft(now, exchange.Trial);
        else if (exchange.Status is StatusCodes.Status502BadGateway or StatusCodes.Status503ServiceUnavailable or StatusCodes.Status504GatewayTimeout)
            target.Failed(now, exchange.Trial);
        else
            target.Succeeded(now, exchange.Trial);
    }

    /// <summary>
    /// What the end of a request says of the service as a whole: any answer, even that something behind it is out of
    /// order, shows that it is there. One instance that fails says nothing while another answers.
    /// </summary>
    private static void JudgeService(Exchange exchange)
    {
        if (exchange.LetInBy is not { } breaker)
            return;
        if (exchange.Outcome.IsTargets())
            breaker.Failed(exchange.Now, exchange.ServiceTrial);
        else if (exchange.Outcome == Outcome.Served)
            breaker.Succeeded(exchange.Now, exchange.ServiceTrial);
        else
            breaker.TrialLeft(exchange.Now, exchange.ServiceTrial);
    }

    /// <summary>Whether another target may try: it is then counted, and not the one that failed.</summary>
    private bool MayOfferAgain(Exchange exchange)
    {
        if (exchange.HasStarted || exchange.Left.IsCancellationRequested || exchange.Attempts >= exchange.Route!.Policy.Retry.Attempts)
            return false;
        if (exchange.Outcome != Outcome.TargetUnreachable && (exchange.Outcome != Outcome.TargetNoAnswer || !exchange.IsHarmlessTwice))
            return false;
        if (!exchange.Route.Service.Retries.TryWithdraw(exchange.Now))
            return false;
        exchange.Exclude();
        meters.CountRetry();
        return true;
    }

    /// <summary>Nothing was sent to the client yet: it hears why not.</summary>
    private ValueTask ExplainAsync(Exchange exchange)
    {
        if (exchange.Attempts == 0 && exchange.Outcome != Outcome.BreakerOpen)
            exchange.Outcome = exchange.Route is null ? Outcome.NoRoute : Outcome.NoTarget;
        return exchange.AnswerAsync(exchange.Outcome switch
        {
            Outcome.NoRoute => Answer.Of(exchange, StatusCodes.Status404NotFound, "no-route", "There is no route for this host."),
            Outcome.NoTarget => Answer.Of(exchange, StatusCodes.Status503ServiceUnavailable, "no-instance", "No instance is ready to serve this host.", _retryAfter),
            Outcome.BreakerOpen => Answer.Of(exchange, StatusCodes.Status503ServiceUnavailable, "breaker-open", "The service did not answer for a while; it is left alone for a moment.", _retryAfter),
            Outcome.Shed => Answer.Of(exchange, StatusCodes.Status503ServiceUnavailable, "overloaded", "The edge has no room for another connection.", _retryAfter),
            Outcome.TargetUnreachable => Answer.Of(exchange, StatusCodes.Status502BadGateway, "unreachable", "No instance could be reached."),
            Outcome.TargetTimeout => Answer.Of(exchange, StatusCodes.Status504GatewayTimeout, "timeout", "The instance did not answer in time."),
            Outcome.TargetBadAnswer => Answer.Of(exchange, StatusCodes.Status502BadGateway, "bad-answer", "What the instance answered cannot be understood."),
            Outcome.TooLarge => Answer.Of(exchange, StatusCodes.Status413PayloadTooLarge, "too-large", $"The body is larger than {exchange.Route!.Policy.MaxBodyBytes} bytes."),
            Outcome.ClientBad => Answer.Of(exchange, StatusCodes.Status400BadRequest, "bad-request-body", "The request body could not be read."),
            Outcome.ClientSlow => Answer.Of(exchange, StatusCodes.Status408RequestTimeout, "slow-request", "The request did not come in time."),
            _ => Answer.Of(exchange, StatusCodes.Status502BadGateway, "bad-gateway", "The instance did not answer."),
        });
    }

    private void Record(Exchange exchange, int status)
    {
        var took = clock.GetElapsedTime(exchange.StartedAt, exchange.Now);
        if (exchange.Route is { } route)
            (exchange.Backend ?? route.Main).Count(status, exchange.Outcome, exchange.WasUpgraded ? null : took.TotalSeconds);
        else
            meters.CountUnrouted(exchange.Outcome);
        var line = new BytesOut(1024);
        AccessRecord.Write(ref line, exchange, took, UpstreamTime(exchange), status);
        log.Add(line.Written.Span);
        line.Dispose();
    }

    private TimeSpan? UpstreamTime(Exchange exchange) =>
        exchange is { SentAt: > 0, AnsweredAt: > 0 } ? clock.GetElapsedTime(exchange.SentAt, exchange.AnsweredAt) : null;
}
