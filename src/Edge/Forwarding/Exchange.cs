using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>
/// One request on its way: what was chosen for it so far, and how its headers cross the edge. Belongs to its request.
/// </summary>
internal sealed class Exchange(string requestId) : HttpTransformer
{
    private TargetState?[] _tried = [];
    private bool _upgraded;

    public string RequestId => requestId;

    public RouteState? Route { get; set; }

    /// <summary>The target that has or had the request last.</summary>
    public TargetState? Target { get; private set; }

    public int Attempts { get; private set; }

    /// <summary>Whether the connection became an upgraded one, such as a WebSocket.</summary>
    public bool WasUpgraded { get; private set; }

    /// <summary>How forwarding ended.</summary>
    public ForwarderError Error { get; set; }

    /// <summary>The targets that were offered the request and failed.</summary>
    public ReadOnlySpan<TargetState?> Tried => _tried;

    public void Begin(TargetState target)
    {
        Target = target;
        Attempts++;
    }

    /// <summary>Gives the claim back, whatever happened.</summary>
    public void End()
    {
        if (_upgraded)
            Target!.EndUpgrade();
        _upgraded = false;
        Target!.Leave();
    }

    /// <summary>Remembers that the target failed, so that the next one is another.</summary>
    public void Exclude() => _tried = [.. _tried, Target];

    /// <inheritdoc/>
    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        proxyRequest.RequestUri = RequestTarget.For(httpContext, destinationPrefix);
    }

    /// <inheritdoc/>
    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
            return false;
        Target!.Answered();
        if (proxyResponse.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            (_upgraded, WasUpgraded) = (true, true);
            Target.BeginUpgrade();
            httpContext.Features.Get<OpenConnection>()?.BeginUpgrade();
        }
        var copy = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        var headers = httpContext.Response.Headers;
        if (proxyResponse.Headers.NonValidated.TryGetValues(HeaderNames.Connection, out var connection))
            ClientHeaders.RemoveHopByHop(headers, connection.ToString());
        headers.TryAdd(ClientHeaders.RequestId, requestId);
        return copy;
    }
}
