using System.Net;
using Groundcrew.Bedrock;
using Yarp.ReverseProxy.Forwarder;

namespace Groundcrew.Edge;

/// <summary>One route of the table that serves, with everything that a request needs of it ready at hand. Thread-safe.</summary>
internal sealed class RouteState
{
    private readonly BackendState[] _split;

    public RouteState(Route route, BackendState main, BackendState[] split, ServiceState service, HoldGate hold, RateLimiter[] rates)
    {
        (Route, Main, _split, Service, Hold, Rates) = (route, main, split, service, hold, rates);
        Policy = route.Policy ?? RoutePolicy.Default;
        Identity = new HeaderRules(Policy.StripHeaders);
        Networks = new NetworkGate(AddressSet.Parse(Policy.Allow, "allow", new ProblemList()), AddressSet.Parse(Policy.Deny, "deny", new ProblemList()));
        InLog = [.. AccessRecord.Member("org", route.Org), .. AccessRecord.Member("project", route.Project),
            .. AccessRecord.Member("route", route.Path == "/" ? route.Host : route.Host + route.Path)];
        Forwarding = ConfigOf(Policy, Policy.Time.Idle);
        Upgrading = ConfigOf(Policy, Policy.Time.Upgraded);
        Caching = Policy.Cache is { Count: > 0 } rules ? new CacheRules(rules) : null;
        Compressing = Policy.Compression is { } compression ? new CompressionRule(compression) : null;
    }

    public Route Route { get; }

    public RoutePolicy Policy { get; }

    public ServiceState Service { get; }

    public HoldGate Hold { get; }

    public RateLimiter[] Rates { get; }

    /// <summary>What an access record says of it.</summary>
    public byte[] InLog { get; }

    /// <summary>Which headers say who somebody is, so that only the inside may set them.</summary>
    public HeaderRules Identity { get; }

    public NetworkGate Networks { get; }

    /// <summary>What it says of caching and of compression; null for nothing.</summary>
    public CacheRules? Caching { get; }

    public CompressionRule? Compressing { get; }

    /// <summary>The deployment of the route itself.</summary>
    public BackendState Main { get; }

    /// <summary>All its deployments, its own first.</summary>
    public IEnumerable<BackendState> Backends => _split.Prepend(Main);

    /// <summary>The targets of all its deployments.</summary>
    public IEnumerable<TargetState> Targets => Backends.SelectMany(b => b.Targets);

    /// <summary>How the full path forwards a request, and one that may become an upgraded connection.</summary>
    public ForwarderRequestConfig Forwarding { get; }

    public ForwarderRequestConfig Upgrading { get; }

    /// <summary>Whether the route fits what the request carries.</summary>
    public bool Fits(Exchange exchange) => Route.Match switch
    {
        null => true,
        { Header: { } header } match => exchange.Header(header) == match.Value,
        { Cookie: { } cookie } match => exchange.Cookie(cookie) == match.Value,
        _ => false,
    };

    /// <summary>Whether the request may get an answer that only the full path can give.</summary>
    public bool NeedsFullPath(Exchange exchange) =>
        Policy.Protocol == TargetProtocol.Http2
        || (Compressing is not null && exchange.Method != "HEAD" && AcceptedCoding.Of(exchange.Headers("Accept-Encoding")) != Coding.None);

    /// <summary>
    /// The deployment that takes the request: drawn by the shares, or the one that a sticky client has already. One that
    /// has no target leaves its share to the route's own.
    /// </summary>
    public BackendState Draw(Exchange exchange)
    {
        if (_split.Length == 0)
            return Main;
        if (Policy.Sticky is { } sticky && exchange.Cookie(sticky.Cookie) is { } label && Named(label) is { HasTargets: true } kept)
            return kept;
        var drawn = Random.Shared.Next(100);
        foreach (var backend in _split)
        {
            if (drawn < backend.Percent)
                return backend.HasTargets ? backend : Main;
            drawn -= backend.Percent;
        }
        return Main.HasTargets ? Main : Array.Find(_split, b => b.HasTargets) ?? Main;
    }

    private BackendState? Named(string label) =>
        Main.Deployment == label ? Main : Array.Find(_split, b => b.Deployment == label);

    private static ForwarderRequestConfig ConfigOf(RoutePolicy policy, TimeSpan idle) => new()
    {
        ActivityTimeout = idle,
        Version = policy.Protocol == TargetProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };
}
