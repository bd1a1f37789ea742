namespace Groundcrew.Edge;

/// <summary>
/// The certificates that an edge should serve, whole: a newer set replaces the older one. It holds no key: an edge asks
/// for those that it has not (design, invariant 11). Immutable; travels as JSON in the platform's dialect.
/// </summary>
/// <param name="Generation">Grows with each change; from 1. An older set is refused (invariant 5).</param>
/// <param name="Platform">The control plane's store that made it, as in <see cref="RouteTable.Platform"/>.</param>
/// <param name="Certificates">
/// All of them. Of two that name a host exactly the first one serves it; a name with an asterisk serves what no other names.
/// </param>
public sealed record CertificateSet(long Generation, Guid Platform, IReadOnlyList<CertificateReference> Certificates);

/// <summary>One certificate of a set.</summary>
/// <param name="Id">Of this certificate and no later one for the same names: what it stands for never changes.</param>
/// <param name="Names">The hosts that it serves, in lower case; one may begin with <c>*.</c>, which stands for one label.</param>
public sealed record CertificateReference(Guid Id, IReadOnlyList<string> Names);
