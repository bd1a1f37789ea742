namespace Groundcrew.Edge;

/// <summary>
/// Everything the edge needs to know to carry traffic, whole: a newer table replaces the older one. Immutable; travels
/// as JSON in the platform's dialect (<see cref="Bedrock.Json.Options"/>), and is kept on disk as
/// <c>docs/formats/route-table.md</c> describes.
/// </summary>
/// <param name="Generation">Grows with each change; from 1. An older table is refused (invariant 5).</param>
/// <param name="Platform">The control plane's store that made it. The edge keeps the first it met and refuses any other.</param>
/// <param name="Routes">One for each host.</param>
public sealed record RouteTable(long Generation, Guid Platform, IReadOnlyList<Route> Routes);

/// <summary>Where the traffic of one host goes.</summary>
/// <param name="Host">The whole host name in lower case, without a port: a deployment's or a customer's own (ZW-67). It is looked up whole and never parsed (T-40).</param>
/// <param name="Org">The organization, for metrics and the access log.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment, such as <c>production</c>.</param>
/// <param name="Deployment">The label of the deployment that serves it.</param>
/// <param name="Targets">The instances that may take its traffic; none answers 503.</param>
public sealed record Route(
    string Host, string Org, string Project, string Environment, string Deployment, IReadOnlyList<Target> Targets)
{
    /// <summary>The longest activity timeout.</summary>
    public static readonly TimeSpan MaxActivityTimeout = TimeSpan.FromDays(1);

    /// <summary>
    /// How long nothing at all may move, in either direction, before a request is ended: 504 when the answer has not
    /// begun. Every byte begins the time anew, so streams and upgrades live as long as they are used.
    /// </summary>
    public TimeSpan ActivityTimeout { get; init; } = TimeSpan.FromSeconds(100);
}

/// <summary>One instance that may take traffic.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="Address">Host and port, such as <c>127.0.0.1:20001</c> or <c>[::1]:20001</c>; plain HTTP/1.1.</param>
/// <param name="Region">The region's code.</param>
public sealed record Target(Guid InstanceId, string Address, string Region);
