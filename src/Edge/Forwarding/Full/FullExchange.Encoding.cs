using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Groundcrew.Edge;

/// <summary>Answers that are compressed on their way.</summary>
internal sealed partial class FullExchange
{
    private EncodedBody? _encoded;

    /// <summary>Lays the rules of the route over an answer whose head was copied, and compresses it when they and the client say so.</summary>
    private void Shape(HttpResponse response)
    {
        var route = Route!;
        if (route is { Caching: null, Compressing: null })
            return;
        var facts = AnswerFields.FactsOf(response);
        foreach (var (name, value) in EdgeFields.Of(this, facts))
            response.Headers.Append(name, value);
        if (route.Compressing?.Fits(facts) != true || Method == "HEAD" || AcceptedCoding.Of(Headers(HeaderNames.AcceptEncoding)) is not (not Coding.None and var coding) || !_encoders.TryBegin())
            return;
        response.Headers.ContentEncoding = coding == Coding.Brotli ? "br" : "gzip";
        response.ContentLength = null;
        // A range would be one of other bytes, and the same bytes are not promised any more (RFC 9110, section 8.8.1).
        response.Headers.Remove(HeaderNames.AcceptRanges);
        if (response.Headers.ETag is [['"', ..] strong])
            response.Headers.ETag = "W/" + strong;
        response.Body = _encoded = new EncodedBody(Body(), coding, isPrompt: facts.Length is null);
    }

    /// <summary>The target's answer is over: sends the end of what was compressed, unless something is missing.</summary>
    private async ValueTask EndEncodingAsync(bool isWhole)
    {
        if (_encoded is not { } encoded)
            return;
        _encoded = null;
        try
        {
            if (isWhole)
                await encoded.CompleteAsync(Left);
        }
        finally
        {
            _encoders.End();
            await encoded.DisposeAsync();
            _context.Response.Body = Body();
        }
    }
}
