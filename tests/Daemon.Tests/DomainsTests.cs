using System.Net;
using System.Net.Sockets;
using Groundcrew.Contract;
using Groundcrew.Deploys;
using Groundcrew.Journal;
using Groundcrew.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Groundcrew.Daemon.Tests;

/// <summary>Custom domains through the doors, with a real DNS server and the loop that looks at it (ZW-67, ZW-90..92).</summary>
public sealed class DomainsTests : IAsyncLifetime
{
    private const string Path = "/api/v1/projects/acme/web/domains", App = "app.example.org", Base = "apps.example.net", Edge = "edge.apps.example.net";
    private readonly TempFolder _folder = new();
    private readonly TinyDns _dns = new();
    private readonly int _sitePort = FreePort.Next();
    private ControlHost _host = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _dns.Set(Edge, "A", "127.0.0.1");
        _host = await ControlHost.StartAsync(change: builder => builder.Services.AddSingleton(new DeploysOptions(Base, _folder["artifacts"])
        {
            Domains = new DomainOptions { Servers = [_dns.Address], HttpPort = _sitePort, HttpsPort = FreePort.Next() },
        }));
        foreach (var name in (string[])["web", "other"])
            (await _host.PostAsync("/api/v1/projects", $$"""{"org":"{{(name == "web" ? "acme" : "zeta")}}","name":"{{name}}"}""")).Ok(201);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _dns.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_domain_is_claimed_proven_by_the_loop_and_checked()
    {
        var claimed = (await _host.PostAsync(Path, $$"""{"host":"{{App}}."}""")).Ok(201).As<DomainView>();
        Assert.Equal((App, "production", "pending", null), (claimed.Host, claimed.Environment, claimed.State, claimed.Proof));
        Assert.Equal([$"{App}. 300 IN CNAME {Edge}.", $"_groundcrew.{App}. 300 IN TXT {claimed.Records[1].Value}"], claimed.Records.Select(r => r.Line));
        var wrong = (await _host.PostAsync($"{Path}/{App}/check", null)).Ok(200).As<DomainCheckView>();
        Assert.Equal((false, "pending", "CNAME incorrect: the name is not in the DNS", "no answer: it has no address"), (wrong.Ok, wrong.State, wrong.Dns!.Says, wrong.Https!.Says));
        await StartLoopAsync();
        _dns.Set(App, "CNAME", Edge);
        await Eventually.TrueAsync(async () => (await ReadAsync()).State == "verified", "the domain is verified");
        var verified = await ReadAsync();
        Assert.Equal(("cname", true, null), (verified.Proof, verified.LeadsHere, verified.Problem));
        Assert.Equal([App], (await _host.GetAsync("/api/v1/projects/acme/web")).As<ProjectView>().Domains);
        using var site = Site();
        var check = (await _host.PostAsync($"{Path}/{App}/check", null)).Ok(200).As<DomainCheckView>();
        Assert.Equal(("CNAME correct", Edge, "no answer: nobody answers there", "HTTP 418", 418), (check.Dns!.Says, check.Dns.Found, check.Https!.Says, check.Http.Says, check.Http.Status));
        Assert.False(check.Ok);
        // Whoever owns it takes it from who was only first, while everything runs.
        var taken = (await _host.PostAsync("/api/v1/projects/zeta/other/domains", $$"""{"host":"{{App}}"}""")).Ok(201).As<DomainView>();
        Assert.Equal("pending", taken.State);
        _dns.Set($"_groundcrew.{App}", "TXT", taken.Records[1].Value.Trim('"'));
        await Eventually.TrueAsync(async () => (await ReadAsync("zeta/other")).State == "verified", "the owner has it");
        Assert.Equal(("pending", "txt"), ((await ReadAsync()).State, (await ReadAsync("zeta/other")).Proof));
    }

    [Fact]
    public async Task A_check_proves_a_domain_at_once_and_asks_for_nothing_that_is_not_claimed()
    {
        _dns.Set(App, "CNAME", Edge);
        (await _host.PostAsync($"{Path}/{App}/check", null)).IsProblem(404, ProblemCodes.NotFound);
        Assert.Empty(_dns.Asked);
        (await _host.PostAsync(Path, $$"""{"host":"{{App}}"}""")).Ok(201);
        Assert.Equal("verified", (await _host.PostAsync($"{Path}/{App}/check", null)).Ok(200).As<DomainCheckView>().State);
        Assert.Equal("verified", (await ReadAsync()).State);
        (await _host.PostAsync($"/api/v1/projects/zeta/other/domains/{App}/check", null)).IsProblem(404, ProblemCodes.NotFound);
    }

    [Fact]
    public async Task Only_an_admin_of_the_whole_platform_vouches()
    {
        var body = $$"""{"host":"{{App}}","trusted":true}""";
        foreach (var token in (string[])[await _host.TokenAsync(Role.Admin, "acme"), await _host.TokenAsync(Role.OnCall)])
            (await _host.SendAsync("POST", Path, token, body)).IsProblem(403, ProblemCodes.Forbidden);
        Assert.Equal("[]", (await _host.GetAsync(Path)).Text);
        var vouched = (await _host.PostAsync(Path, body)).Ok(201).As<DomainView>();
        Assert.Equal(("verified", "trusted"), (vouched.State, vouched.Proof));
        var entry = (await _host.GetAsync("/api/v1/audit?limit=1")).As<AuditView[]>().Single();
        Assert.Equal(("domain.trust", App), (entry.Action, entry.Subject));
        (await _host.PostAsync("/api/v1/projects/zeta/other/domains", body)).IsProblem(409, ProblemCodes.Conflict);
    }

    [Fact]
    public async Task A_request_is_judged_whole_and_repeated_without_harm()
    {
        var problem = (await _host.PostAsync(Path, $$"""{"host":"{{Edge}}","environment":"No!"}""")).IsProblem(400, ProblemCodes.BadInput);
        Assert.Equal(["environment", "host"], problem.Problems.Select(p => p.Path).Order(StringComparer.Ordinal));
        (await _host.PostAsync(Path, """{"host":"a.example.org","hosts":[]}""")).IsProblem(400, ProblemCodes.BadInput);
        (await _host.PostAsync("/api/v1/projects/acme/none/domains", """{"host":"a.example.org"}""")).IsProblem(404, ProblemCodes.NotFound);
        var first = (await _host.PostAsync(Path, """{"host":"a.example.org"}""", ("Idempotency-Key", "d"))).Ok(201);
        Assert.Equal(first.Text, (await _host.PostAsync(Path, """{"host":"a.example.org"}""", ("Idempotency-Key", "d"))).Ok(201).Text);
        Assert.Equal(first.As<DomainView>().Records, (await _host.PostAsync(Path, """{"host":"A.example.org"}""")).Ok(201).As<DomainView>().Records);
        (await _host.PostAsync(Path, """{"host":"b.example.org","environment":"staging"}""")).Ok(201);
        var page = (await _host.GetAsync($"{Path}?limit=1")).Ok(200);
        Assert.Equal("a.example.org", Assert.Single(page.As<DomainView[]>()).Host);
        Assert.Contains("cursor=a.example.org", page.Header("Link"), StringComparison.Ordinal);
        Assert.Equal(("b.example.org", "staging"), (await _host.GetAsync($"{Path}?cursor=a.example.org")).As<DomainView[]>().Select(d => (d.Host, d.Environment)).Single());
        Assert.Equal(204, (await _host.SendAsync("DELETE", $"{Path}/a.example.org", _host.Admin, (string?)null)).Status);
        (await _host.SendAsync("DELETE", $"{Path}/a.example.org", _host.Admin, (string?)null)).IsProblem(404, ProblemCodes.NotFound);
    }

    private async Task<DomainView> ReadAsync(string project = "acme/web") =>
        (await _host.GetAsync($"/api/v1/projects/{project}/domains")).Ok(200).As<DomainView[]>().Single();

    /// <summary>The host ends it.</summary>
    private async Task StartLoopAsync()
    {
        var loops = _host.Get<Loops>();
        loops.Add(_host.App.Services.GetServices<ILoop>().Single(l => l.Name == "domains"));
        await loops.StartAsync();
    }

    /// <summary>Answers every connection with one status.</summary>
    private TcpListener Site()
    {
        var listener = new TcpListener(IPAddress.Loopback, _sitePort);
        listener.Start();
        _ = ServeAsync(listener);
        return listener;
    }

    private static async Task ServeAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(Ct);
                await using var stream = client.GetStream();
                var read = 0;
                var buffer = new byte[4096];
                while (!buffer.AsSpan(0, read).EndsWith("\r\n\r\n"u8))
                    read += await stream.ReadAsync(buffer.AsMemory(read), Ct) is > 0 and var more ? more : throw new IOException("The client left.");
                await stream.WriteAsync("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), Ct);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException or IOException)
        {
            // The end of the test.
        }
    }
}
