using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Daemon.Doors;
using Groundcrew.Journal;
using Microsoft.AspNetCore.OpenApi;

namespace Groundcrew.Daemon.Wiring;

/// <summary>Signals go to the log until somebody receives them.</summary>
internal sealed class LoggedSignals(ILogger<LoggedSignals> log) : ISignals
{
    public void Raise(Signal signal) =>
        log.Log(signal.Urgency == SignalUrgency.Info ? LogLevel.Information : LogLevel.Warning,
            "Signal {Kind} about {Subject}: {Message}", signal.Kind, signal.Subject, signal.Message);
}

/// <summary>Whether the store answers.</summary>
internal static class StoreCheck
{
    public static async Task<string?> LookAsync(Store store, CancellationToken cancellation)
    {
        try
        {
            await store.StateAsync(cancellation);
            return null;
        }
        catch (StoreFailedException e)
        {
            return e.Message;
        }
    }
}

/// <summary>The last resort of a request: a fault becomes one problem answer and one log record, with the id that joins them.</summary>
internal sealed class Faults(RequestDelegate next, ILogger<Faults> log)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            if (http.Request.Query.Any(q => q.Value.Any(v => v?.Contains('\0', StringComparison.Ordinal) == true)))
                throw new BadHttpRequestException("The address holds a zero character.");
            await next(http);
            if (http.Response is { HasStarted: false, StatusCode: 404 or 405 or 415, ContentType: null })
                await Bare(http).ExecuteAsync(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller went away: there is nobody to answer.
        }
        catch (StoreFailedException e) when (!http.Response.HasStarted)
        {
            log.LogError(e, "The store failed on {Method} {Path}, request {RequestId}", http.Request.Method, http.Request.Path, http.TraceIdentifier);
            await AnswerAsync(http, Answers.Problem(503, ProblemCodes.StoreUnavailable, e.Problem.ToString(), [e.Problem]));
        }
        catch (StoreBusyException e) when (!http.Response.HasStarted)
        {
            await AnswerAsync(http, Answers.Problem(503, ProblemCodes.StoreUnavailable, e.Message), retryAfter: "1");
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            await AnswerAsync(http, Answers.Problem(e.StatusCode, e.StatusCode == 413 ? ProblemCodes.TooLarge : ProblemCodes.BadInput, e.Message));
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            log.LogError(e, "A fault on {Method} {Path}, request {RequestId}", http.Request.Method, http.Request.Path, http.TraceIdentifier);
            await AnswerAsync(http, Answers.Problem(500, ProblemCodes.Internal,
                $"The control plane failed at this request. Its log tells why, under request id {http.TraceIdentifier}."));
        }
    }

    /// <summary>Without what the door had set on its way to another answer.</summary>
    private static Task AnswerAsync(HttpContext http, IResult answer, string? retryAfter = null)
    {
        http.Response.Clear();
        http.Response.Headers.RetryAfter = retryAfter;
        return answer.ExecuteAsync(http);
    }

    /// <summary>Words for the answers that routing gives without any.</summary>
    private static IResult Bare(HttpContext http) => http.Response.StatusCode switch
    {
        404 => Answers.NotFound($"call {http.Request.Method} {http.Request.Path}; /openapi/v1.json lists all of them"),
        405 => Answers.Problem(405, ProblemCodes.BadInput, $"{http.Request.Path} does not take {http.Request.Method}; it takes {http.Response.Headers.Allow}."),
        _ => Answers.Problem(415, ProblemCodes.BadInput, "Send the body with 'Content-Type: application/json'."),
    };
}

/// <summary>What the OpenAPI document says beyond the routes themselves.</summary>
internal static class ApiDescription
{
    public static void Configure(OpenApiOptions options) => options.AddDocumentTransformer((document, _, _) =>
    {
        document.Info.Title = "Groundcrew control plane";
        document.Info.Version = "v1";
        document.Info.Description = "Every call needs 'Authorization: Bearer <token>' unless it is marked otherwise. "
            + "Lists are bare arrays. Errors are application/problem+json with a stable code and every problem at once.";
        document.Servers?.Clear();
        return Task.CompletedTask;
    });
}
