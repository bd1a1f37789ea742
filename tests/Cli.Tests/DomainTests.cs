using Groundcrew.Contract;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Groundcrew.Cli.Tests;

/// <summary><c>crew domains</c>: what to set, what is wrong, and the way of a script through it (ZW-90).</summary>
public sealed class DomainTests
{
    private const string Path = "projects/acme/web/domains";

    private static readonly DomainView Verified = Domain("app.acme.org", "verified") with { Proof = "cname", LeadsHere = true, LookedAt = Crew.Now.AddHours(-2) };

    private static readonly DomainView Pending = Domain("shop.acme.org", "pending") with { LookedAt = Crew.Now.AddSeconds(-8), Problem = "Its CNAME is old.example.com, not edge.apps.example.net." };

    [Fact]
    public async Task The_list_says_what_to_set_for_those_that_are_not_proven()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says($"GET {Path}", new[]
        {
            Verified, Pending, Domain("old.acme.org", "astray") with { Proof = "cname", Problem = "Its CNAME is elsewhere.net, not edge.apps.example.net. It stays routed." }, Domain("gone.acme.org", "expired") with { Environment = "staging" },
        });
        using var crew = new Crew(control);
        var ran = await crew.AsPersonAsync("domains", "acme/web", "--no-color");
        ran.Ends(ExitCode.Ok);
        Golden.Screen("domains", ran.Out);
        Assert.Equal(4, (await crew.AsScriptAsync("domains", "acme/web", "list", "--json")).Json().GetArrayLength());
    }

    [Fact]
    public async Task A_domain_is_added_with_the_lines_to_copy()
    {
        await using var control = await FakeControl.StartAsync();
        control.Says($"POST {Path}", Pending with { Problem = null, LookedAt = null }, 201);
        using var crew = new Crew(control);
        var ran = await crew.AsScriptAsync("domains", "acme/web", "add", "shop.acme.org", "--environment", "production");
        ran.Ends(ExitCode.Ok);
        foreach (var record in Pending.Records)
            Assert.Contains($"\n  {record.Line}\n", ran.Out, StringComparison.Ordinal);
        Assert.Equal("""{"host":"shop.acme.org","environment":"production"}""", control.Asked.Last().Body);
        control.Says($"POST {Path}", Verified, 201);
        var trusted = await crew.AsScriptAsync("domains", "acme/web", "add", "app.acme.org", "--trusted");
        Assert.Equal("""{"host":"app.acme.org","trusted":true}""", control.Asked.Last().Body);
        Assert.Equal("✓ app.acme.org leads to acme/web in production.\n", trusted.Out);
    }

    [Theory]
    [InlineData("verified", ExitCode.Ok)]
    [InlineData("expired", ExitCode.Failed)]
    public async Task Waiting_ends_when_it_is_proven_or_given_up(string end, ExitCode expected)
    {
        await using var control = await FakeControl.StartAsync();
        var looks = 0;
        control.Says($"POST {Path}", Pending, 201).Does($"GET {Path}", http =>
            http.Response.WriteAsJsonAsync(new[] { Pending with { State = ++looks < 2 ? "pending" : end, Problem = "Another reason." } }, Bedrock.Json.Options, TestContext.Current.CancellationToken));
        using var crew = new Crew(control);
        var ran = await crew.AsScriptAsync("domains", "acme/web", "add", "shop.acme.org", "--wait");
        ran.Ends(expected);
        Assert.Contains("Another reason.", ran.Error, StringComparison.Ordinal);
        Assert.Equal(2, looks);
    }

    [Fact]
    public async Task A_check_is_a_table_and_fails_when_one_domain_is_wrong()
    {
        await using var control = await FakeControl.StartAsync();
        var good = new DomainCheckView("app.acme.org", "production", "verified", true, new(true, "CNAME correct", "edge.apps.example.net"), new(true, "site responding", 200), new(true, "HTTP 308", 308), 61, null);
        var bad = new DomainCheckView("shop.acme.org", "production", "pending", false, new(false, "CNAME incorrect: old.example.com", "old.example.com"), new(false, "HTTP 503", 503), new(false, "no answer: nobody answers there", null), 3, "Its CNAME is old.example.com, not edge.apps.example.net.");
        control.Says($"GET {Path}", new[] { Verified, Pending }).Says($"POST {Path}/app.acme.org/check", good).Says($"POST {Path}/shop.acme.org/check", bad);
        using var crew = new Crew(control);
        (await crew.AsScriptAsync("domains", "acme/web", "check", "app.acme.org")).Ends(ExitCode.Ok);
        var ran = await crew.AsPersonAsync("domains", "acme/web", "check", "--no-color");
        ran.Ends(ExitCode.Failed);
        Golden.Screen("domains-check", ran.Out);
        Assert.Equal("✗ shop.acme.org: CNAME incorrect: old.example.com; https: HTTP 503; pending: Its CNAME is old.example.com, not edge.apps.example.net.\n", ran.Error);
        var json = await crew.AsScriptAsync("domains", "acme/web", "check", "--json");
        json.Ends(ExitCode.Failed);
        Assert.Equal(["CNAME correct", "CNAME incorrect: old.example.com"], json.Json().EnumerateArray().Select(c => c.GetProperty("dns").GetProperty("says").GetString()));
        control.Says($"GET {Path}", Array.Empty<DomainView>());
        var none = await crew.AsScriptAsync("domains", "acme/web", "check");
        none.Ends(ExitCode.Ok);
        Assert.Contains("crew domains acme/web add", none.Error, StringComparison.Ordinal);
    }

    private static DomainView Domain(string host, string state) => new(host, "acme", "web", "production")
    {
        State = state, CreatedAt = Crew.Now.AddDays(-1),
        Records =
        [
            new($"{host}.", "CNAME", "edge.apps.example.net.", $"{host}. 300 IN CNAME edge.apps.example.net."),
            new($"_groundcrew.{host}.", "TXT", "\"groundcrew-verify=abc\"", $"_groundcrew.{host}. 300 IN TXT \"groundcrew-verify=abc\""),
        ],
    };
}
