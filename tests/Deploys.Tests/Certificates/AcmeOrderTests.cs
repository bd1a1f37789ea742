using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Edge.Tests;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>What becomes of hosts while an authority serves, limits, refuses, or is asked by a control plane that dies.</summary>
public sealed class AcmeOrderTests : IAsyncLifetime
{
    private const string Domain = "one.test", Other = "two.test";

    private readonly SqliteSource _source = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private World World { get; set; } = null!;

    private FakeAuthority Authority { get; set; } = null!;

    private int Ordered => Authority.Asked.Count(a => a == "POST /new-order");

    public async ValueTask InitializeAsync()
    {
        World = await World.NewAsync(await _source.NewAsync());
        Authority = await FakeAuthority.StartAsync();
        await World.DeployAsync(change: s => s with { Domains = [Domain] });
        await SetAsync(Authority.Directory.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        await World.DisposeAsync();
        await Authority.DisposeAsync();
        _source.Dispose();
    }

    [Fact]
    public async Task A_certificate_is_ordered_once_and_again_after_two_thirds_of_its_life()
    {
        Issues();
        await LoopAsync();
        var first = await FindAsync(Domain);
        Assert.Equal((CertificateState.Valid, CertificateSource.Acme, Authority.Directory.ToString()), (first.State, first.Certificate!.Source, first.Certificate.Authority));
        Assert.Contains(World.Fleet.Edges[0].Certificates!.Certificates, c => c.Id == first.Certificate.Id);
        await LoopAsync();
        Assert.Equal(1, Ordered);
        Assert.Single(Authority.Asked, a => a == "POST /account");
        // Ten years, and an hour before its begin.
        await World.StepAsync((first.NextAttempt - World.Clock.GetUtcNow())!.Value - TimeSpan.FromSeconds(1));
        await LoopAsync();
        Assert.Equal(1, Ordered);
        Issues();
        await World.StepAsync(TimeSpan.FromSeconds(2));
        await LoopAsync();
        Assert.Equal((2, false), (Ordered, (await FindAsync(Domain)).Certificate!.Id == first.Certificate.Id));
    }

    [Fact]
    public async Task Hosts_below_localhost_and_of_single_deployments_are_never_asked_for()
    {
        Issues();
        await LoopAsync();
        Assert.Equal([CertificateSource.Acme, CertificateSource.Development, CertificateSource.Development],
            (await ListAsync()).Select(e => e.Certificate!.Source).OrderBy(s => s == CertificateSource.Acme ? 0 : 1));
        Assert.Equal(1, Ordered);
    }

    [Fact]
    public async Task An_authority_that_limits_is_left_alone_as_long_as_it_says_also_when_a_person_asks()
    {
        Authority.Json("/new-order", 429, """{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}""", ("Retry-After", "7200"));
        await LoopAsync();
        var limited = await FindAsync(Domain);
        Assert.Equal((CertificateState.Failing, World.Clock.GetUtcNow() + TimeSpan.FromHours(2)), (limited.State, limited.NextAttempt));
        Assert.Contains("too many", limited.Problem, StringComparison.Ordinal);
        Issues();
        await World.StepAsync(TimeSpan.FromMinutes(119));
        Assert.IsType<CertificateChange.Done>(await World.Plane.Get<Certificates>().RenewAsync(Domain, World.Ann, Ct));
        await LoopAsync();
        Assert.Equal((1, CertificateState.Renewing), (Ordered, (await FindAsync(Domain)).State));
        await World.StepAsync(TimeSpan.FromMinutes(1));
        await LoopAsync();
        Assert.Equal((2, CertificateState.Valid), (Ordered, (await FindAsync(Domain)).State));
    }

    [Fact]
    public async Task Failures_wait_longer_each_time_and_a_person_is_told_when_there_never_was_a_certificate()
    {
        Authority.Json("/new-order", 403, """{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids it"}""");
        var begun = World.Clock.GetUtcNow();
        for (var attempt = 1; attempt <= 5; attempt++)
        {
            await LoopAsync();
            Assert.Equal(attempt, Ordered);
            await LoopAsync();
            Assert.Equal(attempt, Ordered);
            var next = (await FindAsync(Domain)).NextAttempt!.Value;
            Assert.True(next > World.Clock.GetUtcNow());
            await World.StepAsync(next - World.Clock.GetUtcNow());
        }
        // Five within an hour are all that an authority allows, whoever asks.
        var told = Assert.Single(World.Plane.Signals.All);
        Assert.Equal(("certificate-expired", Domain, SignalUrgency.Urgent), (told.Kind, told.Subject, told.Urgency));
        Assert.Contains("CAA forbids it", told.Message, StringComparison.Ordinal);
        Assert.True(World.Clock.GetUtcNow() - begun >= TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task A_person_who_asks_is_answered_with_an_attempt_at_once_and_with_why_it_failed()
    {
        Authority.Json("/new-order", 403, """{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids it"}""");
        await LoopAsync();
        await World.Plane.Get<Certificates>().RenewAsync(Domain, World.Ann, Ct);
        await LoopAsync();
        Assert.Equal((2, CertificateState.Failing), (Ordered, (await FindAsync(Domain)).State));
        Issues();
        await World.Plane.Get<Certificates>().RenewAsync(Domain, World.Ann, Ct);
        await LoopAsync();
        Assert.Equal((3, CertificateState.Valid, null), (Ordered, (await FindAsync(Domain)).State, (await FindAsync(Domain)).Problem));
    }

    [Fact]
    public async Task A_host_whose_order_hangs_holds_up_no_other()
    {
        var hang = new TaskCompletionSource();
        Issues();
        Authority.On("/new-order", async c =>
        {
            if (Ordered == 1)
                await hang.Task;
            c.Response.StatusCode = 403;
        });
        var run = Task.Run(() => World.Plane.LoopAsync("certificates"), Ct);
        await Eventually.TrueAsync(() => Ordered == 1, "the first order runs");
        Assert.Equal(CertificateState.Renewing, (await FindAsync(Domain)).State);
        var project = (await World.Plane.Projects.FindAsync(World.Org, World.Project, Ct))!;
        await World.Store.WriteAsync((db, cancel) => World.Plane.Domains.ClaimAsync(db, project, World.Production, Other, new DomainClaim(false, IsTrusted: true), cancel), Ct);
        await Eventually.TrueAsync(async () => (await FindAsync(Other)).State == CertificateState.Failing, "the other host was asked for");
        Assert.False(run.IsCompleted);
        hang.SetResult();
        await run;
        Assert.Equal(CertificateState.Failing, (await FindAsync(Domain)).State);
    }

    [Fact]
    public async Task No_more_than_four_orders_run_at_once()
    {
        var hang = new TaskCompletionSource();
        Authority.On("/new-order", async c =>
        {
            await hang.Task;
            c.Response.StatusCode = 403;
        });
        var project = (await World.Plane.Projects.FindAsync(World.Org, World.Project, Ct))!;
        for (var i = 1; i <= 5; i++)
            await World.Store.WriteAsync((db, cancel) => World.Plane.Domains.ClaimAsync(db, project, World.Production, $"more{i}.test", new DomainClaim(false, IsTrusted: true), cancel), Ct);
        var run = Task.Run(() => World.Plane.LoopAsync("certificates"), Ct);
        await Eventually.TrueAsync(() => Ordered == 4, "four orders run");
        World.Plane.Routes.Changed.Set();
        Assert.Equal(4, (await ListAsync()).Count(e => e.State == CertificateState.Renewing));
        hang.SetResult();
        await run;
        Assert.Equal((6, 6), (Ordered, (await ListAsync()).Count(e => e.State == CertificateState.Failing)));
    }

    [Fact]
    public async Task What_a_crash_left_is_taken_back_and_counts_as_an_attempt()
    {
        var reached = new TaskCompletionSource();
        Authority.OneOrder();
        Authority.On("/challenge", c =>
        {
            reached.TrySetResult();
            return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, c.RequestAborted);
        });
        var run = Task.Run(() => World.Plane.LoopAsync("certificates"), Ct);
        await reached.Task;
        var shown = Assert.Single(World.Fleet.Edges[0].Table.Challenges);
        Assert.Equal((Domain, "a-token-of-22-letters_"), (shown.Host, shown.Token));
        Assert.StartsWith("a-token-of-22-letters_.", shown.Answer, StringComparison.Ordinal);
        await World.RestartAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => run);
        // An end by a signal takes the answer back; one by a crash cannot.
        await World.Store.WriteAsync(async (db, cancel) =>
        {
            await db.Set<ChallengeRow>().ExecuteDeleteAsync(cancel);
            db.Add(new ChallengeRow { Host = Domain, Token = "left", Answer = "left.behind", Since = World.Clock.GetUtcNow() });
        }, Ct);
        await World.SettleRoutesAsync();
        Assert.Equal("left", Assert.Single(World.Fleet.Edges[0].Table.Challenges).Token);
        Issues();
        await LoopAsync();
        Assert.Empty(World.Fleet.Edges[0].Table.Challenges);
        Assert.Equal((1, CertificateState.Failing), (Ordered, (await FindAsync(Domain)).State));
        await World.StepAsync(TimeSpan.FromMinutes(1));
        await LoopAsync();
        Assert.Equal((2, CertificateState.Valid), (Ordered, (await FindAsync(Domain)).State));
        Assert.True((await World.Store.ReadAsync((db, cancel) => db.Set<AcmeAccountRow>().SingleAsync(cancel), Ct)).IsRegistered);
    }

    [Fact]
    public async Task What_an_authority_issued_is_kept_a_week_for_a_host_that_comes_back()
    {
        Issues();
        await LoopAsync();
        var id = (await FindAsync(Domain)).Certificate!.Id;
        var project = (await World.Plane.Projects.FindAsync(World.Org, World.Project, Ct))!;
        async Task MoveAsync(bool there)
        {
            await World.Store.WriteAsync((db, cancel) => there
                ? (Task)World.Plane.Domains.ClaimAsync(db, project, World.Production, Domain, new DomainClaim(false, IsTrusted: true), cancel)
                : World.Plane.Domains.RemoveAsync(db, project, Domain, cancel), Ct);
            await LoopAsync();
        }
        await MoveAsync(there: false);
        Assert.DoesNotContain(World.Fleet.Edges[0].Certificates!.Certificates, c => c.Id == id);
        await World.StepAsync(TimeSpan.FromDays(6));
        await MoveAsync(there: true);
        Assert.Equal((1, id), (Ordered, (await FindAsync(Domain)).Certificate!.Id));
        await MoveAsync(there: false);
        await World.StepAsync(TimeSpan.FromDays(7));
        await LoopAsync();
        Assert.DoesNotContain(await ListAsync(), e => e.Name == Domain);
    }

    [Fact]
    public async Task A_setting_is_judged_whole_and_another_authority_is_asked_anew()
    {
        Issues();
        await LoopAsync();
        var bad = CertificateAuthorities.Judge(new AuthorityRequest("acme", "ftp://x", ["no mail"], null, "dns-01", "no roots", "id", null));
        Assert.Equal(["challenge", "contacts[0]", "directory", "externalKey", "roots", "termsAgreed"], bad.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        Assert.Equal("kind", Assert.Single(CertificateAuthorities.Judge(new AuthorityRequest(null, null, null, null, null, null, null, null)).Problems).Path);
        Assert.Equal("https://acme-v02.api.letsencrypt.org/directory", CertificateAuthorities.Judge(new AuthorityRequest("acme", "letsencrypt", ["ops@example.org"], true, null, null, null, null)).Value!.Directory);
        await using var second = await FakeAuthority.StartAsync();
        second.Issuing(DevelopmentAuthority.New(World.Clock, "test"), new Dictionary<string, int>(StringComparer.Ordinal));
        await SetAsync(second.Directory.ToString());
        Assert.Equal(CertificateState.Valid, (await FindAsync(Domain)).State);
        await LoopAsync();
        Assert.Equal(second.Directory.ToString(), (await FindAsync(Domain)).Certificate!.Authority);
        Assert.DoesNotContain(Authority.Directory.ToString(), (await ListAsync()).Select(e => e.Certificate!.Authority));
    }

    [Fact]
    public async Task Nobody_is_asked_while_no_edge_could_show_the_answer()
    {
        Issues();
        World.Fleet.Edges[0].Die();
        World.Clock.Advance(TimeSpan.FromMinutes(1));
        await World.Plane.LoopAsync("certificates");
        Assert.Equal(0, Ordered);
    }

    private void Issues() => Authority.Issuing(DevelopmentAuthority.New(World.Clock, "test"), new Dictionary<string, int>(StringComparer.Ordinal));

    private async Task SetAsync(string directory)
    {
        var judged = await World.Plane.Get<CertificateAuthorities>().SetAsync(new AuthorityRequest("acme", directory, ["ops@example.org"], true, null, null, null, null), World.Ann, Ct);
        Assert.True(judged.Value is not null, string.Join("; ", judged.Problems));
    }

    private async Task LoopAsync()
    {
        await World.SettleRoutesAsync();
        await World.Plane.LoopAsync("certificates");
        await World.Fleet.QuietAsync();
        var set = await World.Store.ReadAsync((db, cancel) => db.Set<CertificateSetRow>().SingleOrDefaultAsync(cancel), Ct);
        await Eventually.TrueAsync(() => set is null || World.Fleet.Edges[0].Certificates?.Generation == set.Generation, "the edge has the set");
    }

    private Task<IReadOnlyList<CertificateEntry>> ListAsync() => World.Plane.Get<Certificates>().ListAsync(Ct);

    private async Task<CertificateEntry> FindAsync(string host) => await World.Plane.Get<Certificates>().FindAsync(host, Ct) ?? throw new InvalidOperationException($"There is no {host}.");
}
