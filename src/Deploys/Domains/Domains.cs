using System.Security.Cryptography;
using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>
/// Custom domains (ZW-67, ZW-75, ZW-81). A project claims one for an environment; it is routed once something proves that it
/// is the project's. Several may claim a host, and at most one holds it. Thread-safe; changes happen in the caller's transaction.
/// </summary>
public sealed class Domains
{
    private const int MostOfProject = 500;
    private const int TokenLength = 24;
    private const string TokenAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
    private readonly Store _store;
    private readonly Routes _routes;
    private readonly DomainLook _look;
    private readonly SiteCheck _site;
    private readonly TimeProvider _clock;

    internal Domains(Store store, Routes routes, DomainLook look, SiteCheck site, TimeProvider clock) =>
        (_store, _routes, _look, _site, _clock) = (store, routes, look, site, clock);

    /// <summary>Wakes the loop that looks at claims.</summary>
    internal Nudge Changed { get; } = new();

    private DomainRules Rules => _look.Rules;

    /// <summary>
    /// Claims a domain for an environment; asked for again it moves there, is vouched for or is looked at again. Problems when
    /// it is no domain name, may not move, or is another project's already: on a platform for development any claim of another
    /// is in the way; elsewhere one is in the way of an admin's word only when a TXT record or an admin's word made it.
    /// </summary>
    public async Task<Judged<DomainInfo>> ClaimAsync(
        StoreContext db, ProjectInfo project, string environment, string host, DomainClaim claim, CancellationToken cancellation)
    {
        var problems = new ProblemList();
        problems.RequireSlug("environment", environment);
        var name = Rules.Judge(host, "host", problems);
        var claims = await db.Set<DomainRow>().AsTracking().Where(d => d.Host == name).ToListAsync(cancellation);
        var (mine, holder) = (claims.SingleOrDefault(d => d.ProjectId == project.Id), claims.SingleOrDefault(d => d.IsRouted));
        if (holder is not null && holder != mine && (Rules.IsDevelopment || (claim.IsTrusted && holder.Proof is DomainProof.Trusted or DomainProof.Txt)))
            problems.Add("taken", "host", $"'{name}' belongs to another project.", "Remove it there first.");
        if (mine is { IsRouted: true } && mine.Environment != environment && !claim.MayMove)
            problems.Add("taken", "host", $"'{name}' leads to the environment {mine.Environment} of this project.",
                $"Move it by itself: crew domains {project.Org}/{project.Name} add {name} --environment {environment}");
        if (mine is null && await db.Set<DomainRow>().CountAsync(d => d.ProjectId == project.Id, cancellation) >= MostOfProject)
            problems.Add("too-many", "host", $"The project has {MostOfProject} domains already.", "Remove those that it does not need.");
        if (!problems.IsEmpty)
            return Judged<DomainInfo>.Bad(problems.Problems);
        if (mine is null)
            db.Add(mine = New(name, project.Id, environment));
        else if (mine.State == DomainState.Expired)
            DomainRules.AskAgain(mine, _clock.StoreNow());
        if (mine.Environment != environment)
            (mine.Environment, mine.NextLookAt) = (environment, _clock.StoreNow());
        await HoldAsync(db, mine, holder, claim, cancellation);
        db.AfterCommit(Changed.Set);
        return Judged<DomainInfo>.Good(Info(mine, project.Org, project.Name));
    }

    /// <summary>Takes a claim back; false when the project has none of this host. Another claim of it may then be proven.</summary>
    public async Task<bool> RemoveAsync(StoreContext db, ProjectInfo project, string host, CancellationToken cancellation)
    {
        var removed = await db.Set<DomainRow>().Where(d => d.Host == host && d.ProjectId == project.Id).ExecuteDeleteAsync(cancellation);
        foreach (var other in await db.Set<DomainRow>().AsTracking().Where(d => d.Host == host).ToListAsync(cancellation))
            other.NextLookAt = _clock.StoreNow();
        await _routes.PublishAsync(db, cancellation);
        db.AfterCommit(Changed.Set);
        return removed > 0;
    }

    /// <summary>The claims of a project, by host, from behind <paramref name="cursor"/>, which is a host, where it is given.</summary>
    public Task<IReadOnlyList<DomainInfo>> ListAsync(ProjectInfo project, int limit, string? cursor, CancellationToken cancellation) =>
        _store.ReadAsync<IReadOnlyList<DomainInfo>>(async (db, cancel) =>
        {
            var rows = await db.Set<DomainRow>().Where(d => d.ProjectId == project.Id && (cursor == null || string.Compare(d.Host, cursor) > 0))
                .OrderBy(d => d.Host).Take(limit).ToListAsync(cancel);
            return [.. rows.Select(d => Info(d, project.Org, project.Name))];
        }, cancellation);

    /// <summary>
    /// Looks at a claimed host now, as the public would (ZW-90 to ZW-92): its DNS, by which its claims are judged, and then its
    /// site. Null when the project claims no such host: nobody else's is ever asked.
    /// </summary>
    public async Task<DomainCheck?> CheckAsync(ProjectInfo project, string host, CancellationToken cancellation)
    {
        if (await FindAsync(project, host, cancellation) is not { } claim)
            return null;
        if (Rules.IsDevelopment)
            return new DomainCheck(claim, null, null, await _site.AskLocallyAsync(host, cancellation));
        var sight = await _look.SeeAsync(host, cancellation);
        if (claim.State == DomainState.Expired)
            await _store.WriteAsync((db, cancel) => AskAgainAsync(db, project, host, cancel), cancellation);
        await _look.JudgeAsync(host, sight, cancellation);
        if (await FindAsync(project, host, cancellation) is not { } judged)
            return null;
        var sites = await Task.WhenAll(
            _site.AskAsync(Uri.UriSchemeHttps, host, sight.Trail.Addresses, sight.EdgeAddresses, cancellation),
            _site.AskAsync(Uri.UriSchemeHttp, host, sight.Trail.Addresses, sight.EdgeAddresses, cancellation));
        return new DomainCheck(judged, new DnsFinding(judged.LeadsHere == true && sight.Problem is null, sight.Trail.Aliases.Count > 0, sight.Words, sight.Problem), sites[0], sites[1]);
    }

    private async Task HoldAsync(StoreContext db, DomainRow mine, DomainRow? holder, DomainClaim claim, CancellationToken cancellation)
    {
        var now = _clock.StoreNow();
        if (claim.IsTrusted || (Rules.IsDevelopment && !mine.IsRouted))
        {
            if (holder is not null && holder != mine)
                DomainRules.AskAgain(holder, now);
            DomainRules.Verify(mine, claim.IsTrusted ? DomainProof.Trusted : DomainProof.Development, now);
        }
        await db.SaveChangesAsync(cancellation);
        if (mine.IsRouted)
            await _routes.PublishAsync(db, cancellation);
    }

    private async Task AskAgainAsync(StoreContext db, ProjectInfo project, string host, CancellationToken cancellation)
    {
        if (await db.Set<DomainRow>().AsTracking().SingleOrDefaultAsync(d => d.ProjectId == project.Id && d.Host == host && d.State == DomainState.Expired, cancellation) is { } row)
            DomainRules.AskAgain(row, _clock.StoreNow());
    }

    private async Task<DomainInfo?> FindAsync(ProjectInfo project, string host, CancellationToken cancellation) =>
        await _store.ReadAsync((db, cancel) => db.Set<DomainRow>().SingleOrDefaultAsync(d => d.ProjectId == project.Id && d.Host == host, cancel), cancellation) is { } row
            ? Info(row, project.Org, project.Name) : null;

    private DomainRow New(string host, Guid project, string environment)
    {
        var now = _clock.StoreNow();
        return new DomainRow
        {
            Host = host, ProjectId = project, Environment = environment, Token = RandomNumberGenerator.GetString(TokenAlphabet, TokenLength),
            State = DomainState.Pending, LedHere = false, CreatedAt = now, AskedAt = now, NextLookAt = now, Looks = 0,
        };
    }

    private DomainInfo Info(DomainRow r, string org, string project) => new(
        r.Host, org, project, r.Environment, r.State, r.Proof, r.LeadsHere, Rules.RecordsOf(r), r.CreatedAt, r.VerifiedAt, r.LookedAt,
        Rules.IsDevelopment || r.State == DomainState.Expired ? null : r.NextLookAt, r.Problem);
}
