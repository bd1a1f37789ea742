using System.Security.Cryptography.X509Certificates;
using System.Text;
using Groundcrew.Bedrock;
using Groundcrew.Edge;
using Groundcrew.Journal;
using Groundcrew.Journal.Tests;
using Groundcrew.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>The store of certificates, its loop in development, imports, and what is told of ends; on every engine.</summary>
public abstract class CertificateCompliance(StoreSource source) : IAsyncLifetime
{
    private const string Host = "web-acme.localhost", Domain = "shop.example.org";

    private readonly DevelopmentAuthority _elsewhere = DevelopmentAuthority.New(new ManualClock(), "example.org");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private World World { get; set; } = null!;

    private StoreOptions Options { get; set; } = null!;

    private Certificates Certificates => World.Plane.Get<Certificates>();

    private SimulatedEdge Edge => World.Fleet.Edges[0];

    public async ValueTask InitializeAsync() => World = await World.NewAsync(Options = await source.NewAsync());

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(World.Fleet.Violations);
        await World.DisposeAsync();
        source.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task In_development_every_host_below_the_base_domain_gets_a_certificate_of_our_authority()
    {
        var deployment = await World.DeployAsync(change: s => s with { Domains = [Domain] });
        await LoopAsync();
        var label = $"{deployment.Label}.localhost";
        Assert.Equal(new[] { Host, label }.Order(StringComparer.Ordinal), Edge.Certificates!.Certificates.SelectMany(c => c.Names));
        Assert.Equal((1L, World.Store.PlatformId), (Edge.Certificates.Generation, Edge.Certificates.Platform));
        var material = await MaterialAsync(Edge.Certificates.Certificates[0].Id);
        using var leaf = X509Certificate2.CreateFromPem(material.Chain, material.Key.Reveal());
        using var root = X509Certificate2.CreateFromPem((await World.Plane.Get<CertificateAuthorities>().DevelopmentCertificateAsync(Ct))!);
        Assert.Equal(root.Subject, leaf.Issuer);
        await Eventually.TrueAsync(async () => (await ListAsync()).All(e => e.Name == Domain || e is { EdgesServing: 1, Edges: 1 }), "the edge serves the set");
        Assert.Equal(
            [(Domain, CertificateState.Missing), (Host, CertificateState.Valid), (label, CertificateState.Valid)],
            (await ListAsync()).Select(e => (e.Name, e.State)).OrderBy(e => e.Name == Domain ? 0 : e.Name == Host ? 1 : 2));
        Assert.Contains("crew edge certs authority", (await FindAsync(Domain)).Problem, StringComparison.Ordinal);
        await LoopAsync();
        Assert.Equal(1, Edge.Certificates.Generation);
    }

    [Fact]
    public async Task A_certificate_is_renewed_after_two_thirds_of_its_life_and_the_edges_are_given_the_new_one()
    {
        await World.DeployAsync();
        await LoopAsync();
        var first = (await FindAsync(Host)).Certificate!;
        await World.StepAsync(TimeSpan.FromDays(59.9));
        await LoopAsync();
        Assert.Equal(first.Id, (await FindAsync(Host)).Certificate!.Id);
        await World.StepAsync(TimeSpan.FromDays(0.2));
        await LoopAsync();
        var second = (await FindAsync(Host)).Certificate!;
        Assert.NotEqual(first.Id, second.Id);
        Assert.Equal((2L, true), (Edge.Certificates!.Generation, Edge.Certificates.Certificates.Any(c => c.Id == second.Id)));
        Assert.Empty(await Certificates.MaterialAsync(Edge.Id, [first.Id], Ct) ?? [new(Guid.Empty, "", new Secret(""))]);
        Assert.Empty(World.Plane.Signals.All);
    }

    [Fact]
    public async Task A_person_gets_a_new_certificate_at_once_and_is_in_the_audit()
    {
        await World.DeployAsync();
        await LoopAsync();
        var first = (await FindAsync(Host)).Certificate!.Id;
        var asked = Assert.IsType<CertificateChange.Done>(await Certificates.RenewAsync(Host, World.Ann, Ct));
        Assert.Equal((CertificateState.Renewing, first), (asked.Entry.State, asked.Entry.Certificate!.Id));
        await LoopAsync();
        var after = await FindAsync(Host);
        Assert.Equal((CertificateState.Valid, true), (after.State, after.Certificate!.Id != first));
        Assert.Equal("ann", Assert.Single((await AuditAsync("certificate.renew"))).Actor);
        Assert.IsType<CertificateChange.NotFound>(await Certificates.RenewAsync("other.localhost", World.Ann, Ct));
    }

    [Fact]
    public async Task A_host_that_is_gone_loses_its_certificate_and_an_edge_that_joins_later_gets_the_set()
    {
        var first = await World.DeployAsync();
        await LoopAsync();
        var late = await World.Fleet.AddEdgeAsync("e2");
        await LoopAsync();
        Assert.Equal(Edge.Certificates!.Certificates.Select(c => c.Id), late.Certificates!.Certificates.Select(c => c.Id));
        await World.EndAsync(World.Accepted(await World.Plane.Deployments.StopAsync(World.Org, World.Project, World.Production, null, World.Ann, null, Ct)));
        await World.SettleAsync();
        await LoopAsync();
        Assert.DoesNotContain($"{first.Label}.localhost", Edge.Certificates.Certificates.SelectMany(c => c.Names));
        Assert.DoesNotContain((await ListAsync()), e => e.Name == $"{first.Label}.localhost");
    }

    [Fact]
    public async Task An_import_is_judged_whole_and_serves_before_what_the_platform_makes()
    {
        await World.DeployAsync(change: s => s with { Domains = [Domain] });
        var refused = Assert.IsType<CertificateChange.Refused>(await Certificates.ImportAsync("nothing", new Secret("no key"), false, World.Ann, Ct));
        Assert.Equal(["chain", "key"], refused.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        var local = DevelopmentAuthority.New(World.Clock);
        var wildcard = await ImportAsync(local.Issue("*.localhost").Value!);
        await LoopAsync();
        Assert.Equal([wildcard], Edge.Certificates!.Certificates.Select(c => c.Id));
        Assert.Equal(["*.localhost"], Edge.Certificates.Certificates[0].Names);
        Assert.Equal(wildcard, (await FindAsync(Host)).Certificate!.Id);
        Assert.IsType<CertificateChange.InTheWay>(await Certificates.RenewAsync(Host, World.Ann, Ct));
        Assert.IsType<CertificateChange.Done>(await Certificates.RemoveAsync(wildcard, World.Ann, Ct));
        await LoopAsync();
        Assert.Contains(Host, Edge.Certificates.Certificates.SelectMany(c => c.Names));
        var made = (await FindAsync(Host)).Certificate!.Id;
        Assert.IsType<CertificateChange.InTheWay>(await Certificates.RemoveAsync(made, World.Ann, Ct));
        Assert.IsType<CertificateChange.NotFound>(await Certificates.RemoveAsync(wildcard, World.Ann, Ct));
    }

    [Fact]
    public async Task An_earlier_import_of_the_same_names_is_replaced_by_a_newer_one_or_when_asked()
    {
        var older = _elsewhere.Issue("example.org", "*.example.org").Value!;
        var first = await ImportAsync(older);
        Assert.IsType<CertificateChange.InTheWay>(await Certificates.ImportAsync(older.Chain, older.Key, false, World.Ann, Ct));
        var again = await ImportAsync(older, replace: true);
        World.Clock.Advance(TimeSpan.FromDays(1));
        var newer = await ImportAsync(DevelopmentAuthority.Open(_elsewhere.Certificate, _elsewhere.Key, World.Clock, "example.org").Value!.Issue("*.example.org", "example.org").Value!);
        Assert.Equal(3, new HashSet<Guid> { first, again, newer }.Count);
        Assert.Equal(newer, Assert.Single(await ListAsync()).Certificate!.Id);
        await ImportAsync(_elsewhere.Issue("example.org").Value!);
        Assert.Equal(2, (await ListAsync()).Count);
    }

    [Fact]
    public async Task An_imported_certificate_that_has_ended_gives_way_to_one_that_is_made()
    {
        await World.DeployAsync();
        var imported = await ImportAsync(DevelopmentAuthority.New(World.Clock).Issue(Host).Value!);
        await LoopAsync();
        Assert.Equal(imported, Edge.Certificates!.Certificates[0].Id);
        await World.StepAsync(TimeSpan.FromDays(91));
        await LoopAsync();
        var first = Edge.Certificates.Certificates.First(c => c.Names.Contains(Host));
        Assert.NotEqual(imported, first.Id);
        Assert.Equal(imported, Edge.Certificates.Certificates[^1].Id);
    }

    [Fact]
    public async Task People_are_told_of_the_end_of_an_import_at_every_level_and_once_a_day_at_most()
    {
        await ImportAsync(_elsewhere.Issue("*.example.org").Value!);
        var metrics = World.Plane.Get<MetricRegistry>();
        await TellsAsync(TimeSpan.FromDays(59), 0);
        Assert.Contains($"{{host=\"*.example.org\",source=\"imported\"}} {new DateTimeOffset(2026, 4, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeSeconds()}", metrics.WriteText(), StringComparison.Ordinal);
        await TellsAsync(TimeSpan.FromDays(1), 1);
        await TellsAsync(TimeSpan.FromHours(23), 1);
        await World.RestartAsync();
        await TellsAsync(TimeSpan.Zero, 0);
        await TellsAsync(TimeSpan.FromHours(2), 1);
        await TellsAsync(TimeSpan.FromDays(22), 2);
        await TellsAsync(TimeSpan.FromDays(7), 3);
        var signals = World.Plane.Signals.All;
        Assert.Equal(["certificate-expiring", "certificate-expiring", "certificate-expired"], signals.Select(s => s.Kind));
        Assert.Equal((SignalUrgency.Urgent, "*.example.org"), (signals[^1].Urgency, signals[^1].Subject));
        Assert.Equal(CertificateState.Expired, Assert.Single(await ListAsync()).State);
    }

    [Fact]
    public async Task After_the_store_went_back_the_edges_get_a_set_beyond_the_one_that_they_serve()
    {
        await World.DeployAsync();
        await LoopAsync();
        await Certificates.RenewAsync(Host, World.Ann, Ct);
        await LoopAsync();
        await Eventually.TrueAsync(async () => (await FindAsync(Host)).EdgesServing == 1, "the edge said that it serves the set");
        await World.Store.WriteAsync((db, cancel) => db.Set<CertificateSetRow>().ExecuteUpdateAsync(s => s.SetProperty(r => r.Generation, 1), cancel), Ct);
        await LoopAsync();
        Assert.Equal(3, Edge.Certificates!.Generation);
        await Eventually.TrueAsync(async () => (await FindAsync(Host)).EdgesServing == 1, "the edge said that it serves ours again");
    }

    [Fact]
    public async Task A_key_is_nowhere_but_sealed_and_with_edges()
    {
        await World.DeployAsync();
        var imported = _elsewhere.Issue("*.example.org").Value!;
        var id = await ImportAsync(imported);
        await LoopAsync();
        Assert.Null(await Certificates.MaterialAsync(World.Fleet.Workers[0].Id, [id], Ct));
        Assert.Null(await Certificates.MaterialAsync(Guid.Empty, [id], Ct));
        var given = Assert.Single((await Certificates.MaterialAsync(Edge.Id, [id, Guid.Empty, id], Ct))!);
        Assert.Equal((imported.Key.Reveal(), id), (given.Key.Reveal(), given.Id));
        var made = await MaterialAsync((await FindAsync(Host)).Certificate!.Id);
        foreach (var key in (string[])[given.Key.Reveal(), made.Key.Reveal()])
        {
            // A line from the middle of the key's text: what is the same in all keys is in none of them.
            var line = key.Split('\n')[1];
            var audit = (await World.Plane.Get<Audit>().ListAsync(new AuditFilter(), 500, null, Ct)).Items;
            Assert.DoesNotContain(audit, a => a.Detail?.Contains(line, StringComparison.Ordinal) == true);
            if (World.Store.Engine != StoreEngine.Sqlite)
                continue;
            foreach (var file in Directory.GetFiles(Options.Folder, "store.db*"))
                Assert.Equal(-1, (await ReadAsync(file)).AsSpan().IndexOf(Encoding.UTF8.GetBytes(line)));
        }
    }

    private static async Task<byte[]> ReadAsync(string file)
    {
        await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var memory = new MemoryStream();
        await stream.CopyToAsync(memory, Ct);
        return memory.ToArray();
    }

    private async Task TellsAsync(TimeSpan after, int inAll)
    {
        await World.StepAsync(after);
        await LoopAsync();
        Assert.Equal(inAll, World.Plane.Signals.All.Count);
    }

    private async Task LoopAsync()
    {
        await World.SettleRoutesAsync();
        await World.Plane.LoopAsync("certificates");
        var set = await World.Store.ReadAsync((db, cancel) => db.Set<CertificateSetRow>().SingleOrDefaultAsync(cancel), Ct);
        await Eventually.TrueAsync(() => set is null || World.Fleet.Edges.All(e => e.Certificates?.Generation == set.Generation), "the edges have the set");
    }

    private Task<IReadOnlyList<CertificateEntry>> ListAsync() => Certificates.ListAsync(Ct);

    private async Task<CertificateEntry> FindAsync(string host) => await Certificates.FindAsync(host, Ct) ?? throw new InvalidOperationException($"There is no {host}.");

    private async Task<Groundcrew.Fleet.CertificateMaterial> MaterialAsync(Guid id) => Assert.Single((await Certificates.MaterialAsync(Edge.Id, [id], Ct))!);

    private async Task<Guid> ImportAsync(KeyedCertificate certificate, bool replace = false)
    {
        var change = await Certificates.ImportAsync(certificate.Chain, certificate.Key, replace, World.Ann, Ct);
        var done = change as CertificateChange.Done;
        Assert.True(done is not null, $"{change} {string.Join("; ", (change as CertificateChange.Refused)?.Problems ?? [])}");
        return done.Entry.Certificate!.Id;
    }

    private async Task<IReadOnlyList<AuditEntry>> AuditAsync(string action) =>
        (await World.Plane.Get<Audit>().ListAsync(new AuditFilter(Action: action), 50, null, Ct)).Items;
}

public sealed class SqliteCertificateTests() : CertificateCompliance(new SqliteSource());

public sealed class PostgresCertificateTests(PostgresServer server) : CertificateCompliance(new PostgresSource(server));
