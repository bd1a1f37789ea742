using System.Text.Json.Serialization;

namespace Groundcrew.Edge;

/// <summary>
/// Everything the edge needs to know to carry traffic, whole: a newer table replaces the older one. Immutable; travels
/// as JSON in the platform's dialect (<see cref="Bedrock.Json.Options"/>), and is kept on disk as
/// <c>docs/formats/route-table.md</c> describes.
/// </summary>
/// <param name="Generation">Grows with each change; from 1. An older table is refused (invariant 5).</param>
/// <param name="Platform">The control plane's store that made it. The edge keeps the first it met and refuses any other.</param>
/// <param name="Routes">One for each host, path and match.</param>
public sealed record RouteTable(long Generation, Guid Platform, IReadOnlyList<Route> Routes)
{
    /// <summary>Services whose traffic is held; one entry a service.</summary>
    public IReadOnlyList<ServiceHold> Holds { get; init; } = [];

    /// <summary>Times of maintenance, of an organization or of all.</summary>
    public IReadOnlyList<Maintenance> Maintenance { get; init; } = [];

    /// <summary>Answers that prove to a certificate authority that a host is ours.</summary>
    public IReadOnlyList<ChallengeAnswer> Challenges { get; init; } = [];
}

/// <summary>
/// Where the traffic of one host goes, or of a path below it. Of the routes of a host the longest path that fits is
/// taken, and of these one whose match fits before the one without.
/// </summary>
/// <param name="Host">The whole host name in lower case, without a port: a deployment's or a customer's own (ZW-67). It is looked up whole and never parsed (T-40).</param>
/// <param name="Org">The organization, for metrics and the access log.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment, such as <c>production</c>.</param>
/// <param name="Deployment">The label of the deployment that serves it.</param>
/// <param name="Targets">The instances that may take its traffic; none answers 503.</param>
public sealed record Route(
    string Host, string Org, string Project, string Environment, string Deployment, IReadOnlyList<Target> Targets)
{
    /// <summary>The path that it begins at, such as <c>/api</c>: it fits <c>/api</c> and <c>/api/x</c>, and not <c>/apix</c>.</summary>
    public string Path { get; init; } = "/";

    /// <summary>What a request must carry, for previews; null for nothing.</summary>
    public RouteMatch? Match { get; init; }

    /// <summary>Other deployments that take a share of the traffic; the rest goes to <see cref="Deployment"/>.</summary>
    public IReadOnlyList<Share> Split { get; init; } = [];

    /// <summary>How its traffic is treated; null for <see cref="RoutePolicy.Default"/>.</summary>
    [JsonConverter(typeof(PolicyJson))]
    public RoutePolicy? Policy { get; init; }
}

/// <summary>What a request must carry to take a route: exactly one of header and cookie.</summary>
/// <param name="Value">The value, compared exactly.</param>
public sealed record RouteMatch(string Value)
{
    /// <summary>The header's name.</summary>
    public string? Header { get; init; }

    /// <summary>The cookie's name.</summary>
    public string? Cookie { get; init; }
}

/// <summary>A deployment that takes a share of a route's traffic.</summary>
/// <param name="Deployment">Its label.</param>
/// <param name="Percent">How much, 1 to 100; the shares of a route sum to at most 100.</param>
/// <param name="Targets">Its instances.</param>
public sealed record Share(string Deployment, int Percent, IReadOnlyList<Target> Targets);

/// <summary>One instance that may take traffic.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Address">Host and port, such as <c>127.0.0.1:20001</c> or <c>[::1]:20001</c>; plain HTTP, of the version that the policy names.</param>
/// <param name="Region">The region's code.</param>
public sealed record Target(Guid InstanceId, string Address, string Region);

/// <summary>
/// What is answered to a certificate authority that looks whether a host is ours: at
/// <c>/.well-known/acme-challenge/TOKEN</c> (RFC 8555, section 8.3), and in a handshake of <c>acme-tls/1</c> (RFC 8737).
/// </summary>
/// <param name="Host">The host.</param>
/// <param name="Token">The token.</param>
/// <param name="Answer">The key authorization.</param>
public sealed record ChallengeAnswer(string Host, string Token, string Answer);
