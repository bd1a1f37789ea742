using Groundcrew.Bedrock;
using Groundcrew.Fleet;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>Claims of domains against a real DNS server, on every engine (ZW-67, ZW-75, ZW-81).</summary>
public abstract class DomainCompliance(StoreSource source) : IAsyncLifetime
{
    private const string Shop = "shop.example.org", Base = "apps.example.net", Edge = "edge.apps.example.net", Other = "other", Address = "192.0.2.1";
    private readonly TinyDns _dns = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private World World { get; set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _dns.Set(Edge, "A", Address).Set(Edge, "AAAA", "2001:db8::1");
        World = await NewAsync(await source.NewAsync());
        await World.DeployAsync();
        await World.Store.WriteAsync((db, cancel) => World.Plane.Projects.CreateAsync(db, World.Org, Other, new ProjectSettings(null, null, null, null, null), cancel), Ct);
    }

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(World.Fleet.Violations);
        await World.DisposeAsync();
        await _dns.DisposeAsync();
        source.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_domain_is_routed_once_its_records_lead_to_the_edge_and_not_before_ZW_91()
    {
        var claim = await ClaimAsync();
        Assert.Equal((DomainState.Pending, null), (claim.State, claim.Proof));
        Assert.Equal($"{Shop}. 300 IN CNAME {Edge}.", claim.Records[0].Line);
        Assert.Matches($"""^_groundcrew\.{Shop}\. 300 IN TXT "groundcrew-verify=[a-z0-9]{"{24}"}"$""", claim.Records[1].Line);
        await LookAsync();
        Assert.Contains("not in the DNS", (await ReadAsync()).Problem, StringComparison.Ordinal);
        Assert.DoesNotContain(Shop, await RoutedAsync());
        _dns.Set(Shop, "CNAME", "www.example.org").Set("www.example.org", "CNAME", Edge);
        await PassAsync(TimeSpan.FromSeconds(5));
        var verified = await ReadAsync();
        Assert.Equal((DomainState.Verified, DomainProof.Cname, true, null), (verified.State, verified.Proof, verified.LeadsHere, verified.Problem));
        Assert.Equal(World.Clock.GetUtcNow(), verified.VerifiedAt);
        Assert.Equal(await World.TargetsAsync("web-acme." + Base), await World.TargetsAsync(Shop));
        Assert.Equal([Shop], (await World.Plane.Projects.FindAsync(World.Org, World.Project, Ct))!.Domains);
        Assert.Contains(await World.Plane.Get<Audit>().ListAsync(new AuditFilter(Action: "domain.verify"), 10, null, Ct) is { Items: var entries } ? entries : [], e => e.Subject == Shop);
    }

    [Fact]
    public async Task A_text_proves_a_domain_before_its_traffic_moves()
    {
        await ProveAsync(await ClaimAsync());
        _dns.Set(Shop, "A", "198.51.100.7");
        await LookAsync();
        var proven = await ReadAsync();
        Assert.Equal((DomainState.Verified, DomainProof.Txt, false), (proven.State, proven.Proof, proven.LeadsHere));
        Assert.Contains("198.51.100.7", proven.Problem, StringComparison.Ordinal);
        Assert.Contains(Shop, await RoutedAsync());
        await PassAsync(TimeSpan.FromDays(2));
        Assert.Equal(DomainState.Verified, (await ReadAsync()).State);
        Assert.Empty(World.Plane.Signals.All);
    }

    [Fact]
    public async Task The_addresses_of_the_edge_prove_it_where_no_alias_can_be()
    {
        await ClaimAsync();
        _dns.Set(Shop, "A", Address, "198.51.100.7");
        await LookAsync();
        Assert.Equal(DomainState.Pending, (await ReadAsync()).State);
        _dns.Set(Shop, "A", Address);
        await PassAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(DomainProof.Address, (await ReadAsync()).Proof);
    }

    [Fact]
    public async Task The_host_of_an_environment_proves_it_for_that_environment_alone()
    {
        await ClaimAsync();
        await ClaimAsync(Other);
        // As a wildcard below the base domain may be: the environment's host leads on to the edge.
        _dns.Set(Shop, "CNAME", "other-acme." + Base).Set("other-acme." + Base, "CNAME", Edge);
        await LookAsync();
        Assert.Equal((DomainState.Pending, DomainState.Verified), ((await ReadAsync()).State, (await ReadAsync(Other)).State));
        Assert.Contains("another project", (await ReadAsync()).Problem, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_first_that_is_proven_keeps_it_whoever_claims_it_later()
    {
        _dns.Set(Shop, "CNAME", Edge);
        await ClaimAsync();
        await LookAsync();
        await ClaimAsync(Other);
        await LookAsync();
        Assert.Equal((DomainState.Verified, DomainState.Pending), ((await ReadAsync()).State, (await ReadAsync(Other)).State));
        await PassAsync(TimeSpan.FromDays(1));
        Assert.Equal((DomainState.Verified, DomainState.Pending), ((await ReadAsync()).State, (await ReadAsync(Other)).State));
    }

    [Fact]
    public async Task A_squatter_of_what_points_here_loses_to_the_text_of_the_owner()
    {
        _dns.Set(Shop, "CNAME", Edge);
        await ClaimAsync(Other);
        await LookAsync();
        Assert.Equal(DomainState.Verified, (await ReadAsync(Other)).State);
        await ProveAsync(await ClaimAsync());
        await LookAsync();
        Assert.Equal((DomainState.Verified, DomainProof.Txt), ((await ReadAsync()).State, (await ReadAsync()).Proof));
        var lost = await ReadAsync(Other);
        Assert.Equal((DomainState.Pending, null, null), (lost.State, lost.Proof, lost.VerifiedAt));
        Assert.Equal("acme/web", (await World.Plane.Routes.CurrentAsync(Ct)).Routes.Where(r => r.Host == Shop).Select(r => $"{r.Org}/{r.Project}").Single());
        var signal = Assert.Single(World.Plane.Signals.All);
        Assert.Equal(("domain-lost", "acme/other"), (signal.Kind, signal.Subject));
        // Two texts: the first that was proven keeps it.
        await ProveAsync(lost, (await ReadAsync()).Records[1].Value.Trim('"'));
        await PassAsync(TimeSpan.FromDays(1));
        Assert.Equal((DomainState.Verified, DomainState.Pending), ((await ReadAsync()).State, (await ReadAsync(Other)).State));
    }

    [Fact]
    public async Task Claims_that_race_end_with_one_holder()
    {
        _dns.Set(Shop, "CNAME", Edge);
        await ClaimAsync();
        await ClaimAsync(Other);
        var sights = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => World.Plane.Get<DomainLook>().SeeAsync(Shop, Ct)));
        await Task.WhenAll(sights.Select(s => World.Plane.Get<DomainLook>().JudgeAsync(Shop, s, Ct)));
        Assert.Equal((DomainState.Verified, DomainState.Pending), ((await ReadAsync()).State, (await ReadAsync(Other)).State));
    }

    [Fact]
    public async Task A_domain_that_strays_stays_routed_and_is_told_of_once_a_day_until_it_is_back()
    {
        _dns.Set(Shop, "CNAME", Edge);
        await ClaimAsync();
        await LookAsync();
        _dns.Set(Shop, "CNAME", "shop.elsewhere.net").Set("shop.elsewhere.net", "A", "198.51.100.7");
        await PassAsync(TimeSpan.FromHours(4));
        var astray = await ReadAsync();
        Assert.Equal((DomainState.Astray, false), (astray.State, astray.LeadsHere));
        Assert.Contains("shop.elsewhere.net", astray.Problem, StringComparison.Ordinal);
        Assert.Contains(Shop, await RoutedAsync());
        var signal = Assert.Single(World.Plane.Signals.All);
        Assert.Equal(("domain-astray", "acme/web", SignalUrgency.Warning), (signal.Kind, signal.Subject, signal.Urgency));
        Assert.Contains($"crew domains acme/web remove {Shop}", signal.Message, StringComparison.Ordinal);
        for (var hour = 0; hour < 47; hour++)
            await PassAsync(TimeSpan.FromHours(1));
        Assert.Equal(2, World.Plane.Signals.All.Count);
        _dns.Set(Shop, "CNAME", Edge);
        await PassAsync(TimeSpan.FromMinutes(15));
        Assert.Equal((DomainState.Verified, true, null), ((await ReadAsync()).State, (await ReadAsync()).LeadsHere, (await ReadAsync()).Problem));
        Assert.Equal(2, World.Plane.Signals.All.Count);
    }

    [Fact]
    public async Task One_that_is_astray_goes_to_whom_the_DNS_names_now()
    {
        _dns.Set(Shop, "CNAME", "web-acme." + Base);
        await ClaimAsync();
        await LookAsync();
        await ClaimAsync(Other);
        _dns.Set(Shop, "CNAME", "other-acme." + Base);
        await PassAsync(TimeSpan.FromHours(4));
        Assert.Equal((DomainState.Pending, DomainState.Verified), ((await ReadAsync()).State, (await ReadAsync(Other)).State));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public async Task A_DNS_that_cannot_tell_changes_nothing(int code)
    {
        _dns.Set(Shop, "CNAME", Edge);
        await ClaimAsync();
        await ClaimAsync(Other);
        await LookAsync();
        _dns.Clear(Shop).Breaks(Shop, code).Breaks($"_groundcrew.{Shop}", code);
        await PassAsync(TimeSpan.FromHours(4));
        var kept = await ReadAsync();
        Assert.Equal((DomainState.Verified, DomainProof.Cname, true), (kept.State, kept.Proof, kept.LeadsHere));
        Assert.Contains("could not be asked", kept.Problem, StringComparison.Ordinal);
        Assert.Empty(World.Plane.Signals.All);
    }

    [Fact]
    public async Task A_claim_is_looked_at_ever_more_rarely_given_up_after_a_week_and_begun_anew_when_asked()
    {
        await ClaimAsync();
        await LookAsync();
        await LookAsync();
        Assert.Single(_dns.Asked, $"udp A {Shop}");
        var (looks, last) = (new List<double>(), World.Clock.GetUtcNow());
        for (var i = 0; i < 8; i++)
        {
            var next = (await ReadAsync()).NextLookAt!.Value;
            looks.Add((next - last).TotalSeconds);
            await PassAsync(next - last);
            last = next;
        }
        Assert.Equal([5, 10, 20, 40, 80, 160, 300, 300], looks);
        await PassAsync(TimeSpan.FromDays(7));
        var expired = await ReadAsync();
        Assert.Equal((DomainState.Expired, null), (expired.State, expired.NextLookAt));
        Assert.Equal("domain-unproven", Assert.Single(World.Plane.Signals.All).Kind);
        _dns.Set(Shop, "CNAME", Edge);
        await PassAsync(TimeSpan.FromDays(1));
        Assert.Equal(DomainState.Expired, (await ReadAsync()).State);
        var again = await ClaimAsync();
        Assert.Equal((DomainState.Pending, expired.Records[1]), (again.State, again.Records[1]));
        await LookAsync();
        Assert.Equal(DomainState.Verified, (await ReadAsync()).State);
    }

    [Fact]
    public async Task A_control_plane_that_died_goes_on_where_it_stood()
    {
        await ProveAsync(await ClaimAsync());
        var seen = await World.Plane.Get<DomainLook>().SeeAsync(Shop, Ct);
        Assert.NotEmpty(seen.Texts);
        await World.RestartAsync();
        Assert.Equal(DomainState.Pending, (await ReadAsync()).State);
        await LookAsync();
        Assert.Equal(DomainState.Verified, (await ReadAsync()).State);
        await World.RestartAsync();
        await World.SettleRoutesAsync();
        Assert.Contains(Shop, await RoutedAsync());
    }

    [Fact]
    public async Task An_admin_vouches_against_an_alias_and_not_against_a_text()
    {
        _dns.Set(Shop, "CNAME", Edge);
        await ClaimAsync();
        await LookAsync();
        Assert.Equal((DomainState.Verified, DomainProof.Trusted), ((await ClaimAsync(Other, trusted: true)).State, (await ReadAsync(Other)).Proof));
        Assert.Equal(DomainState.Pending, (await ReadAsync()).State);
        // What an admin said is not undone by a text; only by taking the claim back.
        await ProveAsync(await ReadAsync());
        await PassAsync(TimeSpan.FromDays(1));
        Assert.Equal(DomainProof.Trusted, (await ReadAsync(Other)).Proof);
        Assert.True(await RemoveAsync(Other));
        await LookAsync();
        Assert.Equal(DomainProof.Txt, (await ReadAsync()).Proof);
        Assert.Equal("taken", Assert.Single((await TryAsync(Other, trusted: true)).Problems).Code);
    }

    [Fact]
    public async Task A_deploy_claims_its_domains_and_moves_none_that_is_routed()
    {
        _dns.Set(Shop, "CNAME", Edge);
        await World.DeployAsync(change: s => s with { Domains = [Shop] });
        Assert.Equal(DomainState.Pending, (await ReadAsync()).State);
        await LookAsync();
        var staging = await World.AskAsync("staging", change: s => s with { Domains = [Shop] });
        Assert.Equal("taken", Assert.Single(Assert.IsType<RolloutAnswer.Refused>(staging).Problems).Code);
        await World.DeployAsync(change: s => s with { Domains = [Shop] });
        Assert.Equal(DomainState.Verified, (await ReadAsync()).State);
        await World.Fleet.QuietAsync();
        Assert.Equal(await World.TargetsAsync("web-acme." + Base), await World.TargetsAsync(Shop));
    }

    [Fact]
    public async Task Names_that_are_none_or_ours_are_refused()
    {
        foreach (var bad in (string[])["nodots", "a..org", "-a.org", "192.0.2.1", "a.1", "a b.org", "ä.example.org", "_a.example.org", $"x.{Base}", Base, Edge, "", $"{string.Join('.', Enumerable.Repeat(new string('a', 60), 4))}.org"])
            Assert.Equal("bad-domain", Assert.Single((await TryAsync(host: bad)).Problems).Code);
        Assert.Equal(Shop, (await TryAsync(host: " Shop.Example.ORG. ")).Value!.Host);
    }

    [Fact]
    public async Task On_a_platform_for_development_a_domain_is_taken_at_once_and_nobody_is_asked()
    {
        foreach (var domain in (string[])["localhost", "gc.localhost"])
        {
            await using var world = await NewAsync(await source.NewAsync(), domain);
            await world.DeployAsync(change: s => s with { Domains = [Shop] });
            var claim = Assert.Single(await world.Plane.Domains.ListAsync((await world.Plane.Projects.FindAsync(World.Org, World.Project, Ct))!, 10, null, Ct));
            Assert.Equal((DomainState.Verified, DomainProof.Development, 0, null), (claim.State, claim.Proof, claim.Records.Count, claim.NextLookAt));
            Assert.Equal(2, (await world.TargetsAsync(Shop)).Count);
            Assert.Contains("development", await world.Plane.LoopAsync("domains"), StringComparison.Ordinal);
        }
        Assert.DoesNotContain($"udp A {Shop}", _dns.Asked);
    }

    [Fact]
    public async Task Domains_from_before_there_were_proofs_stay_routed_and_yield_to_a_text()
    {
        var options = await source.NewAsync();
        await using (var old = await StoreSource.OpenAsync(options, [new FleetTables(), new Earlier()], World.Clock))
        {
            await old.WriteAsync(async (db, cancel) =>
            {
                var (web, other) = (Ids.New(World.Clock).ToString(), Ids.New(World.Clock).ToString());
                await db.Database.ExecuteSqlAsync($"INSERT INTO projects (id, org, name, auto_deploy, created_at, version) VALUES ({web}, 'acme', 'web', false, 7, 1), ({other}, 'acme', 'other', false, 7, 1)", cancel);
                await db.Database.ExecuteSqlAsync($"INSERT INTO domains (host, project_id, environment) VALUES ({Shop}, {other}, 'production')", cancel);
            }, Ct);
        }
        await using var world = await NewAsync(options);
        var before = await ReadAsync(Other, world);
        Assert.Equal((DomainState.Verified, DomainProof.Before, Shop), (before.State, before.Proof, before.Host));
        _dns.Set(Shop, "CNAME", Edge);
        await world.Plane.LoopAsync("domains");
        Assert.Equal((DomainState.Verified, DomainProof.Cname), ((await ReadAsync(Other, world)).State, (await ReadAsync(Other, world)).Proof));
        var owner = (await TryAsync(World.Project, world: world)).Value!;
        await ProveAsync(owner);
        await world.Plane.LoopAsync("domains");
        Assert.Equal((DomainState.Verified, DomainState.Pending), ((await ReadAsync(World.Project, world)).State, (await ReadAsync(Other, world)).State));
    }

    private Task<World> NewAsync(StoreOptions options, string domain = Base) => World.NewAsync(
        options, change: o => new DeploysOptions(domain, o.ArtifactFolder) { Domains = new DomainOptions { Servers = [_dns.Address] } });

    private async Task<DomainInfo> ClaimAsync(string project = World.Project, bool trusted = false)
    {
        var judged = await TryAsync(project, trusted: trusted);
        return judged.Value ?? throw new InvalidOperationException(string.Join("; ", judged.Problems));
    }

    private async Task<Judged<DomainInfo>> TryAsync(string project = World.Project, string host = Shop, bool trusted = false, World? world = null)
    {
        var plane = (world ?? World).Plane;
        var found = (await plane.Projects.FindAsync(World.Org, project, Ct))!;
        // Claims of one moment have no order.
        (world ?? World).Clock.Advance(TimeSpan.FromMilliseconds(1));
        return await plane.Store.WriteAsync((db, cancel) => plane.Domains.ClaimAsync(db, found, World.Production, host, new DomainClaim(true, trusted), cancel), Ct);
    }

    private async Task<bool> RemoveAsync(string project)
    {
        var found = (await World.Plane.Projects.FindAsync(World.Org, project, Ct))!;
        return await World.Store.WriteAsync((db, cancel) => World.Plane.Domains.RemoveAsync(db, found, Shop, cancel), Ct);
    }

    private async Task<DomainInfo> ReadAsync(string project = World.Project, World? world = null)
    {
        var plane = (world ?? World).Plane;
        return (await plane.Domains.ListAsync((await plane.Projects.FindAsync(World.Org, project, Ct))!, 10, null, Ct)).Single(d => d.Host == Shop);
    }

    private async Task<IReadOnlyList<string>> RoutedAsync() => [.. (await World.Plane.Routes.CurrentAsync(Ct)).Routes.Select(r => r.Host)];

    /// <summary>Sets the text of a claim, as its owner would, beside those that are there.</summary>
    private Task ProveAsync(DomainInfo claim, params string[] beside)
    {
        _dns.Set($"_groundcrew.{Shop}", "TXT", [.. beside, claim.Records[1].Value.Trim('"')]);
        return Task.CompletedTask;
    }

    private Task<string> LookAsync() => World.Plane.LoopAsync("domains");

    private async Task PassAsync(TimeSpan time)
    {
        await World.StepAsync(time);
        await LookAsync();
    }

    /// <summary>The tables as they were before claims.</summary>
    private sealed class Earlier : IStorePart
    {
        private readonly DeploysTables _now = new();

        public string Room => _now.Room;

        public IReadOnlyList<Migration> Migrations => [.. _now.Migrations.TakeWhile(m => !m.Sql.Contains("domain_claims", StringComparison.Ordinal))];

        public void Configure(ModelBuilder model)
        {
            // Nothing is read through it.
        }
    }
}

public sealed class SqliteDomainTests() : DomainCompliance(new SqliteSource());

public sealed class PostgresDomainTests(PostgresServer server) : DomainCompliance(new PostgresSource(server));
