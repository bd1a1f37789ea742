using System.Net;
using Groundcrew.Tests.Support;
using Xunit;

namespace Groundcrew.Deploys.Tests;

/// <summary>The client over real sockets: what it asks, whom it believes, and how it tells silence from no.</summary>
public sealed class DnsClientTests : IAsyncLifetime
{
    private readonly TinyDns _dns = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _dns.DisposeAsync();

    [Fact]
    public async Task Each_type_is_asked_and_read()
    {
        _dns.Set("a.test", "A", "192.0.2.1", "192.0.2.2").Set("a.test", "AAAA", "2001:db8::1").Set("t.test", "TXT", new string('x', 250), "second").Set("c.test", "CNAME", "a.test");
        var client = Client();
        Assert.Equal(["192.0.2.1", "192.0.2.2"], (await client.AskAsync("a.test", DnsType.A, Ct)).Records.Select(r => r.Value));
        Assert.Equal(["2001:db8::1"], (await client.AskAsync("a.test", DnsType.Aaaa, Ct)).Records.Select(r => r.Value));
        Assert.Equal(["a.test"], (await client.AskAsync("c.test", DnsType.Cname, Ct)).Records.Select(r => r.Value));
        Assert.Equal([new string('x', 250), "second"], (await client.TextsAsync("t.test", Ct)).Texts);
    }

    [Fact]
    public async Task No_name_no_data_failure_and_silence_are_told_apart()
    {
        _dns.Set("a.test", "A", "192.0.2.1").Breaks("broken.test", 2).Breaks("refused.test", 5).Breaks("silent.test", -1);
        var client = Client();
        Assert.Equal(DnsOutcome.NoData, (await client.AskAsync("a.test", DnsType.Txt, Ct)).Outcome);
        Assert.Equal(DnsOutcome.NoName, (await client.AskAsync("none.test", DnsType.A, Ct)).Outcome);
        Assert.Equal(DnsOutcome.NoName, (await client.AskAsync("not..a.name", DnsType.A, Ct)).Outcome);
        Assert.Contains("SERVFAIL", (await client.AskAsync("broken.test", DnsType.A, Ct)).Problem, StringComparison.Ordinal);
        Assert.Equal(DnsOutcome.Failed, (await client.AskAsync("refused.test", DnsType.A, Ct)).Outcome);
        var silent = await Client(patience: TimeSpan.FromMilliseconds(30)).AskAsync("silent.test", DnsType.A, Ct);
        Assert.Equal(DnsOutcome.Silent, silent.Outcome);
        Assert.Contains($"{_dns.Address}", silent.Problem, StringComparison.Ordinal);
        await Eventually.TrueAsync(() => _dns.Asked.Count(a => a == "udp A silent.test") == 2, "it was asked in both rounds");
    }

    [Fact]
    public async Task What_does_not_fit_is_asked_again_over_tcp()
    {
        _dns.Set("many.test", "A", [.. Enumerable.Range(1, 60).Select(i => $"192.0.2.{i}")]);
        Assert.Equal(60, (await Client().AskAsync("many.test", DnsType.A, Ct)).Records.Count);
        Assert.Equal(["udp A many.test", "tcp A many.test"], _dns.Asked);
    }

    [Theory]
    [InlineData("another id")]
    [InlineData("another name")]
    [InlineData("another type")]
    [InlineData("a question")]
    [InlineData("a scrap")]
    public async Task A_forged_answer_before_the_true_one_is_left_aside(string forgery)
    {
        _dns.Set("a.test", "A", "192.0.2.1");
        _dns.Before = question => [Forge(question, forgery)];
        Assert.Equal(["192.0.2.1"], (await Client().AskAsync("a.test", DnsType.A, Ct)).Records.Select(r => r.Value));
    }

    [Fact]
    public async Task Ids_and_ports_differ_from_question_to_question()
    {
        var ids = new List<int>();
        _dns.Set("a.test", "A", "192.0.2.1");
        _dns.Before = question =>
        {
            ids.Add((question[0] << 8) | question[1]);
            return [];
        };
        for (var i = 0; i < 20; i++)
            await Client().AskAsync("a.test", DnsType.A, Ct);
        Assert.InRange(ids.Distinct().Count(), 15, 20);
    }

    [Fact]
    public async Task The_next_server_is_asked_when_one_fails_lies_or_is_not_there()
    {
        await using var second = new TinyDns();
        second.Set("a.test", "A", "192.0.2.9");
        foreach (var (first, code) in ((IPEndPoint, int)[])[(_dns.Address, 2), (_dns.Address, 5), (new IPEndPoint(IPAddress.Loopback, FreePort.Next()), 0)])
        {
            _dns.Breaks("a.test", code);
            Assert.Equal(["192.0.2.9"], (await Client(servers: [first, second.Address]).AskAsync("a.test", DnsType.A, Ct)).Records.Select(r => r.Value));
        }
        _dns.Clear("a.test").Set("a.test", "A", "192.0.2.1");
        _dns.Instead = (_, answer, _) => answer[..^1];
        Assert.Equal(["192.0.2.9"], (await Client(servers: [_dns.Address, second.Address]).AskAsync("a.test", DnsType.A, Ct)).Records.Select(r => r.Value));
        _dns.Instead = (_, answer, _) => answer;
        // A no is a word, and nobody else is asked for another.
        Assert.Equal(DnsOutcome.NoName, (await Client(servers: [_dns.Address, second.Address]).AskAsync("none.test", DnsType.A, Ct)).Outcome);
        Assert.DoesNotContain("udp A none.test", second.Asked);
    }

    [Fact]
    public async Task A_trail_leads_through_all_aliases_to_all_addresses()
    {
        _dns.Set("www.test", "CNAME", "app.test").Set("app.test", "CNAME", "edge.test").Set("edge.test", "A", "192.0.2.1").Set("edge.test", "AAAA", "2001:db8::1");
        var trail = await Client().FollowAsync("www.test", Ct);
        Assert.Equal(["app.test", "edge.test"], trail.Aliases);
        Assert.Equal(["192.0.2.1", "2001:db8::1"], trail.Addresses.Select(a => a.ToString()));
        Assert.True(trail is { IsThere: true, Problem: null });
        _dns.Set("old.test", "CNAME", "gone.test");
        var dangling = await Client().FollowAsync("old.test", Ct);
        Assert.Equal(("gone.test", 0, true), (Assert.Single(dangling.Aliases), dangling.Addresses.Count, dangling.IsThere));
        Assert.False((await Client().FollowAsync("none.test", Ct)).IsThere);
    }

    [Fact]
    public async Task A_server_that_answers_with_the_alias_alone_is_asked_where_it_leads()
    {
        _dns.Set("www.test", "CNAME", "edge.test").Set("edge.test", "A", "192.0.2.1");
        // The first record only.
        _dns.Instead = (question, answer, _) => answer[7] < 2 ? answer : [.. answer[..7], 1, .. answer[8..]];
        var trail = await Client().FollowAsync("www.test", Ct);
        Assert.Equal(("edge.test", "192.0.2.1"), (Assert.Single(trail.Aliases), Assert.Single(trail.Addresses).ToString()));
    }

    [Fact]
    public async Task Aliases_in_a_circle_or_without_end_are_a_problem()
    {
        _dns.Set("one.test", "CNAME", "two.test").Set("two.test", "CNAME", "one.test").Set("self.test", "CNAME", "self.test");
        for (var i = 0; i < 30; i++)
            _dns.Set($"n{i}.test", "CNAME", $"n{i + 1}.test");
        foreach (var name in (string[])["one.test", "self.test", "n0.test"])
            Assert.Contains("circle", (await Client().FollowAsync(name, Ct)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Servers_are_read_from_a_setting_and_from_the_machine()
    {
        Assert.Equal(["10.0.0.2:53", "10.0.0.3:5353", "[2001:db8::1]:53"], DnsServers.Parse("10.0.0.2, 10.0.0.3:5353,[2001:db8::1]")!.Select(s => s.ToString()));
        foreach (var bad in (string[])["", "dns.example.org", "1.1.1.1;2.2.2.2", "1.1.1.1,,2.2.2.2", "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4"])
            Assert.Null(DnsServers.Parse(bad));
        Assert.Equal(["10.0.0.2:53", "[::1]:53"], DnsServers.Of(["# nameserver 9.9.9.9", "search example.org", "nameserver\t10.0.0.2", "nameserver ::1", "nameserver bad"]).Select(s => s.ToString()));
        Assert.Equal(["127.0.0.1:53"], DnsServers.Of([]).Select(s => s.ToString()));
    }

    private DnsClient Client(TimeSpan? patience = null, IReadOnlyList<IPEndPoint>? servers = null) =>
        new(new DnsClientOptions(servers ?? [_dns.Address]) { Patience = patience ?? TimeSpan.FromSeconds(30) }, TimeProvider.System);

    /// <summary>An answer with another address, as one who cannot see the question would send it.</summary>
    private static byte[] Forge(byte[] question, string how)
    {
        byte[] answer = [.. question, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 6, 6, 6, 6];
        (answer[2], answer[3], answer[7]) = (0x81, 0x80, 1);
        switch (how)
        {
            case "another id":
                answer[1] ^= 1;
                return answer;
            case "another name":
                answer[13] = (byte)'b';
                return answer;
            case "another type":
                answer[question.Length - 3] = 28;
                return answer;
            case "a question":
                answer[2] = 1;
                return answer;
            default:
                return answer[..9];
        }
    }
}
