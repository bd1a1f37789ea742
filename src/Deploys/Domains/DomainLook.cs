using Groundcrew.Bedrock;
using Groundcrew.Journal;
using Microsoft.EntityFrameworkCore;

namespace Groundcrew.Deploys;

/// <summary>Looks at a host in the DNS, and lets its claims be what that says. Thread-safe.</summary>
internal sealed class DomainLook(Store store, Routes routes, Audit audit, ISignals signals, DeploysOptions options, TimeProvider clock)
{
    /// <summary>How long all questions about one host may take together.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly Actor Ourselves = Actor.Platform("domains");

    public DomainRules Rules { get; } = new(options.EdgeName, options.BaseDomain);

    /// <summary>What the DNS says about a host; never throws for what the DNS does.</summary>
    public async Task<DomainSight> SeeAsync(string host, CancellationToken cancellation)
    {
        // Made anew each time: the machine's servers may have changed.
        var client = new DnsClient(new DnsClientOptions(options.Domains.Servers ?? DnsServers.OfMachine()), clock);
        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        var (trail, edge) = (client.FollowAsync(host, either.Token), client.FollowAsync(Rules.EdgeName, either.Token));
        var texts = client.TextsAsync(DomainRules.ProofName(host), either.Token);
        try
        {
            await Task.WhenAll(trail, edge, texts);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new DomainSight(new DnsTrail([], [], false, null), [], [], "its servers were too slow");
        }
        var (seen, leads) = (await trail, await edge);
        // Where the edge's own name leads matters only to what is compared with it.
        var problem = seen.Problem ?? (await texts).Problem ?? (seen.Addresses.Count > 0 ? leads.Problem : null);
        return new DomainSight(seen, (await texts).Texts, leads.Addresses, problem);
    }

    /// <summary>Judges the claims of a host by what was seen, and publishes what that changes. Returns what happened.</summary>
    public Task<IReadOnlyList<DomainNews>> JudgeAsync(string host, DomainSight sight, CancellationToken cancellation) =>
        store.WriteAsync(async (db, cancel) =>
        {
            // As they are now: claims may have come and gone while the DNS was asked.
            var found = await (from claim in db.Set<DomainRow>().AsTracking()
                               join project in db.Set<ProjectRow>() on claim.ProjectId equals project.Id
                               where claim.Host == host
                               select new { claim, project.Org, project.Name }).ToListAsync(cancel);
            var claims = found.Select(f => new Claimant(f.claim, routes.HostOf(HostLabels.OfEnvironment(f.Org, f.Name, f.claim.Environment)))).ToList();
            var news = Rules.Decide(claims, sight, clock.StoreNow());
            foreach (var (row, turn) in news)
            {
                var owner = found.Single(f => f.claim == row);
                Tell(db, row, turn, $"{owner.Org}/{owner.Name}");
            }
            if (news.Any(n => n.Turn is DomainTurn.Verified or DomainTurn.Lost))
                await routes.PublishAsync(db, cancel);
            return news;
        }, cancellation);

    private void Tell(StoreContext db, DomainRow row, DomainTurn turn, string project)
    {
        if (turn != DomainTurn.StillAstray)
            audit.Write(db, Ourselves, $"domain.{WordOf(turn)}", row.Host, "done", new { project, row.Environment, row.Proof });
        var remove = $"crew domains {project} remove {row.Host}";
        var signal = turn switch
        {
            DomainTurn.Lost => ("domain-lost", $"{row.Host} goes to another project, which proved by a TXT record in its DNS that it is its own."),
            DomainTurn.WentAstray or DomainTurn.StillAstray => ("domain-astray", $"{row.Host}: {row.Problem} Set its CNAME to {Rules.EdgeName}, or take it away: {remove}"),
            DomainTurn.Expired => ("domain-unproven", $"Nothing proved {row.Host} in {Quantity.Format(DomainRules.GiveUpAfter)}; it is not looked at any more. Claim it again, or take it away: {remove}"),
            _ => ((string Kind, string Message)?)null,
        };
        if (signal is var (kind, message))
            db.AfterCommit(() => signals.Raise(new Signal(kind, project, message, turn == DomainTurn.Expired ? SignalUrgency.Info : SignalUrgency.Warning, clock.GetUtcNow())));
    }

    private static string WordOf(DomainTurn turn) => turn switch
    {
        DomainTurn.Verified => "verify",
        DomainTurn.Lost => "lose",
        DomainTurn.Expired => "expire",
        DomainTurn.CameBack => "return",
        _ => "stray",
    };
}

/// <summary>
/// Looks at the DNS of every claim when its time has come: pending ones after seconds and then ever more rarely, proven ones
/// every few hours (ZW-90). On a platform for development there is nothing to look at.
/// </summary>
internal sealed class DomainLoop(Store store, Domains domains, DomainLook look, TimeProvider clock) : ILoop
{
    private const int AtOnce = 8;

    /// <summary>Hosts of one run: the next one comes soon, and sees what was asked for since.</summary>
    private const int InOneRun = 64;

    public string Name => "domains";

    public TimeSpan Every => TimeSpan.FromSeconds(5);

    public Nudge Wake => domains.Changed;

    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        if (look.Rules.IsDevelopment)
            return "nothing is looked at: the platform is for development";
        var now = clock.GetUtcNow();
        var due = await store.ReadAsync((db, cancel) => db.Set<DomainRow>().Where(d => d.State != DomainState.Expired && d.NextLookAt <= now)
            .OrderBy(d => d.NextLookAt).Select(d => d.Host).Take(InOneRun).ToListAsync(cancel), cancellation);
        var hosts = due.Distinct(StringComparer.Ordinal).ToList();
        var news = 0;
        await Parallel.ForEachAsync(hosts, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation }, async (host, cancel) =>
        {
            var came = await look.JudgeAsync(host, await look.SeeAsync(host, cancel), cancel);
            Interlocked.Add(ref news, came.Count);
        });
        return $"{hosts.Count} domains were looked at, {news} changed";
    }
}
