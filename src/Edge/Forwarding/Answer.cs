using System.Net;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Groundcrew.Edge;

/// <summary>The edge's own words when no instance can answer, in the form that the client accepts.</summary>
internal static class Answer
{
    /// <summary>Sends <paramref name="status"/> with one sentence of why.</summary>
    public static async Task SendAsync(HttpContext context, int status, string code, string sentence, string requestId)
    {
        var response = context.Response;
        var title = ReasonPhrases.GetReasonPhrase(status);
        var accept = context.Request.Headers.Accept.ToString();
        var (type, body) = accept switch
        {
            _ when accept.Contains("json", StringComparison.OrdinalIgnoreCase) => (MediaTypeNames.Application.ProblemJson,
                JsonSerializer.Serialize(new { type = "about:blank", title, status, detail = sentence, code, requestId }, Json.Options)),
            _ when accept.Contains("text/html", StringComparison.OrdinalIgnoreCase) => ("text/html; charset=utf-8", Page(status, title, sentence, requestId)),
            _ => ("text/plain; charset=utf-8", $"{status} {title}: {sentence} (request {requestId})\n"),
        };
        var bytes = Encoding.UTF8.GetBytes(body);
        response.StatusCode = status;
        response.ContentType = type;
        response.ContentLength = bytes.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers[ClientHeaders.RequestId] = requestId;
        await response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    private static string Page(int status, string title, string sentence, string requestId) =>
        $"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{status} {title}</title>
        <style>body{"{"}font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem{"}"}</style></head>
        <body><h1>{status} {title}</h1><p>{WebUtility.HtmlEncode(sentence)}</p><p><small>Request {requestId}</small></p></body></html>

        """;
}
