using System.Net;
using System.Text.RegularExpressions;
using Groundcrew.Bedrock;
using Groundcrew.Edge;

namespace Groundcrew.Deploys;

/// <summary>What the DNS says about a host.</summary>
/// <param name="Trail">Where it leads.</param>
/// <param name="Texts">The TXT records at its name of proof.</param>
/// <param name="EdgeAddresses">Where the edge's own name leads.</param>
/// <param name="Problem">Why part of it could not be learned: then nothing follows from what is missing.</param>
internal sealed record DomainSight(DnsTrail Trail, IReadOnlyList<string> Texts, IReadOnlyList<IPAddress> EdgeAddresses, string? Problem)
{
    /// <summary>Where it leads, in words.</summary>
    public string Words => Trail switch
    {
        { Aliases: [var first, ..] } => first,
        { Addresses.Count: > 0 } => string.Join(", ", Trail.Addresses),
        { IsThere: false } => "the name is not in the DNS",
        _ => "none",
    };
}

/// <summary>A claim and the names that are its own.</summary>
/// <param name="Row">The claim.</param>
/// <param name="OwnHost">The host of its environment, below the base domain.</param>
internal sealed record Claimant(DomainRow Row, string OwnHost);

/// <summary>What came of a look at a host: what is to be told, with the claim that it is about.</summary>
internal sealed record DomainNews(DomainRow Row, DomainTurn Turn);

/// <summary>What may happen to a claim.</summary>
internal enum DomainTurn
{
    Verified,
    Lost,
    Expired,
    WentAstray,
    StillAstray,
    CameBack,
}

/// <summary>Which claim of a host holds it, by what the DNS says. Pure but for the rows, which are changed.</summary>
/// <param name="edgeName">The name that customers' records lead to.</param>
/// <param name="baseDomain">Where the platform's own hosts live.</param>
internal sealed partial class DomainRules(string edgeName, string baseDomain)
{
    /// <summary>The longest host whose name of proof fits into DNS too.</summary>
    private const int MaxHost = 253 - 12;

    /// <summary>For how long a claim that nothing proves is looked at.</summary>
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromDays(7);

    /// <summary>How often a person is told of a domain that is astray.</summary>
    private static readonly TimeSpan WarnEvery = TimeSpan.FromDays(1);
    private static readonly TimeSpan FirstLook = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PendingEvery = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan VerifiedEvery = TimeSpan.FromHours(3);
    private static readonly TimeSpan AstrayEvery = TimeSpan.FromMinutes(15);

    /// <summary>The name that customers' records lead to.</summary>
    public string EdgeName => edgeName;

    /// <summary>Whether nobody's traffic comes here by DNS, so that there is nothing to prove (RFC 6761, section 6.3).</summary>
    public bool IsDevelopment => DnsNames.IsOfThisMachine(baseDomain);

    /// <summary>The name of the TXT record that proves a claim of a host.</summary>
    public static string ProofName(string host) => $"_groundcrew.{host}";

    /// <summary>What that record holds.</summary>
    public static string ProofText(string token) => $"groundcrew-verify={token}";

    /// <summary>What the owner of a domain sets in its DNS.</summary>
    public IReadOnlyList<DomainRecord> RecordsOf(DomainRow row) => IsDevelopment ? []
        : [new($"{row.Host}.", "CNAME", $"{edgeName}."), new($"{ProofName(row.Host)}.", "TXT", $"\"{ProofText(row.Token)}\"")];

    /// <summary>A host as DNS compares it, and what is wrong with it.</summary>
    public string Judge(string host, string path, ProblemList problems)
    {
        var name = host.Trim().TrimEnd('.').ToLowerInvariant();
        if (name.Length > MaxHost || !Hosts().IsMatch(name))
            problems.Add("bad-domain", path, $"'{host}' is not a domain name.", $"Use a full name such as app.example.org, of at most {MaxHost} characters; international names in their xn-- form.");
        else if (IsOurs(name))
            problems.Add("bad-domain", path, $"'{name}' lies below the platform's own base domain.", "Hosts there are given by the platform.");
        return name;
    }

    /// <summary>What proves a claim now; null when nothing does. An admin's word holds until it is taken back with the claim.</summary>
    public DomainProof? ProofOf(Claimant claimant, DomainSight sight)
    {
        if (claimant.Row.Proof == DomainProof.Trusted)
            return DomainProof.Trusted;
        return sight.Texts.Contains(ProofText(claimant.Row.Token), StringComparer.Ordinal) ? DomainProof.Txt : WayHere(claimant, sight);
    }

    /// <summary>
    /// How a host's DNS leads to the claimant's environment; null when it does not. The first of our names on the way
    /// counts: who leads to the host of one environment means no other, though that leads on to the edge.
    /// </summary>
    public DomainProof? WayHere(Claimant claimant, DomainSight sight)
    {
        var first = sight.Trail.Aliases.FirstOrDefault(IsOurs);
        if (first is not null)
            return first == edgeName || first == claimant.OwnHost ? DomainProof.Cname : null;
        return sight.Trail.Addresses.Count > 0 && sight.Trail.Addresses.All(sight.EdgeAddresses.Contains) ? DomainProof.Address : null;
    }

    /// <summary>
    /// Judges all claims of one host by one look. A TXT record beats every way here, so that nobody keeps a domain by being
    /// the first to claim what already pointed at the edge; otherwise the first that was proven keeps it, unless nothing
    /// proves it any more.
    /// </summary>
    public IReadOnlyList<DomainNews> Decide(IReadOnlyList<Claimant> claims, DomainSight sight, DateTimeOffset now)
    {
        var news = new List<DomainNews>();
        var holder = claims.SingleOrDefault(c => c.Row.IsRouted);
        var best = claims.Where(c => c.Row.State == DomainState.Pending).Select(c => (Claim: c, Proof: ProofOf(c, sight))).Where(c => c.Proof is not null)
            .OrderByDescending(c => Strength(c.Proof)).ThenBy(c => c.Claim.Row.CreatedAt).ThenBy(c => c.Claim.Row.ProjectId).FirstOrDefault();
        if (best.Claim is not null && MayTake(best.Proof, holder, sight))
        {
            if (holder is not null)
                news.Add(Lose(holder.Row, now));
            Verify(best.Claim.Row, best.Proof!.Value, now);
            news.Add(new DomainNews(best.Claim.Row, DomainTurn.Verified));
            holder = best.Claim;
        }
        if (holder is not null && Keep(holder, sight, now) is { } turn)
            news.Add(new DomainNews(holder.Row, turn));
        foreach (var claim in claims.Where(c => c != holder && c.Row.State == DomainState.Pending))
        {
            claim.Row.Problem = WhyPending(claim, holder, sight);
            claim.Row.LeadsHere = sight.Problem is null ? WayHere(claim, sight) is not null : claim.Row.LeadsHere;
            if (now - claim.Row.AskedAt >= GiveUpAfter)
            {
                claim.Row.State = DomainState.Expired;
                news.Add(new DomainNews(claim.Row, DomainTurn.Expired));
            }
        }
        foreach (var claim in claims)
            Plan(claim.Row, sight, now);
        return news;
    }

    /// <summary>Makes a claim hold its host; whoever held it lost it before.</summary>
    public static void Verify(DomainRow row, DomainProof proof, DateTimeOffset now) =>
        (row.State, row.Proof, row.VerifiedAt, row.LedHere, row.WarnedAt, row.Problem) = (DomainState.Verified, proof, now, false, null, null);

    /// <summary>Makes a claim wait for a proof, from now on.</summary>
    public static void AskAgain(DomainRow row, DateTimeOffset now) =>
        (row.State, row.Proof, row.VerifiedAt, row.LedHere, row.AskedAt, row.NextLookAt, row.Looks, row.Problem) =
            (DomainState.Pending, null, null, false, now, now, 0, null);

    /// <summary>Whether what proves one claim takes the host from another, by the DNS alone.</summary>
    private bool MayTake(DomainProof? proof, Claimant? holder, DomainSight sight)
    {
        if (holder is null)
            return true;
        var kept = ProofOf(holder, sight);
        return kept is null ? sight.Problem is null || proof == DomainProof.Txt : proof == DomainProof.Txt && Strength(kept) < Strength(proof);
    }

    private static DomainNews Lose(DomainRow row, DateTimeOffset now)
    {
        AskAgain(row, now);
        return new DomainNews(row, DomainTurn.Lost);
    }

    /// <summary>Where the claim that holds the host stands after a look.</summary>
    private DomainTurn? Keep(Claimant holder, DomainSight sight, DateTimeOffset now)
    {
        var (row, way, proof) = (holder.Row, WayHere(holder, sight), ProofOf(holder, sight));
        var (before, turn) = (row.State, row.State == DomainState.Astray ? DomainTurn.CameBack : (DomainTurn?)null);
        if (way is not null)
        {
            (row.State, row.Proof, row.LeadsHere, row.LedHere, row.Problem) = (DomainState.Verified, proof, true, true, null);
            return turn;
        }
        if (sight.Problem is not null)
        {
            row.Problem = $"Its DNS could not be asked: {sight.Problem}.";
            return null;
        }
        row.LeadsHere = false;
        row.Problem = $"{WhyNotHere(sight)} It stays routed.";
        if (proof is not null && !row.LedHere)
        {
            // Proven before its traffic moves here, or behind somebody else's proxy: nothing was lost.
            (row.State, row.Proof) = (DomainState.Verified, proof);
            return turn;
        }
        row.State = DomainState.Astray;
        if (now - row.WarnedAt < WarnEvery)
            return null;
        row.WarnedAt = now;
        return before == DomainState.Astray ? DomainTurn.StillAstray : DomainTurn.WentAstray;
    }

    private string WhyPending(Claimant claim, Claimant? holder, DomainSight sight)
    {
        if (sight.Problem is not null)
            return $"Its DNS could not be asked: {sight.Problem}.";
        if (holder is not null)
            return "Another project holds it. Whoever rules the domain's DNS takes it with the TXT record.";
        return WayHere(claim, sight) is null ? $"{WhyNotHere(sight)} There is no TXT record of this claim either." : "";
    }

    private string WhyNotHere(DomainSight sight) => sight.Trail switch
    {
        { Aliases: [var first, ..] } => $"Its CNAME is {first}, not {edgeName}.",
        { Addresses.Count: > 0 } => $"It has no CNAME, and its addresses ({string.Join(", ", sight.Trail.Addresses)}) are not those of {edgeName}.",
        { IsThere: false } => "The name is not in the DNS.",
        _ => "It has neither a CNAME nor an address.",
    };

    /// <summary>When it is looked at next: soon at first, then ever more rarely; claims of one moment are spread by their names.</summary>
    private static void Plan(DomainRow row, DomainSight sight, DateTimeOffset now)
    {
        row.LookedAt = now;
        row.Looks++;
        var backoff = TimeSpan.FromTicks(Math.Min(FirstLook.Ticks << Math.Min(row.Looks - 1, 16), PendingEvery.Ticks));
        row.NextLookAt = now + (row.State, sight.Problem) switch
        {
            (DomainState.Pending, _) => backoff,
            (DomainState.Astray, _) or (_, not null) => AstrayEvery,
            _ => VerifiedEvery + TimeSpan.FromSeconds(row.Host.Sum(c => c) % 1800),
        };
    }

    private bool IsOurs(string host) => host == edgeName || DnsNames.IsBelow(host, baseDomain);

    private static int Strength(DomainProof? proof) => proof switch
    {
        DomainProof.Trusted => 3,
        DomainProof.Txt => 2,
        null => 0,
        _ => 1,
    };

    /// <summary>Labels of letters, digits and hyphens, the last not a number (RFC 1123, section 2.1).</summary>
    [GeneratedRegex(@"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Hosts();
}
