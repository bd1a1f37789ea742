using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Groundcrew.Contract;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>
/// Answers a POST that carries an <c>Idempotency-Key</c> once: the same key with the same request gets the first answer
/// again, with <c>Idempotency-Replayed: true</c> (draft-ietf-httpapi-idempotency-key-header). Behind the gate. Answers are
/// kept sealed, for the one to <c>POST /tokens</c> holds the token.
/// </summary>
internal sealed class Idempotency(RequestDelegate next, RequestKeys keys, SealedBox box)
{
    private const int MaxBody = 1024 * 1024;
    private static readonly TimeSpan WaitForTwin = TimeSpan.FromSeconds(10);

    public async Task InvokeAsync(HttpContext http)
    {
        var key = http.Request.Headers["Idempotency-Key"].ToString();
        var actor = http.Features.Get<Actor>();
        if (!HttpMethods.IsPost(http.Request.Method) || key.Length == 0 || actor is null || actor.Role == Role.Node)
        {
            await next(http);
            return;
        }
        if (key.Length > 200)
        {
            await Answers.Problem(400, ProblemCodes.BadInput, "The Idempotency-Key has more than 200 characters.").ExecuteAsync(http);
            return;
        }
        if (await HashAsync(http) is not { } hash)
        {
            await Answers.Problem(413, ProblemCodes.TooLarge, "The body is larger than 1 MiB.").ExecuteAsync(http);
            return;
        }
        await AnswerAsync(http, await keys.ClaimAsync(actor, key, hash, WaitForTwin, http.RequestAborted));
    }

    private async Task AnswerAsync(HttpContext http, KeyClaim claim)
    {
        switch (claim)
        {
            case KeyClaim.Claimed claimed:
                await DoAsync(http, claimed.Ticket);
                break;
            case KeyClaim.Replay { Response: var kept }:
                await ReplayAsync(http, kept);
                break;
            case KeyClaim.InProgress:
                await Answers.Problem(409, ProblemCodes.Conflict, "A request with this Idempotency-Key is being done. Repeat it in a moment for its answer.").ExecuteAsync(http);
                break;
            case KeyClaim.Reused:
                await Answers.Problem(422, ProblemCodes.KeyReused, "This Idempotency-Key was used for another request. Send a new key with a new request.").ExecuteAsync(http);
                break;
            default:
                await Answers.Problem(503, ProblemCodes.StoreUnavailable, "Too many idempotency keys are kept now. Repeat the request in a few minutes.").ExecuteAsync(http);
                break;
        }
    }

    private async Task DoAsync(HttpContext http, KeyTicket ticket)
    {
        var output = http.Response.Body;
        using var kept = new MemoryStream();
        http.Response.Body = kept;
        var isDone = false;
        try
        {
            await next(http);
            isDone = http.Response.StatusCode is < 500 and not StatusCodes.Status409Conflict;
        }
        finally
        {
            http.Response.Body = output;
            // What failed for a reason of ours, or because something was in the way, may be tried again with the same key.
            if (isDone)
                await keys.CompleteAsync(ticket, new KeptResponse(http.Response.StatusCode, http.Response.ContentType, Sealed(http, ticket, kept)), CancellationToken.None);
            else
                await keys.AbandonAsync(ticket, CancellationToken.None);
        }
        kept.Position = 0;
        await kept.CopyToAsync(output, http.RequestAborted);
    }

    private byte[] Sealed(HttpContext http, KeyTicket ticket, MemoryStream body)
    {
        var headers = http.Response.Headers;
        var answer = new KeptAnswer(
            headers.Location, headers.CacheControl, Encoding.UTF8.GetString(body.GetBuffer().AsSpan(0, (int)body.Length)));
        return box.Seal(new Secret(JsonSerializer.Serialize(answer, Json.Options)), ContextOf(ticket));
    }

    private async Task ReplayAsync(HttpContext http, KeptResponse kept)
    {
        var ticket = new KeyTicket(http.Actor().Id, http.Request.Headers["Idempotency-Key"].ToString());
        var answer = JsonSerializer.Deserialize<KeptAnswer>(box.Unseal(kept.Body, ContextOf(ticket)).Reveal(), Json.Options)!;
        var response = http.Response;
        (response.StatusCode, response.ContentType) = (kept.Status, kept.ContentType);
        (response.Headers.Location, response.Headers.CacheControl) = (answer.Location, answer.CacheControl);
        response.Headers["Idempotency-Replayed"] = "true";
        await response.Body.WriteAsync(Encoding.UTF8.GetBytes(answer.Body), http.RequestAborted);
    }

    private static string ContextOf(KeyTicket ticket) => $"answer/{ticket.ActorId}/{ticket.Key}";

    /// <summary>What is given again, beside status and type.</summary>
    private sealed record KeptAnswer(string? Location, string? CacheControl, string Body);

    private static async Task<string?> HashAsync(HttpContext http)
    {
        var body = new MemoryStream();
        var chunk = new byte[16 * 1024];
        int read;
        while ((read = await http.Request.Body.ReadAsync(chunk, http.RequestAborted)) > 0)
        {
            if (body.Length + read > MaxBody)
                return null;
            body.Write(chunk, 0, read);
        }
        body.Position = 0;
        http.Request.Body = body;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{http.Request.Path}{http.Request.QueryString}\n"));
        hash.AppendData(body.GetBuffer().AsSpan(0, (int)body.Length));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
