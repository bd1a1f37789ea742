using System.Net;

namespace Groundcrew.Deploys;

/// <summary>Where a claim of a domain stands.</summary>
public enum DomainState
{
    /// <summary>Asked for; nothing proves yet that the domain is the claimant's. Not routed.</summary>
    Pending,

    /// <summary>Proven: it is routed.</summary>
    Verified,

    /// <summary>It was proven once, and its DNS does not lead here any more. It stays routed.</summary>
    Astray,

    /// <summary>Nothing proved it in time; it is not looked at until somebody asks again.</summary>
    Expired,
}

/// <summary>What proves that a domain is the claimant's.</summary>
public enum DomainProof
{
    /// <summary>The TXT record that names the claim: only who rules the domain's DNS can have set it.</summary>
    Txt,

    /// <summary>Its CNAME records lead to the edge, or to the environment's own host.</summary>
    Cname,

    /// <summary>Its addresses are those of the edge: at the top of a zone, where no CNAME can be.</summary>
    Address,

    /// <summary>An admin of the platform vouches for it.</summary>
    Trusted,

    /// <summary>Nobody asked for proof: the platform is for development.</summary>
    Development,

    /// <summary>It was routed before there were proofs.</summary>
    Before,
}

/// <summary>A record that the domain's owner sets in the DNS.</summary>
/// <param name="Name">The name, with its last dot.</param>
/// <param name="Type"><c>CNAME</c> or <c>TXT</c>.</param>
/// <param name="Value">The value as it stands in a zone file.</param>
public sealed record DomainRecord(string Name, string Type, string Value)
{
    /// <summary>The line of a zone file (RFC 1035, section 5.1).</summary>
    public string Line => $"{Name} 300 IN {Type} {Value}";
}

/// <summary>A claim of a custom domain as others see it.</summary>
/// <param name="Host">The domain, in lower case.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment that it leads to.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Proof">What proves it; null while nothing does.</param>
/// <param name="LeadsHere">Whether its DNS led here when that was looked at last; null when it never was, or could not be.</param>
/// <param name="Records">What to set in the DNS; empty on a platform for development.</param>
/// <param name="CreatedAt">When it was claimed.</param>
/// <param name="VerifiedAt">When it was proven.</param>
/// <param name="LookedAt">When its DNS was looked at last.</param>
/// <param name="NextLookAt">When it is looked at next; null when it is not.</param>
/// <param name="Problem">What is in the way; null when nothing is.</param>
public sealed record DomainInfo(
    string Host, string Org, string Project, string Environment, DomainState State, DomainProof? Proof, bool? LeadsHere, IReadOnlyList<DomainRecord> Records,
    DateTimeOffset CreatedAt, DateTimeOffset? VerifiedAt, DateTimeOffset? LookedAt, DateTimeOffset? NextLookAt, string? Problem);

/// <summary>How a domain is claimed.</summary>
/// <param name="MayMove">Whether it may leave another environment of the project: a deploy that may fail must not take traffic from elsewhere (invariant 2).</param>
/// <param name="IsTrusted">Whether an admin of the platform vouches for it; who may is for the caller to judge.</param>
public sealed record DomainClaim(bool MayMove, bool IsTrusted = false);

/// <summary>Settings of custom domains.</summary>
public sealed record DomainOptions
{
    /// <summary>The name that customers' CNAME records lead to; null for <c>edge.</c> and the base domain (ZW-91).</summary>
    public string? EdgeName { get; init; }

    /// <summary>The DNS servers that are asked; null for those of the machine.</summary>
    public IReadOnlyList<IPEndPoint>? Servers { get; init; }

    /// <summary>Where the public's plain requests go.</summary>
    public int HttpPort { get; init; } = 80;

    /// <summary>Where the public's requests over TLS go.</summary>
    public int HttpsPort { get; init; } = 443;

    /// <summary>The port of the edge on this machine, which is asked on a platform for development: its domains are in no DNS.</summary>
    public int LocalEdgePort { get; init; } = 8000;

    /// <summary>Roots that a check trusts instead of the machine's, as PEM: of a platform whose certificates come from an authority of its own.</summary>
    public string? Roots { get; init; }
}
