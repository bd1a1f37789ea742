namespace Groundcrew.Contract;

/// <summary>A custom domain that a project's environment claims (ZW-67).</summary>
/// <param name="Host">The domain.</param>
/// <param name="Org">The organization.</param>
/// <param name="Project">The project.</param>
/// <param name="Environment">The environment.</param>
public sealed record DomainView(string Host, string Org, string Project, string Environment)
{
    /// <summary>
    /// pending (not proven yet, not routed), verified (proven, routed), astray (its DNS leads elsewhere by now; still routed)
    /// or expired (nothing proved it in seven days; claim it again).
    /// </summary>
    public required string State { get; init; }

    /// <summary>What proves it: txt, cname, address, trusted, development, or before (routed before there were proofs); null while nothing does.</summary>
    public string? Proof { get; init; }

    /// <summary>Whether its DNS led here when that was looked at last; null when it never was.</summary>
    public bool? LeadsHere { get; init; }

    /// <summary>What to set in the DNS: the CNAME that brings the traffic, and the TXT that proves the domain before.</summary>
    public required IReadOnlyList<DnsRecordView> Records { get; init; }

    /// <summary>When it was claimed.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was proven.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>When its DNS was looked at last.</summary>
    public DateTimeOffset? LookedAt { get; init; }

    /// <summary>When it is looked at next.</summary>
    public DateTimeOffset? NextLookAt { get; init; }

    /// <summary>What is in the way.</summary>
    public string? Problem { get; init; }
}

/// <summary>A record to set in the DNS.</summary>
/// <param name="Name">The name, with its last dot.</param>
/// <param name="Type">CNAME or TXT.</param>
/// <param name="Value">The value as a zone file has it.</param>
/// <param name="Line">The whole line of a zone file.</param>
public sealed record DnsRecordView(string Name, string Type, string Value, string Line);

/// <summary>What a check of a domain found: <c>POST /api/v1/projects/{org}/{project}/domains/{host}/check</c> (ZW-90).</summary>
/// <param name="Host">The domain.</param>
/// <param name="Environment">The environment.</param>
/// <param name="State">The state that it has now: see <see cref="DomainView"/>.</param>
/// <param name="Ok">Whether it is routed, leads here and answers.</param>
/// <param name="Dns">Where its DNS leads (ZW-91); null on a platform for development.</param>
/// <param name="Https">How its site answers over TLS (ZW-92); null on a platform for development.</param>
/// <param name="Http">How it answers without TLS; on a platform for development, the edge of this machine for it.</param>
/// <param name="CertificateDays">Whole days until its certificate ends; null where none was shown.</param>
/// <param name="Problem">What is in the way of the claim.</param>
public sealed record DomainCheckView(
    string Host, string Environment, string State, bool Ok, DnsCheckView? Dns, SiteCheckView? Https, SiteCheckView Http, int? CertificateDays, string? Problem);

/// <summary>What the DNS of a domain says.</summary>
/// <param name="Ok">Whether it leads here.</param>
/// <param name="Says">CNAME correct, addresses correct, or CNAME incorrect with what stands there.</param>
/// <param name="Found">Where it leads.</param>
public sealed record DnsCheckView(bool Ok, string Says, string Found);

/// <summary>How a site answered. Nothing but the status is told of what it said.</summary>
/// <param name="Ok">Whether it answered with a status below 400.</param>
/// <param name="Says">site responding, HTTP with the status, or no answer with the reason.</param>
/// <param name="Status">The status.</param>
public sealed record SiteCheckView(bool Ok, string Says, int? Status);
