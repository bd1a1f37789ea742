namespace Groundcrew.Deploys;

/// <summary>What may be asked (RFC 1035, section 3.2.2; RFC 3596).</summary>
internal enum DnsType
{
    A = 1,
    Cname = 5,
    Txt = 16,
    Aaaa = 28,
}

/// <summary>How a question ended. The first three are the DNS's word; the last two say that it could not be had.</summary>
internal enum DnsOutcome
{
    /// <summary>There are records; they may be aliases only.</summary>
    Found,

    /// <summary>The name is there, and has nothing of this type (RFC 2308, section 2.2).</summary>
    NoData,

    /// <summary>The name, or what it is an alias of, is not there: NXDOMAIN.</summary>
    NoName,

    /// <summary>A server answered that it cannot tell, or with what cannot be understood.</summary>
    Failed,

    /// <summary>No server answered in time.</summary>
    Silent,
}

/// <summary>One record of an answer.</summary>
/// <param name="Name">Whose it is, in lower case without the last dot.</param>
/// <param name="Type">What it is.</param>
/// <param name="Value">An address, a name in lower case without the last dot, or a text, its strings put together.</param>
internal sealed record DnsRecord(string Name, DnsType Type, string Value);

/// <summary>The answer to one question.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Records">All records of the known types that came, also those of other names; empty unless <see cref="DnsOutcome.Found"/> or an alias leads to nothing.</param>
/// <param name="Problem">Why the DNS's word could not be had; null when it could.</param>
internal sealed record DnsAnswer(DnsOutcome Outcome, IReadOnlyList<DnsRecord> Records, string? Problem = null)
{
    public bool IsWord => Outcome is DnsOutcome.Found or DnsOutcome.NoData or DnsOutcome.NoName;
}

/// <summary>Where a name leads.</summary>
/// <param name="Aliases">The names that its CNAME records lead through, in order; empty without any.</param>
/// <param name="Addresses">The addresses at the end, IPv4 first.</param>
/// <param name="IsThere">Whether the name exists, as far as the DNS said.</param>
/// <param name="Problem">Why part of it could not be learned; null when all was.</param>
internal sealed record DnsTrail(IReadOnlyList<string> Aliases, IReadOnlyList<System.Net.IPAddress> Addresses, bool IsThere, string? Problem);
