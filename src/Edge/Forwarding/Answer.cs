using System.Net;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.WebUtilities;

namespace Groundcrew.Edge;

/// <summary>An answer of the edge's own: what a path that carries requests sends for it.</summary>
/// <param name="Status">The status.</param>
/// <param name="ContentType">The type of <paramref name="Body"/>.</param>
/// <param name="Body">The body.</param>
internal sealed record Answer(int Status, string ContentType, byte[] Body)
{
    /// <summary>Further headers.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>One sentence of why nothing better can be answered, in the form that the client accepts.</summary>
    public static Answer Of(Exchange exchange, int status, string code, string sentence, params IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        var title = ReasonPhrases.GetReasonPhrase(status);
        var (type, body) = exchange.Header("Accept") switch
        {
            { } accept when accept.Contains("json", StringComparison.OrdinalIgnoreCase) => (MediaTypeNames.Application.ProblemJson,
                JsonSerializer.Serialize(new { type = "about:blank", title, status, detail = sentence, code, exchange.RequestId }, Json.Options)),
            { } accept when accept.Contains("text/html", StringComparison.OrdinalIgnoreCase) =>
                ("text/html; charset=utf-8", Page(status, title, sentence, exchange.RequestId)),
            _ => ("text/plain; charset=utf-8", $"{status} {title}: {sentence} (request {exchange.RequestId})\n"),
        };
        return new Answer(status, type, Encoding.UTF8.GetBytes(body)) { Headers = headers };
    }

    private static string Page(int status, string title, string sentence, string requestId) =>
        $"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{status} {title}</title>
        <style>body{"{"}font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem{"}"}</style></head>
        <body><h1>{status} {title}</h1><p>{WebUtility.HtmlEncode(sentence)}</p><p><small>Request {requestId}</small></p></body></html>

        """;
}
