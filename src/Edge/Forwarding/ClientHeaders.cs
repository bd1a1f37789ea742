using System.Buffers;
using System.Net;
using Groundcrew.Bedrock;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Groundcrew.Edge;

/// <summary>
/// What the edge says to an instance about the client. Nothing that a client claims about its own way is believed:
/// the edge is where the outside world ends.
/// </summary>
internal static class ClientHeaders
{
    /// <summary>The header that ties the records of one request together.</summary>
    public const string RequestId = "X-Request-Id";

    private const int MaxRequestIdLength = 128;

    private static readonly string[] Untrusted =
        ["Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Original-Host", "X-Real-IP"];

    private static readonly SearchValues<char> RequestIdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    /// <summary>The client's own request id when it is bounded and harmless, otherwise a new one.</summary>
    public static string RequestIdOf(IHeaderDictionary headers, TimeProvider clock)
    {
        var given = headers[RequestId];
        return given.Count == 1 && given[0] is { Length: > 0 and <= MaxRequestIdLength } id && !id.AsSpan().ContainsAnyExcept(RequestIdCharacters)
            ? id
            : Ids.New(clock).ToString("N");
    }

    /// <summary>Makes the request's headers what the instance is to see; the forwarder copies them from there.</summary>
    public static void Prepare(HttpContext context, string requestId)
    {
        var headers = context.Request.Headers;
        if (headers.Connection is { Count: > 0 } connection)
            RemoveHopByHop(headers, connection.ToString());
        foreach (var name in Untrusted)
            headers.Remove(name);
        headers["X-Forwarded-For"] = ClientOf(context) is { } client ? new StringValues(client) : StringValues.Empty;
        headers["X-Forwarded-Proto"] = context.Request.Scheme;
        headers["X-Forwarded-Host"] = headers.Host;
        headers[RequestId] = requestId;
    }

    /// <summary>The client's address; null when the connection has none (a Unix socket).</summary>
    public static string? ClientOf(HttpContext context) => context.Connection.RemoteIpAddress switch
    {
        null => null,
        { IsIPv4MappedToIPv6: true } mapped => mapped.MapToIPv4().ToString(),
        IPAddress address => address.ToString(),
    };

    /// <summary>
    /// Removes the fields that <c>Connection</c> names as meant for this hop only (RFC 9110, section 7.6.1). The ones
    /// that frame a message or route it are never removed on a client's word. Kestrel reduces a list that also says
    /// <c>close</c> or <c>keep-alive</c> to that word, so fields named beside it pass.
    /// </summary>
    public static void RemoveHopByHop(IHeaderDictionary headers, string connection)
    {
        foreach (var range in connection.AsSpan().Split(','))
        {
            var name = connection.AsSpan(range).Trim();
            if (!IsKept(name))
                headers.Remove(name.ToString());
        }
    }

    private static bool IsKept(ReadOnlySpan<char> name) =>
        name.IsEmpty || Is(name, "close") || Is(name, "keep-alive") || Is(name, HeaderNames.Upgrade) || Is(name, HeaderNames.Connection)
        || Is(name, HeaderNames.TE) || Is(name, HeaderNames.Host) || Is(name, HeaderNames.ContentLength) || Is(name, HeaderNames.TransferEncoding);

    private static bool Is(ReadOnlySpan<char> name, string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);
}
