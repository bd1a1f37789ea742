using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Journal;

namespace Groundcrew.Daemon.Doors;

/// <summary>Custom domains: claimed, proven, checked (ZW-67, ZW-75, ZW-81, ZW-90..92).</summary>
internal static class DomainsDoor
{
    public static void MapDomains(this RouteGroupBuilder api)
    {
        var domains = api.MapGroup("/projects/{org}/{project}/domains").WithTags("domains");
        domains.MapGet("", ListAsync).Needs(Role.Viewer).Produces<DomainView[]>();
        domains.MapPost("", AddAsync).Needs(Role.Deployer).Accepts<AddDomain>("application/json").Produces<DomainView>(201);
        domains.MapPost("{host}/check", CheckAsync).Needs(Role.Deployer).Produces<DomainCheckView>();
        domains.MapDelete("{host}", RemoveAsync).Needs(Role.Deployer).Produces(204);
    }

    private static async Task<IResult> ListAsync(
        HttpContext http, string org, string project, int? limit, string? cursor, Projects projects, Domains domains, CancellationToken cancellation)
    {
        if (await projects.FindAsync(org, project, cancellation) is not { } found)
            return Answers.NotFound($"project {org}/{project}");
        var size = Paging.SizeOf(limit);
        var all = await domains.ListAsync(found, size + 1, cursor, cancellation);
        return Answers.View(Paging.Cut(http, all, size, d => d.Host).Select(Of).ToArray());
    }

    private static async Task<IResult> AddAsync(
        HttpContext http, string org, string project, Projects projects, Domains domains, Store store, Audit audit, CancellationToken cancellation)
    {
        var body = await Body.ReadAsync(http, () => new AddDomain(null, null));
        if (body.Value is not { } request)
            return Answers.BadInput(body.Problems);
        var actor = http.Actor();
        // An admin of one organization would vouch for whatever domain it likes to have.
        if (request.Trusted == true && !actor.Allows(Role.Admin, null))
            return Answers.Problem(403, ProblemCodes.Forbidden, $"'{actor.Name}' cannot vouch for a domain: that needs an admin of the whole platform. Prove it by its DNS.");
        var added = await store.WriteAsync(async (db, cancel) =>
        {
            if (await projects.FindAsync(db, org, project, cancel) is not { } found)
                return null;
            var claim = new DomainClaim(MayMove: true, IsTrusted: request.Trusted == true);
            var judged = await domains.ClaimAsync(db, found, request.Environment ?? ProjectInfo.Production, request.Host ?? "", claim, cancel);
            if (judged.Value is { } made)
                audit.Write(db, actor, claim.IsTrusted ? "domain.trust" : "domain.add", made.Host, "done", new { project = $"{org}/{project}", made.Environment, made.State });
            return judged;
        }, cancellation);
        return added switch
        {
            null => Answers.NotFound($"project {org}/{project}"),
            { Value: { } domain } => Answers.View(Of(domain), 201),
            _ when added.Problems.FirstOrDefault(p => p.Code == "taken") is { } taken => Answers.Problem(409, ProblemCodes.Conflict, taken.ToString(), added.Problems),
            _ => Answers.BadInput(added.Problems),
        };
    }

    private static async Task<IResult> RemoveAsync(
        HttpContext http, string org, string project, string host, Projects projects, Domains domains, Store store, Audit audit, CancellationToken cancellation)
    {
        var removed = await store.WriteAsync(async (db, cancel) =>
        {
            if (await projects.FindAsync(db, org, project, cancel) is not { } found || !await domains.RemoveAsync(db, found, host, cancel))
                return false;
            audit.Write(db, http.Actor(), "domain.remove", host, "done");
            return true;
        }, cancellation);
        return removed ? Results.NoContent() : Answers.NotFound($"domain {host} of {org}/{project}");
    }

    /// <summary>Audited, for the platform asks others on the caller's word.</summary>
    private static async Task<IResult> CheckAsync(
        HttpContext http, string org, string project, string host, Projects projects, Domains domains, Audit audit, TimeProvider clock, CancellationToken cancellation)
    {
        if (await projects.FindAsync(org, project, cancellation) is not { } found || await domains.CheckAsync(found, host, cancellation) is not { } check)
            return Answers.NotFound($"domain {host} of {org}/{project}");
        var view = Of(check, clock.GetUtcNow());
        await audit.WriteAsync(http.Actor(), "domain.check", host, view.Ok ? "done" : "failed", cancellation: cancellation);
        return Answers.View(view);
    }

    private static DomainView Of(DomainInfo d) => new(d.Host, d.Org, d.Project, d.Environment)
    {
        State = Views.Word(d.State), Proof = d.Proof is { } proof ? Views.Word(proof) : null, LeadsHere = d.LeadsHere,
        Records = [.. d.Records.Select(r => new DnsRecordView(r.Name, r.Type, r.Value, r.Line))],
        CreatedAt = d.CreatedAt, VerifiedAt = d.VerifiedAt, LookedAt = d.LookedAt, NextLookAt = d.NextLookAt, Problem = d.Problem,
    };

    private static DomainCheckView Of(DomainCheck check, DateTimeOffset now)
    {
        var (dns, https, http) = (check.Dns is { } d ? Of(d) : null, check.Https is { } s ? Of(s) : null, Of(check.Http));
        return new DomainCheckView(
            check.Domain.Host, check.Domain.Environment, Views.Word(check.Domain.State),
            check.Domain.State == DomainState.Verified && dns is null or { Ok: true } && (https ?? http).Ok, dns, https, http,
            check.Https?.CertificateEndsAt is { } ends ? (int)Math.Floor((ends - now).TotalDays) : null, check.Domain.Problem);
    }

    private static DnsCheckView Of(DnsFinding dns) => new(dns.IsRight, dns switch
    {
        { Problem: { } problem } => $"DNS could not be asked: {problem}",
        { IsRight: true, IsAlias: true } => "CNAME correct",
        { IsRight: true } => "addresses correct",
        _ => $"CNAME incorrect: {dns.Found}",
    }, dns.Found);

    private static SiteCheckView Of(SiteFinding site) => new(site.Status is < 400, site switch
    {
        { Status: >= 200 and < 300 } => "site responding",
        { Status: { } status } => $"HTTP {status}",
        _ => $"no answer: {site.Problem}",
    }, site.Status);
}
