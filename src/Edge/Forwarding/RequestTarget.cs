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
    public static Uri? For(HttpContext context, string prefix)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget;
        return target is ['/', ..] && !target.AsSpan().ContainsAnyExceptInRange('!', '~')
            && Uri.TryCreate(prefix + target, AsItCame, out var uri) ? uri : null;
    }
}
