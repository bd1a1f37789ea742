using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Groundcrew.Edge;

/// <summary>The header fields of a request as the instance is to see them, on the full path.</summary>
internal static class RequestFields
{
    public static void Rewrite(IHeaderDictionary headers, Exchange exchange)
    {
        if (headers.Connection is { Count: > 0 } connection)
            RemoveHopByHop(headers, connection.ToString());
        foreach (var name in ClientHeaders.Untrusted)
            headers.Remove(name);
        var identity = exchange.Route!.Identity;
        foreach (var name in headers.Keys.Where(n => identity.Strips(n)).ToList())
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
    public static void Rewrite(IHeaderDictionary headers, HttpResponseMessage answer, Exchange exchange)
    {
        if (answer.Headers.NonValidated.TryGetValues(HeaderNames.Connection, out var connection))
            RequestFields.RemoveHopByHop(headers, connection.ToString());
        headers.Append(HeaderNames.Via, ClientWay.Via);
        headers.TryAdd(ClientHeaders.RequestId, exchange.RequestId);
        foreach (var (name, value) in EdgeFields.Of(exchange))
            headers.Append(name, value);
    }
}
