using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Groundcrew.Edge;

/// <summary>Which URI an instance is asked for.</summary>
internal static class RequestTarget
{
    private static readonly UriCreationOptions AsItCame = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <summary>
    /// The request target exactly as the client sent it: the instance, not the edge, decides what an escape means.
    /// Null (the forwarder then builds it from path and query) when it is not in origin form (RFC 9112, section 3.2.1),
    /// or holds a character that could not stand in a request line.
    /// </summary>
    public static Uri? For(HttpContext context, string prefix) =>
        Of(context) is { } target && Uri.TryCreate(prefix + target, AsItCame, out var uri) ? uri : null;

    /// <summary>The target in origin form; null when it came in another.</summary>
    public static string? Of(HttpContext context) =>
        context.Features.Get<IHttpRequestFeature>()?.RawTarget is ['/', ..] target && !target.AsSpan().ContainsAnyExceptInRange('!', '~') ? target : null;
}
