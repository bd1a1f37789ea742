using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Groundcrew.Edge;

/// <summary>The header fields of a request as the instance is to see them, on the full path.</summary>
internal static class RequestFields
{
    /// <summary>
    /// The status for a request that the server reads and no target may be given; null for all others. A body that is
    /// coded otherwise than <c>chunked</c> alone, or that has a length as well, is read differently by different servers
    /// (RFC 9112, section 11.2); a port beyond 65535 cannot be sent; and the edge is no tunnel.
    /// </summary>
    public static int? Refusal(HttpRequest request)
    {
        if (!HttpProtocol.IsHttp11(request.Protocol) && !HttpProtocol.IsHttp10(request.Protocol))
            return request.Host.Port is > ushort.MaxValue ? StatusCodes.Status400BadRequest : null;
        if (request.Headers.TransferEncoding is { Count: > 0 } coding
            && (coding is not [{ } only] || !only.Equals("chunked", StringComparison.OrdinalIgnoreCase) || request.Headers.ContainsKey("X-Content-Length")))
            return StatusCodes.Status400BadRequest;
        if (request.Host is { HasValue: true, Value: { } host } && host.LastIndexOf(':') is var colon and >= 0 && !host.EndsWith(']')
            && (!int.TryParse(host.AsSpan(colon + 1), out var port) || port > ushort.MaxValue))
            return StatusCodes.Status400BadRequest;
        return HttpMethods.IsConnect(request.Method) ? StatusCodes.Status405MethodNotAllowed : null;
    }

    public static void Rewrite(IHeaderDictionary headers, Exchange exchange)
    {
        if (headers.Connection is { Count: > 0 } connection)
            RemoveHopByHop(headers, connection.ToString());
        foreach (var name in ClientHeaders.Untrusted)
            headers.Remove(name);
        var identity = exchange.Route!.Identity;
        foreach (var name in headers.Keys.Where(n => ClientHeaders.IsDisguised(n) || identity.Strips(n)).ToList())
            headers.Remove(name);
        headers["X-Forwarded-For"] = exchange.ForwardedFor is { } client ? new StringValues(client) : StringValues.Empty;
        headers["X-Forwarded-Proto"] = ClientWay.Proto(exchange);
        headers["X-Forwarded-Host"] = headers.Host;
        headers["Forwarded"] = ClientWay.Forwarded(exchange);
        headers.Append(HeaderNames.Via, ClientWay.Via);
        headers[ClientHeaders.RequestId] = exchange.RequestId;
    }

    /// <summary>
    /// Removes the fields that <c>Connection</c> names. Kestrel reduces a list that also says <c>close</c> or
    /// <c>keep-alive</c> to that word, so fields named beside it pass.
    /// </summary>
    public static void RemoveHopByHop(IHeaderDictionary headers, string connection)
    {
        foreach (var range in connection.AsSpan().Split(','))
        {
            var name = connection.AsSpan(range).Trim();
            if (!ClientHeaders.IsKept(name))
                headers.Remove(name.ToString());
        }
    }
}

/// <summary>The header fields of an answer as the client is to see them, on the full path.</summary>
internal static class AnswerFields
{
    /// <summary>The most fields that an answer may have, on both paths.</summary>
    public const int Most = 128;

    /// <summary>Refuses what the direct path refuses, as far as it can still be seen: the client of these bytes is forgiving.</summary>
    /// <exception cref="InvalidDataException">How the body is framed is not certain, or there are too many fields.</exception>
    public static void Judge(HttpResponseMessage answer)
    {
        if ((int)answer.StatusCode < StatusCodes.Status100Continue)
            throw new InvalidDataException("The answer's status is none.");
        if (answer.Version.Major == 1 && answer.Headers.NonValidated.TryGetValues(HeaderNames.TransferEncoding, out var codings)
            && !(codings.Count == 1 && codings.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase)))
            throw new InvalidDataException("The answer is coded in a way that nobody asked for.");
        if (answer.Content.Headers.NonValidated.TryGetValues(HeaderNames.ContentLength, out var lengths)
            && (lengths.Count != 1 || lengths.ToString() is not { Length: > 0 and <= 18 } length || length.AsSpan().ContainsAnyExceptInRange('0', '9')))
            throw new InvalidDataException("The answer's length is not certain.");
        if (answer.Headers.NonValidated.Sum(h => h.Value.Count) + answer.Content.Headers.NonValidated.Sum(h => h.Value.Count) > Most)
            throw new InvalidDataException("The answer has too many fields.");
    }

    public static void Rewrite(IHeaderDictionary headers, HttpResponseMessage answer, Exchange exchange)
    {
        if (answer.Headers.NonValidated.TryGetValues(HeaderNames.Connection, out var connection))
            RequestFields.RemoveHopByHop(headers, connection.ToString());
        // An answer without content has no length (RFC 9110, section 8.6).
        if (answer.StatusCode == System.Net.HttpStatusCode.NoContent)
            headers.ContentLength = null;
        headers.Append(HeaderNames.Via, ClientWay.Via);
        headers.TryAdd(ClientHeaders.RequestId, exchange.RequestId);
        foreach (var (name, value) in EdgeFields.Of(exchange))
            headers.Append(name, value);
    }

    /// <summary>What the answer says of itself, for the rules of a route that has some.</summary>
    public static AnswerFacts FactsOf(HttpResponse answer)
    {
        var headers = answer.Headers;
        return new AnswerFacts(answer.StatusCode, headers.ContentLength, headers.ContentType.ToString(), headers.CacheControl.ToString(),
            headers.ContentEncoding is { Count: > 0 } coding && !coding.ToString().Equals("identity", StringComparison.OrdinalIgnoreCase),
            AnswerFacts.Digests.Any(headers.ContainsKey), headers.ContainsKey(HeaderNames.Expires), headers.ContainsKey(HeaderNames.SetCookie), headers.Vary.ToString());
    }
}
